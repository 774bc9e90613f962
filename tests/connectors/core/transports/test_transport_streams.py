"""Long, slow, stalled and broken streams, seen from both ends of a real connection."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from itertools import pairwise
from typing import Any, ParamSpec

import httpx
import pytest

from connectors.core.bytesource import ByteSource, BytesSource, StreamSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.transport import build_body
from connectors.core.transports.pyreqwest import ABANDONED_FACTOR
from tests.connectors.core.transports.conftest import BuildTransport
from tests.servers import origin as scripts
from tests.servers.origin import Exchange, Origin

IDLE_SECONDS = 1.0
CLOSE_SECONDS_MAX = 5.0  # less than the idle timeout, which would close them too
STOP_SECONDS = 0.25  # when we ourselves stand still for so long, a transport may find its provider silent
STOPS_MAX = 5
BEAT_SECONDS = 0.01
BUFFERS_BYTES = 16 * 2**20  # more than the sockets and the client hold between them

BuildUpload = Callable[[ByteSource, str], httpx.Request]
ParametersT = ParamSpec("ParametersT")


def again_after_a_stop(
    case: Callable[ParametersT, Awaitable[None]],
) -> Callable[ParametersT, Coroutine[Any, Any, None]]:
    """Runs a case again if a time ran out while the machine itself stood still."""

    @functools.wraps(case)
    async def run(*args: ParametersT.args, **kwargs: ParametersT.kwargs) -> None:
        for _ in range(STOPS_MAX):
            beats = [time.monotonic()]
            beating = asyncio.create_task(beat(beats))
            try:
                return await case(*args, **kwargs)
            except ConnectorError as error:
                await asyncio.sleep(2 * BEAT_SECONDS)  # for the beat that comes late
                pauses = [after - before for before, after in pairwise(beats)]
                if error.kind is not ErrorKind.TIMED_OUT or max(pauses, default=0.0) < STOP_SECONDS:
                    raise
            finally:
                beating.cancel()
        pytest.fail("the machine stood still each time")

    return run


async def beat(beats: list[float]) -> None:
    """Notes the time again and again."""
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        beats.append(time.monotonic())


class Source(ByteSource):
    """A byte source that a test watches; `pause` is awaited after the first chunk."""

    is_replayable = False

    def __init__(self, *, size_bytes: int | None, chunks: int, failure: BaseException | None = None) -> None:
        self.size_bytes = size_bytes
        self.chunks = chunks
        self.failure = failure
        self.pause_seconds = 0.0
        self.is_closed = False

    async def open(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(self.chunks):
                yield b"s" * 50_000
                await asyncio.sleep(self.pause_seconds)
            if self.failure is not None:
                raise self.failure
        finally:
            self.is_closed = True


@pytest.fixture
def build_upload(origin: Origin) -> BuildUpload:
    def build_one(source: ByteSource, path: str) -> httpx.Request:
        headers, stream = build_body(source)
        return httpx.Request("PUT", origin.url(path), headers=headers, stream=stream)

    return build_one


class TestDownload:
    @again_after_a_stop
    async def test_all_arrives_when_it_lasts_longer_than_the_idle_timeout(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        origin.on("/", scripts.slow_body(12, pause_seconds=0.25))
        started = time.monotonic()
        response = await build(idle_timeout_seconds=IDLE_SECONDS)(httpx.Request("GET", origin.url("/")))
        assert b"".join([chunk async for chunk in response.aiter_raw()]) == b"x" * 12
        assert time.monotonic() - started > 2 * IDLE_SECONDS

    @again_after_a_stop
    async def test_all_arrives_when_the_reader_is_slower_than_the_idle_timeout(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        body = b"b" * 4 * 2**20
        origin.on("/", scripts.reply(200, body=body))
        response = await build(idle_timeout_seconds=0.5)(httpx.Request("GET", origin.url("/")))
        chunks = response.aiter_raw()
        received = len(await anext(chunks))
        await asyncio.sleep(1.5)
        async for chunk in chunks:
            received += len(chunk)
        assert received == len(body)

    async def test_timed_out_and_closed_when_the_body_stalls(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/", scripts.stalled_body)
        response = await build(idle_timeout_seconds=0.5)(httpx.Request("GET", origin.url("/")))
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"part"
        with pytest.raises(ConnectorError) as caught:
            await anext(chunks)
        await response.aclose()
        assert caught.value.kind is ErrorKind.TIMED_OUT
        await origin.wait_until_idle()

    async def test_reply_comes_when_the_head_is_slow_but_in_time(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/", scripts.slow_head(0.3))
        response = await build()(httpx.Request("GET", origin.url("/")))
        assert await response.aread() == b"late"

    async def test_timed_out_when_the_head_does_not_come(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/", scripts.silent)
        with pytest.raises(ConnectorError) as caught:
            await build(idle_timeout_seconds=0.5)(httpx.Request("GET", origin.url("/")))
        assert caught.value.kind is ErrorKind.TIMED_OUT
        assert caught.value.maybe_applied

    async def test_upstream_closes_when_the_stream_is_left_early(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/", scripts.endless_body)
        response = await build()(httpx.Request("GET", origin.url("/")))
        async for chunk in response.aiter_raw():
            assert chunk
            break
        await response.aclose()
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)

    async def test_upstream_closes_when_only_the_head_was_read(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/", scripts.stalled_body)
        response = await build()(httpx.Request("GET", origin.url("/")))
        await response.aclose()
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)

    async def test_upstream_closes_when_a_read_is_cancelled(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/", scripts.stalled_body)
        response = await build()(httpx.Request("GET", origin.url("/")))
        reading = asyncio.create_task(response.aread())
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await response.aclose()
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)

    async def test_next_call_finds_a_slot_when_the_wait_for_a_head_was_cancelled(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        origin.on("/silent", scripts.silent)
        transport = build(connections_max=1)
        call = asyncio.create_task(transport(httpx.Request("GET", origin.url("/silent"))))
        await asyncio.sleep(0.2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await (await transport(httpx.Request("GET", origin.url("/")))).aread() == b"ok"

    async def test_connections_stay_bounded_when_many_waits_are_cancelled(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        origin.on("/silent", scripts.silent)
        transport = build(connections_max=2, pool_timeout_seconds=0.2)
        for _ in range(12):
            with contextlib.suppress(TimeoutError, ConnectorError):
                async with asyncio.timeout(0.1):
                    await transport(httpx.Request("GET", origin.url("/silent")))
        assert origin.open_count <= 2 * ABANDONED_FACTOR

    async def test_unavailable_when_the_body_is_cut(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/", scripts.cut_body)
        response = await build()(httpx.Request("GET", origin.url("/")))
        with pytest.raises(ConnectorError) as caught:
            await response.aread()
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        await response.aclose()


class TestUpload:
    @again_after_a_stop
    async def test_stored_when_the_provider_reads_for_longer_than_the_idle_timeout(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        origin.on("/", scripts.slow_reader(512 * 1024, pieces=12, pause_seconds=0.25))
        started = time.monotonic()
        request = build_upload(BytesSource(b"u" * BUFFERS_BYTES), "/")
        response = await build(idle_timeout_seconds=IDLE_SECONDS)(request)
        await response.aread()
        assert time.monotonic() - started > 2 * IDLE_SECONDS
        assert len(origin.requests[-1].body) == BUFFERS_BYTES

    @again_after_a_stop
    async def test_stored_when_our_source_is_slower_than_the_idle_timeout(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        source = Source(size_bytes=150_000, chunks=3)
        source.pause_seconds = 1.0
        response = await build(idle_timeout_seconds=0.5)(build_upload(source, "/"))
        assert await response.aread() == b"ok"
        assert origin.requests[-1].is_body_complete

    async def test_timed_out_and_broken_off_when_the_provider_stops_reading(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        origin.on("/", scripts.deaf(2))
        source = Source(size_bytes=50_000 * 1000, chunks=1000)
        with pytest.raises(ConnectorError) as caught:
            await build(idle_timeout_seconds=0.5)(build_upload(source, "/"))
        assert caught.value.kind is ErrorKind.TIMED_OUT
        assert caught.value.maybe_applied
        assert source.is_closed
        await origin.wait_until_idle()
        assert not origin.requests[0].is_body_complete

    async def test_timed_out_when_a_whole_body_is_not_answered(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        origin.on("/", scripts.silent)
        with pytest.raises(ConnectorError) as caught:
            await build(idle_timeout_seconds=0.5)(build_upload(BytesSource(b"u" * 1000), "/"))
        assert caught.value.kind is ErrorKind.TIMED_OUT
        assert caught.value.maybe_applied

    @pytest.mark.stock_cannot("it reads no reply before the whole body is sent")
    async def test_early_reply_is_returned_and_the_rest_not_sent_when_it_comes_mid_upload(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        origin.on("/", scripts.early_forbidden)
        source = Source(size_bytes=50_000 * 10_000, chunks=10_000)
        source.pause_seconds = 0.01
        response = await build()(build_upload(source, "/"))
        assert response.status_code == 403
        assert await response.aread() == b"no"
        assert source.is_closed
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)

    @pytest.mark.parametrize("size_bytes", [None, 1_000_000], ids=["chunked", "sized"])
    async def test_own_exception_comes_out_and_the_body_is_not_ended_when_the_source_fails(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload, size_bytes: int | None
    ) -> None:
        origin.on("/", scripts.raw_body)
        failure = ConnectorError(ErrorKind.SOURCE_FAILED, "the disk broke")
        source = Source(size_bytes=size_bytes, chunks=3, failure=failure)
        with pytest.raises(ConnectorError) as caught:
            await build()(build_upload(source, "/"))
        assert caught.value is failure
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)
        assert len(origin.requests[0].body) < 151_000
        assert not origin.requests[0].body.endswith(b"0\r\n\r\n")

    @pytest.mark.parametrize("failure", [TimeoutError("mine"), OSError("mine"), httpx.ReadError("mine")])
    async def test_own_exception_comes_out_when_it_looks_like_the_transports(
        self, build: BuildTransport, build_upload: BuildUpload, failure: Exception
    ) -> None:
        source = Source(size_bytes=None, chunks=3, failure=failure)
        with pytest.raises(type(failure)) as caught:
            await build()(build_upload(source, "/"))
        assert caught.value is failure

    @pytest.mark.parametrize("pause_seconds", [0.05, 30.0], ids=["between", "inside"])
    @pytest.mark.parametrize("size_bytes", [None, 50_000_000], ids=["chunked", "sized"])
    async def test_body_is_not_ended_when_the_upload_is_cancelled(
        self,
        build: BuildTransport,
        origin: Origin,
        build_upload: BuildUpload,
        size_bytes: int | None,
        pause_seconds: float,
    ) -> None:
        has_begun = asyncio.Event()

        async def note_body(exchange: Exchange) -> None:
            exchange.seen.body = await exchange.reader.read(1)
            has_begun.set()
            exchange.seen.body += await exchange.wait_until_left()

        origin.on("/", note_body)
        source = Source(size_bytes=size_bytes, chunks=1000)
        source.pause_seconds = pause_seconds
        call = asyncio.create_task(build()(build_upload(source, "/")))
        await has_begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert source.is_closed
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)
        assert not origin.requests[0].body.endswith(b"0\r\n\r\n")

    async def test_cancelled_comes_out_when_the_source_is_cancelled(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        origin.on("/", scripts.raw_body)
        source = Source(size_bytes=None, chunks=2, failure=asyncio.CancelledError())
        with pytest.raises(asyncio.CancelledError):
            await build()(build_upload(source, "/"))
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)
        assert not origin.requests[0].body.endswith(b"0\r\n\r\n")

    @pytest.mark.parametrize("came_bytes", [0, 999, 1001])
    async def test_source_failed_and_incomplete_when_the_declared_size_is_wrong(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload, came_bytes: int
    ) -> None:
        async def come() -> AsyncIterator[bytes]:
            yield b"c" * min(came_bytes, 1000)
            if came_bytes > 1000:
                yield b"c" * (came_bytes - 1000)

        source = StreamSource(come(), size_bytes=1000)
        with pytest.raises(ConnectorError) as caught:
            await build()(build_upload(source, "/"))
        assert caught.value.kind is ErrorKind.SOURCE_FAILED
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)
        assert not any(seen.is_body_complete for seen in origin.requests)

    async def test_empty_file_arrives_with_its_length_when_the_source_is_empty(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        await (await build()(build_upload(BytesSource(b""), "/"))).aread()
        assert origin.requests[0].get_all("Content-Length") == ["0"]
        assert origin.requests[0].get_all("Transfer-Encoding") == []

    async def test_source_failed_when_an_empty_file_turns_out_not_to_be(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        async def come() -> AsyncIterator[bytes]:
            yield b"surprise"

        with pytest.raises(ConnectorError) as caught:
            await build()(build_upload(StreamSource(come(), size_bytes=0), "/"))
        assert caught.value.kind is ErrorKind.SOURCE_FAILED
        assert not any(seen.is_body_complete for seen in origin.requests)

    async def test_chunked_arrives_when_the_size_is_not_known(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        await (await build()(build_upload(Source(size_bytes=None, chunks=4), "/"))).aread()
        seen = origin.requests[0]
        assert seen.get_all("Transfer-Encoding") == ["chunked"]
        assert seen.get_all("Content-Length") == []
        assert len(seen.body) == 200_000
        assert seen.is_body_complete

    async def test_whole_body_arrives_again_when_the_same_request_is_sent_again(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        transport = build()
        request = build_upload(BytesSource(b"r" * 600_000), "/")
        for _ in range(2):
            await (await transport(request)).aread()
        assert [len(seen.body) for seen in origin.requests] == [600_000, 600_000]
        assert all(seen.is_body_complete for seen in origin.requests)


class TestConnections:
    async def test_maybe_applied_when_the_provider_closes_without_an_answer(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        origin.on("/", scripts.no_answer)
        with pytest.raises(ConnectorError) as caught:
            await build()(httpx.Request("POST", origin.url("/"), content=b"x"))
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert caught.value.maybe_applied

    async def test_not_applied_when_nothing_listens(self, build: BuildTransport) -> None:
        async with Origin() as gone:
            url = gone.url("/?signature=secret")
        with pytest.raises(ConnectorError) as caught:
            await build()(httpx.Request("POST", url, content=b"x"))
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert not caught.value.maybe_applied
        assert "secret" not in str(caught.value)

    async def test_not_applied_when_all_connections_stay_busy(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/stalled", scripts.stalled_body)
        transport = build(connections_max=1, pool_timeout_seconds=0.3)
        response = await transport(httpx.Request("GET", origin.url("/stalled")))
        with pytest.raises(ConnectorError) as caught:
            await transport(httpx.Request("POST", origin.url("/"), content=b"x"))
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert not caught.value.maybe_applied
        assert len(origin.requests) == 1
        await response.aclose()
        assert await (await transport(httpx.Request("GET", origin.url("/")))).aread() == b"ok"

    async def test_the_only_connection_is_free_again_when_calls_failed_in_every_way(
        self, build: BuildTransport, origin: Origin, build_upload: BuildUpload
    ) -> None:
        for path, script in {"/none": scripts.no_answer, "/cut": scripts.cut_body, "/silent": scripts.silent}.items():
            origin.on(path, script)
        transport = build(connections_max=1, idle_timeout_seconds=0.3)
        for path in ("/none", "/cut", "/silent"):
            with pytest.raises(ConnectorError):
                await (await transport(httpx.Request("GET", origin.url(path)))).aread()
        with pytest.raises(OSError, match="mine"):
            await transport(build_upload(Source(size_bytes=None, chunks=1, failure=OSError("mine")), "/"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await transport(build_upload(BytesSource(b"x"), "/silent"))
        assert await (await transport(httpx.Request("GET", origin.url("/")))).aread() == b"ok"

    async def test_connection_is_used_again_when_replies_were_read_whole(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        transport = build()
        for _ in range(5):
            await (await transport(httpx.Request("GET", origin.url("/")))).aread()
        assert origin.connections_count == 1

    async def test_connections_end_when_the_transport_is_closed(self, build: BuildTransport, origin: Origin) -> None:
        transport = build()
        await (await transport(httpx.Request("GET", origin.url("/")))).aread()
        assert origin.open_count == 1
        await transport.aclose()
        await origin.wait_until_idle(CLOSE_SECONDS_MAX)
