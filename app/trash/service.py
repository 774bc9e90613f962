"""The rules for the trash: a page is a page at the storage."""

from __future__ import annotations

from app.storage.opening import Storage
from app.storage.paging import read_cursor, read_page, write_cursor
from connectors.core.resources import Page

SCOPE = "trash"


async def list_trash(storage: Storage, *, page: str | None, limit: int) -> tuple[Page, str | None]:
    """One page of what can be restored, and the token of the next."""
    connector = storage.connector
    limit = min(limit, connector.manifest.limits.page_items_max)
    cursor = read_cursor(storage, SCOPE, page)
    found = await read_page(lambda cursor: connector.list_trash(cursor=cursor, limit=limit), cursor)
    return found, write_cursor(storage, SCOPE, found.next_cursor)
