from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, RawId, Ref
from tests.connectors.behavior.space import Space, as_known, refused

LARGE = bytes(range(256)) * 4 * 3000

pytestmark = pytest.mark.needs("copy")


@pytest.mark.parametrize("data", [b"", b"bytes", LARGE], ids=["empty", "small", "large"])
async def test_copy_holds_the_same_bytes_when_file_is_copied(space: Space, data: bytes) -> None:
    folder = await space.make("to")
    file = await space.put("a.txt", data)
    copy = await space.connector.copy(file.ref, parent=folder.raw_id)
    assert copy.name == "a.txt"
    assert copy.ref != file.ref
    assert as_known(await space.connector.get(copy.ref), copy) == copy
    assert await space.read(copy.raw_id) == await space.read(file.raw_id) == data
    await space.holds("a.txt", folder=folder.raw_id)
    await space.holds("a.txt", "to")


@pytest.mark.parametrize("name", ["plain.txt", "+ 'quoted' \u2260 中文.txt"])
async def test_copy_has_the_name_that_was_asked_when_one_was(space: Space, name: str) -> None:
    file = await space.put("a.txt", b"bytes")
    copy = await space.connector.copy(file.ref, parent=space.folder, name=name)
    assert copy.name == name
    assert await space.read(copy.raw_id) == b"bytes"
    await space.holds("a.txt", name)


async def test_original_stays_when_copy_is_replaced(space: Space) -> None:
    file = await space.put("a.txt", b"bytes")
    copy = await space.connector.copy(file.ref, parent=space.folder, name="b.txt")
    await space.connector.replace(copy.raw_id, BytesSource(b"others"))
    assert await space.read(file.raw_id) == b"bytes"


async def test_copy_gets_another_name_when_its_own_is_taken(space: Space) -> None:
    file = await space.put("a.txt", b"bytes")
    copy = await space.connector.copy(file.ref, parent=space.folder)
    assert copy.name != "a.txt"
    assert copy.name.endswith(".txt")
    await space.holds("a.txt", copy.name)


@pytest.mark.needs("names_unique")
async def test_already_exists_when_name_is_taken_and_must_not_be(space: Space) -> None:
    file, other = await space.put("a.txt", b"a"), await space.put("b.txt", b"b")
    with refused(ErrorKind.ALREADY_EXISTS):
        await space.connector.copy(file.ref, parent=space.folder, name="b.txt", on_conflict=OnConflict.FAIL)
    assert await space.read(other.raw_id) == b"b"
    await space.holds("a.txt", "b.txt")


@pytest.mark.needs("names_unique")
async def test_file_is_replaced_when_name_is_taken_and_may_be(space: Space) -> None:
    file = await space.put("a.txt", b"a")
    await space.put("b.txt", b"b")
    copy = await space.connector.copy(file.ref, parent=space.folder, name="b.txt", on_conflict=OnConflict.REPLACE)
    assert await space.read(copy.raw_id) == b"a"
    await space.holds("a.txt", "b.txt")


@pytest.mark.needs("names_unique")
async def test_already_exists_when_a_folder_would_be_replaced(space: Space) -> None:
    file = await space.put("a.txt")
    folder = await space.make("b")
    await space.put("inside", parent=folder.raw_id)
    with refused(ErrorKind.ALREADY_EXISTS):
        await space.connector.copy(file.ref, parent=space.folder, name="b", on_conflict=OnConflict.REPLACE)
    await space.holds("inside", folder=folder.raw_id)


async def test_not_found_when_source_is_gone(space: Space) -> None:
    file = await space.put("a.txt")
    await space.connector.delete(file.ref)
    for ref in (file.ref, Ref("file", RawId("no such id"))):
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.copy(ref, parent=space.folder, name="b.txt")
    await space.holds()


async def test_not_found_when_target_is_gone(space: Space) -> None:
    file, gone = await space.put("a.txt"), await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.copy(file.ref, parent=gone.raw_id)
    await space.holds("a.txt")


async def test_refused_when_target_is_a_file(space: Space) -> None:
    file, other = await space.put("a.txt"), await space.put("b.txt", b"b")
    with refused(ErrorKind.INVALID_TARGET, ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await space.connector.copy(file.ref, parent=other.raw_id)
    assert await space.read(other.raw_id) == b"b"


@pytest.mark.needs("copy_folder")
async def test_folder_takes_all_it_holds_along_when_copied(space: Space) -> None:
    folder, to = await space.make("a"), await space.make("to")
    inner = await space.make("inner", parent=folder.raw_id)
    await space.make("empty", parent=folder.raw_id)
    await space.put("top.txt", b"top", parent=folder.raw_id)
    await space.put("deep.txt", b"deep", parent=inner.raw_id)
    copy = await space.connector.copy(folder.ref, parent=to.raw_id, name="b")
    assert (copy.name, copy.ref.kind) == ("b", "folder")
    await space.holds("empty", "inner", "top.txt", folder=copy.raw_id)
    found = {resource.name: resource async for resource in space.walk(copy.raw_id)}
    deep = [resource async for resource in space.walk(found["inner"].raw_id)]
    assert await space.read(found["top.txt"].raw_id) == b"top"
    assert [await space.read(file.raw_id) for file in deep] == [b"deep"]
    await space.holds("empty", "inner", "top.txt", folder=folder.raw_id)


@pytest.mark.needs("copy_folder")
async def test_copied_folder_gets_another_name_when_its_own_is_taken(space: Space) -> None:
    folder = await space.make("v1.2")
    copies = [await space.connector.copy(folder.ref, parent=space.folder) for _ in range(2)]
    names = {"v1.2", *(copy.name for copy in copies)}
    assert len(names) == 3
    await space.holds(*names)


@pytest.mark.needs("copy_folder", "names_unique")
@pytest.mark.parametrize("policy", [OnConflict.FAIL, OnConflict.REPLACE])
async def test_already_exists_when_copied_folder_finds_its_name_taken(space: Space, policy: OnConflict) -> None:
    folder = await space.make("a")
    file, other = await space.put("b", b"b"), await space.make("c")
    for taken in (file, other):
        with refused(ErrorKind.ALREADY_EXISTS):
            await space.connector.copy(folder.ref, parent=space.folder, name=taken.name, on_conflict=policy)
    assert await space.read(file.raw_id) == b"b"
    await space.holds("a", "b", "c")


@pytest.mark.needs("copy_folder")
async def test_invalid_target_when_a_folder_is_copied_into_itself(space: Space) -> None:
    folder = await space.make("a")
    inner = await space.make("inner", parent=folder.raw_id)
    for target in (folder, inner):
        with refused(ErrorKind.INVALID_TARGET):
            await space.connector.copy(folder.ref, parent=target.raw_id, name="b")
    await space.holds("inner", folder=folder.raw_id)
    await space.holds(folder=inner.raw_id)
