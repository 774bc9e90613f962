"""Uploads in parts: exact cuts, several at once, resuming, cleaning up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from connectors.core import uploads
from connectors.core.bytesource import ByteSource, StreamSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Capabilities, Limits
from connectors.core.resources import OnConflict, Part, UploadSession
from connectors.core.uploads import choose_part_bytes, upload_in_parts
from tests.connectors.core.fakes import build_manifest, unavailable
from tests.connectors.core.memory import ROOT, MemoryConnector

FAIL = OnConflict.FAIL
Stream = Callable[..., StreamSource]


class Watched(MemoryConnector):
    """Stores a part only when told to, and knows how many are under way and how they were given."""

    def __init__(self, *, parallel: int) -> None:
        capabilities = Capabilities(start_upload=True, upload_parts_parallel=parallel > 1)
        limits = Limits(upload_parts_parallel_max=parallel, upload_parts_max=20)
        super().__init__(manifest=build_manifest(capabilities=capabilities, limits=limits))
        self.may_store = asyncio.Event()
        self.may_store.set()
        self.running = 0
        self.running_max = 0
        self.sources: list[ByteSource] = []

    async def put_part(
        self, session: UploadSession, number: int, source: ByteSource, *, previous: Part | None = None
    ) -> Part:
        self.sources.append(source)
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        try:
            await self.may_store.wait()
            await asyncio.sleep(0)
            return await super().put_part(session, number, source, previous=previous)
        finally:
            self.running -= 1


@pytest.fixture
def stream() -> Stream:
    def build(data: bytes, *, chunk: int = 3, size_bytes: int | None = None, failure: Any = None) -> StreamSource:
        async def chunks() -> AsyncIterator[bytes]:
            yield b""
            for start in range(0, len(data), chunk):
                await asyncio.sleep(0)
                yield data[start : start + chunk]
            if failure is not None:
                raise failure

        return StreamSource(chunks(), size_bytes=size_bytes)

    return build


async def settle() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("is_size_known", [True, False])
@pytest.mark.parametrize("chunk", [1, 3, 4, 100])
@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 8, 27])
async def test_file_arrives_whole_however_it_is_cut(
    stream: Stream, parallel: int, is_size_known: bool, chunk: int, length: int
) -> None:
    connector, data = Watched(parallel=parallel), bytes(range(length))
    source = stream(data, chunk=chunk, size_bytes=length if is_size_known else None)
    file = await upload_in_parts(connector, ROOT, "a", source, on_conflict=FAIL)
    assert (connector.tree()["/a"], file.size_bytes) == (data, length)
    assert [len(part) for part in connector.parts.values()] == [4] * (length // 4) + [length % 4] * (length % 4 > 0)
    assert connector.aborted_count == 0


async def test_as_many_parts_are_under_way_as_allowed_and_no_more_is_read(stream: Stream) -> None:
    connector = Watched(parallel=3)
    connector.may_store.clear()
    uploading = asyncio.ensure_future(upload_in_parts(connector, ROOT, "a", stream(bytes(40)), on_conflict=FAIL))
    await settle()
    assert connector.running == 3
    connector.may_store.set()
    await uploading
    assert (connector.running_max, len(connector.parts)) == (3, 10)


async def test_parts_go_one_by_one_when_the_connector_does_not_take_several(stream: Stream) -> None:
    connector = Watched(parallel=1)
    await upload_in_parts(connector, ROOT, "a", stream(bytes(40)), on_conflict=FAIL, parts_parallel_max=8)
    assert connector.running_max == 1
    assert connector.previous == {
        1: None,
        **{number: Part(number - 1, 4, f"receipt-{number - 1}") for number in range(2, 11)},
    }


async def test_single_part_is_streamed_when_the_size_is_known_and_kept_for_repeats_otherwise(stream: Stream) -> None:
    connector = Watched(parallel=1)
    await upload_in_parts(connector, ROOT, "a", stream(bytes(6), size_bytes=6), on_conflict=FAIL)
    assert [(source.size_bytes, source.is_replayable) for source in connector.sources] == [(4, False), (2, False)]
    connector.sources.clear()
    await upload_in_parts(connector, ROOT, "b", stream(bytes(6)), on_conflict=FAIL)
    assert [(source.size_bytes, source.is_replayable) for source in connector.sources] == [(4, True), (2, True)]


async def test_fewer_parts_are_under_way_when_they_would_take_too_much_memory(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PARTS_BUFFERED_BYTES_MAX", 8)
    connector = Watched(parallel=4)
    connector.may_store.clear()
    uploading = asyncio.ensure_future(upload_in_parts(connector, ROOT, "a", stream(bytes(40)), on_conflict=FAIL))
    await settle()
    assert connector.running == 2
    connector.may_store.set()
    await uploading


async def test_only_missing_parts_are_sent_when_an_upload_is_resumed(stream: Stream) -> None:
    connector, data = Watched(parallel=2), bytes(range(18))
    session = await connector.start_upload(ROOT, "a", size_bytes=18, on_conflict=FAIL)
    connector.parts = {2: data[4:8], 4: data[12:16]}
    told: list[Part] = []

    async def on_part(part: Part) -> None:
        told.append(part)

    await upload_in_parts(
        connector,
        ROOT,
        "a",
        stream(data, size_bytes=18),
        on_conflict=FAIL,
        session=session,
        finished=[Part(4, 4), Part(2, 4)],
        on_part=on_part,
    )
    assert sorted(part.number for part in told) == [1, 3, 5]
    assert connector.tree()["/a"] == data
    assert [name for name, _ in connector.calls].count("start_upload") == 1


async def test_resuming_fails_when_the_source_has_become_shorter(stream: Stream) -> None:
    connector = Watched(parallel=1)
    session = await connector.start_upload(ROOT, "a", size_bytes=None, on_conflict=FAIL)
    with pytest.raises(ConnectorError) as caught:
        await upload_in_parts(
            connector, ROOT, "a", stream(b"123"), on_conflict=FAIL, session=session, finished=[Part(1, 4)]
        )
    assert caught.value.kind is ErrorKind.SOURCE_FAILED


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("operation", ["put_part", "finish_upload"])
async def test_upload_is_aborted_once_when_a_call_fails(stream: Stream, parallel: int, operation: str) -> None:
    connector, failure = Watched(parallel=parallel), unavailable()
    connector.faults = {operation: [failure]}
    with pytest.raises(ConnectorError) as caught:
        await upload_in_parts(connector, ROOT, "a", stream(bytes(40), size_bytes=40), on_conflict=FAIL)
    assert caught.value is failure
    assert (connector.aborted_count, connector.running, connector.tree()) == (1, 0, {})


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("failure", [RuntimeError("the reader failed"), ConnectorError(ErrorKind.SOURCE_FAILED)])
async def test_upload_is_aborted_when_the_source_fails(stream: Stream, parallel: int, failure: Exception) -> None:
    connector = Watched(parallel=parallel)
    with pytest.raises(type(failure)) as caught:
        await upload_in_parts(connector, ROOT, "a", stream(bytes(10), failure=failure), on_conflict=FAIL)
    assert (caught.value, connector.aborted_count) == (failure, 1)


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("length", [9, 11, 16])
async def test_upload_is_aborted_when_the_source_does_not_have_its_declared_size(
    stream: Stream, parallel: int, length: int
) -> None:
    connector = Watched(parallel=parallel)
    with pytest.raises(ConnectorError) as caught:
        await upload_in_parts(connector, ROOT, "a", stream(bytes(length), size_bytes=10), on_conflict=FAIL)
    assert (caught.value.kind, connector.aborted_count) == (ErrorKind.SOURCE_FAILED, 1)


async def test_upload_is_aborted_when_the_source_runs_over_the_sessions_size(stream: Stream) -> None:
    connector = Watched(parallel=1)
    session = await connector.start_upload(ROOT, "a", size_bytes=4, on_conflict=FAIL)
    with pytest.raises(ConnectorError) as caught:
        await upload_in_parts(connector, ROOT, "a", stream(bytes(5)), on_conflict=FAIL, session=session)
    assert (caught.value.kind, connector.aborted_count) == (ErrorKind.SOURCE_FAILED, 1)


async def test_upload_is_aborted_and_the_source_closed_when_it_is_cancelled() -> None:
    connector = Watched(parallel=2)
    connector.may_store.clear()
    is_closed = False

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal is_closed
        try:
            while True:
                yield bytes(4)
        finally:
            is_closed = True

    uploading = asyncio.ensure_future(upload_in_parts(connector, ROOT, "a", StreamSource(chunks()), on_conflict=FAIL))
    await settle()
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    await settle()
    assert (connector.aborted_count, connector.running, is_closed) == (1, 0, True)


async def test_first_error_is_seen_when_aborting_fails_too(stream: Stream) -> None:
    connector, failure = Watched(parallel=1), ConnectorError(ErrorKind.QUOTA_EXCEEDED)
    connector.faults = {"put_part": [failure], "abort_upload": [unavailable()]}
    with pytest.raises(ConnectorError) as caught:
        await upload_in_parts(connector, ROOT, "a", stream(bytes(10)), on_conflict=FAIL)
    assert (caught.value, connector.aborted_count) == (failure, 1)


async def test_session_lives_on_when_the_caller_wants_to_resume(stream: Stream) -> None:
    connector = Watched(parallel=1)
    session = await connector.start_upload(ROOT, "a", size_bytes=10, on_conflict=FAIL)
    connector.faults = {"finish_upload": [unavailable()]}
    with pytest.raises(ConnectorError):
        await upload_in_parts(
            connector,
            ROOT,
            "a",
            stream(bytes(10), size_bytes=10),
            on_conflict=FAIL,
            session=session,
            keep_session_on_failure=True,
        )
    assert (connector.aborted_count, len(connector.parts)) == (0, 3)


async def test_upload_fails_when_its_parts_cannot_be_journalled(stream: Stream) -> None:
    async def on_part(_: Part) -> None:
        raise RuntimeError("journal")

    connector = Watched(parallel=2)
    with pytest.raises(RuntimeError, match="journal"):
        await upload_in_parts(connector, ROOT, "a", stream(bytes(10)), on_conflict=FAIL, on_part=on_part)
    assert connector.aborted_count == 1


async def test_upload_is_too_large_when_it_runs_out_of_part_numbers(stream: Stream) -> None:
    connector = Watched(parallel=2)
    with pytest.raises(ConnectorError) as caught:
        await upload_in_parts(connector, ROOT, "a", stream(bytes(81)), on_conflict=FAIL)
    assert (caught.value.kind, connector.aborted_count) == (ErrorKind.TOO_LARGE, 1)


async def test_part_that_was_not_read_to_its_end_is_an_error(stream: Stream) -> None:
    class Careless(Watched):
        async def put_part(self, session: UploadSession, number: int, source: ByteSource, **_: Part | None) -> Part:
            await anext(source.open())
            return Part(number, session.part_size_bytes)

    with pytest.raises(ConnectorError) as caught:
        await upload_in_parts(Careless(parallel=1), ROOT, "a", stream(bytes(8), size_bytes=8), on_conflict=FAIL)
    assert caught.value.kind is ErrorKind.UNEXPECTED


@pytest.mark.parametrize(
    ("size_bytes", "part_bytes"),
    [(None, 8), (0, 8), (80, 8), (81, 12), (120, 12), (121, 16), (200, 20)],
)
def test_parts_grow_when_there_would_be_too_many(size_bytes: int | None, part_bytes: int) -> None:
    limits = Limits(
        upload_part_bytes_min=4,
        upload_part_bytes_default=8,
        upload_part_bytes_max=20,
        upload_part_bytes_multiple=4,
        upload_parts_max=10,
    )
    assert choose_part_bytes(limits, size_bytes) == part_bytes
    with pytest.raises(ConnectorError) as caught:
        choose_part_bytes(limits, 201)
    assert caught.value.kind is ErrorKind.TOO_LARGE
