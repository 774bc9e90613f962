"""The rules of the storage API over any connector."""

from __future__ import annotations

from typing import Any

from app.accounts.callers import check_switched_on, load_row
from app.accounts.rows import AccountRow
from app.core.errors import ApiError, ErrorCode
from app.core.http.paths import NUMBER_DIGITS_MAX
from app.storage.opening import Storage
from app.storage.paging import read_cursor, read_page, write_cursor
from app.storage.schemas import FolderCreate, ResourceCopy, ResourceUpdate, UploadUrlCreate
from connectors.core.bytesource import ByteSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, Folder, OnConflict, Page, RawId, Ref, Resource, SignedUrl

UPLOAD_LOCATION = "upload_location"
"""What the picker names instead of an account (contract 4.3)."""


async def list_folder(
    storage: Storage, *, folder: RawId, page: str | None, limit: int, is_recursive: bool
) -> tuple[Page, str | None]:
    """One page of what is in a folder, or with `is_recursive` below it at any depth, and the token of the next."""
    scope = f"{'recursive' if is_recursive else 'contents'}:{folder}"
    connector = storage.connector
    read = connector.list_recursive if is_recursive else connector.list_folder
    limit = min(limit, connector.manifest.limits.page_items_max)
    cursor = read_cursor(storage, scope, page)
    found = await read_page(lambda cursor: read(folder, cursor=cursor, limit=limit), cursor)
    return found, write_cursor(storage, scope, found.next_cursor)


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
    """Renames, moves inside the account, or both."""
    if body.name is None and body.parent_id is None:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "Give a name, a parent_id, or both.")
    parent = None if body.parent_id is None else storage.present.decode_parent(body.parent_id)
    return await storage.connector.update(ref, name=body.name, parent=parent)


async def copy(storage: Storage, ref: Ref, body: ResourceCopy) -> Resource:
    """Copies inside the account; under a free name if the name is taken."""
    parent = storage.present.decode_parent(body.parent_id)
    return await storage.connector.copy(ref, parent=parent, name=body.name, on_conflict=OnConflict.RENAME)


async def find_target(storage: Storage, body: ResourceUpdate) -> AccountRow | None:
    """The other account that a body names; None for the account itself. ApiError 403 or 404 if it is not to be had."""
    if body.account is None or str(body.account) in {str(storage.row.id), "me"}:
        return None
    text = str(body.account)
    if text == UPLOAD_LOCATION:
        raise ApiError(ErrorCode.NOT_IMPLEMENTED, "Upload locations are not offered; name an account by its number.")
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "account must be an account's number.")
    if storage.caller.account_id is not None:
        raise ApiError(ErrorCode.FORBIDDEN, "A bearer token opens one account only; another needs an API key.")
    target = await load_row(storage.state, int(text))
    if target is None or target.application_id != storage.row.application_id:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such account.")
    check_switched_on(target)
    return target
