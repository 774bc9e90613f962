"""The storage's pages as the API's: empty ones are skipped, because clients take an empty page for the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from app.core.errors import ApiError, ErrorCode
from app.storage.opening import Storage
from connectors.core.clock import Clock, SystemClock
from connectors.core.resources import Page

FIRST_PAGE = "1"
EMPTY_PAGES_MAX = 20
EMPTY_SECONDS_MAX = 20.0

_CLOCK = SystemClock()


def read_cursor(storage: Storage, scope: str, page: str | None) -> str | None:
    """The cursor that a page token of this listing stands for, None for the first page. ApiError 400 for any other."""
    if page is None or page in {"", FIRST_PAGE}:
        return None
    cursor = storage.state.ids.decode_page(storage.row.id, scope, page)
    if cursor is None:
        text = "page must be the next_page of an earlier reply to the same question."
        raise ApiError(ErrorCode.INVALID_PARAMETERS, text)
    return cursor


def write_cursor(storage: Storage, scope: str, cursor: str | None) -> str | None:
    """The token of the next page of this listing."""
    return None if cursor is None else storage.state.ids.encode_page(storage.row.id, scope, cursor)


async def read_page(
    fetch: Callable[[str | None], Awaitable[Page]], cursor: str | None, *, clock: Clock = _CLOCK
) -> Page:
    """The first page from the cursor on that holds something, or the last one.

    When none is found within the limits, an empty and partial page whose cursor goes on.
    """
    started_at = clock.monotonic()
    page = await fetch(cursor)
    for _ in range(EMPTY_PAGES_MAX - 1):
        if page.resources or page.next_cursor is None or clock.monotonic() - started_at >= EMPTY_SECONDS_MAX:
            break
        page = await fetch(page.next_cursor)
    is_cut = not page.resources and page.next_cursor is not None
    return msgspec.structs.replace(page, is_partial=page.is_partial or is_cut)
