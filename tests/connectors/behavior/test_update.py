from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import File, RawId, Ref
from tests.connectors.behavior.space import Space, as_known, refused


async def test_file_has_the_new_name_when_renamed(space: Space) -> None:
    file = await space.put("a.txt", b"bytes")
    renamed = await space.connector.update(file.ref, name="b.txt")
    assert renamed.name == "b.txt"
    assert as_known(await space.connector.get(renamed.ref), renamed) == renamed
    assert await space.read(renamed.raw_id) == b"bytes"
    await space.holds("b.txt")


async def test_file_is_in_the_new_folder_when_moved(space: Space) -> None:
    folder = await space.make("to")
    file = await space.put("a.txt", b"bytes")
    moved = await space.connector.update(file.ref, parent=folder.raw_id)
    assert moved.name == "a.txt"
    assert moved.parent is not None
    assert moved.parent.raw_id == folder.raw_id
    assert await space.read(moved.raw_id) == b"bytes"
    await space.holds("to")
    await space.holds("a.txt", folder=folder.raw_id)


async def test_file_is_moved_and_renamed_when_both_are_asked(space: Space) -> None:
    folder = await space.make("to")
    file = await space.put("a.txt", b"bytes")
    moved = await space.connector.update(file.ref, name="b.txt", parent=folder.raw_id)
    assert await space.read(moved.raw_id) == b"bytes"
    await space.holds("b.txt", folder=folder.raw_id)


@pytest.mark.needs("move_folder")
async def test_folder_takes_its_content_along_when_moved(space: Space) -> None:
    folder, to = await space.make("a"), await space.make("to")
    inner = await space.make("inner", parent=folder.raw_id)
    await space.put("deep.txt", b"bytes", parent=inner.raw_id)
    moved = await space.connector.update(folder.ref, name="b", parent=to.raw_id)
    await space.holds("to")
    await space.holds("b", folder=to.raw_id)
    inner_moved = [resource async for resource in space.walk(moved.raw_id)]
    deep = [resource async for resource in space.walk(inner_moved[0].raw_id)]
    assert [resource.name for resource in deep] == ["deep.txt"]
    assert await space.read(deep[0].raw_id) == b"bytes"


@pytest.mark.needs("move_folder")
async def test_folder_has_the_new_name_when_renamed(space: Space) -> None:
    folder = await space.make("a")
    renamed = await space.connector.update(folder.ref, name="b")
    assert (renamed.name, renamed.ref.kind) == ("b", "folder")
    await space.holds("b")


async def test_nothing_changes_when_it_stays_where_it_is(space: Space) -> None:
    file = await space.put("a.txt", b"bytes")
    for name, parent in (("a.txt", None), (None, space.folder), ("a.txt", space.folder), (None, None)):
        same = as_known(await space.connector.update(file.ref, name=name, parent=parent), file)
        assert isinstance(same, File)
        assert (same.name, same.etag) == ("a.txt", file.etag)
    await space.holds("a.txt")


async def test_only_case_changes_when_renamed_so(space: Space) -> None:
    file = await space.put("readme.txt", b"bytes")
    renamed = await space.connector.update(file.ref, name="README.txt")
    assert renamed.name == "README.txt"
    assert await space.read(renamed.raw_id) == b"bytes"
    await space.holds("README.txt")


@pytest.mark.needs("names_unique")
async def test_already_exists_and_nothing_changes_when_name_is_taken(space: Space) -> None:
    file, other = await space.put("a.txt", b"a"), await space.put("b.txt", b"b")
    folder = await space.make("c")
    for taken in (other, folder):
        with refused(ErrorKind.ALREADY_EXISTS) as caught:
            await space.connector.update(file.ref, name=taken.name)
        assert caught.value.conflict in {taken.ref, None}
    assert [await space.read(each.raw_id) for each in (file, other)] == [b"a", b"b"]
    await space.holds("a.txt", "b.txt", "c")


@pytest.mark.needs("names_unique", "move_folder")
async def test_already_exists_when_an_empty_folder_has_the_name(space: Space) -> None:
    folder, other = await space.make("a"), await space.make("b")
    with refused(ErrorKind.ALREADY_EXISTS):
        await space.connector.update(folder.ref, name="b")
    for each in (folder, other):
        await space.holds(folder=each.raw_id)


async def test_not_found_when_it_is_gone(space: Space) -> None:
    file = await space.put("a.txt")
    await space.connector.delete(file.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.update(file.ref, name="b.txt")
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.update(Ref("file", RawId("no such id")), name="b.txt")
    await space.holds()


async def test_not_found_when_new_parent_is_gone(space: Space) -> None:
    file, gone = await space.put("a.txt"), await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.update(file.ref, parent=gone.raw_id)
    await space.holds("a.txt")


async def test_refused_when_new_parent_is_a_file(space: Space) -> None:
    file, other = await space.put("a.txt"), await space.put("b.txt", b"b")
    with refused(ErrorKind.INVALID_TARGET, ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await space.connector.update(file.ref, parent=other.raw_id)
    assert await space.read(other.raw_id) == b"b"
    await space.holds("a.txt", "b.txt")


@pytest.mark.needs("move_folder")
async def test_invalid_target_when_a_folder_is_moved_into_itself(space: Space) -> None:
    folder = await space.make("a")
    inner = await space.make("inner", parent=folder.raw_id)
    for target in (folder, inner):
        with refused(ErrorKind.INVALID_TARGET):
            await space.connector.update(folder.ref, parent=target.raw_id)
    await space.holds("a")
    await space.holds("inner", folder=folder.raw_id)


async def test_refused_when_it_is_of_the_other_kind(space: Space) -> None:
    file, folder = await space.put("a"), await space.make("b")
    for ref in (Ref("folder", file.raw_id), Ref("file", folder.raw_id)):
        with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
            await space.connector.update(ref, name="c")
    await space.holds("a", "b")


async def test_refused_when_it_is_the_root(space: Space) -> None:
    with refused(ErrorKind.PERMISSION_DENIED, ErrorKind.INVALID_TARGET):
        await space.connector.update(space.connector.manifest.root, name="another")
