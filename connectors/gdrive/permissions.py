"""Permissions of files and folders. https://developers.google.com/drive/api/guides/manage-sharing"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Permission, PermissionChange, Ref
from connectors.gdrive.drive import Drive
from connectors.gdrive.mapping import ROLES, build_permissions
from connectors.gdrive.payloads import Grant

PAGES_MAX = 50
QUIETLY = {"sendNotificationEmail": "false"}
HANDING_OVER = {"transferOwnership": "true"}


async def list_permissions(drive: Drive, ref: Ref) -> list[Permission]:
    """Who may do what, the owners first."""
    return build_permissions(await read_grants(drive, (await drive.get_kind(ref)).id))


async def set_permissions(
    drive: Drive, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
) -> list[Permission]:
    """Grants first, so that nothing is taken away when somebody is not known."""
    file_id = (await drive.get_kind(ref)).id
    before = await read_grants(drive, file_id)
    wanted = [(change, _find(change, before)) for change in changes]
    for change, known in wanted:
        if known is None:
            await _add(drive, file_id, change)
        elif ROLES.get(known.role) != change.role:
            params = HANDING_OVER if change.role == "owner" else {}
            await drive.api.update_permission(file_id, known, change.role, params)
    if is_replacing:
        kept = {known.id for _, known in wanted if known is not None}
        for grant in before:
            if grant.id not in kept and ROLES.get(grant.role) != "owner":
                await remove(drive, file_id, grant)
    return build_permissions(await read_grants(drive, file_id))


async def read_grants(drive: Drive, file_id: str) -> list[Grant]:
    """All permissions of a file, those that were inherited, too."""
    grants: list[Grant] = []
    token: str | None = None
    for _ in range(PAGES_MAX):
        listed = await drive.api.list_permissions(file_id, token)
        grants += listed.permissions
        token = listed.next_page_token
        if token is None:
            return grants
    raise ConnectorError(ErrorKind.UNSUPPORTED, f"there are more than {PAGES_MAX} pages of permissions")


def _find(change: PermissionChange, grants: Sequence[Grant]) -> Grant | None:
    """The permission that somebody has already; not_found for an id that stands for nobody."""
    if change.type == "anyone":
        return next((grant for grant in grants if grant.type == "anyone"), None)
    if change.type == "domain":
        names = {change.raw_id, change.email}
        return next((grant for grant in grants if grant.type == "domain" and {grant.id, grant.domain} & names), None)
    if change.raw_id is not None:
        found = next((grant for grant in grants if grant.id == change.raw_id), None)
        if found is None and change.email is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "nobody who is to be granted something has this id; use an email")
        return found
    email = (change.email or "").casefold()
    return next((grant for grant in grants if (grant.email_address or "").casefold() == email), None)


async def _add(drive: Drive, file_id: str, change: PermissionChange) -> None:
    body: dict[str, str] = {"type": change.type, "role": change.role}
    params: dict[str, str] = {}
    if change.type == "domain":
        body["domain"] = change.email or change.raw_id or ""
    elif change.type != "anyone":
        if not change.email:
            raise ConnectorError(ErrorKind.NOT_FOUND, "somebody new is named by an email")
        body["emailAddress"] = change.email
        params = HANDING_OVER if change.role == "owner" else QUIETLY
    await drive.api.create_permission(file_id, body, params)


async def remove(drive: Drive, file_id: str, grant: Grant) -> None:
    """Takes a permission away; one that is gone already is no error."""
    try:
        await drive.api.delete_permission(file_id, grant)
    except ConnectorError as error:
        if error.kind is not ErrorKind.NOT_FOUND:  # somebody else was faster
            raise
