from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.paging import walk
from connectors.core.resources import File, Folder, RawId, Ref, Resource
from tests.connectors.behavior.space import Space, refused

pytestmark = pytest.mark.needs("list_trash", "restore")


async def list_trash(space: Space, *, limit: int = 1000) -> list[Resource]:
    """All that is in the trash, page after page; other cases' things may be among it."""
    connector = space.connector
    return [found async for found in walk(lambda cursor: connector.list_trash(cursor=cursor, limit=limit))]


async def is_listed(space: Space, resource: Resource) -> bool:
    return resource.name in [found.name for found in await list_trash(space)]


async def test_file_is_where_it_was_with_its_id_and_bytes_when_restored(space: Space) -> None:
    folder = await space.make("a")
    file = await space.put("b.txt", b"kept bytes", parent=folder.raw_id)
    await space.connector.delete(file.ref)
    await space.holds(folder=folder.raw_id)
    restored = await space.connector.restore(file.ref)
    assert isinstance(restored, File)
    assert (restored.ref, restored.name, restored.parent) == (file.ref, file.name, file.parent)
    await space.holds("b.txt", folder=folder.raw_id)
    assert await space.read(restored.raw_id) == b"kept bytes"


@pytest.mark.parametrize("limit", [2, 1000])
async def test_everything_that_was_deleted_is_listed_once_when_paged_through(space: Space, limit: int) -> None:
    kept, *files = [await space.put(f"{space.folder}-{number}") for number in range(4)]
    folder = await space.make(f"{space.folder}-folder")
    things: list[Resource] = [*files, folder]
    for thing in things:
        await space.connector.delete(thing.ref, is_recursive=True)
    gone_ones: list[Resource] = [*files, *([folder] if space.target.capabilities.restore_folder else [])]

    async def list_own() -> list[str]:
        return sorted(found.name for found in await list_trash(space, limit=limit) if found.name in names)

    names = {resource.name for resource in (kept, folder, *gone_ones)}
    await space.settled(list_own, sorted(gone.name for gone in gone_ones))
    assert all(isinstance(found, Folder) for found in await list_trash(space) if found.name == folder.name)


async def test_page_holds_no_more_than_the_limit_when_more_was_deleted(space: Space) -> None:
    for number in range(3):
        file = await space.put(f"{number}")
        await space.connector.delete(file.ref)
    await space.settled(lambda: is_listed(space, file), True)  # noqa: FBT003 - the expected value
    assert len((await space.connector.list_trash(limit=2)).resources) <= 2


async def test_it_is_not_listed_any_more_when_restored(space: Space) -> None:
    file = await space.put(f"{space.folder}.txt")
    await space.connector.delete(file.ref)
    await space.settled(lambda: is_listed(space, file), True)  # noqa: FBT003 - the expected value
    await space.connector.restore(file.ref)
    await space.settled(lambda: is_listed(space, file), False)  # noqa: FBT003 - the expected value


@pytest.mark.needs("restore_folder", "delete_recursive")
async def test_folder_is_back_with_all_below_when_restored(space: Space) -> None:
    folder = await space.make("a")
    inner = await space.make("b", parent=folder.raw_id)
    file = await space.put("c.txt", b"inside", parent=inner.raw_id)
    await space.connector.delete(folder.ref, is_recursive=True)
    restored = await space.connector.restore(folder.ref)
    assert (restored.ref, restored.parent) == (folder.ref, folder.parent)
    await space.holds("a")
    await space.holds("c.txt", folder=inner.raw_id)
    assert await space.read(file.raw_id) == b"inside"


async def test_it_is_somewhere_when_its_folder_is_in_the_trash_too(space: Space) -> None:
    folder = await space.make("a")
    file = await space.put("b.txt", b"bytes", parent=folder.raw_id)
    await space.connector.delete(file.ref)
    await space.connector.delete(folder.ref, is_recursive=True)
    restored = await space.connector.restore(file.ref)
    assert await space.read(restored.raw_id) == b"bytes"
    assert isinstance(restored, File)
    await space.connector.delete(restored.ref)


async def test_it_takes_nobodys_place_when_its_own_is_taken(space: Space) -> None:
    file = await space.put("a.txt", b"old")
    await space.connector.delete(file.ref)
    newer = await space.put("a.txt", b"new")
    restored = await space.connector.restore(file.ref)
    assert await space.read(restored.raw_id) == b"old"
    assert await space.read(newer.raw_id) == b"new"
    assert len(await space.names()) == 2


@pytest.mark.needs("delete_to_trash")
async def test_not_found_when_it_was_deleted_for_ever(space: Space) -> None:
    file = await space.put(f"{space.folder}.txt")
    await space.connector.delete(file.ref, is_permanent=True)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.restore(file.ref)
    assert not await is_listed(space, file)


async def test_not_found_when_id_means_nothing(space: Space) -> None:
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.restore(Ref("file", RawId("no such id")))


async def test_nothing_changes_when_it_was_never_deleted(space: Space) -> None:
    file = await space.put("a.txt")
    assert (await space.connector.restore(file.ref)).ref == file.ref
    await space.holds("a.txt")


async def test_cursor_invalid_when_it_is_no_cursor_of_the_trash(space: Space) -> None:
    with refused(ErrorKind.CURSOR_INVALID):
        await space.connector.list_trash(cursor="made up")
