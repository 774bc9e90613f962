from __future__ import annotations

import pytest

from connectors.core.bytesource import BytesSource, StreamSource
from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import File, OnConflict, RawId, UploadSession
from connectors.dropbox.hashing import hash_blocks, join_blocks
from connectors.dropbox.manifest import BLOCK_BYTES, MANIFEST
from simulators.core.faults import FaultKind
from tests.connectors.behavior.space import refused, stream
from tests.connectors.dropbox.conftest import Fail
from tests.servers.dropbox import Place

ROOT = MANIFEST.root.raw_id
BLOCK = bytes(range(256)) * (BLOCK_BYTES // 256)
LARGE = BLOCK * 5 + b"and some more"


async def put(connector: Connector, data: bytes, on_conflict: OnConflict = OnConflict.FAIL, name: str = "a") -> File:
    return await connector.upload(ROOT, name, BytesSource(data), on_conflict=on_conflict)


async def read(connector: Connector, file: RawId) -> bytes:
    async with connector.open_download(file) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def names(connector: Connector) -> list[str]:
    return [resource.name for resource in (await connector.list_folder(ROOT)).resources]


async def start(connector: Connector, on_conflict: OnConflict = OnConflict.FAIL) -> UploadSession:
    return await connector.start_upload(ROOT, "a", size_bytes=None, on_conflict=on_conflict)


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [  # computed by rclone
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "b6d58dfa6547c1eb7f0d4ffd3e3bd6452213210ea51baa70b97c31f011187215"),
        (19, "014dbdd0c1ea098f521b427e59b9e941bb1ca69a186a02522ff4564d7dbb0266"),
    ],
)
async def test_hash_is_that_of_others_when_bytes_are_the_same(size_bytes: int, expected: str) -> None:
    data = bytes((31 * (at % 256) + 7) % 256 for at in range(size_bytes))
    assert join_blocks(await hash_blocks(data)) == expected


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
async def test_nothing_is_left_when_other_bytes_were_stored_than_sent(
    connector: Connector, fail: Fail, data: bytes
) -> None:
    fail(FaultKind.REWRITTEN_BYTES, "files/upload$|session/finish")
    with refused(ErrorKind.UNEXPECTED):
        await put(connector, data)
    assert await names(connector) == []


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
async def test_old_bytes_are_back_when_others_were_stored_than_those_that_should_replace_them(
    connector: Connector, fail: Fail, data: bytes
) -> None:
    file = await put(connector, b"old")
    for number in range(2):
        fail(FaultKind.REWRITTEN_BYTES, "files/upload$|session/finish")
        with refused(ErrorKind.UNEXPECTED):
            if number:
                await connector.replace(file.raw_id, BytesSource(data))
            else:
                await put(connector, data, OnConflict.REPLACE)
        assert await read(connector, file.raw_id) == b"old"


async def test_large_file_is_replaced_under_its_id_when_its_bytes_come_in_pieces(connector: Connector) -> None:
    file = await put(connector, b"old")
    source = StreamSource(stream([LARGE[:1_000_000], LARGE[1_000_000:]]))
    replaced = await connector.replace(file.raw_id, source)
    assert (replaced.raw_id, replaced.size_bytes) == (file.raw_id, len(LARGE))
    assert await read(connector, file.raw_id) == LARGE


async def test_file_is_whole_when_its_last_short_part_is_sent_again(connector: Connector) -> None:
    session = await start(connector)
    data = BLOCK * 2 + b"end"
    parts = [
        await connector.put_part(session, number, BytesSource(piece))
        for number, piece in ((1, data[: session.part_size_bytes]), (2, b"end"), (2, b"end"))
    ]
    file = await connector.finish_upload(session, parts[::2])
    assert await read(connector, file.raw_id) == data


async def test_nothing_is_left_when_a_part_is_sent_again_with_other_bytes(connector: Connector) -> None:
    session = await start(connector)
    await connector.put_part(session, 1, BytesSource(b"one"))
    part = await connector.put_part(session, 1, BytesSource(b"two"))
    with refused(ErrorKind.UNEXPECTED):
        await connector.finish_upload(session, [part])
    assert await names(connector) == []


async def test_file_is_whole_when_it_ends_with_a_full_block(connector: Connector) -> None:
    session = await start(connector)
    part = await connector.put_part(session, 1, BytesSource(BLOCK))
    assert (await connector.finish_upload(session, [part])).size_bytes == BLOCK_BYTES


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("policy", [OnConflict.FAIL, OnConflict.REPLACE])
async def test_file_is_there_once_when_only_the_answer_was_lost(
    connector: Connector, fail: Fail, data: bytes, policy: OnConflict
) -> None:
    fail(FaultKind.LOST_ANSWER, "files/upload$|session/finish")
    file = await put(connector, data, policy)
    assert await read(connector, file.raw_id) == data
    assert await names(connector) == ["a"]


async def test_file_is_stored_once_and_doubt_is_told_when_a_free_name_was_taken_and_the_answer_lost(
    connector: Connector, fail: Fail
) -> None:
    await put(connector, b"old")
    fail(FaultKind.LOST_ANSWER, "files/upload$")
    with refused(ErrorKind.UNAVAILABLE) as caught:
        await put(connector, b"new", OnConflict.RENAME)
    assert caught.value.maybe_applied
    assert await names(connector) == ["a", "a (1)"]


async def test_policies_hold_when_the_same_bytes_are_there(connector: Connector) -> None:
    file = await put(connector, b"bytes")
    with refused(ErrorKind.ALREADY_EXISTS):
        await put(connector, b"bytes")
    assert (await put(connector, b"bytes", OnConflict.RENAME)).name == "a (1)"
    same = await put(connector, b"bytes", OnConflict.REPLACE)
    assert (same.raw_id, same.etag) == (file.raw_id, file.etag)


async def test_already_exists_when_capitals_are_all_that_differs(connector: Connector) -> None:
    await put(connector, b"bytes", name="Name.TXT")
    with refused(ErrorKind.ALREADY_EXISTS):
        await put(connector, b"other", name="name.txt")


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMITED, FaultKind.TOO_MANY_WRITES])
async def test_upload_waits_as_long_as_it_is_told_when_there_were_too_many(
    connector: Connector, clock: ManualClock, fail: Fail, kind: FaultKind
) -> None:
    fail(kind, "files/upload$", seconds=7)
    await put(connector, b"bytes")
    assert clock.sleeps == [7]


async def test_upload_is_repeated_when_there_were_too_many_and_no_hint_came(
    connector: Connector, clock: ManualClock, fail: Fail
) -> None:
    fail(FaultKind.RATE_LIMITED, "files/upload$", times=2)
    await put(connector, b"bytes")
    assert len(clock.sleeps) == 2


async def test_quota_exceeded_and_nothing_is_stored_when_there_is_no_room(place: Place, connector: Connector) -> None:
    await connector.get_identity()
    place.state.space.space_bytes_max = 10
    for data in (b"too large", LARGE):
        await put(connector, b"12345", OnConflict.REPLACE)
        with refused(ErrorKind.QUOTA_EXCEEDED):
            await put(connector, data, name="b")
    assert await names(connector) == ["a"]
    quota = await connector.get_quota()
    assert (quota.total_bytes, quota.used_bytes, quota.remaining_bytes) == (10, 5, 5)
