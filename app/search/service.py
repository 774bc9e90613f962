"""The rules of search and of recent files over any connector."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from app.core.http.reading import read_time
from app.storage.opening import Storage
from app.storage.paging import read_cursor, read_page, write_cursor
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Page, RawId, Ref, Resource

FOLDERS_MAX = 10
ANCESTOR_CALLS_MAX = 20
RECENT_FILES_MAX = 1000


async def search(
    storage: Storage, *, query: str, folders: Sequence[RawId], page: str | None, limit: int
) -> tuple[Page, str | None]:
    """One page of what is found below the folders, one after the other, and the token of the next.

    Without folders the whole account is searched. What lies below several of the folders is found once.
    """
    scope = "\0".join(["search", query, *folders])
    cursor = read_cursor(storage, scope, page)
    found = await search_from(storage, cursor, query=query, folders=folders, limit=limit)
    return found, write_cursor(storage, scope, found.next_cursor)


async def search_from(
    storage: Storage, cursor: str | None, *, query: str, folders: Sequence[RawId], limit: int
) -> Page:
    """As `search`, with the cursor itself instead of its token."""
    limit = min(limit, storage.connector.manifest.limits.page_items_max)

    async def fetch(cursor: str | None) -> Page:
        places, inner_cursor = _read_place(cursor) if cursor else (await _choose(storage.connector, folders), None)
        try:
            found = await storage.connector.search(
                query, folder=folders[places[0]] if places else None, cursor=inner_cursor, limit=limit
            )
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND or not cursor:
                raise
            found = Page([])  # it went since the first page
        if found.next_cursor is None:
            places = places[1:]
        return msgspec.structs.replace(found, next_cursor=_write_place(places, found.next_cursor))

    return await read_page(fetch, cursor)


async def list_recent(storage: Storage, *, after: str | None) -> Page:
    """The files that were modified last, newest first; only those later than `after`, none if that is no time."""
    time = None
    if after:
        time = parse_after(after)
        if time is None:
            return Page([])
    found = await storage.connector.list_recent(after=time, limit=RECENT_FILES_MAX)
    is_partial = found.is_partial or len(found.resources) >= RECENT_FILES_MAX
    return Page(found.resources[:RECENT_FILES_MAX], is_partial=is_partial)


def parse_after(text: str) -> datetime | None:
    """The time, None for what is none. The plus sign of its zone may have come as a space (contract 9.2, 11)."""
    text = text.strip()
    for spelled in (text, "+".join(text.rsplit(" ", 1))):
        try:
            return read_time(spelled)
        except ValueError:
            continue
    return None


def _write_place(places: list[int], cursor: str | None) -> str | None:
    """Which folders are left, and where the search in the first of them stands; None when it is over."""
    if cursor is None and not places:
        return None
    return ",".join(map(str, places)) + ("" if cursor is None else f":{cursor}")


def _read_place(text: str) -> tuple[list[int], str | None]:
    places, has_cursor, cursor = text.partition(":")
    return [int(place) for place in places.split(",") if place], cursor if has_cursor else None


async def _choose(connector: Connector, folders: Sequence[RawId]) -> list[int]:
    """The places of those folders that no other one of them holds; none is the whole account.

    Several ones are looked at first, so that all errors come with the first page.
    """
    wanted = set(folders)
    if not wanted or connector.manifest.root.raw_id in wanted:
        return []
    if len(wanted) == 1:
        return [0]
    return [
        place
        for place, folder in enumerate(folders)
        if folder not in folders[:place]
        and not await _is_below(connector, await connector.get(Ref("folder", folder)), wanted)
    ]


async def _is_below(connector: Connector, resource: Resource, folders: set[RawId]) -> bool:
    """Whether one of the folders holds it, at any depth; False also when the storage does not say."""
    if resource.ancestors is not None:
        return any(ancestor.raw_id in folders for ancestor in resource.ancestors)
    for _ in range(ANCESTOR_CALLS_MAX):
        if resource.parent is None or resource.parent.raw_id == connector.manifest.root.raw_id:
            return False
        if resource.parent.raw_id in folders:
            return True
        try:
            resource = await connector.get(Ref("folder", resource.parent.raw_id))
        except ConnectorError as error:
            if error.kind not in {ErrorKind.NOT_FOUND, ErrorKind.PERMISSION_DENIED}:
                raise
            return False
    return False
