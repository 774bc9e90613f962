from __future__ import annotations

import pytest
from msgspec import structs

from connectors.core.bytesource import BytesSource, StreamSource
from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import File, OnConflict, RawId, UploadSession
from connectors.dropbox.hashing import hash_blocks, join_blocks
from connectors.dropbox.manifest import BLOCK_BYTES, MANIFEST
from connectors.dropbox.places import FREE_NAMES_TRIED_MAX, number_names
from simulators.core.faults import FaultKind
from tests.connectors.behavior.space import refused, stream
from tests.connectors.dropbox.conftest import Fail, Meddle
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


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
async def test_free_name_is_taken_once_when_only_the_answer_was_lost(
    connector: Connector, fail: Fail, data: bytes
) -> None:
    await put(connector, b"old")
    fail(FaultKind.LOST_ANSWER, "files/upload$|session/finish")
    file = await put(connector, data, OnConflict.RENAME)
    assert (file.name, await read(connector, file.raw_id)) == ("a (1)", data)
    assert await names(connector) == ["a", "a (1)"]


async def test_file_is_there_when_only_the_answer_was_lost_and_the_session_is_gone(
    place: Place, connector: Connector, fail: Fail, meddle: Meddle
) -> None:
    session = await start(connector)
    part = await connector.put_part(session, 1, BytesSource(b"bytes"))
    fail(FaultKind.LOST_ANSWER, "session/finish")

    async def forget() -> None:
        place.state.sessions.clear()

    meddle(forget)
    file = await connector.finish_upload(session, [part])
    assert await read(connector, file.raw_id) == b"bytes"


@pytest.mark.parametrize("policy", list(OnConflict))
@pytest.mark.parametrize("data", [b"", b"bytes", BLOCK * 2], ids=["empty", "short", "blocks"])
async def test_file_is_there_once_when_it_is_finished_again_because_nobody_heard_of_it(
    connector: Connector, fail: Fail, policy: OnConflict, data: bytes
) -> None:
    await put(connector, b"old", name="a" if policy is not OnConflict.FAIL else "b")
    session = await start(connector, policy)
    part = await connector.put_part(session, 1, BytesSource(data))
    file = await connector.finish_upload(session, [part])
    before = await names(connector)
    again = await connector.finish_upload(structs.replace(session, was_finishing=True), [part])
    assert (again.raw_id, await names(connector)) == (file.raw_id, before)


async def test_file_is_stored_when_an_earlier_finish_did_nothing(connector: Connector) -> None:
    others = await put(connector, b"others")
    session = structs.replace(await start(connector, OnConflict.RENAME), was_finishing=True)
    part = await connector.put_part(session, 1, BytesSource(b"bytes"))
    file = await connector.finish_upload(session, [part])
    assert (file.name, file.raw_id != others.raw_id) == ("a (1)", True)


@pytest.mark.parametrize("policy", [OnConflict.FAIL, OnConflict.RENAME])
async def test_others_bytes_are_not_taken_for_ones_own_when_they_come_before_the_repeat(
    connector: Connector, fail: Fail, meddle: Meddle, policy: OnConflict
) -> None:
    fail(FaultKind.UNAVAILABLE, "files/upload$")
    meddle(lambda: put(connector, b"others"))
    if policy is OnConflict.FAIL:
        with refused(ErrorKind.ALREADY_EXISTS):
            await put(connector, b"own", policy)
    else:
        assert await read(connector, (await put(connector, b"own", policy)).raw_id) == b"own"
    (others, *own) = (await connector.list_folder(ROOT)).resources
    assert await read(connector, others.raw_id) == b"others"
    assert [resource.name for resource in own] == ([] if policy is OnConflict.FAIL else ["a (1)"])


@pytest.mark.parametrize("policy", list(OnConflict))
async def test_doubt_is_told_when_the_answer_was_lost_and_nobody_can_look(
    connector: Connector, fail: Fail, meddle: Meddle, policy: OnConflict
) -> None:
    fail(FaultKind.LOST_ANSWER, "files/upload$", times=None)

    async def end() -> None:
        fail(FaultKind.UNAVAILABLE, "get_metadata", times=None)

    meddle(end)
    with refused(ErrorKind.UNAVAILABLE) as caught:
        await put(connector, b"bytes", policy)
    assert caught.value.maybe_applied
    assert await names(connector) == ["a"]


@pytest.mark.parametrize(
    ("name", "is_folder", "first"),
    [
        ("a.txt", False, "a (1).txt"),
        ("v1.2", True, "v1.2 (1)"),
        ("x" * 255, False, "x" * 251 + " (1)"),
        ("\u65e5" * 251 + ".txt", False, "\u65e5" * 247 + " (1).txt"),
        ("x." + "y" * 253, False, "x." + "y" * 249 + " (1)"),
    ],
)
def test_names_are_numbered_and_fit_when_many_are_taken(name: str, is_folder: bool, first: str) -> None:
    plain, *numbered = number_names(name, is_folder=is_folder)
    assert (plain, numbered[0]) == (name, first)
    assert len(set(numbered)) == len(numbered) == FREE_NAMES_TRIED_MAX - 1
    assert max(map(len, numbered)) <= 255


async def test_already_exists_before_anything_is_sent_when_a_large_file_finds_its_name_taken(
    place: Place, connector: Connector
) -> None:
    await put(connector, b"old")
    with refused(ErrorKind.ALREADY_EXISTS):
        await put(connector, LARGE)
    assert not place.state.sessions


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
