"""The drives resource, shared drives, and about: the user, the quota and what Drive can do."""

from __future__ import annotations

import re
from typing import Any

from simulators.gdrive import access
from simulators.gdrive.call import Call, get_origin
from simulators.gdrive.capabilities import build_drive_capabilities
from simulators.gdrive.errors import DriveError
from simulators.gdrive.exports import EXPORTS, IMPORT_BYTES_MAX, IMPORTS
from simulators.gdrive.presenting import write_time
from simulators.gdrive.records import SharedDrive
from simulators.gdrive.store import QUOTA_BYTES
from simulators.gdrive.uploads import FILE_BYTES_MAX

FOLDER_COLORS = ("#ac725e", "#d06b64", "#f83a22", "#fa573c", "#ff7537", "#ffad46", "#42d692", "#16a765", "#8f8f8f")
THEMES = {"abacus": "#0f9d58", "blueprint": "#4184f3", "harbour": "#00695c"}
SETTABLE = frozenset({"kind", "name", "themeId", "colorRgb", "restrictions", "backgroundImageFile", "hidden"})


def list_drives(call: Call) -> dict[str, Any]:
    size, question = call.number("pageSize"), ("drives", call.text("q"), call.text("useDomainAdminAccess"))
    if call.text("pageToken"):
        ids, token = call.drive.pages.resume(question, call.text("pageToken"), size)
    else:
        wanted = _read_name(call.text("q"))
        ids = [drive.id for drive in call.store.drives.values() if _sees(call, drive) and wanted(_name(call, drive))]
        ids, token = call.drive.pages.start(question, ids, size)
    drives = [show_drive(call, call.store.drives[one]) for one in ids if one in call.store.drives]
    return {"kind": "drive#driveList", "drives": drives} | ({"nextPageToken": token} if token else {})


def get(call: Call) -> dict[str, Any]:
    return show_drive(call, _find(call))


def create(call: Call) -> dict[str, Any]:
    """The same requestId makes the same drive."""
    _check_body(call)
    if call.user.team is None:
        raise DriveError.forbidden("userCannotCreateTeamDrives", "The user cannot create shared drives.")
    if not call.body.get("name"):
        raise DriveError.required("drive.name", "The name field is required.")
    key = (call.user.number, call.text("requestId"))
    known = call.drive.drive_ids.get(key)
    if known is not None:
        raise DriveError(409, "conflict", "A shared drive with this request id has already been created.")
    drive_id = "0A" + call.store.invent_id()[1:16] + "PVA"
    call.drive.drive_ids[key] = drive_id
    drive = call.store.add_drive(drive_id, call.body["name"], call.user)
    return show_drive(call, drive)


def update(call: Call) -> dict[str, Any]:
    drive = _find(call)
    _check_body(call)
    if _get_role(call, drive) != "organizer":
        raise DriveError.insufficient()
    root = call.store.get(drive.id)
    root.name = call.body.get("name") or root.name
    drive.theme = call.body.get("themeId") or drive.theme
    drive.color = call.body.get("colorRgb") or THEMES.get(drive.theme, drive.color)
    restrictions = call.body.get("restrictions") or {}
    drive.restrictions |= {name: value for name, value in restrictions.items() if isinstance(value, bool)}
    call.store.note_drive(drive)
    return show_drive(call, drive)


def delete(call: Call) -> None:
    drive = _find(call)
    if _get_role(call, drive) != "organizer":
        raise DriveError.insufficient()
    items = [
        file for file in call.store.walk_below(call.store.get(drive.id)) if not access.is_trashed(call.store, file)
    ]
    if items and not (call.flag("allowItemDeletion") and call.flag("useDomainAdminAccess")):
        raise DriveError.forbidden("cannotDeleteResourceWithChildren", "The shared drive still has items in it.")
    call.store.delete_drive(drive)


def hide(call: Call) -> dict[str, Any]:
    drive = _find(call)
    drive.hidden_by.add(call.user.number)
    return show_drive(call, drive)


def unhide(call: Call) -> dict[str, Any]:
    drive = _find(call)
    drive.hidden_by.discard(call.user.number)
    return show_drive(call, drive)


def show_drive(call: Call, drive: SharedDrive) -> dict[str, Any]:
    names = (
        "adminManagedRestrictions",
        "copyRequiresWriterPermission",
        "domainUsersOnly",
        "driveMembersOnly",
        "sharingFoldersRequiresOrganizerPermission",
    )
    return {
        "kind": "drive#drive",
        "id": drive.id,
        "name": _name(call, drive),
        "colorRgb": drive.color,
        "createdTime": write_time(drive.created_at),
        "hidden": call.user.number in drive.hidden_by,
        "backgroundImageLink": f"{get_origin(call.request)}/themes/{drive.theme}",
        "capabilities": build_drive_capabilities(_get_role(call, drive)),
        "restrictions": {name: drive.restrictions.get(name, False) for name in names},
    }


def show_about(call: Call) -> dict[str, Any]:
    used, trashed = call.store.get_usage(call.user)
    origin = get_origin(call.request)
    themes = [
        {"id": name, "colorRgb": color, "backgroundImageLink": f"{origin}/themes/{name}"}
        for name, color in THEMES.items()
    ]
    imports: dict[str, list[str]] = {source: [target] for source, target in IMPORTS.items()}
    return {
        "kind": "drive#about",
        "user": call.viewer.show_user(call.user.number),
        "storageQuota": {
            "limit": str(call.store.quota_bytes.get(call.user.number, QUOTA_BYTES)),
            "usage": str(used),
            "usageInDrive": str(used),
            "usageInDriveTrash": str(trashed),
        },
        "importFormats": imports,
        "exportFormats": {source: list(targets) for source, targets in EXPORTS.items()},
        "maxImportSizes": {source: str(IMPORT_BYTES_MAX) for source in EXPORTS},
        "maxUploadSize": str(FILE_BYTES_MAX),
        "appInstalled": True,
        "folderColorPalette": list(FOLDER_COLORS),
        "driveThemes": themes,
        "teamDriveThemes": themes,
        "canCreateDrives": call.user.team is not None,
        "canCreateTeamDrives": call.user.team is not None,
    }


def _find(call: Call) -> SharedDrive:
    drive = call.store.drives.get(call.text("driveId"))
    if drive is None or not _sees(call, drive):
        raise DriveError.missing("Shared drive", call.text("driveId"), location="driveId")
    return drive


def _get_role(call: Call, drive: SharedDrive) -> str | None:
    if call.flag("useDomainAdminAccess") and call.user.is_admin:
        return "organizer"
    return access.get_role(call.store, call.store.get(drive.id), call.user)


def _sees(call: Call, drive: SharedDrive) -> bool:
    return _get_role(call, drive) is not None


def _name(call: Call, drive: SharedDrive) -> str:
    return call.store.get(drive.id).name


def _read_name(query: str) -> Any:
    """Of the search language for shared drives the part about names."""
    found = re.fullmatch(r"\s*name\s*(contains|=|!=)\s*'((?:[^'\\]|\\.)*)'\s*", query) if query else None
    if query and not found:
        raise DriveError.invalid("q")
    if not found:
        return lambda _: True
    wanted = re.sub(r"\\(.)", r"\1", found[2]).casefold()
    match found[1]:
        case "contains":
            return lambda name: any(word.startswith(wanted) for word in [name.casefold(), *name.casefold().split()])
        case "=":
            return lambda name: name.casefold() == wanted
    return lambda name: name.casefold() != wanted


def _check_body(call: Call) -> None:
    if call.body.keys() - SETTABLE - {"id"}:
        message = "The resource body includes fields which are not directly writable."
        raise DriveError.forbidden("fieldNotWritable", message)
