from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, RawId
from tests.connectors.behavior.space import Space, as_known, refused

LARGE = bytes(range(256)) * 4 * 3000
POLICIES = list(OnConflict)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("data", [b"", b"x", b"hello\r\n\0\xff", LARGE], ids=["empty", "one", "binary", "large"])
async def test_file_holds_the_bytes_when_name_is_free(space: Space, data: bytes, policy: OnConflict) -> None:
    file = await space.put("a.bin", data, on_conflict=policy)
    assert (file.name, file.size_bytes) == ("a.bin", len(data))
    assert not file.is_replacement
    assert await space.read(file.raw_id) == data
    await space.holds("a.bin")


async def test_reply_equals_get_when_stored(space: Space) -> None:
    file = await space.put("a.txt", b"some bytes")
    assert as_known(await space.connector.get(file.ref), file) == file


async def test_file_holds_the_bytes_when_source_is_a_stream_of_known_size(space: Space) -> None:
    chunks = [LARGE[start : start + 100_001] for start in range(0, len(LARGE), 100_001)]
    file = await space.put_stream("a.bin", chunks, size_bytes=len(LARGE))
    assert await space.read(file.raw_id) == LARGE


@pytest.mark.needs("upload_size_unknown")
@pytest.mark.parametrize("chunks", [[], [b""], [b"a", b"", b"b"], [LARGE]], ids=["none", "empty", "some", "large"])
async def test_file_holds_the_bytes_when_size_is_unknown(space: Space, chunks: list[bytes]) -> None:
    file = await space.put_stream("a.bin", chunks, size_bytes=None)
    assert file.size_bytes == sum(map(len, chunks))
    assert await space.read(file.raw_id) == b"".join(chunks)


@pytest.mark.needs("names_unique")
async def test_already_exists_and_old_bytes_stay_when_name_is_taken(space: Space) -> None:
    old = await space.put("a.txt", b"old")
    with refused(ErrorKind.ALREADY_EXISTS) as caught:
        await space.put("a.txt", b"new", on_conflict=OnConflict.FAIL)
    assert caught.value.conflict in {old.ref, None}
    assert await space.read(old.raw_id) == b"old"
    await space.holds("a.txt")


@pytest.mark.needs("names_unique")
@pytest.mark.parametrize("policy", [OnConflict.FAIL, OnConflict.REPLACE])
async def test_already_exists_when_a_folder_has_the_name(space: Space, policy: OnConflict) -> None:
    folder = await space.make("a")
    await space.put("inside", parent=folder.raw_id)
    with refused(ErrorKind.ALREADY_EXISTS) as caught:
        await space.put("a", on_conflict=policy)
    assert caught.value.conflict in {folder.ref, None}
    await space.holds("inside", folder=folder.raw_id)


@pytest.mark.needs("names_unique")
async def test_other_names_are_found_when_name_is_taken_and_files_are_renamed(space: Space) -> None:
    await space.make("b")
    files = [await space.put("a.txt", bytes([number]), on_conflict=OnConflict.RENAME) for number in range(3)]
    beside = await space.put("b", on_conflict=OnConflict.RENAME)
    assert len({file.name for file in files}) == 3
    assert all(file.name.startswith("a") and file.name.endswith(".txt") for file in files)
    assert beside.name != "b"
    assert [await space.read(file.raw_id) for file in files] == [b"\0", b"\1", b"\2"]
    await space.holds("b", beside.name, *(file.name for file in files))


@pytest.mark.needs("names_unique")
async def test_bytes_are_new_when_file_is_replaced(space: Space) -> None:
    old = await space.put("a.txt", b"the old bytes")
    new = await space.put("a.txt", b"new", on_conflict=OnConflict.REPLACE)
    assert new.is_replacement
    assert (new.name, new.size_bytes) == ("a.txt", 3)
    assert new.etag is None or new.etag != old.etag
    assert await space.read(new.raw_id) == b"new"
    await space.holds("a.txt")


async def test_not_found_when_parent_is_gone(space: Space) -> None:
    gone = await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.put("a.txt", parent=gone.raw_id)
    await space.holds()


async def test_refused_when_parent_is_a_file(space: Space) -> None:
    file = await space.put("a.txt", b"old")
    with refused(ErrorKind.INVALID_TARGET, ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await space.put("b.txt", parent=file.raw_id)
    assert await space.read(file.raw_id) == b"old"


async def test_not_found_when_parent_id_means_nothing(space: Space) -> None:
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.upload(RawId("nothing"), "a", BytesSource(b""), on_conflict=OnConflict.RENAME)


async def test_all_are_stored_when_many_are_uploaded_at_once(space: Space) -> None:
    names = [f"file {number:02}" for number in range(30)]
    files = await space.gather(space.put(name, name.encode() * 1000) for name in names)
    assert await space.gather(space.read(file.raw_id) for file in files) == [name.encode() * 1000 for name in names]
    await space.holds(*names)
