"""Making files and changing them: what a request's body and its bytes do to a file."""

from __future__ import annotations

import mimetypes
from collections.abc import Set as AbstractSet
from typing import Any

from simulators.gdrive import access
from simulators.gdrive.call import Call
from simulators.gdrive.errors import DriveError
from simulators.gdrive.exports import IMPORT_BYTES_MAX, NATIVE_TYPES, convert
from simulators.gdrive.records import FOLDER, NATIVE_PREFIX, SHORTCUT, Blob, DriveFile, Revision, rank
from simulators.gdrive.settable import (
    CONTENT_FIELDS,
    IGNORED,
    PERSONAL,
    SETTABLE_AT_BIRTH,
    SETTABLE_LATER,
    SETTERS,
    UNTITLED,
    Setting,
    check_name,
)

UNKNOWN_TYPE = "application/octet-stream"
REVISIONS_COUNT_MAX = 200
EICAR = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
"""Whoever stores this string tests virus scanners; such a file counts as abusive here."""


def create_file(call: Call, body: dict[str, Any], blob: Blob | None, media_type: str | None) -> DriveFile:
    """A new file of the caller."""
    _check_writable(body, SETTABLE_AT_BIRTH)
    parent = find_parent(call, body.get("parents"))
    name = body.get("name") or UNTITLED
    mime_type = _choose_type(body.get("mimeType"), media_type, name)
    file = _begin(call, parent, _choose_id(call, body), name, mime_type)
    _set_target(call, file, body)
    if blob is not None or mime_type not in {FOLDER, SHORTCUT}:
        blob = blob or call.drive.keep_blob(b"")
        _check_quota(call, file, blob)
        add_revision(call, file, blob, media_type, is_kept=call.flag("keepRevisionForever"))
    _apply(call, file, body)
    call.store.add(file)
    return file


def update_file(
    call: Call, file: DriveFile, body: dict[str, Any], blob: Blob | None, media_type: str | None
) -> DriveFile:
    """Changes properties, bytes and place of a file."""
    standing = call.get_standing(file.id)
    if "parents" in body:
        message = "The parents field is not directly writable in update requests. "
        raise DriveError.forbidden(
            "fieldNotWritable", message + "Use the addParents and removeParents parameters instead."
        )
    _check_writable(body, SETTABLE_LATER)
    moves = bool(call.text("addParents") or call.text("removeParents"))
    if (blob is not None or moves or body.keys() - PERSONAL - IGNORED - {"trashed"}) and not standing.can_write:
        raise DriveError.insufficient()
    if file.is_root and (moves or "name" in body or "trashed" in body):
        raise DriveError.insufficient()
    if blob is not None and file.mime_type in {FOLDER, SHORTCUT}:
        raise DriveError.bad_request("Bad Request")
    if blob is not None:
        _check_quota(call, file, blob)
    place = _choose_place(call, file) if moves else None
    if "trashed" in body:
        trash_file(call, file, is_trashed=bool(body["trashed"]))
    if place is not None and place.id != file.parent_id:
        call.store.move(file, place)
    _change(call, file, body, blob, media_type)
    return file


def copy_file(call: Call, source: DriveFile, body: dict[str, Any]) -> DriveFile:
    """A new file of the caller with the same bytes."""
    if not call.get_standing(source.id).can_copy:
        raise DriveError.forbidden("cannotCopyFile", "This file cannot be copied by the user.")
    _check_writable(body, SETTABLE_AT_BIRTH)
    parents = body.get("parents")
    if not parents:
        parents = _find_own_parents(call, source)
    parent = find_parent(call, parents)
    wanted_type = body.get("mimeType") or source.mime_type
    file = _begin(call, parent, _choose_id(call, body), body.get("name") or f"Copy of {source.name}", wanted_type)
    file.description = source.description
    file.folder_color = source.folder_color
    file.needs_writer_to_copy = source.needs_writer_to_copy
    file.thumbnail = source.thumbnail
    file.target_id, file.target_mime_type = source.target_id, source.target_mime_type
    file.properties = dict(source.properties)
    own = source.app_properties.get(call.client_id, {})
    file.app_properties = {call.client_id: dict(own)} if own else {}
    if source.blob is not None:
        _check_quota(call, file, source.blob)
        add_revision(call, file, source.blob, source.mime_type, is_kept=call.flag("keepRevisionForever"))
    _apply(call, file, {name: value for name, value in body.items() if name not in {"name", "mimeType"}})
    call.store.add(file)
    return file


def trash_file(call: Call, file: DriveFile, *, is_trashed: bool) -> None:
    """Into the trash or out of it, with all that is below."""
    if not call.get_standing(file.id).can_trash:
        raise DriveError.insufficient()
    if file.is_trashed == is_trashed:
        return
    with call.store.changing(file, state="trash" if is_trashed else "untrash", is_deep=True):
        file.is_trashed = is_trashed
        file.trashed_at = call.store.now() if is_trashed else None
        file.trashed_by = call.user.number if is_trashed else None


def find_parent(call: Call, parents: list[str] | None) -> DriveFile:
    """The one folder that a new file is put into; the caller's My Drive if none is named."""
    if not parents:
        return call.store.get_root(call.user)
    if len(set(parents)) > 1:
        raise DriveError.forbidden("cannotAddParent", "Increasing the number of parents is not allowed")
    standing = call.get_standing(parents[0])
    if not standing.file.is_folder:
        raise DriveError.forbidden("parentNotAFolder", "The specified parent is not a folder.")
    if not standing.can_write:
        message = "Insufficient permissions for the specified parent."
        raise DriveError.forbidden("insufficientParentPermissions", message)
    return standing.file


def add_revision(call: Call, file: DriveFile, blob: Blob, media_type: str | None, *, is_kept: bool = False) -> None:
    """New bytes; a document of Drive's own turns them into its own form."""
    if file.is_native and media_type and not media_type.startswith(NATIVE_PREFIX):
        if blob.size_bytes > IMPORT_BYTES_MAX:
            raise DriveError(413, "uploadTooLarge", "The file is too large to be converted.")
        blob = call.drive.keep_blob(convert(media_type.partition(";")[0], blob.content.read(), file.mime_type))
    number = str(len(file.revisions) + 1) if file.is_native else "0B" + call.store.invent_id()
    revision = Revision(
        id=number,
        blob=blob,
        mime_type=file.mime_type,
        modified_at=file.modified_at,
        modified_by=call.user.number,
        filename=file.original_filename or file.name,
        is_kept=is_kept,
    )
    file.revisions.append(revision)
    loose = [one for one in file.revisions[:-1] if not one.is_kept]
    if len(file.revisions) > REVISIONS_COUNT_MAX and loose:
        file.revisions.remove(loose[0])


def is_abusive(blob: Blob) -> bool:
    return EICAR in blob.content.read(0, 4096)


def _begin(call: Call, parent: DriveFile, file_id: str, name: str, mime_type: str) -> DriveFile:
    check_name(name)
    now = call.store.now()
    file = DriveFile(
        id=file_id,
        name=name,
        mime_type=mime_type,
        parent_id=parent.id,
        owner=None,
        drive_id=parent.drive_id,
        created_at=now,
        modified_at=now,
        modified_by=call.user.number,
        client_id=call.client_id,
        space=parent.space,
    )
    file.viewed_at[call.user.number] = now
    file.modified_at_by[call.user.number] = now
    if parent.drive_id is None:
        call.store.own(file, call.user)
    return file


def _change(call: Call, file: DriveFile, body: dict[str, Any], blob: Blob | None, media_type: str | None) -> None:
    body = {name: value for name, value in body.items() if name != "trashed"}
    if not body and blob is None:
        return
    aspects = {"content"} if blob is not None else set()
    aspects |= {"properties"} if body else set()
    with call.store.changing(file, *aspects, is_deep="inheritedPermissionsDisabled" in body):
        if blob is not None or body.keys() & CONTENT_FIELDS:
            file.modified_at = call.store.now()
            file.modified_by = call.user.number
            file.modified_at_by[call.user.number] = file.modified_at
        if "mimeType" not in body and blob is not None and media_type and not file.is_native:
            file.mime_type = _choose_type(None, media_type, file.name)
        _apply(call, file, body)
        if blob is not None:
            add_revision(call, file, blob, media_type, is_kept=call.flag("keepRevisionForever"))


def _apply(call: Call, file: DriveFile, body: dict[str, Any]) -> None:
    """Sets the properties that a body names."""
    for name, value in body.items():
        if name in SETTERS:
            setting = Setting(
                file=file, value=value, user_number=call.user.number, client_id=call.client_id, now=call.store.now()
            )
            SETTERS[name](setting)


def _set_target(call: Call, file: DriveFile, body: dict[str, Any]) -> None:
    details = body.pop("shortcutDetails", None) or {}
    if file.mime_type != SHORTCUT:
        if details:
            raise DriveError.forbidden("fieldNotWritable", "Only shortcuts have a target.")
        return
    if not details.get("targetId"):
        raise DriveError.required("shortcutDetails.targetId")
    target = call.get_file(details["targetId"])
    if target.mime_type == SHORTCUT:
        raise DriveError.forbidden("shortcutTargetInvalid", "The shortcut's target is invalid.")
    file.target_id, file.target_mime_type = target.id, target.mime_type
    file.name = body.get("name") or target.name


def _choose_place(call: Call, file: DriveFile) -> DriveFile:
    """Where addParents and removeParents leave the file: in exactly one folder."""
    added = [call.resolve(one) for one in call.text("addParents").split(",") if one]
    removed = [call.resolve(one) for one in call.text("removeParents").split(",") if one]
    added = [one for one in added if one != file.parent_id or one in removed]
    if not added:
        if file.parent_id not in removed:
            return call.store.get(file.parent_id or "")
        if file.drive_id is not None:
            message = "A shared drive item must have exactly one parent."
            raise DriveError.forbidden("teamDrivesParentLimit", message)
        return call.store.get_root(call.store.users.get(file.owner or call.user.number))
    if len(set(added)) > 1 or (file.parent_id not in removed and _sees_parent(call, file)):
        raise DriveError.forbidden("cannotAddParent", "Increasing the number of parents is not allowed")
    parent = find_parent(call, added)
    if parent.drive_id != file.drive_id:
        if file.is_folder and parent.drive_id is not None:
            message = "Moving folders into shared drives is not supported."
            raise DriveError.forbidden("teamDrivesFolderMoveInNotSupported", message)
        if not call.get_standing(file.id).is_master:
            raise DriveError.insufficient()
    return parent


def _sees_parent(call: Call, file: DriveFile) -> bool:
    parent = call.store.find(file.parent_id or "")
    return parent is not None and access.get_role(call.store, parent, call.user) is not None


def _find_own_parents(call: Call, source: DriveFile) -> list[str]:
    """The source's folder where the caller may write into it."""
    parent = call.store.find(source.parent_id or "")
    if parent is None or rank(access.get_role(call.store, parent, call.user)) < rank("writer"):
        return []
    return [parent.id]


def _choose_id(call: Call, body: dict[str, Any]) -> str:
    wanted = body.pop("id", None)
    body.pop("parents", None)
    if not wanted:
        return call.store.invent_id()
    if call.store.find(wanted) is None and wanted not in call.store.reserved_ids:
        raise DriveError.invalid("file.id", "The provided file ID is not usable.")
    return str(wanted)


def _choose_type(wanted: str | None, media_type: str | None, name: str) -> str:
    if wanted:
        if wanted.startswith(NATIVE_PREFIX) and wanted not in {FOLDER, SHORTCUT, *NATIVE_TYPES}:
            raise DriveError.invalid("mimeType")
        return wanted
    if media_type and media_type.partition(";")[0] not in {"", UNKNOWN_TYPE, "*/*"}:
        return media_type
    return mimetypes.guess_type(name)[0] or UNKNOWN_TYPE


def _check_writable(body: dict[str, Any], settable: AbstractSet[str]) -> None:
    if body.keys() - settable - IGNORED:
        message = "The resource body includes fields which are not directly writable."
        raise DriveError.forbidden("fieldNotWritable", message)


def _check_quota(call: Call, file: DriveFile, blob: Blob) -> None:
    if file.owner is not None and not file.is_native:
        call.store.check_quota(call.store.users.get(file.owner), blob.size_bytes)
