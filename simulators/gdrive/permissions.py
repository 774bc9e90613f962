"""The permissions resource: who may do what, and the rules of handing a file over."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from simulators.gdrive import access
from simulators.gdrive.call import Call
from simulators.gdrive.capabilities import Standing
from simulators.gdrive.errors import DriveError
from simulators.gdrive.matching import read_time
from simulators.gdrive.records import ROLES, DriveFile, Permission, rank
from simulators.gdrive.store import build_permission_id

KINDS = frozenset({"user", "group", "domain", "anyone"})
PAGE_COUNT_DEFAULT = 100
EXPIRY_DAYS_MAX = 366
PERMISSIONS_COUNT_MAX = 600
SETTABLE = frozenset({
    "kind", "type", "role", "emailAddress", "domain", "allowFileDiscovery", "expirationTime", "pendingOwner", "view",
})  # fmt: skip


def list_permissions(call: Call) -> dict[str, Any]:
    standing = _get_standing(call)
    if not standing.can_write and not standing.can_share:
        raise DriveError.insufficient()
    file = standing.file
    granted = {one.permission.id: one for one in access.list_granted(call.store, file)}
    size = int(call.text("pageSize") or (PAGE_COUNT_DEFAULT if file.drive_id else PERMISSIONS_COUNT_MAX))
    question = ("permissions", file.id)
    if call.text("pageToken"):
        ids, token = call.drive.pages.resume(question, call.text("pageToken"), size)
    else:
        ids, token = call.drive.pages.start(question, list(granted), size)
    shown = [call.viewer.show_permission(granted[one], file) for one in ids if one in granted]
    return {"kind": "drive#permissionList", "permissions": shown} | ({"nextPageToken": token} if token else {})


def get(call: Call) -> dict[str, Any]:
    standing = _get_standing(call)
    granted = _find(call, standing.file)
    return call.viewer.show_permission(granted, standing.file)


def create(call: Call) -> dict[str, Any]:
    standing, body = _get_standing(call), call.body
    file = standing.file
    _check_body(body)
    kind, role = body.get("type"), body.get("role")
    if kind not in KINDS:
        raise DriveError.required("permission.type", "The permission type field is required.")
    if role not in ROLES:
        raise DriveError.required("permission.role", "The permission role field is required.")
    if role == "owner":
        _check_transfer(call, standing, body)
    elif not standing.can_share:
        raise DriveError.insufficient()
    _check_role(file, kind, role)
    permission = _build(call, body)
    with call.store.changing(file, "permissions", is_deep=True):
        known = file.permissions.get(permission.id)
        if role == "owner":
            _hand_over(call, file, permission.email or "", to_root=call.flag("moveToNewOwnersRoot"))
        elif known is None or rank(permission.role) > rank(known.role) or known.kind not in {"user", "group"}:
            if len(file.permissions) >= PERMISSIONS_COUNT_MAX:
                raise DriveError.forbidden("sharingRateLimitExceeded", "There are too many permissions.")
            file.permissions[permission.id] = permission
    return call.viewer.show_permission(_find(call, file, permission.id), file)


def update(call: Call) -> dict[str, Any]:
    standing, body = _get_standing(call), call.body
    file = standing.file
    _check_body(body)
    granted = _find(call, file)
    role = body.get("role", granted.role)
    if role not in ROLES:
        raise DriveError.invalid("permission.role")
    if role == "owner" and granted.role != "owner":
        _check_transfer(call, standing, {**body, "emailAddress": granted.permission.email})
        with call.store.changing(file, "permissions", is_deep=True):
            _hand_over(call, file, granted.permission.email or "", to_root=False)
        return call.viewer.show_permission(_find(call, file), file)
    if not standing.can_share or (granted.role == "owner" and role != "owner"):
        raise DriveError.insufficient()
    permission = _get_own(file, granted, role)
    _check_role(file, permission.kind, role)
    expires_at = permission.expires_at
    if body.get("expirationTime"):
        expires_at = _read_expiry(call, body, permission.kind)
    with call.store.changing(file, "permissions", is_deep=True):
        file.permissions[permission.id] = permission
        permission.role = role
        permission.expires_at = None if call.flag("removeExpiration") else expires_at
        if "pendingOwner" in body:
            permission.is_pending_owner = bool(body["pendingOwner"])
    return call.viewer.show_permission(_find(call, file), file)


def delete(call: Call) -> None:
    standing = _get_standing(call)
    file = standing.file
    granted = _find(call, file)
    is_own = granted.permission.kind == "user" and access.applies(granted.permission, call.user)
    if granted.role == "owner" or not (standing.can_share or is_own):
        raise DriveError.insufficient()
    if granted.inherited_from is not None:
        raise _refuse_inherited(file)
    runners = [one for one in file.permissions.values() if one.role == "organizer"]
    if file.is_root and file.drive_id is not None and runners == [granted.permission]:
        raise DriveError.forbidden("forbidden", "A shared drive needs a manager.")
    with call.store.changing(file, "permissions", is_deep=True):
        del file.permissions[granted.permission.id]


def _get_standing(call: Call) -> Standing:
    """An administrator may look after the shared drives of the domain."""
    if call.flag("useDomainAdminAccess"):
        file = call.store.get(call.text("fileId"))
        if not call.user.is_admin or not file.is_root or file.drive_id is None:
            raise DriveError.not_found(file.id)
        return Standing(file, "organizer", is_trashed=False)
    return call.get_standing(call.text("fileId"))


def _find(call: Call, file: DriveFile, permission_id: str = "") -> access.Granted:
    wanted = permission_id or call.text("permissionId")
    if wanted == "me":
        wanted = build_permission_id(call.user.email)
    for granted in access.list_granted(call.store, file):
        if granted.permission.id == wanted:
            return granted
    raise DriveError.missing("Permission", wanted, location="permissionId")


def _get_own(file: DriveFile, granted: access.Granted, role: str) -> Permission:
    """What lies above can only be added to below."""
    permission = granted.permission
    if granted.inherited_from is None:
        return permission
    if rank(role) <= rank(granted.role):
        raise _refuse_inherited(file)
    return Permission(
        id=permission.id,
        kind=permission.kind,
        role=role,
        email=permission.email,
        domain=permission.domain,
        allows_discovery=permission.allows_discovery,
        created_at=permission.created_at,
    )


def _build(call: Call, body: dict[str, Any]) -> Permission:
    kind, email, domain = body["type"], body.get("emailAddress"), body.get("domain")
    if kind in {"user", "group"}:
        if not email:
            raise DriveError.required("permission.emailAddress", "The emailAddress field is required.")
        name, at, host = email.partition("@")
        if not (name and at and "." in host):
            message = "Bad Request. User message: 'There is no such address.'"
            raise DriveError(400, "invalidSharingRequest", message)
        permission_id = build_permission_id(email)
    elif kind == "domain":
        if not domain:
            raise DriveError.required("permission.domain", "The domain field is required.")
        permission_id = hashlib.sha256(domain.casefold().encode()).hexdigest()[:20] + "k"
    else:
        permission_id = "anyone" if body.get("allowFileDiscovery") else "anyoneWithLink"
    return Permission(
        id=permission_id,
        kind=kind,
        role=body["role"],
        email=email if kind in {"user", "group"} else None,
        domain=domain if kind == "domain" else None,
        allows_discovery=bool(body.get("allowFileDiscovery")),
        expires_at=_read_expiry(call, body, kind) if body.get("expirationTime") else None,
        is_pending_owner=bool(body.get("pendingOwner")),
        created_at=call.store.now(),
        created_by=call.user.number,
    )


def _read_expiry(call: Call, body: dict[str, Any], kind: str) -> Any:
    moment = read_time(body["expirationTime"], location="permission.expirationTime")
    now = call.store.now()
    if kind not in {"user", "group"} or not now < moment <= now + timedelta(days=EXPIRY_DAYS_MAX):
        raise DriveError.invalid("permission.expirationTime", "The expiration time is not allowed.")
    return moment


def _check_body(body: dict[str, Any]) -> None:
    if body.keys() - SETTABLE - {"id", "displayName"}:
        message = "The resource body includes fields which are not directly writable."
        raise DriveError.forbidden("fieldNotWritable", message)


def _check_role(file: DriveFile, kind: str, role: str) -> None:
    if role in {"organizer", "fileOrganizer"}:
        is_fit = file.drive_id is not None and kind in {"user", "group"} and file.is_folder
        if not is_fit or (role == "organizer" and not file.is_root):
            raise DriveError.invalid("permission.role", "The specified role is not valid for this item.")
    if role == "owner" and kind != "user":
        raise DriveError.invalid("permission.type", "Only a user can own a file.")


def _check_transfer(call: Call, standing: Standing, body: dict[str, Any]) -> None:
    """Only the owner gives a file away, knowingly, to somebody of the same team; others have to accept it first."""
    file = standing.file
    if file.drive_id is not None or file.is_root:
        raise DriveError.invalid("permission.role", "Items in shared drives have no owner.")
    if not call.flag("transferOwnership"):
        message = "The transferOwnership parameter must be enabled when the permission role is 'owner'."
        raise DriveError.forbidden("forbidden", message, location="transferOwnership")
    if call.parameters.get("sendNotificationEmail") is False:
        message = "The notification email cannot be disabled for ownership transfers."
        raise DriveError.forbidden("forbidden", message, location="sendNotificationEmail")
    heir = call.store.users.find_by_email(body.get("emailAddress") or "")
    if heir is None:
        raise DriveError(400, "invalidSharingRequest", "Bad Request. User message: 'There is no such person.'")
    own = file.permissions.get(build_permission_id(call.user.email))
    if heir is call.user and own is not None and own.is_pending_owner:
        return
    if standing.role != "owner":
        raise DriveError.insufficient()
    if heir is not call.user and (heir.team is None or heir.team != call.user.team):
        message = "Consent is required to transfer ownership of a file to another user."
        raise DriveError.forbidden("consentRequiredForOwnershipTransfer", message)


def _hand_over(call: Call, file: DriveFile, email: str, *, to_root: bool) -> None:
    heir = call.store.users.find_by_email(email)
    if heir is None:
        raise DriveError.insufficient()
    call.store.own(file, heir)
    if to_root:
        call.store.move(file, call.store.get_root(heir))


def _refuse_inherited(file: DriveFile) -> DriveError:
    message = "Cannot update or delete an inherited permission."
    if file.drive_id is not None:
        return DriveError.forbidden("cannotModifyInheritedTeamDrivePermission", message)
    return DriveError.forbidden("cannotModifyInheritedPermission", message)
