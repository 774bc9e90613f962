"""The rules for permissions over any connector."""

from __future__ import annotations

from app.core.errors import ApiError, ErrorCode
from app.permissions.schemas import PermissionWish
from app.storage.opening import Storage
from connectors.core.resources import Permission, PermissionChange, Ref


async def set_permissions(
    storage: Storage, ref: Ref, wishes: list[PermissionWish], *, is_replacing: bool
) -> list[Permission]:
    """Grants what is wished and returns all. ApiError 400 for somebody who is listed twice."""
    if not wishes and not is_replacing:
        return await storage.connector.list_permissions(ref)
    known = {}
    if any(wish.type is None and wish.id is not None for wish in wishes):
        known = {permission.raw_id: permission.type for permission in await storage.connector.list_permissions(ref)}
    changes = [
        PermissionChange(
            role=wish.role, type=wish.type or known.get(wish.id or "", "user"), raw_id=wish.id, email=wish.email
        )
        for wish in wishes
    ]
    _check_listed_once(changes)
    return await storage.connector.set_permissions(ref, changes, is_replacing=is_replacing)


def _check_listed_once(changes: list[PermissionChange]) -> None:
    seen: set[tuple[str, str]] = set()
    for change in changes:
        names = {("id", change.raw_id)} if change.raw_id else set()
        if change.email or not change.raw_id:
            names.add((change.type, (change.email or "").lower()))
        if names & seen:
            who = change.email or change.raw_id or change.type
            raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{who!r} is listed twice; give each one role.")
        seen |= names
