"""The faults that tests ask for happen, to the right bytes and to nothing else."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Self

import httpx
import pytest
import pytest_asyncio

from tests.servers.origin import Origin, reply
from tests.servers.ports import find_free_port
from tests.servers.rclone import SHARED_RCLONE_WEBDAV
from tests.servers.toxic import ToxicProxy, running_toxic_proxy
from tests.servers.toxics import (
    Bandwidth,
    Direction,
    Down,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
)

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
SEED = 7
LONG_SECONDS = 3600.0
SHORT_SECONDS = 0.2
NOTHING_SECONDS = 0.2  # how long we look for what must not come
RESET = struct.pack("ii", 1, 0)
DATA = bytes(range(256)) * 1024

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[ToxicProxy], Awaitable[Connection]]
Exchange = Callable[[Connection, bytes], Awaitable[bytes]]


class Echo:
    """Sends back what it gets; `ends` says how its clients left."""

    def __init__(self) -> None:
        self.ends: asyncio.Queue[str] = asyncio.Queue()
        self.received = b""
        self.has_received = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(2**16):
                self.received += data
                self.has_received.set()
                writer.write(data)
                await writer.drain()
            self.ends.put_nowait("end")
        except ConnectionError:
            self.ends.put_nowait("reset")
        finally:
            writer.close()


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[Echo]:
    async with Echo() as echo:
        yield echo


@pytest_asyncio.fixture
async def proxy(echo: Echo) -> AsyncIterator[ToxicProxy]:
    async with ToxicProxy("127.0.0.1", echo.port, random=Random(SEED)) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens connections, and closes them in the end."""
    writers: list[asyncio.StreamWriter] = []

    async def open_one(proxy: ToxicProxy) -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writers.append(writer)
        return reader, writer

    yield open_one
    for writer in writers:
        writer.transport.abort()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


@pytest.fixture
def exchange() -> Exchange:
    """Sends bytes and their end, and reads all that comes back."""

    async def run(connection: Connection, data: bytes) -> bytes:
        reader, writer = connection

        async def send() -> None:
            writer.write(data)
            await writer.drain()
            writer.write_eof()

        received, _ = await asyncio.gather(reader.read(-1), send())
        return received

    return run


async def test_bytes_and_their_end_pass_when_nothing_is_added(
    echo: Echo, proxy: ToxicProxy, connect: Connect, exchange: Exchange
) -> None:
    assert await exchange(await connect(proxy), DATA) == DATA
    assert await echo.ends.get() == "end"
    assert proxy.bytes_count == {UP: len(DATA), DOWN: len(DATA)}
    assert proxy.connections_count == 1


async def test_connections_are_counted_when_they_come_and_go(proxy: ToxicProxy, connect: Connect) -> None:
    for _ in range(2):
        reader, writer = await connect(proxy)
        writer.write(b"x")
        await reader.readexactly(1)
    assert (proxy.connections_count, proxy.open_count) == (2, 2)
    writer.close()
    while proxy.open_count == 2:  # noqa: ASYNC110 - the proxy tells nobody
        await asyncio.sleep(0)
    assert (proxy.connections_count, proxy.open_count) == (2, 1)


async def test_server_sees_reset_when_client_resets(echo: Echo, proxy: ToxicProxy, connect: Connect) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"x")
    await reader.readexactly(1)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
    assert await echo.ends.get() == "reset"


async def test_connection_ends_when_there_is_no_server(connect: Connect) -> None:
    async with ToxicProxy("127.0.0.1", find_free_port(), random=Random(SEED)) as proxy:
        reader, _ = await connect(proxy)
        assert await reader.read(1) == b""


async def test_connections_end_when_proxy_ends(echo: Echo, connect: Connect) -> None:
    async with ToxicProxy("127.0.0.1", echo.port, random=Random(SEED)) as proxy:
        reader, writer = await connect(proxy)
        writer.write(b"x")
        await reader.readexactly(1)
    assert await reader.read(1) == b""
    assert await echo.ends.get() == "end"
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy)


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_bytes_come_later_when_latency_is_added(
    proxy: ToxicProxy, connect: Connect, exchange: Exchange, direction: Direction
) -> None:
    proxy.add(Latency(SHORT_SECONDS), direction)
    started_at = time.monotonic()
    assert await exchange(await connect(proxy), b"x") == b"x"
    assert time.monotonic() - started_at >= SHORT_SECONDS


async def test_bytes_keep_their_order_when_latency_varies(
    proxy: ToxicProxy, connect: Connect, exchange: Exchange
) -> None:
    proxy.add(Latency(0.01, jitter_seconds=0.01))
    assert await exchange(await connect(proxy), DATA) == DATA


async def test_held_bytes_go_on_when_latency_is_removed(echo: Echo, proxy: ToxicProxy, connect: Connect) -> None:
    late = proxy.add(Latency(LONG_SECONDS), DOWN)
    reader, writer = await connect(proxy)
    writer.write(b"x")
    await echo.has_received.wait()  # the other direction is free
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_SECONDS):
            await reader.read(1)
    proxy.remove(late)
    assert await reader.read(1) == b"x"


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_bytes_take_their_time_when_bandwidth_is_small(
    proxy: ToxicProxy, connect: Connect, exchange: Exchange, direction: Direction
) -> None:
    proxy.add(Bandwidth(len(DATA) * 4), direction)
    started_at = time.monotonic()
    assert await exchange(await connect(proxy), DATA) == DATA
    assert time.monotonic() - started_at >= 0.2  # of 0.25: the last bytes need not wait for their own time to end


async def test_rest_goes_on_when_bandwidth_is_removed(proxy: ToxicProxy, connect: Connect) -> None:
    slow = proxy.add(Bandwidth(1))
    reader, writer = await connect(proxy)
    writer.write(b"0123456789")
    assert await reader.read(10) == b"0"
    proxy.remove(slow)
    assert await reader.readexactly(9) == b"123456789"


async def test_end_comes_later_than_bytes_when_close_is_slow(proxy: ToxicProxy, connect: Connect) -> None:
    slow = proxy.add(SlowClose(LONG_SECONDS))
    reader, writer = await connect(proxy)
    writer.write(b"x")
    writer.write_eof()
    assert await reader.read(1) == b"x"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_SECONDS):
            await reader.read(1)
    proxy.remove(slow)
    assert await reader.read(1) == b""


async def test_end_comes_by_itself_when_slow_close_is_over(
    proxy: ToxicProxy, connect: Connect, exchange: Exchange
) -> None:
    proxy.add(SlowClose(SHORT_SECONDS))
    started_at = time.monotonic()
    assert await exchange(await connect(proxy), b"x") == b"x"
    assert time.monotonic() - started_at >= SHORT_SECONDS


async def test_connection_ends_without_bytes_when_timeout_is_over(
    echo: Echo, proxy: ToxicProxy, connect: Connect
) -> None:
    proxy.add(Timeout(2.0))  # the echo must have got the byte by then
    reader, writer = await connect(proxy)
    writer.write(b"x")
    assert await reader.read(1) == b""
    assert await echo.ends.get() == "end"
    assert (echo.received, proxy.bytes_count[DOWN]) == (b"x", 0)


async def test_connection_stays_silent_until_removal_when_timeout_has_no_end(
    proxy: ToxicProxy, connect: Connect
) -> None:
    silent = proxy.add(Timeout(None))
    reader, writer = await connect(proxy)
    writer.write(b"x")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_SECONDS):
            await reader.read(1)
    proxy.remove(silent)
    assert await reader.read(1) == b""  # what was lost will not come any more


async def test_connection_lives_on_when_timeout_is_removed_before_bytes_were_lost(
    proxy: ToxicProxy, connect: Connect, exchange: Exchange
) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"x")
    await reader.readexactly(1)
    proxy.remove(proxy.add(Timeout(None)))
    assert await exchange((reader, writer), b"y") == b"y"


async def test_client_sees_reset_when_its_peer_is_reset(echo: Echo, proxy: ToxicProxy, connect: Connect) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"x")
    await reader.readexactly(1)
    proxy.add(ResetPeer(), DOWN)
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    assert await echo.ends.get() == "end"


async def test_server_sees_reset_when_its_peer_is_reset(echo: Echo, proxy: ToxicProxy, connect: Connect) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"x")
    await reader.readexactly(1)
    proxy.add(ResetPeer(SHORT_SECONDS), UP)
    assert await reader.read(1) == b""
    assert await echo.ends.get() == "reset"


async def test_nothing_happens_when_reset_is_removed_before_its_time(
    proxy: ToxicProxy, connect: Connect, exchange: Exchange
) -> None:
    connection = await connect(proxy)
    proxy.remove(proxy.add(ResetPeer(LONG_SECONDS)))
    assert await exchange(connection, DATA) == DATA


async def test_bytes_come_in_slices_when_sliced(proxy: ToxicProxy, connect: Connect) -> None:
    slicing = proxy.add(Slicer(100, variation_bytes=50, pause_seconds=LONG_SECONDS))
    reader, writer = await connect(proxy)
    writer.write(DATA[:10_000])
    first = await reader.read(10_000)
    assert 50 <= len(first) <= 150
    proxy.remove(slicing)
    assert first + await reader.readexactly(10_000 - len(first)) == DATA[:10_000]


async def test_slices_are_the_same_when_seed_is_the_same(echo: Echo, connect: Connect) -> None:
    async def slice_once(seed: int) -> int:
        async with ToxicProxy("127.0.0.1", echo.port, random=Random(seed)) as proxy:
            proxy.add(Slicer(5000, variation_bytes=4999, pause_seconds=LONG_SECONDS))
            reader, writer = await connect(proxy)
            writer.write(DATA[:10_000])
            return len(await reader.read(10_000))

    assert await slice_once(SEED) == await slice_once(SEED) != await slice_once(SEED + 1)


@pytest.mark.parametrize("limit_bytes", [1, 1000])
async def test_connection_ends_after_so_many_bytes_when_they_are_limited(
    proxy: ToxicProxy, connect: Connect, limit_bytes: int
) -> None:
    proxy.add(LimitData(limit_bytes))
    reader, writer = await connect(proxy)
    writer.write(DATA[:1001])
    assert await reader.read(-1) == DATA[:limit_bytes]


async def test_server_gets_so_many_bytes_when_upload_is_limited(
    echo: Echo, proxy: ToxicProxy, connect: Connect
) -> None:
    proxy.add(LimitData(1000), UP)
    _, writer = await connect(proxy)
    writer.write(DATA[:2000])
    await echo.ends.get()
    assert echo.received == DATA[:1000]


async def test_connections_are_refused_and_open_ones_end_when_server_is_down(
    echo: Echo, proxy: ToxicProxy, connect: Connect, exchange: Exchange
) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"x")
    await reader.readexactly(1)
    down = proxy.add(Down())
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy)
    assert await reader.read(1) == b""
    assert await echo.ends.get() == "end"
    proxy.remove(down)
    assert await exchange(await connect(proxy), b"x") == b"x"


async def test_some_connections_are_hit_and_the_same_again_when_toxicity_is_half(echo: Echo, connect: Connect) -> None:
    async def hit_some() -> list[bool]:
        outcomes = []
        async with ToxicProxy("127.0.0.1", echo.port, random=Random(SEED)) as proxy:
            proxy.add(LimitData(1), toxicity=0.5)
            for _ in range(20):
                reader, writer = await connect(proxy)
                writer.write(b"xy")
                writer.write_eof()
                outcomes.append(await reader.read(-1) == b"x")
        return outcomes

    outcomes = await hit_some()
    assert {*outcomes} == {True, False}
    assert await hit_some() == outcomes


async def test_all_work_together_when_several_are_added(
    proxy: ToxicProxy, connect: Connect, exchange: Exchange
) -> None:
    for direction in Direction:
        proxy.add(Latency(0.01, jitter_seconds=0.01), direction)
        proxy.add(Slicer(5000, variation_bytes=4000), direction)
        proxy.add(Bandwidth(10 * len(DATA)), direction)
    assert await exchange(await connect(proxy), DATA) == DATA


async def test_client_notices_when_reply_is_cut() -> None:
    async with Origin() as origin, ToxicProxy("127.0.0.1", origin.port, random=Random(SEED)) as proxy:
        origin.on("/", reply(200, body=DATA))
        proxy.add(LimitData(100_000))
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"http://127.0.0.1:{proxy.port}/")
        assert proxy.bytes_count[DOWN] == 100_000


def test_faults_come_and_go_when_asked_from_another_thread() -> None:
    server = SHARED_RCLONE_WEBDAV.get()
    direct = httpx.URL(server.url)
    assert direct.port is not None
    with (
        running_toxic_proxy("127.0.0.1", direct.port, random=Random(SEED)) as proxy,
        server.client() as client,
    ):
        url = direct.copy_with(port=proxy.port, path="/through.bin")
        assert client.put(url, content=DATA).is_success
        down = proxy.add(Down())
        with pytest.raises(httpx.TransportError):
            client.get(url)
        proxy.remove(down)
        assert client.get(url).content == DATA
        proxy.add(ResetPeer(SHORT_SECONDS))
        proxy.add(Bandwidth(1), UP)
        with pytest.raises(httpx.ReadError):
            client.get(url)
