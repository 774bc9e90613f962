from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import OnConflict, Part, UploadSession
from tests.connectors.behavior.space import FailingSource, Space, StalledSource, as_known, refused

pytestmark = pytest.mark.needs("start_upload")

CLOCK_DIFFERENCE_MAX = timedelta(minutes=5)  # between this machine and the provider


@pytest.fixture
async def session(space: Space) -> UploadSession:
    return await space.connector.start_upload(space.folder, "big.bin", size_bytes=None, on_conflict=OnConflict.FAIL)


@pytest.fixture
def whole(session: UploadSession) -> bytes:
    """Two full parts and a short one."""
    return (bytes(range(251)) * (2 * session.part_size_bytes // 251 + 1000))[: 2 * session.part_size_bytes + 12_345]


async def test_part_size_keeps_to_the_limits_when_started(space: Space, session: UploadSession) -> None:
    limits = space.target.limits
    assert limits.upload_part_bytes_min <= session.part_size_bytes <= limits.upload_part_bytes_max
    assert session.part_size_bytes % limits.upload_part_bytes_multiple == 0


async def test_parts_get_larger_when_there_would_be_too_many(space: Space) -> None:
    limits = space.target.limits
    size_bytes = limits.upload_part_bytes_default * limits.upload_parts_max + 1
    if limits.file_bytes_max is not None and size_bytes > limits.file_bytes_max:
        pytest.skip("no file is that large here")
    try:
        session = await space.connector.start_upload(
            space.folder, "huge", size_bytes=size_bytes, on_conflict=OnConflict.FAIL
        )
    except Exception as error:
        with refused(ErrorKind.QUOTA_EXCEEDED):  # room is reserved where it can be, and there may be less
            raise error from None
    else:
        assert session.part_size_bytes * limits.upload_parts_max >= size_bytes
        await space.connector.abort_upload(session)
    await space.holds()


@pytest.mark.parametrize("knows_size", [False, True])
async def test_file_is_whole_when_parts_come_out_of_order(space: Space, whole: bytes, knows_size: bool) -> None:
    session = await space.connector.start_upload(
        space.folder, "a.bin", size_bytes=len(whole) if knows_size else None, on_conflict=OnConflict.FAIL
    )
    size = session.part_size_bytes
    parts: list[Part] = []
    for number in (2, 3, 1) if space.target.capabilities.upload_parts_parallel else (1, 2, 3):
        source, previous = BytesSource(whole[(number - 1) * size : number * size]), parts[-1] if parts else None
        parts.append(await space.connector.put_part(session, number, source, previous=previous))
    await space.holds()
    file = await space.connector.finish_upload(session, parts)
    assert (file.name, file.size_bytes) == ("a.bin", len(whole))
    assert as_known(await space.connector.get(file.ref), file) == file
    assert await space.read(file.raw_id) == whole
    await space.holds("a.bin")


@pytest.mark.needs("upload_parts_parallel")
async def test_file_is_whole_when_parts_come_at_once(space: Space, session: UploadSession, whole: bytes) -> None:
    size = session.part_size_bytes
    sources = [BytesSource(whole[start : start + size]) for start in range(0, len(whole), size)]
    parts = await space.gather(
        space.connector.put_part(session, number, source) for number, source in enumerate(sources, 1)
    )
    file = await space.connector.finish_upload(session, parts)
    assert await space.read(file.raw_id) == whole


async def test_file_is_small_when_there_is_one_short_part(space: Space, session: UploadSession) -> None:
    part = await space.connector.put_part(session, 1, BytesSource(b"short"))
    assert (part.number, part.size_bytes) == (1, 5)
    file = await space.connector.finish_upload(session, [part])
    assert await space.read(file.raw_id) == b"short"


@pytest.mark.parametrize("size_bytes", [None, 0])
async def test_file_is_empty_when_there_are_no_parts(space: Space, size_bytes: int | None) -> None:
    session = await space.connector.start_upload(
        space.folder, "empty", size_bytes=size_bytes, on_conflict=OnConflict.FAIL
    )
    file = await space.connector.finish_upload(session, [])
    assert file.size_bytes == 0
    assert await space.read(file.raw_id) == b""


@pytest.mark.needs("upload_parts_replaceable")
async def test_last_bytes_count_when_a_part_is_sent_again(space: Space, session: UploadSession) -> None:
    await space.connector.put_part(session, 1, BytesSource(b"first and longer"))
    part = await space.connector.put_part(session, 1, BytesSource(b"second"))
    file = await space.connector.finish_upload(session, [part])
    assert await space.read(file.raw_id) == b"second"


@pytest.mark.parametrize("number", [-1, 0, 10_001, 2**40])
async def test_invalid_parts_when_number_is_out_of_range(space: Space, session: UploadSession, number: int) -> None:
    with refused(ErrorKind.INVALID_PARTS):
        await space.connector.put_part(session, number, BytesSource(b"x"))
    await space.holds()


async def test_invalid_parts_when_a_part_is_too_long(space: Space, session: UploadSession) -> None:
    too_long = [b"x" * session.part_size_bytes, b"y"]
    with refused(ErrorKind.INVALID_PARTS):
        await space.connector.put_part(session, 1, BytesSource(b"".join(too_long)))
    with refused(ErrorKind.INVALID_PARTS, ErrorKind.SOURCE_FAILED):
        await space.connector.put_part(session, 1, FailingSource(too_long, size_bytes=None))


async def test_session_lives_on_when_parts_are_missing_at_the_end(
    space: Space, session: UploadSession, whole: bytes
) -> None:
    size = session.part_size_bytes
    sources = [BytesSource(whole[start : start + size]) for start in range(0, len(whole), size)]
    first = await space.connector.put_part(session, 1, sources[0])
    if space.target.capabilities.upload_parts_parallel:
        third = await space.connector.put_part(session, 3, sources[2])
    else:
        with refused(ErrorKind.INVALID_PARTS):
            await space.connector.put_part(session, 3, sources[2])
        third = Part(3, len(whole) - 2 * size, first.receipt)
    for parts in ([first, third], [third], [first, first]):
        with refused(ErrorKind.INVALID_PARTS):
            await space.connector.finish_upload(session, parts)
    await space.holds()
    second = await space.connector.put_part(session, 2, sources[1], previous=first)
    third = await space.connector.put_part(session, 3, sources[2], previous=second)
    file = await space.connector.finish_upload(session, [third, second, first])
    assert await space.read(file.raw_id) == whole


async def test_invalid_parts_when_an_inner_part_is_short(space: Space, session: UploadSession) -> None:
    first = await space.connector.put_part(session, 1, BytesSource(b"short"))
    parts = [first, await space.connector.put_part(session, 2, BytesSource(b"short"), previous=first)]
    with refused(ErrorKind.INVALID_PARTS):
        await space.connector.finish_upload(session, parts)
    await space.holds()


async def test_invalid_parts_when_they_are_not_the_declared_size(space: Space) -> None:
    session = await space.connector.start_upload(space.folder, "a", size_bytes=100, on_conflict=OnConflict.FAIL)
    for source in (BytesSource(b"x" * 99), BytesSource(b"x" * 101)):
        with refused(ErrorKind.INVALID_PARTS):
            await space.connector.put_part(session, 1, source)
    with refused(ErrorKind.INVALID_PARTS):
        await space.connector.finish_upload(session, [])
    part = await space.connector.put_part(session, 1, BytesSource(b"x" * 100))
    await space.connector.finish_upload(session, [part])
    await space.holds("a")


async def test_part_is_missing_when_sending_it_again_failed(space: Space, session: UploadSession) -> None:
    part = await space.connector.put_part(session, 1, BytesSource(b"good bytes"))
    with refused(ErrorKind.SOURCE_FAILED):
        await space.connector.put_part(session, 1, FailingSource([b"bad"], size_bytes=10, fails=True))
    try:
        file = await space.connector.finish_upload(session, [part])
    except Exception as error:  # either the old part is whole or the loss is seen: never a mix
        with refused(ErrorKind.INVALID_PARTS):
            raise error from None
        part = await space.connector.put_part(session, 1, BytesSource(b"good bytes"))
        file = await space.connector.finish_upload(session, [part])
    assert await space.read(file.raw_id) == b"good bytes"


async def test_part_can_be_sent_again_when_the_first_try_was_cancelled(space: Space, session: UploadSession) -> None:
    source = StalledSource(b"x" * 1000)
    task = asyncio.create_task(space.connector.put_part(session, 1, source))
    await source.is_stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.is_closed
    part = await space.connector.put_part(session, 1, BytesSource(b"again"))
    file = await space.connector.finish_upload(session, [part])
    assert await space.read(file.raw_id) == b"again"


async def test_nothing_is_seen_when_upload_is_aborted(space: Space, session: UploadSession) -> None:
    await space.connector.put_part(session, 1, BytesSource(b"x"))
    await space.connector.abort_upload(session)
    await space.connector.abort_upload(session)
    await space.holds()


@pytest.mark.needs("upload_abort_final")
async def test_nothing_can_be_made_of_an_upload_when_it_was_aborted(space: Space, session: UploadSession) -> None:
    part = await space.connector.put_part(session, 1, BytesSource(b"x"))
    await space.connector.abort_upload(session)
    with refused(ErrorKind.NOT_FOUND, ErrorKind.INVALID_PARTS):
        await space.connector.put_part(session, 1, BytesSource(b"x"))
    with refused(ErrorKind.NOT_FOUND, ErrorKind.INVALID_PARTS):
        await space.connector.finish_upload(session, [part])
    await space.holds()


async def test_abort_is_no_error_when_upload_was_finished(space: Space, session: UploadSession) -> None:
    file = await space.connector.finish_upload(session, [])
    await space.connector.abort_upload(session)
    assert as_known(await space.connector.get(file.ref), file) == file


async def test_sessions_do_not_mix_when_they_are_for_one_name(space: Space) -> None:
    sessions = [
        await space.connector.start_upload(space.folder, "a.txt", size_bytes=None, on_conflict=OnConflict.RENAME)
        for _ in range(2)
    ]
    parts = [
        await space.connector.put_part(session, 1, BytesSource(data))
        for session, data in zip(sessions, (b"first", b"second"), strict=True)
    ]
    files = []
    for session, part in zip(sessions, parts, strict=True):
        try:
            files.append(await space.connector.finish_upload(session, [part]))
        except ConnectorError as error:
            assert files  # the first one finds its name free
            assert error.kind is ErrorKind.ALREADY_EXISTS  # noqa: PT017 - where the name was settled at the start
            assert not space.target.capabilities.finish_renames
            await space.connector.abort_upload(session)
    assert [await space.read(file.raw_id) for file in files] == [b"first", b"second"][: len(files)]
    await space.holds(*(file.name for file in files))


@pytest.mark.needs("names_unique")
@pytest.mark.parametrize("policy", list(OnConflict))
async def test_policy_holds_when_name_was_taken_meanwhile(space: Space, policy: OnConflict) -> None:
    session = await space.connector.start_upload(space.folder, "a.txt", size_bytes=None, on_conflict=policy)
    part = await space.connector.put_part(session, 1, BytesSource(b"new"))
    old = await space.put("a.txt", b"old")
    is_name_settled = policy is OnConflict.RENAME and not space.target.capabilities.finish_renames
    if policy is OnConflict.FAIL or is_name_settled:
        with refused(ErrorKind.ALREADY_EXISTS):
            await space.connector.finish_upload(session, [part])
        assert await space.read(old.raw_id) == b"old"
        await space.connector.abort_upload(session)
        await space.holds("a.txt")
        return
    file = await space.connector.finish_upload(session, [part])
    assert await space.read(file.raw_id) == b"new"
    assert (file.name == "a.txt") is (policy is OnConflict.REPLACE)
    await space.holds("a.txt", *({file.name} - {"a.txt"}))


async def test_not_found_when_parent_is_gone(space: Space) -> None:
    gone = await space.make("gone")
    await space.connector.delete(gone.ref)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.start_upload(gone.raw_id, "a", size_bytes=1, on_conflict=OnConflict.FAIL)


@pytest.mark.needs("list_uploads")
async def test_upload_is_listed_for_its_name_only_until_it_is_finished_or_aborted(space: Space) -> None:
    names = ["a.bin", "a.bin", "a.bin.more", "A.BIN"]
    began_at = datetime.now(UTC) - CLOCK_DIFFERENCE_MAX
    first, second, *others = [
        await space.connector.start_upload(space.folder, name, size_bytes=None, on_conflict=OnConflict.REPLACE)
        for name in names
    ]
    listed = await space.connector.list_uploads(space.folder, "a.bin")
    assert sorted(map(repr, (each.state for each in listed))) == sorted(map(repr, (first.state, second.state)))
    for each in listed:
        assert (each.parent, each.name) == (space.folder, "a.bin")
        assert each.started_at is not None
        if space.target.is_dating_uploads:
            assert began_at <= each.started_at <= datetime.now(UTC) + CLOCK_DIFFERENCE_MAX
    part = await space.connector.put_part(first, 1, BytesSource(b"x"))
    await space.connector.finish_upload(first, [part])
    (left,) = await space.connector.list_uploads(space.folder, "a.bin")
    assert left.state == second.state
    await space.connector.abort_upload(left)
    assert await space.connector.list_uploads(space.folder, "a.bin") == []
    with refused(ErrorKind.NOT_FOUND, ErrorKind.INVALID_PARTS):
        await space.connector.put_part(second, 1, BytesSource(b"x"))
    for session in others:
        await space.connector.abort_upload(session)


@pytest.mark.needs("list_uploads")
async def test_no_uploads_are_listed_when_nothing_was_started_or_folder_is_gone(space: Space) -> None:
    await space.put("a.bin", b"a file is no upload")
    assert await space.connector.list_uploads(space.folder, "a.bin") == []
    gone = await space.make("gone")
    await space.connector.delete(gone.ref)
    assert await space.connector.list_uploads(gone.raw_id, "a.bin") == []
