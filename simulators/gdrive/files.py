"""The files resource, all but uploads: list, get, create, update, copy, delete, trash, export."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from simulators.core.faults import FaultKind, count_stale_seconds, take_fault
from simulators.gdrive import access, exports
from simulators.gdrive.call import Call
from simulators.gdrive.errors import DriveError
from simulators.gdrive.fields import get_part, list_wanted
from simulators.gdrive.matching import Matcher, find_sharing
from simulators.gdrive.media import send_blob
from simulators.gdrive.query import Query, find_parent, has_full_text, list_parents, parse_query
from simulators.gdrive.records import SHORTCUT, Blob, DriveFile
from simulators.gdrive.store import count_quota
from simulators.gdrive.writing import copy_file, create_file, is_abusive, update_file

EARLIEST = datetime.min.replace(tzinfo=UTC)
SPACES = frozenset({"drive", "appDataFolder"})
CORPORA = frozenset({"", "user", "domain", "drive", "allDrives"})


def show(call: Call, file: DriveFile) -> dict[str, Any]:
    return call.viewer.show_file(file, list_wanted(call.mask))


def list_files(call: Call) -> dict[str, Any]:
    question = tuple(call.text(name) for name in ("q", "orderBy", "corpora", "driveId", "spaces"))
    size = call.number("pageSize")
    if call.text("pageToken"):
        ids, token = call.drive.pages.resume(question, call.text("pageToken"), size)
    else:
        ids, token = call.drive.pages.start(question, _search(call), size)
    wanted = list_wanted(get_part(call.mask, "files"))
    files = [file for file in map(call.store.find, ids) if file is not None]
    listed: dict[str, Any] = {
        "kind": "drive#fileList",
        "incompleteSearch": False,
        "files": [call.viewer.show_file(file, wanted) for file in files],
    }
    return listed | ({"nextPageToken": token} if token else {})


def get(call: Call) -> dict[str, Any] | Response:
    file = call.get_file(call.text("fileId"))
    if call.text("alt") != "media":
        return show(call, file)
    return download(call, file)


def create(call: Call) -> dict[str, Any]:
    file = create_file(call, dict(call.body), None, None)
    if take_fault(call.request, FaultKind.DUPLICATE_NAME):
        create_file(call, {name: value for name, value in call.body.items() if name != "id"}, None, None)
    return show(call, file)


def update(call: Call) -> dict[str, Any]:
    return show(call, update_file(call, call.get_file(call.text("fileId")), call.body, None, None))


def copy(call: Call) -> dict[str, Any]:
    return show(call, copy_file(call, call.get_file(call.text("fileId")), call.body))


def delete(call: Call) -> None:
    standing = call.get_standing(call.text("fileId"))
    if standing.file.is_root or not standing.is_master:
        raise DriveError.insufficient()
    call.store.delete(standing.file)


def empty_trash(call: Call) -> None:
    drive_id = call.text("driveId") or None
    for file in call.store.list_all():
        is_there = call.store.find(file.id) is not None and file.is_trashed
        if is_there and file.drive_id == drive_id and (drive_id or file.owner == call.user.number):
            if drive_id and not call.get_standing(file.id).is_master:
                raise DriveError.insufficient()
            call.store.delete(file)


def generate_ids(call: Call) -> dict[str, Any]:
    space = call.text("space")
    if space not in SPACES:
        raise DriveError.invalid("space")
    if call.text("type") not in {"files", "shortcuts"}:
        raise DriveError.invalid("type")
    ids = [call.store.invent_id() for _ in range(call.number("count"))]
    call.store.reserved_ids.update(ids)
    return {"kind": "drive#generatedIds", "space": space, "ids": ids}


def export(call: Call) -> Response:
    call.check_content_scope()
    standing = call.get_standing(call.text("fileId"))
    return send_export(standing.file, call.text("mimeType"), standing.file.blob)


def send_export(file: DriveFile, mime_type: str, blob: Blob | None) -> Response:
    if not file.is_native or blob is None:
        raise DriveError.forbidden("fileNotExportable", "Export only supports Docs Editors files.")
    data = exports.export(file.mime_type, blob.content.read(), mime_type)
    return Response(data, media_type=mime_type)


def download(call: Call, file: DriveFile) -> Response:
    """The bytes of a file, or the part that is asked for."""
    call.check_content_scope()
    standing = call.get_standing(file.id)
    if file.is_native or file.blob is None:
        message = "Only files with binary content can be downloaded. Use Export with Docs Editors files."
        raise DriveError(403, "fileNotDownloadable", message, location="alt")
    if not standing.can_download:
        raise DriveError.forbidden("cannotDownloadFile", "This file cannot be downloaded by the user.")
    if is_abusive(file.blob) and not call.flag("acknowledgeAbuse"):
        message = "This file has been identified as malware or spam and cannot be downloaded."
        raise DriveError.forbidden("cannotDownloadAbusiveFile", message)
    file.viewed_at[call.user.number] = call.store.now()
    return send_blob(call.request, file.blob, file.mime_type, name=file.name)


def _search(call: Call) -> list[str]:
    query = parse_query(call.text("q")) if call.text("q").strip() else None
    space = call.text("spaces")
    if space not in SPACES:
        raise DriveError.invalid("spaces")
    if space == "appDataFolder":
        call.resolve("appDataFolder")
    order = _read_order(call.text("orderBy"))
    if query is not None and has_full_text(query) and order:
        message = "Sorting is not supported for queries with fullText terms. "
        raise DriveError(
            400, "badRequest", message + "Results are always in descending relevance order.", location="orderBy"
        )
    for parent in list_parents(query) if query is not None else ():
        call.get_file(parent)
    matcher = Matcher(call.store, call.user, call.client_id)
    found = [
        file
        for file in _list_candidates(call, query)
        if file.space == space
        and (query is None or matcher.matches(file, query))  # first: rights cost more
        and call.reaches(file)
        and access.is_listed(call.store, file, call.user)
    ]
    stale = take_fault(call.request, FaultKind.STALE)
    if stale is not None:
        seen_at = call.store.now() - timedelta(seconds=count_stale_seconds(stale))
        found = [file for file in found if file.created_at < seen_at]
    found.sort(key=lambda file: file.id)
    for key, is_descending in reversed(order or [(ORDERS["modifiedTime"], True)]):
        found.sort(key=lambda file, key=key: key(call, file), reverse=is_descending)  # type: ignore[misc]  # lambda's default
    return [file.id for file in found]


def _list_candidates(call: Call, query: Query | None) -> list[DriveFile]:
    """What lies in the corpora that are asked for, in the caller's sight or not."""
    corpora, drive_id = call.text("corpora") or call.text("corpus"), call.text("driveId") or call.text("teamDriveId")
    includes_drives = call.flag("includeItemsFromAllDrives") or call.flag("includeTeamDriveItems")
    if corpora not in CORPORA:
        raise DriveError.invalid("corpora")
    if corpora in {"drive", "allDrives"} and not (includes_drives and call.supports_drives):
        message = "includeItemsFromAllDrives and supportsAllDrives are needed to search shared drives."
        raise DriveError.forbidden("teamDrivesNotSupported", message)
    if (corpora == "drive") is not bool(drive_id):
        raise DriveError.bad_request("driveId and corpora=drive go together.")
    if drive_id:
        call.get_file(drive_id)
    parents = list_parents(query) if query is not None else frozenset()
    found = []
    only = find_parent(query) if query is not None else None
    for file in call.store.list_all() if only is None else call.store.list_children(call.resolve(only)):
        if file.is_root:
            continue
        if file.drive_id is None:
            is_in = not drive_id
        elif drive_id:
            is_in = file.drive_id == drive_id
        else:
            is_met = corpora == "allDrives" or file.parent_id in parents or call.user.number in file.viewed_at
            is_in = includes_drives and is_met
        if is_in:
            found.append(file)
    return found


def _read_order(text: str) -> list[tuple[Callable[[Call, DriveFile], Any], bool]]:
    order = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        if name not in ORDERS or direction not in {"", "desc"}:
            raise DriveError.invalid("orderBy")
        order.append((ORDERS[name], direction == "desc"))
    return order


def _split_numbers(name: str) -> list[tuple[int, str]]:
    """`a10` comes after `a2`."""
    parts: list[tuple[int, str]] = []
    digits = ""
    for character in name.casefold() + "\0":
        if character.isdecimal():
            digits += character
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((-1, character))
    return parts


ORDERS: dict[str, Callable[[Call, DriveFile], Any]] = {
    "createdTime": lambda _, file: file.created_at,
    "folder": lambda _, file: not (file.is_folder or file.mime_type == SHORTCUT),
    "modifiedByMeTime": lambda call, file: file.modified_at_by.get(call.user.number, EARLIEST),
    "modifiedTime": lambda _, file: file.modified_at,
    "name": lambda _, file: file.name.casefold(),
    "name_natural": lambda _, file: _split_numbers(file.name),
    "quotaBytesUsed": lambda _, file: count_quota(file),
    "recency": lambda call, file: max(file.modified_at, file.viewed_at.get(call.user.number, EARLIEST)),
    "sharedWithMeTime": lambda call, file: find_sharing(file, call.user) or EARLIEST,
    "starred": lambda call, file: call.user.number not in file.starred_by,
    "viewedByMeTime": lambda call, file: file.viewed_at.get(call.user.number, EARLIEST),
}
