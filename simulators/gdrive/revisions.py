"""The revisions resource: earlier bytes of a file."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from simulators.gdrive.call import Call
from simulators.gdrive.errors import DriveError
from simulators.gdrive.media import send_blob
from simulators.gdrive.records import DriveFile, Revision
from simulators.gdrive.writing import is_abusive

KEPT_COUNT_MAX = 200
SETTABLE_OF_BYTES = frozenset({"keepForever"})
SETTABLE_OF_DOCUMENTS = frozenset({"published", "publishAuto", "publishedOutsideDomain"})


def list_revisions(call: Call) -> dict[str, Any]:
    file = _get_file(call)
    shown = {revision.id: revision for revision in file.revisions}
    question, size = ("revisions", file.id), call.number("pageSize")
    if call.text("pageToken"):
        ids, token = call.drive.pages.resume(question, call.text("pageToken"), size)
    else:
        ids, token = call.drive.pages.start(question, list(shown), size)
    revisions = [call.viewer.show_revision(file, shown[one]) for one in ids if one in shown]
    return {"kind": "drive#revisionList", "revisions": revisions} | ({"nextPageToken": token} if token else {})


def get(call: Call) -> dict[str, Any] | Response:
    file = _get_file(call)
    revision = _find(call, file)
    if call.text("alt") != "media":
        return call.viewer.show_revision(file, revision)
    call.check_content_scope()
    if file.is_native:
        raise DriveError.forbidden("fileNotDownloadable", "Only files with binary content can be downloaded.")
    if is_abusive(revision.blob) and not call.flag("acknowledgeAbuse"):
        message = "This file has been identified as malware or spam and cannot be downloaded."
        raise DriveError.forbidden("cannotDownloadAbusiveFile", message)
    return send_blob(call.request, revision.blob, revision.mime_type, name=revision.filename or file.name)


def update(call: Call) -> dict[str, Any]:
    file = _get_file(call)
    revision = _find(call, file)
    settable = SETTABLE_OF_DOCUMENTS if file.is_native else SETTABLE_OF_BYTES
    if call.body.keys() - settable - {"kind", "id"}:
        message = "The resource body includes fields which are not directly writable."
        raise DriveError.forbidden("fieldNotWritable", message)
    if call.body.get("keepForever") and sum(one.is_kept for one in file.revisions) >= KEPT_COUNT_MAX:
        raise DriveError.forbidden("revisionLimitExceeded", "Too many revisions are kept for ever.")
    with call.store.changing(file, "content"):
        revision.is_kept = bool(call.body.get("keepForever", revision.is_kept))
        revision.is_published = bool(call.body.get("published", revision.is_published))
        revision.is_published_again = bool(call.body.get("publishAuto", revision.is_published_again))
        revision.is_published_outside = bool(call.body.get("publishedOutsideDomain", revision.is_published_outside))
    return call.viewer.show_revision(file, revision)


def delete(call: Call) -> None:
    file = _get_file(call)
    revision = _find(call, file)
    if file.is_native:
        raise DriveError.forbidden("revisionDeletionNotSupported", "Revisions of this file cannot be deleted.")
    if len(file.revisions) == 1:
        raise DriveError.bad_request("The last revision of a file cannot be deleted.")
    with call.store.changing(file, "content"):
        file.revisions.remove(revision)


def _get_file(call: Call) -> DriveFile:
    file = call.get_writable(call.text("fileId"))
    if not file.revisions:
        raise DriveError.forbidden("revisionsNotSupported", "The file does not support revisions.")
    return file


def _find(call: Call, file: DriveFile) -> Revision:
    wanted = call.text("revisionId")
    if wanted == "head":
        return file.revisions[-1]
    for revision in file.revisions:
        if revision.id == wanted:
            return revision
    raise DriveError.missing("Revision", wanted, location="revisionId")
