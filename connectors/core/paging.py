"""Walks all pages of a listing, and stops a provider that would make it walk for ever."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Page, Resource

PAGES_MAX = 10_000


async def walk(
    fetch_page: Callable[[str | None], Awaitable[Page]], *, pages_max: int = PAGES_MAX
) -> AsyncGenerator[Resource, None]:
    """Gives every resource of every page; `fetch_page` gets None, then each page's cursor.

    - unexpected when a cursor comes back that was there before.
    - unsupported when there are more pages than `pages_max`; what came before is given first.
    """
    seen: set[str] = set()
    cursor: str | None = None
    for _ in range(pages_max):
        page = await fetch_page(cursor)
        for resource in page.resources:
            yield resource
        cursor = page.next_cursor
        if cursor is None:
            return
        if cursor in seen:
            raise ConnectorError(ErrorKind.UNEXPECTED, "the provider's listing goes round in circles")
        seen.add(cursor)
    raise ConnectorError(ErrorKind.UNSUPPORTED, f"the listing has more than {pages_max} pages")
