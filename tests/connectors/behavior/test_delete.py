from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import RawId, Ref
from tests.connectors.behavior.space import Space, refused


@pytest.mark.parametrize("is_permanent", [False, True])
async def test_file_is_gone_when_deleted(space: Space, is_permanent: bool) -> None:
    file = await space.put("a.txt")
    await space.put("b.txt")
    await space.connector.delete(file.ref, is_permanent=is_permanent)
    await space.holds("b.txt")
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.get(file.ref)


async def test_folder_is_gone_when_it_was_empty(space: Space) -> None:
    folder = await space.make("a")
    await space.make("a b")
    await space.connector.delete(folder.ref)
    await space.holds("a b")


async def test_not_found_when_it_is_gone_already(space: Space) -> None:
    file, folder = await space.put("a.txt"), await space.make("b")
    for ref in (file.ref, folder.ref):
        await space.connector.delete(ref)
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.delete(ref)


@pytest.mark.parametrize("is_recursive", [False, True])
async def test_not_found_when_id_means_nothing(space: Space, is_recursive: bool) -> None:
    for ref in (Ref("file", RawId("no such id")), Ref("folder", RawId("no such id"))):
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.delete(ref, is_recursive=is_recursive)


async def test_folder_not_empty_and_nothing_changes_when_it_holds_something(space: Space) -> None:
    with_file, with_folder = await space.make("a"), await space.make("b")
    await space.put("inside", parent=with_file.raw_id)
    await space.make("inside", parent=with_folder.raw_id)
    for folder in (with_file, with_folder):
        with refused(ErrorKind.FOLDER_NOT_EMPTY):
            await space.connector.delete(folder.ref)
        await space.holds("inside", folder=folder.raw_id)


@pytest.mark.needs("delete_recursive")
async def test_folder_and_content_are_gone_when_deleted_with_it(space: Space) -> None:
    folder = await space.make("a")
    for name in ("first", "second"):
        inner = await space.make(name, parent=folder.raw_id)
        await space.make("empty", parent=inner.raw_id)
        await space.gather(space.put(f"{number}", parent=inner.raw_id) for number in range(5))
    await space.put("beside.txt")
    await space.connector.delete(folder.ref, is_recursive=True)
    await space.holds("beside.txt")
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.list_folder(folder.raw_id)


@pytest.mark.needs("delete_recursive")
async def test_file_is_gone_when_deleted_as_if_it_held_something(space: Space) -> None:
    file = await space.put("a.txt")
    await space.connector.delete(file.ref, is_recursive=True)
    await space.holds()


async def test_refused_when_it_is_of_the_other_kind(space: Space) -> None:
    file, folder = await space.put("a"), await space.make("b")
    for ref in (Ref("folder", file.raw_id), Ref("file", folder.raw_id)):
        with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
            await space.connector.delete(ref)
    await space.holds("a", "b")


@pytest.mark.parametrize("is_recursive", [False, True])
async def test_refused_when_it_is_the_root(space: Space, is_recursive: bool) -> None:
    await space.put("a.txt")
    with refused(ErrorKind.PERMISSION_DENIED, ErrorKind.INVALID_TARGET):
        await space.connector.delete(space.connector.manifest.root, is_recursive=is_recursive)
    await space.holds("a.txt")
