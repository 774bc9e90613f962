"""Who may do what with files and folders (contract 4.6)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from msgspec import UNSET
from starlette.responses import Response

from app.core.http.reading import read_header_flag
from app.core.http.replies import JsonReply, describe
from app.permissions import service
from app.permissions.schemas import PermissionList, PermissionReply, PermissionWishes
from app.storage.endpoints import STORAGE_ERRORS, STORAGE_PREFIX, AccountStorage, FolderRef
from app.storage.file_endpoints import FileRef
from app.storage.schemas import RawReply
from connectors.core.resources import Permission

router = APIRouter(prefix=STORAGE_PREFIX, tags=["permissions"])


def build_list_reply(request: Request, permissions: list[Permission]) -> Response:
    """All permissions as the API shows them."""
    with_raw = read_header_flag(request, "x-kloudless-raw-data")
    replies = [
        PermissionReply(
            id=permission.raw_id,
            email=permission.email,
            name=permission.name,
            role=permission.role,
            type=permission.type,
            raw=RawReply(permission.raw_id, {"role": permission.raw_role}) if with_raw else UNSET,
        )
        for permission in permissions
    ]
    return JsonReply(
        PermissionList(api="storage", count=len(replies), page=1, next_page=None, objects=replies, permissions=replies)
    )


@router.get("/files/{file_id}/permissions", **describe(PermissionList, errors=STORAGE_ERRORS))
async def list_file_permissions(request: Request, storage: AccountStorage, ref: FileRef) -> Response:
    """Who may do what with a file: roles `owner`, `writer`, `reader` of the types `user`, `group`, `domain`, `anyone`.

    `permissions` and `objects` are the same list.
    """
    return build_list_reply(request, await storage.connector.list_permissions(ref))


@router.put("/files/{file_id}/permissions", **describe(PermissionList, errors=STORAGE_ERRORS))
async def replace_file_permissions(
    request: Request, storage: AccountStorage, ref: FileRef, body: PermissionWishes
) -> Response:
    """Replaces all permissions of a file but the owner's; an empty list leaves only the owner's. Returns all.

    The body is a list of objects with `role` and `id`, or `role`, `type` and `email`. An object that maps email
    addresses to roles is understood, too.
    """
    return build_list_reply(request, await service.set_permissions(storage, ref, body, is_replacing=True))


@router.patch("/files/{file_id}/permissions", **describe(PermissionList, errors=STORAGE_ERRORS))
async def update_file_permissions(
    request: Request, storage: AccountStorage, ref: FileRef, body: PermissionWishes
) -> Response:
    """Adds permissions of a file or changes the roles of those that are there; takes none away. Returns all.

    The body is that of PUT, which is also how to take permissions away: send the list without them.
    """
    return build_list_reply(request, await service.set_permissions(storage, ref, body, is_replacing=False))


@router.get("/folders/{folder_id}/permissions", **describe(PermissionList, errors=STORAGE_ERRORS))
async def list_folder_permissions(request: Request, storage: AccountStorage, ref: FolderRef) -> Response:
    """Who may do what with a folder, as for files."""
    return build_list_reply(request, await storage.connector.list_permissions(ref))


@router.put("/folders/{folder_id}/permissions", **describe(PermissionList, errors=STORAGE_ERRORS))
async def replace_folder_permissions(
    request: Request, storage: AccountStorage, ref: FolderRef, body: PermissionWishes
) -> Response:
    """Replaces all permissions of a folder but the owner's, as for files."""
    return build_list_reply(request, await service.set_permissions(storage, ref, body, is_replacing=True))


@router.patch("/folders/{folder_id}/permissions", **describe(PermissionList, errors=STORAGE_ERRORS))
async def update_folder_permissions(
    request: Request, storage: AccountStorage, ref: FolderRef, body: PermissionWishes
) -> Response:
    """Adds or changes permissions of a folder, as for files."""
    return build_list_reply(request, await service.set_permissions(storage, ref, body, is_replacing=False))
