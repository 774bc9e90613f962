from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.paging import walk
from connectors.core.resources import File, Folder, Page, RawId, Resource
from tests.connectors.behavior.space import Space, as_known, refused

pytestmark = pytest.mark.needs("list_recursive")

NAMES = ["a", "a.txt", "b", "b.txt", "c", "c.txt", "d", "e.txt"]


@pytest.fixture
async def tree(space: Space) -> Space:
    """Folders a, a/b, a/b/c and d, the last empty; files a.txt and e.txt on top, b.txt in a, c.txt in c."""
    a = await space.make("a")
    b = await space.make("b", parent=a.raw_id)
    c = await space.make("c", parent=b.raw_id)
    await space.make("d")
    await space.put("a.txt")
    await space.put("b.txt", parent=a.raw_id)
    await space.put("c.txt", parent=c.raw_id)
    await space.put("e.txt")
    await space.settled(lambda: list_names(space), NAMES)
    return space


async def list_all(space: Space, *, limit: int = 1000) -> list[Resource]:
    """Everything below the case's folder, in order."""
    pages = walk(lambda cursor: space.connector.list_recursive(space.folder, cursor=cursor, limit=limit))
    return [resource async for resource in pages]


async def list_names(space: Space, *, limit: int = 1000) -> list[str]:
    """The names of it, sorted."""
    return sorted([resource.name for resource in await list_all(space, limit=limit)])


async def test_page_is_empty_and_last_when_folder_is_empty(space: Space) -> None:
    assert await space.connector.list_recursive(space.folder) == Page([])


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 1000])
async def test_everything_comes_once_and_folders_first_when_pages_have_any_size(tree: Space, limit: int) -> None:
    resources = await list_all(tree, limit=limit)
    assert sorted(resource.name for resource in resources) == NAMES
    places = {resource.raw_id: place for place, resource in enumerate(resources)}
    for place, resource in enumerate(resources):
        found = await tree.connector.get(resource.ref)
        assert found.parent is not None
        assert found.parent.raw_id == tree.folder or places[found.parent.raw_id] < place


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_everything_comes_once_when_one_name_begins_like_another(space: Space, limit: int) -> None:
    names = ["a", "b", "b (1)"]
    await space.make("a")
    for name in names[1:]:
        await space.put(name)
    await space.settled(lambda: list_names(space, limit=limit), names)


async def test_resources_equal_those_of_get_when_listed(tree: Space) -> None:
    for resource in await list_all(tree):
        assert as_known(await tree.connector.get(resource.ref), resource) == resource
        assert isinstance(resource, File if resource.name.endswith(".txt") else Folder)


async def test_page_holds_no_more_than_asked_for_when_there_is_more(tree: Space) -> None:
    page = await tree.connector.list_recursive(tree.folder, limit=3)
    assert len(page.resources) <= 3
    assert page.next_cursor is not None


async def test_only_what_is_below_comes_when_the_folder_is_an_inner_one(tree: Space) -> None:
    a = next(resource for resource in await list_all(tree) if resource.name == "a")
    page = await tree.connector.list_recursive(a.raw_id)
    assert sorted(resource.name for resource in page.resources) == ["b", "b.txt", "c", "c.txt"]
    assert page.next_cursor is None


async def test_everything_comes_when_folders_lie_deep(space: Space) -> None:
    names = [f"level {number:02}" for number in range(15)]
    parent = space.folder
    for name in names:
        parent = (await space.make(name, parent=parent)).raw_id
    await space.settled(lambda: list_names(space, limit=4), names)


async def test_everything_comes_once_when_folders_are_many(space: Space) -> None:
    folders = await space.gather(space.make(f"folder {number:02}") for number in range(12))
    await space.gather(
        space.put(f"file {number}", b"", parent=folder.raw_id) for folder in folders for number in range(3)
    )
    expected = sorted([folder.name for folder in folders] + ["file 0", "file 1", "file 2"] * 12)
    await space.settled(lambda: list_names(space, limit=5), expected)


@pytest.fixture
def changes(tree: Space) -> Iterator[str]:
    """What happens to the tree between pages, one after the other."""
    return iter(["new a", "gone a.txt", "new b", "gone d", "new c", "gone new a", "new z"])


async def test_what_stays_comes_once_when_others_come_and_go_between_pages(tree: Space, changes: Iterator[str]) -> None:
    inner = {resource.name: resource for resource in await list_all(tree)}
    parents = {"new b": inner["b"].raw_id, "new c": inner["c"].raw_id}
    seen: list[Resource] = []
    cursor: str | None = None
    while True:
        page = await tree.connector.list_recursive(tree.folder, cursor=cursor, limit=1)
        seen += page.resources
        cursor = page.next_cursor
        if cursor is None:
            break
        change = next(changes, "")
        if change.startswith("gone"):
            name = change.removeprefix("gone ")
            gone = inner[name] if name in inner else next(found for found in await list_all(tree) if found.name == name)
            await tree.connector.delete(gone.ref, is_recursive=True)
        elif change:
            await tree.make(change, parent=parents.get(change))
    raw_ids = [resource.raw_id for resource in seen]
    assert len(raw_ids) == len(set(raw_ids))
    staying = ["a", "b", "b.txt", "c", "c.txt", "e.txt"]
    assert sorted(resource.name for resource in seen if resource.name in staying) == staying


async def test_listing_goes_on_when_a_folder_goes_with_all_it_holds(tree: Space) -> None:
    first = await tree.connector.list_recursive(tree.folder, limit=1)
    a = next(resource for resource in await list_all(tree) if resource.name == "a")
    await tree.connector.delete(a.ref, is_recursive=True)
    rest = walk(lambda cursor: tree.connector.list_recursive(tree.folder, cursor=cursor or first.next_cursor, limit=2))
    names = sorted([resource.name for resource in first.resources] + [resource.name async for resource in rest])
    assert [name for name in names if name in {"a.txt", "d", "e.txt"}] == ["a.txt", "d", "e.txt"]
    assert len(names) == len(set(names))


async def test_not_found_when_folder_is_gone(space: Space) -> None:
    gone = await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.list_recursive(gone.raw_id)


async def test_wrong_type_when_a_file_is_listed(space: Space) -> None:
    file = await space.put("a.txt")
    with refused(ErrorKind.WRONG_TYPE):
        await space.connector.list_recursive(file.raw_id)


@pytest.mark.parametrize("cursor", ["", "junk", "%%%", "AAAA", "é", "\0", "x" * 5000])
async def test_cursor_invalid_when_it_was_not_given_out(space: Space, cursor: str) -> None:
    with refused(ErrorKind.CURSOR_INVALID):
        await space.connector.list_recursive(space.folder, cursor=cursor)


@pytest.mark.parametrize("raw_id", ["no such id", "", "\0", "../../etc", "//"])
async def test_not_found_when_id_means_nothing(space: Space, raw_id: str) -> None:
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.list_recursive(RawId(raw_id))
