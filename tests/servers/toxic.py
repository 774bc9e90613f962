"""A TCP proxy on a free port whose connections suffer what a test asks for, now and while bytes are on their way.

    async with ToxicProxy("127.0.0.1", server_port, random=Random(7)) as proxy:
        slow = proxy.add(Latency(0.1, jitter_seconds=0.05), Direction.DOWNSTREAM)
        ... connect to proxy.port ...
        proxy.remove(slow)

Without an event loop of their own, tests use `running_toxic_proxy`; `add` and `remove` work from every thread.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Self

from tests.servers.loop import CALL_SECONDS_MAX, entered_beside
from tests.servers.toxics import Direction, Hit, Piece, Toxic

PIECE_BYTES_MAX = 16 * 1024
PIECES_ON_THE_WAY_MAX = 64  # what a line of 100 ms and 10 MiB/s holds
SOCKET_BUFFER_BYTES = 64 * 1024  # small, so that a receiver who does not read is noticed soon
CONNECT_SECONDS_MAX = 10.0
WAITING_MAX = 128
RESET = struct.pack("ii", 1, 0)  # linger for no time


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """A toxic in use. `toxicity` is the share of connections that it hits."""

    toxic: Toxic
    direction: Direction
    toxicity: float


@dataclass(frozen=True, slots=True)
class _End:
    """The proxy's side of a connection with one of the two whom it connects."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def reset_when_closed(self) -> None:
        """From now on closing says that something went wrong, and takes no bytes with it."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    async def close(self) -> None:
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()


@dataclass(slots=True, eq=False)
class _Leg:
    """One direction of one connection."""

    source: _End
    target: _End
    random: Random
    connection: asyncio.Task[None]
    count: Callable[[int], None]
    hits: dict[Added, Hit] = field(default_factory=dict)
    watches: set[asyncio.Task[None]] = field(default_factory=set)

    def hit(self, added: Added) -> None:
        if self.random.random() >= added.toxicity:
            return
        hit = self.hits[added] = Hit(added.toxic, self)
        self.watches.add(asyncio.ensure_future(added.toxic.watch(hit)))

    def leave(self, added: Added) -> None:
        hit = self.hits.pop(added, None)
        if hit is not None:
            hit.removed.set()
            hit.toxic.leave(hit)

    def close(self) -> None:
        self.connection.cancel()

    def reset(self) -> None:
        self.target.reset_when_closed()
        self.connection.cancel()

    async def run(self) -> None:
        """Returns when the end of the bytes has been passed on. Who leaves in the middle leaves the other one reset."""
        pieces: asyncio.Queue[Piece | None] = asyncio.Queue(PIECES_ON_THE_WAY_MAX)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(pieces))
            tasks.create_task(self._write(pieces))

    async def _read(self, pieces: asyncio.Queue[Piece | None]) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while data := await self.source.reader.read(PIECE_BYTES_MAX):
                await pieces.put(Piece(data, clock()))
        except OSError:
            self.reset()
        else:
            await pieces.put(None)

    async def _write(self, pieces: asyncio.Queue[Piece | None]) -> None:
        try:
            while piece := await pieces.get():
                await self._pass_on(piece, tuple(self.hits.values()))
            for hit in tuple(self.hits.values()):
                await hit.toxic.hold_end(hit)
            self.target.writer.write_eof()
        except OSError:
            self.source.reset_when_closed()
            self.connection.cancel()

    async def _pass_on(self, piece: Piece, hits: tuple[Hit, ...]) -> None:
        if not hits:
            self.target.writer.write(piece.data)
            await self.target.writer.drain()
            self.count(len(piece.data))
            return
        async with aclosing(hits[0].toxic.treat(piece, hits[0])) as parts:
            async for part in parts:
                await self._pass_on(part, hits[1:])


class ToxicProxy:
    """Passes connections on to a server. All chance comes from `random`: the same for each connection in its turn.

    `connections_count` is how many came so far, `bytes_count` how much has been passed on in each direction.
    """

    def __init__(self, host: str, port: int, *, random: Random) -> None:
        self._server = (host, port)
        self._random = random
        self._added: list[Added] = []
        self._legs: dict[Direction, set[_Leg]] = {direction: set() for direction in Direction}
        self._connections: set[asyncio.Task[None]] = set()
        self._listener = _open_listener()
        self._door_open = asyncio.Event()
        self.port: int = self._listener.getsockname()[1]
        self.connections_count = 0
        self.bytes_count = dict.fromkeys(Direction, 0)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._listener.listen(WAITING_MAX)
        self._door_open.set()
        self._accepting = asyncio.ensure_future(self._accept())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [self._accepting, *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    @property
    def open_count(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    async def wait_until_idle(self) -> None:
        """Returns when no connection is open; TimeoutError if that takes too long."""
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            while self._connections:
                await asyncio.wait(self._connections)

    def add(self, toxic: Toxic, direction: Direction = Direction.DOWNSTREAM, *, toxicity: float = 1.0) -> Added:
        """From now on connections suffer from it, open ones too, after all that were added before."""
        added = Added(toxic, direction, toxicity)

        def change() -> None:
            self._added.append(added)
            self._move_door()
            for leg in self._legs[direction]:
                leg.hit(added)

        self._call(change)
        return added

    def remove(self, added: Added) -> None:
        """From now on no connection suffers from it; whatever it held back goes on at once."""

        def change() -> None:
            self._added.remove(added)
            self._move_door()
            for leg in self._legs[added.direction]:
                leg.leave(added)

        self._call(change)

    def _call(self, change: Callable[[], None]) -> None:
        """Runs something where the proxy runs, and waits for it."""

        async def run() -> None:
            change()

        if threading.get_ident() == self._thread:
            change()
        else:
            asyncio.run_coroutine_threadsafe(run(), self._loop).result(CALL_SECONDS_MAX)

    def _move_door(self) -> None:
        """Listens or refuses; the port stays ours either way."""
        is_open = not any(added.toxic.closes_door for added in self._added)
        if is_open and not self._door_open.is_set():
            self._listener.listen(WAITING_MAX)
            self._door_open.set()
        elif not is_open and self._door_open.is_set():
            self._door_open.clear()
            self._listener.shutdown(socket.SHUT_RDWR)

    async def _accept(self) -> None:
        while await self._door_open.wait():
            try:
                accepted, _ = await self._loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                continue  # the door was shut while we waited at it
            self._begin(accepted)

    def _begin(self, accepted: socket.socket) -> None:
        def end(connection: asyncio.Task[None]) -> None:
            self._connections.discard(connection)
            accepted.close()  # a task that is cancelled before it ran has not done it

        self.connections_count += 1
        randoms = {direction: Random(self._random.getrandbits(64)) for direction in Direction}
        connection = asyncio.ensure_future(self._serve(accepted, randoms))
        self._connections.add(connection)
        connection.add_done_callback(end)

    async def _serve(self, accepted: socket.socket, randoms: dict[Direction, Random]) -> None:
        async with AsyncExitStack() as stack:
            client = await _open_end(accepted)
            stack.push_async_callback(client.close)
            try:
                async with asyncio.timeout(CONNECT_SECONDS_MAX):
                    server = await _connect(self._server)
            except OSError:
                return
            stack.push_async_callback(server.close)
            ways = ((Direction.UPSTREAM, client, server), (Direction.DOWNSTREAM, server, client))
            async with asyncio.TaskGroup() as tasks:
                for direction, source, target in ways:
                    leg = stack.enter_context(self._leg(direction, source, target, randoms[direction]))
                    tasks.create_task(leg.run())

    @contextmanager
    def _leg(self, direction: Direction, source: _End, target: _End, random: Random) -> Iterator[_Leg]:
        """A leg that toxics find and hit as long as the block lasts."""

        def count(size_bytes: int) -> None:
            self.bytes_count[direction] += size_bytes

        connection = asyncio.current_task()
        assert connection is not None
        leg = _Leg(source, target, random, connection, count)
        self._legs[direction].add(leg)
        for added in self._added:
            if added.direction is direction:
                leg.hit(added)
        try:
            yield leg
        finally:
            self._legs[direction].discard(leg)
            for watch in leg.watches:
                watch.cancel()


def _open_listener() -> socket.socket:
    """A socket that has a port and does not listen yet. The port stays the same however often it begins and ends to."""
    with _open_socket() as first:
        first.bind(("127.0.0.1", 0))  # only a port that was asked for by its number survives the end of listening
        listener = _open_socket()
        listener.bind(first.getsockname())
        return listener


def _open_socket() -> socket.socket:
    opened = socket.socket()
    opened.settimeout(0)  # the event loop waits instead
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        opened.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
    return opened


async def _connect(address: tuple[str, int]) -> _End:
    connecting = _open_socket()
    try:
        await asyncio.get_running_loop().sock_connect(connecting, address)
        return await _open_end(connecting)
    except BaseException:
        connecting.close()
        raise


async def _open_end(connected: socket.socket) -> _End:
    reader, writer = await asyncio.open_connection(sock=connected, limit=PIECE_BYTES_MAX)
    writer.transport.set_write_buffer_limits(high=0)  # nothing has been passed on before the system has taken it
    return _End(reader, writer)


def running_toxic_proxy(host: str, port: int, *, random: Random) -> AbstractContextManager[ToxicProxy]:
    """A proxy beside the tests, in a thread of its own."""
    return entered_beside(lambda: ToxicProxy(host, port, random=random))
