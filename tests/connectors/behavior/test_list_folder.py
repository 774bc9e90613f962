from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import File, Folder, OnConflict, RawId
from tests.connectors.behavior.space import Space, as_known, refused


async def test_page_is_empty_and_last_when_folder_is_empty(space: Space) -> None:
    page = await space.connector.list_folder(space.folder)
    assert page.resources == []
    assert page.next_cursor is None


async def test_files_and_folders_are_told_apart_when_both_are_there(space: Space) -> None:
    await space.put("a.txt")
    await space.make("b")
    await space.holds("a.txt", "b")
    kinds = {resource.name: type(resource) async for resource in space.walk()}
    assert kinds == {"a.txt": File, "b": Folder}


async def test_resources_equal_those_of_get_when_listed(space: Space) -> None:
    await space.put("a.txt")
    await space.make("b")
    await space.holds("a.txt", "b")
    async for resource in space.walk():
        assert as_known(await space.connector.get(resource.ref), resource) == resource


async def test_only_direct_children_come_when_folders_are_nested(space: Space) -> None:
    inner = await space.make("a")
    await space.put("in a.txt", parent=inner.raw_id)
    await space.make("a b")
    await space.holds("a", "a b")
    await space.holds("in a.txt", folder=inner.raw_id)


@pytest.mark.parametrize(("count", "limit"), [(3, 1), (4, 2), (5, 2), (2, 2), (2, 3)])
async def test_everything_comes_once_when_pages_are_small(space: Space, count: int, limit: int) -> None:
    names = [f"file {number}" for number in range(count)]
    await space.gather(space.put(name) for name in names)
    await space.holds(*names)
    assert await space.names(limit=limit) == names


async def test_page_holds_no_more_than_asked_for_when_there_is_more(space: Space) -> None:
    await space.gather(space.put(f"file {number}") for number in range(3))
    await space.holds("file 0", "file 1", "file 2")
    page = await space.connector.list_folder(space.folder, limit=2)
    assert len(page.resources) <= 2
    assert page.next_cursor is not None


@pytest.mark.costly
async def test_everything_comes_once_when_there_are_more_than_a_page(space: Space) -> None:
    count = space.target.limits.page_items_max + 1
    names = [f"{number:05}" for number in range(count)]
    await space.gather(space.put(name, b"") for name in names)
    await space.holds(*names)


async def test_what_stays_comes_once_when_others_come_and_go_between_pages(space: Space) -> None:
    staying = [f"m{number:02}" for number in range(9)]
    leaving = ["a going", "m04 going", "z going"]
    await space.gather(space.put(name) for name in [*staying, *leaving])
    await space.holds(*staying, *leaving)
    seen: list[str] = []
    cursor: str | None = None
    changes = iter([*leaving, "a new", "m03 new", "z new"])
    while True:
        page = await space.connector.list_folder(space.folder, cursor=cursor, limit=2)
        seen += [resource.name for resource in page.resources]
        cursor = page.next_cursor
        if cursor is None:
            break
        change = next(changes, None)
        if change in leaving:
            found = [resource.ref async for resource in space.walk() if resource.name == change]
            await space.connector.delete(found[0])
        elif change:
            await space.put(change)
    assert [name for name in sorted(seen) if name in staying] == staying


async def test_listing_goes_on_when_the_last_seen_is_deleted(space: Space) -> None:
    names = [f"file {number}" for number in range(4)]
    await space.gather(space.put(name) for name in names)
    await space.holds(*names)
    first = await space.connector.list_folder(space.folder, limit=2)
    await space.connector.delete(first.resources[-1].ref)
    second = await space.connector.list_folder(space.folder, cursor=first.next_cursor)
    seen = [resource.name for resource in (*first.resources, *second.resources)]
    assert sorted(seen) == names


async def test_many_listings_agree_when_made_at_once(space: Space) -> None:
    names = [f"file {number}" for number in range(5)]
    await space.gather(space.put(name) for name in names)
    await space.holds(*names)
    listings = await space.gather(space.names(limit=2) for _ in range(8))
    assert listings == [names] * 8


async def test_not_found_when_folder_is_gone(space: Space) -> None:
    gone = await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.list_folder(gone.raw_id)


async def test_wrong_type_when_a_file_is_listed(space: Space) -> None:
    file = await space.put("a.txt")
    with refused(ErrorKind.WRONG_TYPE):
        await space.connector.list_folder(file.raw_id)


@pytest.mark.parametrize("cursor", ["", "junk", "%%%", "AAAA", "é", "\0", "x" * 5000])
async def test_cursor_invalid_when_it_was_not_given_out(space: Space, cursor: str) -> None:
    with refused(ErrorKind.CURSOR_INVALID):
        await space.connector.list_folder(space.folder, cursor=cursor)


@pytest.mark.parametrize("raw_id", ["no such id", "", "\0", "../../etc", "/..", "/./", "//", "/a//b"])
async def test_not_found_when_id_means_nothing(space: Space, raw_id: str) -> None:
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.list_folder(RawId(raw_id))
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.upload(RawId(raw_id), "a.txt", BytesSource(b""), on_conflict=OnConflict.FAIL)
