from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from connectors.core.bytesource import BytesSource, StreamSource
from connectors.core.errors import ErrorKind
from connectors.core.resources import ByteRange, OnConflict, Part, PermissionChange
from simulators.core.faults import FaultKind
from tests.connectors.behavior.space import refused, stream
from tests.connectors.gdrive.conftest import ROOT, Account, Open

MIB = 2**20
UPLOADS = "/upload/"


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 700_001):
        yield data[start : start + 700_001]


async def test_checksums_are_those_of_the_bytes_when_stored(account: Account) -> None:
    file = await account.put("a.txt", b"some bytes")
    assert file.hashes == {name: hashlib.new(name, b"some bytes").hexdigest() for name in ("md5", "sha1", "sha256")}


@pytest.mark.parametrize("data", [b"small", b"large" * 2 * MIB], ids=["small", "large"])
async def test_nothing_stays_when_other_bytes_were_stored(account: Account, data: bytes) -> None:
    account.fail(FaultKind.REWRITTEN_BYTES, UPLOADS, method="POST" if len(data) < MIB else "PUT", times=9)
    with refused(ErrorKind.UNEXPECTED):
        await account.put("a.txt", data)
    assert await account.names() == []
    assert len(list(account.place.drive.store.list_all())) == 1  # nor in the trash: only the root


async def test_old_bytes_are_current_when_others_were_stored_instead_of_the_new_ones(account: Account) -> None:
    old = await account.put("a.txt", b"old")
    account.fail(FaultKind.REWRITTEN_BYTES, UPLOADS, method="PUT")
    with refused(ErrorKind.UNEXPECTED):
        await account.connector.replace(old.raw_id, BytesSource(b"new"))
    assert await account.connector.get(old.ref) == await account.connector.get_by_path("/a.txt")
    assert await account.read(old.raw_id) == b"old"
    assert [version.etag for version in (await account.connector.list_versions(old.raw_id)).versions] == [old.etag]


@pytest.mark.parametrize("size_bytes", [20 * MIB, 16 * MIB, 5 * MIB, 5 * MIB + 1])
@pytest.mark.parametrize("is_size_known", [True, False])
async def test_stream_is_whole_when_answers_get_lost_on_the_way(
    account: Account, size_bytes: int, is_size_known: bool
) -> None:
    data = bytes(range(251)) * (size_bytes // 251 + 1)
    source = StreamSource(chunks(data[:size_bytes]), size_bytes=size_bytes if is_size_known else None)
    account.fail(FaultKind.LOST_ANSWER, UPLOADS, times=2)
    file = await account.connector.upload(ROOT, "a.bin", source, on_conflict=OnConflict.FAIL)
    assert file.size_bytes == size_bytes
    assert await account.read(file.raw_id) == data[:size_bytes]
    assert await account.names() == ["a.bin"]


async def test_one_file_one_folder_and_one_copy_are_made_when_answers_get_lost(account: Account) -> None:
    for path in (r"^/upload/", r"^/drive/v3/files$", r"/copy$"):
        account.fail(FaultKind.LOST_ANSWER, path, method="POST")
    await account.connector.create_folder(ROOT, "folder")
    file = await account.put("a.txt")
    await account.connector.copy(file.ref, parent=ROOT, name="b.txt")
    assert await account.names() == ["a.txt", "b.txt", "folder"]
    assert account.place.world.faults.counts[FaultKind.LOST_ANSWER] == 3


async def test_one_version_is_made_when_the_answer_to_a_replacement_gets_lost(account: Account) -> None:
    file = await account.put("a.txt", b"old")
    account.fail(FaultKind.LOST_ANSWER, UPLOADS, method="PUT")
    await account.connector.replace(file.raw_id, BytesSource(b"new"))
    assert len((await account.connector.list_versions(file.raw_id)).versions) == 2


async def test_session_is_given_up_when_the_source_fails(account: Account) -> None:
    source = StreamSource(stream([b"x" * 9 * MIB]), size_bytes=10 * MIB)
    with refused(ErrorKind.SOURCE_FAILED):
        await account.connector.upload(ROOT, "a.bin", source, on_conflict=OnConflict.FAIL)
    (session,) = account.place.drive.sessions._sessions.values()
    assert session.is_cancelled


async def test_parts_are_whole_when_one_is_sent_twice_and_answers_get_lost(account: Account) -> None:
    session = await account.connector.start_upload(ROOT, "a.bin", size_bytes=None, on_conflict=OnConflict.FAIL)
    size = session.part_size_bytes
    data = bytes(range(251)) * (2 * size // 251 + 2000)
    account.fail(FaultKind.LOST_ANSWER, UPLOADS, method="PUT", times=3)
    parts: list[Part] = []
    for number in (1, 1, 2, 3):
        source = StreamSource(chunks(data[(number - 1) * size : number * size]))
        previous = parts[-1] if number > 1 else None
        parts.append(await account.connector.put_part(session, number, source, previous=previous))
    for _ in range(2):  # and is finished twice
        file = await account.connector.finish_upload(session, parts[1:])
        assert await account.read(file.raw_id) == data
    assert await account.names() == ["a.bin"]


async def test_invalid_parts_when_a_part_comes_before_the_one_that_it_follows(account: Account) -> None:
    session = await account.connector.start_upload(ROOT, "a.bin", size_bytes=None, on_conflict=OnConflict.FAIL)
    part = Part(1, session.part_size_bytes, '{"writer": "another version"}')  # that Drive never got
    with refused(ErrorKind.INVALID_PARTS):
        await account.connector.put_part(session, 2, BytesSource(b"x" * session.part_size_bytes), previous=part)


async def test_reader_gets_what_is_there_when_it_may_not_read_revisions(account: Account, open_as: Open) -> None:
    file = await account.put("a.txt", b"0123456789")
    wish = PermissionChange(role="reader", email="ben@example.com")
    await account.connector.set_permissions(file.ref, [wish], is_replacing=False)
    reader = open_as(2)
    assert await reader.read(file.raw_id) == b"0123456789"
    opening = reader.connector.open_download(file.raw_id, byte_range=ByteRange(3, 5), if_match=file.etag)
    async with opening as download:
        assert b"".join([chunk async for chunk in download.chunks]) == b"345"
    with refused(ErrorKind.PERMISSION_DENIED):
        await reader.connector.list_versions(file.raw_id)
    with refused(ErrorKind.PERMISSION_DENIED):
        await reader.connector.replace(file.raw_id, BytesSource(b"new"))
