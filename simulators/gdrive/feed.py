"""The changes resource and the channels that tell of changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from simulators.core.faults import FaultKind, take_fault
from simulators.gdrive import access
from simulators.gdrive.call import Call, get_origin
from simulators.gdrive.channels import (
    ID_CHARACTERS_MAX,
    TOKEN_CHARACTERS_MAX,
    Channel,
    check_address,
    choose_end,
)
from simulators.gdrive.drives import show_drive
from simulators.gdrive.errors import DriveError
from simulators.gdrive.fields import get_part, list_wanted
from simulators.gdrive.presenting import write_time
from simulators.gdrive.records import Change


def get_start(call: Call) -> dict[str, Any]:
    _check_drive(call)
    return {"kind": "drive#startPageToken", "startPageToken": str(call.store.next_change_number)}


def list_changes(call: Call) -> dict[str, Any]:
    """The latest state of whatever changed since the token, each file once."""
    number = _read_token(call)
    _check_drive(call)
    latest: dict[str, Change] = {}
    for change in call.store.list_changes(number):
        if _concerns(call, change):
            key = change.file_id or change.drive_id or ""
            latest.pop(key, None)
            latest[key] = change
    page: list[dict[str, Any]] = []
    rest = list(latest.values())
    while rest and len(page) < call.number("pageSize"):
        change = rest.pop(0)
        shown = _show(call, change)
        if shown is not None:
            page.append(shown)
        number = change.number + 1
    listed: dict[str, Any] = {"kind": "drive#changeList", "changes": page}
    if rest:
        return listed | {"nextPageToken": str(number)}
    return listed | {"newStartPageToken": str(call.store.next_change_number)}


def watch_changes(call: Call) -> dict[str, Any]:
    _read_token(call)
    _check_drive(call)
    path = f"/drive/v3/changes?pageToken={call.text('pageToken')}&alt=json"
    return _open(call, file_id=None, path=path)


def watch_file(call: Call) -> dict[str, Any]:
    file = call.get_file(call.text("fileId"))
    return _open(call, file_id=file.id, path=f"/drive/v3/files/{file.id}?alt=json")


def stop_channel(call: Call) -> None:
    channel = call.drive.channels.find(call.body.get("id") or "")
    is_own = channel is not None and channel.user_number == call.user.number and channel.client_id == call.client_id
    if channel is None or not is_own or channel.resource_id != call.body.get("resourceId"):
        message = f"Channel '{call.body.get('id')}' not found for project '{call.client_id}'"
        raise DriveError(404, "notFound", message)
    call.drive.channels.close(channel)


def _open(call: Call, *, file_id: str | None, path: str) -> dict[str, Any]:
    body = call.body
    channel_id, address = body.get("id") or "", body.get("address") or ""
    if not channel_id or len(channel_id) > ID_CHARACTERS_MAX:
        raise DriveError.required("resource.id", "A channel needs an id of at most 64 characters.")
    if len(body.get("token") or "") > TOKEN_CHARACTERS_MAX:
        raise DriveError.invalid("resource.token")
    if body.get("type") not in {"web_hook", "webhook"}:
        raise DriveError(400, "channelUnknownType", f"Unknown channel type: {body.get('type')}", domain="push")
    check_address(address)
    now = call.store.now()
    expires_at = choose_end(now, _read_expiration(body), is_for_file=file_id is not None)
    channel = Channel(
        id=channel_id,
        resource_id=f"{file_id or 'changes'}-{call.user.number}-{call.text('driveId')}".rstrip("-"),
        resource_uri=get_origin(call.request) + path,
        address=address,
        token=body.get("token"),
        user_number=call.user.number,
        client_id=call.client_id,
        file_id=file_id,
        drive_id=call.text("driveId") or None,
        expires_at=expires_at,
    )
    call.drive.channels.open(channel)
    shown = {
        "kind": "api#channel",
        "id": channel.id,
        "resourceId": channel.resource_id,
        "resourceUri": channel.resource_uri,
        "expiration": str(int(expires_at.timestamp() * 1000)),
    }
    return shown | ({"token": channel.token} if channel.token is not None else {})


def _read_expiration(body: dict[str, Any]) -> datetime | None:
    value = body.get("expiration") or (body.get("params") or {}).get("ttl")
    if value is None:
        return None
    try:
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise DriveError.invalid("resource.expiration") from None


def _read_token(call: Call) -> int:
    text = call.text("pageToken")
    if take_fault(call.request, FaultKind.CURSOR_RESET):
        call.store.forget_changes()
        raise DriveError.invalid("pageToken")
    if not text.isdecimal() or not call.store.knows_change(int(text)):
        raise DriveError.invalid("pageToken")
    return int(text)


def _check_drive(call: Call) -> None:
    drive_id = call.text("driveId") or call.text("teamDriveId")
    if not drive_id:
        return
    if not call.supports_drives:
        message = "supportsAllDrives is needed to ask for a shared drive."
        raise DriveError.forbidden("teamDrivesNotSupported", message)
    if drive_id not in call.store.drives:
        raise DriveError.missing("Shared drive", drive_id, location="driveId")
    call.get_file(drive_id)


def _concerns(call: Call, change: Change) -> bool:
    if call.user.number not in change.audience:
        return False
    drive_id = call.text("driveId") or call.text("teamDriveId")
    if drive_id:
        return change.drive_id == drive_id
    if change.drive_id is None:
        return True
    includes = call.flag("includeItemsFromAllDrives") or call.flag("includeTeamDriveItems")
    return includes and call.supports_drives and not call.flag("restrictToMyDrive")


def _show(call: Call, change: Change) -> dict[str, Any] | None:
    shown: dict[str, Any] = {"kind": "drive#change", "time": write_time(change.at), "removed": False}
    mask = get_part(call.mask, "changes")
    if change.file_id is None:
        drive = call.store.drives.get(change.drive_id or "")
        shown |= {"changeType": "drive", "type": "drive", "driveId": change.drive_id, "teamDriveId": change.drive_id}
        if drive is not None and access.get_role(call.store, call.store.get(drive.id), call.user):
            return shown | {"drive": show_drive(call, drive)}
        return shown | {"removed": True} if call.flag("includeRemoved") else None
    shown |= {"changeType": "file", "type": "file", "fileId": change.file_id}
    if change.drive_id is not None:
        shown |= {"driveId": change.drive_id, "teamDriveId": change.drive_id}
    file = call.store.find(change.file_id)
    if file is not None and file.space != call.text("spaces"):
        return None
    if file is not None and access.is_listed(call.store, file, call.user):
        if not call.reaches(file):
            return None
        return shown | {"file": call.viewer.show_file(file, list_wanted(get_part(mask, "file")))}
    return shown | {"removed": True} if call.flag("includeRemoved") else None
