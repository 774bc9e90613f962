from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.paging import walk
from connectors.core.resources import RawId
from tests.connectors.behavior.space import Space, as_known, refused

pytestmark = pytest.mark.needs("search")


@pytest.fixture
async def inner(space: Space) -> RawId:
    """A folder in a folder; four names hold "report"."""
    outer = await space.make("reports")
    inner = await space.make("old", parent=outer.raw_id)
    await space.put("Report 1.txt")
    await space.put("other.txt")
    await space.put("my report.txt", parent=outer.raw_id)
    await space.put("REPORT.pdf", parent=inner.raw_id)
    return inner.raw_id


FOUND = ["REPORT.pdf", "Report 1.txt", "my report.txt", "reports"]


async def test_names_are_found_anywhere_below_when_they_hold_the_text(space: Space, inner: RawId) -> None:
    async def find() -> list[str]:
        page = await space.connector.search("report", folder=space.folder)
        return sorted(resource.name for resource in page.resources)

    await space.settled(find, FOUND)


async def test_found_equals_get_when_found(space: Space, inner: RawId) -> None:
    page = await space.connector.search("report", folder=space.folder)
    assert not page.is_partial
    for resource in page.resources:
        assert as_known(await space.connector.get(resource.ref), resource) == resource


@pytest.mark.parametrize("limit", [1, 2, 4])
async def test_everything_is_found_once_when_pages_are_small(space: Space, inner: RawId, limit: int) -> None:
    async def find() -> list[str]:
        pages = walk(lambda cursor: space.connector.search("report", folder=space.folder, cursor=cursor, limit=limit))
        return sorted([resource.name async for resource in pages])

    await space.settled(find, FOUND)


async def test_only_what_is_below_is_found_when_a_folder_is_given(space: Space, inner: RawId) -> None:
    async def find() -> list[str]:
        return [resource.name for resource in (await space.connector.search("report", folder=inner)).resources]

    await space.settled(find, ["REPORT.pdf"])


async def test_it_is_found_from_the_root_when_no_folder_is_given(space: Space) -> None:
    name = f"needle {space.folder[-12:]}.txt".replace("/", "")
    await space.put(name)

    async def find() -> list[str]:
        return [resource.name for resource in (await space.connector.search(name)).resources]

    await space.settled(find, [name])


async def test_nothing_is_found_when_no_name_holds_the_text(space: Space, inner: RawId) -> None:
    page = await space.connector.search("nowhere", folder=space.folder)
    assert page.resources == []
    assert page.next_cursor is None


@pytest.mark.parametrize(("stored", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
async def test_it_is_found_when_letters_are_composed_in_another_way(
    space: Space, stored: Literal["NFC", "NFD"], asked: Literal["NFC", "NFD"]
) -> None:
    file = await space.put(unicodedata.normalize(stored, "Größenänderung é"))

    async def find() -> list[RawId]:
        page = await space.connector.search(unicodedata.normalize(asked, "ÄNDERUNG É"), folder=space.folder)
        return [resource.raw_id for resource in page.resources]

    await space.settled(find, [file.raw_id])


async def test_cursor_invalid_when_it_was_not_given_out(space: Space, inner: RawId) -> None:
    with refused(ErrorKind.CURSOR_INVALID):
        await space.connector.search("report", folder=space.folder, cursor="junk")
    first = await space.connector.search("report", folder=space.folder, limit=1)
    with refused(ErrorKind.CURSOR_INVALID):
        await space.connector.search("other text", folder=space.folder, cursor=first.next_cursor)


async def test_not_found_when_folder_is_gone(space: Space) -> None:
    gone = await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.search("report", folder=gone.raw_id)
