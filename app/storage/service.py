"""The rules of the storage API over any connector."""

from __future__ import annotations

from typing import Any

from app.core.errors import ApiError, ErrorCode
from app.storage.opening import Storage
from app.storage.schemas import FileReply, FolderCreate, FolderReply, ResourceCopy, ResourceUpdate, UploadUrlCreate
from connectors.core.bytesource import ByteSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, Folder, OnConflict, RawId, Ref, Resource, SignedUrl

FIRST_PAGE = "1"
EMPTY_PAGES_MAX = 20


async def list_folder(
    storage: Storage, *, folder: RawId, page: str | None, limit: int
) -> tuple[list[FileReply | FolderReply], str | None]:
    """One page and the token of the next. Empty pages are skipped, because a client takes one for the end."""
    scope = f"contents:{folder}"
    cursor: str | None = None
    if page not in {None, "", FIRST_PAGE}:
        cursor = storage.state.ids.decode_page(storage.row.id, scope, page or "")
        if cursor is None:
            raise ApiError(
                ErrorCode.INVALID_PARAMETERS, "page must be the next_page of an earlier reply of this folder."
            )
    limit = min(limit, storage.connector.manifest.limits.page_items_max)
    for _ in range(EMPTY_PAGES_MAX):
        result = await storage.connector.list_folder(folder, cursor=cursor, limit=limit)
        cursor = result.next_cursor
        if result.resources or cursor is None:
            break
    token = None if cursor is None else storage.state.ids.encode_page(storage.row.id, scope, cursor)
    return [storage.present.build(resource) for resource in result.resources], token


async def create_folder(storage: Storage, body: FolderCreate, *, fails_if_exists: bool) -> tuple[Folder, bool]:
    """The folder, and whether it is new. An existing folder of that name is returned unless `fails_if_exists`."""
    parent = storage.present.decode_parent(body.parent_id)
    try:
        return await storage.connector.create_folder(parent, body.name), True
    except ConnectorError as error:
        if error.kind is not ErrorKind.ALREADY_EXISTS or fails_if_exists:
            raise
        if error.conflict is None or error.conflict.kind != "folder":
            raise
        existing = await storage.connector.get(error.conflict)
        if not isinstance(existing, Folder):
            raise
        return existing, False


def parse_upload_metadata(
    storage: Storage, metadata: dict[str, Any], *, filename: str | None = None
) -> tuple[RawId, str]:
    """Parent and name of an upload. ApiError 400 says which is missing or wrong."""
    parent_id, name = metadata.get("parent_id"), metadata.get("name", filename)
    if not isinstance(name, str) or not isinstance(parent_id, str | None):
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "The metadata's name and parent_id must be texts.")
    return storage.present.decode_parent(parent_id), name


async def upload(storage: Storage, *, parent: RawId, name: str, source: ByteSource, is_overwriting: bool) -> File:
    """Stores a file; without `is_overwriting` under a free name if this one is taken."""
    on_conflict = OnConflict.REPLACE if is_overwriting else OnConflict.RENAME
    return await storage.connector.upload(parent, name, source, on_conflict=on_conflict)


async def create_upload_url(storage: Storage, body: UploadUrlCreate) -> SignedUrl:
    """An address at the storage that takes a file's bytes. ApiError 400 for a longer life than the storage allows."""
    seconds_max = storage.connector.manifest.limits.signed_url_seconds_max
    if storage.connector.capabilities.create_upload_url and body.expires_in > seconds_max:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"expires_in must be a number of seconds from 1 to {seconds_max}.")
    parent = storage.present.decode_parent(body.parent_id)
    return await storage.connector.create_upload_url(parent, body.name, seconds=body.expires_in)


async def update(storage: Storage, ref: Ref, body: ResourceUpdate) -> Resource:
    """Renames, moves, or both."""
    check_account(storage, body)
    if body.name is None and body.parent_id is None:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "Give a name, a parent_id, or both.")
    parent = None if body.parent_id is None else storage.present.decode_parent(body.parent_id)
    return await storage.connector.update(ref, name=body.name, parent=parent)


async def copy(storage: Storage, ref: Ref, body: ResourceCopy) -> Resource:
    """Copies inside the account; under a free name if the name is taken."""
    check_account(storage, body)
    parent = storage.present.decode_parent(body.parent_id)
    return await storage.connector.copy(ref, parent=parent, name=body.name, on_conflict=OnConflict.RENAME)


def check_account(storage: Storage, body: ResourceUpdate) -> None:
    """ApiError unless the target account is the account itself."""
    if body.account is None or str(body.account) in {str(storage.row.id), "me"}:
        return
    if isinstance(body.account, str) and not body.account.isdigit():
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "account must be an account's number.")
    raise ApiError(ErrorCode.NOT_IMPLEMENTED, "Copying and moving between accounts is not offered by this version.")
