from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import RawId
from tests.connectors.behavior.space import Space, refused


async def test_folder_is_empty_and_there_when_created(space: Space) -> None:
    folder = await space.make("a")
    assert folder.name == "a"
    assert await space.connector.get(folder.ref) == folder
    await space.holds(folder=folder.raw_id)
    await space.holds("a")


async def test_folder_is_created_when_it_is_deep(space: Space) -> None:
    parent = space.folder
    for depth in range(12):
        parent = (await space.make(f"level {depth}", parent=parent)).raw_id
    await space.put("bottom", parent=parent)
    await space.holds("bottom", folder=parent)


@pytest.mark.needs("names_unique")
async def test_already_exists_when_a_folder_has_the_name(space: Space) -> None:
    folder = await space.make("a")
    await space.put("inside", parent=folder.raw_id)
    with refused(ErrorKind.ALREADY_EXISTS) as caught:
        await space.make("a")
    assert caught.value.conflict in {folder.ref, None}
    await space.holds("inside", folder=folder.raw_id)


@pytest.mark.needs("names_unique")
async def test_already_exists_when_a_file_has_the_name(space: Space) -> None:
    file = await space.put("a", b"old")
    with refused(ErrorKind.ALREADY_EXISTS) as caught:
        await space.make("a")
    assert caught.value.conflict in {file.ref, None}
    assert await space.read(file.raw_id) == b"old"


async def test_not_found_when_parent_is_gone(space: Space) -> None:
    gone = await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.make("a", parent=gone.raw_id)
    with refused(ErrorKind.NOT_FOUND):
        await space.make("a", parent=RawId("no such id"))


async def test_refused_when_parent_is_a_file(space: Space) -> None:
    file = await space.put("a.txt")
    with refused(ErrorKind.INVALID_TARGET, ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await space.make("b", parent=file.raw_id)


async def test_folder_can_be_created_again_when_it_was_deleted(space: Space) -> None:
    folder = await space.make("a")
    await space.connector.delete(folder.ref)
    again = await space.make("a")
    await space.holds(folder=again.raw_id)
