"""The rules for versions: their ids are bound to the file, a page is a page at the storage."""

from __future__ import annotations

from app.core.errors import ApiError, ErrorCode
from app.storage.opening import Storage
from app.storage.paging import EMPTY_PAGES_MAX, read_cursor, write_cursor
from connectors.core.resources import RawId, Version, VersionId

PAGES_SEARCHED_MAX = 10


async def list_versions(
    storage: Storage, file: RawId, *, page: str | None, limit: int
) -> tuple[list[Version], str | None]:
    """One page, newest first, and the token of the next. Empty pages are skipped, because a client takes one for
    the end.
    """
    scope = f"versions:{file}"
    cursor = read_cursor(storage, scope, page)
    for _ in range(EMPTY_PAGES_MAX):
        result = await storage.connector.list_versions(file, cursor=cursor, limit=limit)
        cursor = result.next_cursor
        if result.versions or cursor is None:
            break
    return result.versions, write_cursor(storage, scope, cursor)


def decode_version(storage: Storage, file: RawId, public_id: str) -> VersionId:
    """What a version's id names; ApiError 404 for one that is not of this file."""
    version = storage.state.ids.decode_version(storage.row.id, file, public_id)
    if version is None:
        raise ApiError(ErrorCode.NOT_FOUND, "The file has no such version.")
    return version


async def get_version(storage: Storage, file: RawId, version: VersionId) -> Version:
    """One version, found by looking through the newest pages; ApiError 404 when it is not among them."""
    cursor: str | None = None
    for _ in range(PAGES_SEARCHED_MAX):
        result = await storage.connector.list_versions(file, cursor=cursor)
        for found in result.versions:
            if found.raw_id == version:
                return found
        cursor = result.next_cursor
        if cursor is None:
            break
    raise ApiError(ErrorCode.NOT_FOUND, "The storage does not keep this version any more.")
