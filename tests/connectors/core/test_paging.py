"""Walking pages."""

from __future__ import annotations

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paging import walk
from connectors.core.resources import Folder, Page, RawId


@pytest.fixture
def folder() -> Folder:
    return Folder(raw_id=RawId("1"), name="a")


async def test_every_page_is_seen_when_some_are_empty(folder: Folder) -> None:
    pages = {None: Page([folder], "a"), "a": Page([], "b"), "b": Page([folder, folder])}
    asked: list[str | None] = []

    async def fetch(cursor: str | None) -> Page:
        asked.append(cursor)
        return pages[cursor]

    assert len([resource async for resource in walk(fetch)]) == 3
    assert asked == [None, "a", "b"]


@pytest.mark.parametrize("cursors", ["aa", "aba", "abcb"])
async def test_walk_ends_when_the_cursor_does_not_move(folder: Folder, cursors: str) -> None:
    pages = iter([Page([folder], cursor) for cursor in cursors])

    async def fetch(_: str | None) -> Page:
        return next(pages)

    resources = walk(fetch)
    seen = [await anext(resources) for _ in cursors]
    with pytest.raises(ConnectorError) as caught:
        await anext(resources)
    assert (caught.value.kind, seen) == (ErrorKind.UNEXPECTED, [folder] * len(cursors))


async def test_walk_ends_when_there_are_too_many_pages() -> None:
    asked = 0

    async def fetch(_: str | None) -> Page:
        nonlocal asked
        asked += 1
        return Page([], str(asked))

    with pytest.raises(ConnectorError) as caught:
        await anext(walk(fetch, pages_max=5))
    assert (caught.value.kind, asked) == (ErrorKind.UNSUPPORTED, 5)


async def test_last_allowed_page_may_be_the_end(folder: Folder) -> None:
    async def fetch(_: str | None) -> Page:
        return Page([folder])

    assert [resource async for resource in walk(fetch, pages_max=1)] == [folder]
