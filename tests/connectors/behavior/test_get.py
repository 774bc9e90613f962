from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import File, Folder, RawId, Ref
from tests.connectors.behavior.space import Space, refused

CLOCK_DIFFERENCE = timedelta(minutes=5)


async def test_identity_is_the_same_when_asked_twice(space: Space) -> None:
    identity = await space.connector.get_identity()
    assert identity.key
    assert identity.label
    assert await space.connector.get_identity() == identity


async def test_root_is_a_folder_without_parent_when_asked_for(space: Space) -> None:
    root = await space.connector.get(space.connector.manifest.root)
    assert isinstance(root, Folder)
    assert root.raw_id == space.connector.manifest.root.raw_id
    assert root.parent is None


async def test_file_is_described_when_it_is_there(space: Space) -> None:
    before = datetime.now(UTC)
    put = await space.put("a.txt", b"12345")
    file = await space.connector.get(put.ref)
    assert isinstance(file, File)
    assert (file.raw_id, file.name, file.size_bytes) == (put.raw_id, "a.txt", 5)
    assert file.parent is not None
    assert file.parent.raw_id == space.folder
    assert file.modified_at is None or file.modified_at.utcoffset() == timedelta(0)
    assert file.modified_at is None or abs(file.modified_at - before) < CLOCK_DIFFERENCE


async def test_folder_is_described_when_it_is_there(space: Space) -> None:
    made = await space.make("a folder")
    folder = await space.connector.get(made.ref)
    assert isinstance(folder, Folder)
    assert (folder.raw_id, folder.name) == (made.raw_id, "a folder")
    assert folder.parent is not None
    assert folder.parent.raw_id == space.folder
    assert folder.can_create_folders
    assert folder.can_upload_files


async def test_ancestors_go_up_to_the_root_when_they_are_told(space: Space) -> None:
    outer = await space.make("outer")
    inner = await space.make("inner", parent=outer.raw_id)
    file = await space.put("a.txt", parent=inner.raw_id)
    seen = await space.connector.get(file.ref)
    if seen.ancestors is not None:
        root = space.connector.manifest.root.raw_id
        assert [parent.raw_id for parent in seen.ancestors] == [inner.raw_id, outer.raw_id, space.folder, root]
        assert seen.ancestors[0] == seen.parent


async def test_not_found_when_it_is_gone(space: Space) -> None:
    file = await space.put("a.txt")
    folder = await space.make("b")
    for ref in (file.ref, folder.ref):
        await space.connector.delete(ref)
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.get(ref)


@pytest.mark.parametrize("raw_id", ["no such id", "", "\0", "../../etc/passwd", "/..", "/.", "//", "/\ud800"])
async def test_not_found_when_id_means_nothing(space: Space, raw_id: str) -> None:
    for ref in (Ref("file", RawId(raw_id)), Ref("folder", RawId(raw_id))):
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.get(ref)


async def test_wrong_type_when_it_is_of_the_other_kind(space: Space) -> None:
    file = await space.put("a.txt")
    folder = await space.make("b")
    for ref in (Ref("folder", file.raw_id), Ref("file", folder.raw_id)):
        with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
            await space.connector.get(ref)


async def test_error_says_where_it_happened_when_a_call_fails(space: Space) -> None:
    file = await space.put("a.txt")
    await space.connector.delete(file.ref)
    with refused(ErrorKind.NOT_FOUND) as caught:
        await space.connector.get(file.ref)
    assert caught.value.context["connector"] == space.connector.manifest.service
    assert caught.value.context["operation"] == "get"
    assert caught.value.message
