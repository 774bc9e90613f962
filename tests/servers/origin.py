"""A small HTTP/1.1 server on a real socket that does exactly what a test scripts, good or bad, and notes what it saw.

    async with Origin() as origin:
        origin.on("/slow", slow_head(2))
        ... origin.url("/slow") ...
        await origin.wait_until_idle()  # every connection has ended

A path without a script reads the whole body and answers 200 `ok`. The server runs in the test's own event loop.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

HEAD_BYTES_MAX = 64 * 1024
RECEIVE_BUFFER_BYTES = 64 * 1024  # small, so that a server that does not read is noticed soon
CLOSE_SECONDS_MAX = 5.0


@dataclass(slots=True)
class Seen:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    is_body_complete: bool = False

    def get_all(self, name: str) -> list[str]:
        """The values of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(slots=True, eq=False)
class Exchange:
    """What a script works with: the request's head, its body still to be read, and the way back."""

    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, status: int, *, body: bytes = b"", headers: tuple[str, ...] = ()) -> None:
        """Sends a whole reply with its length."""
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}", *headers, "", ""]
        await self.send("\r\n".join(lines).encode("latin-1") + body)

    async def read_body(self) -> bytes:
        """Reads the body to its end; IncompleteReadError if the peer leaves before."""
        lengths = self.seen.get_all("content-length")
        if lengths:
            await self.read_exactly(int(lengths[0]))
        elif self.seen.get_all("transfer-encoding"):
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                await self.read_exactly(size)
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        self.seen.is_body_complete = True
        return self.seen.body

    async def read_exactly(self, size_bytes: int) -> None:
        """Reads that much of the body and keeps what came even when it ends early."""
        try:
            self.seen.body += await self.reader.readexactly(size_bytes)
        except asyncio.IncompleteReadError as error:
            self.seen.body += error.partial
            raise

    async def wait_until_left(self) -> bytes:
        """Waits until the peer closes; what it still sent."""
        return await self.reader.read()


Script = Callable[[Exchange], Awaitable[None]]


@dataclass(slots=True)
class Origin:
    """The server; `requests` are in the order of their heads. `fallback` answers for paths without a script."""

    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0
    requests: list[Seen] = field(default_factory=list)
    connections_count: int = 0
    fallback: Script | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _scripts: dict[str, Script] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._idle.set()
        listener = socket.create_server((self.host, self.port))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, sock=listener, ssl=self.tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def on(self, path: str, script: Script) -> None:
        """From now on `path` (without its query) is answered by `script`; the connection ends when it raises."""
        self._scripts[path] = script

    def url(self, path: str = "/") -> str:
        """Where a path is."""
        name = "localhost" if self.tls else self.host
        return f"{'https' if self.tls else 'http'}://{name}:{self.port}{path}"

    @property
    def open_count(self) -> int:
        """Connections that neither side has closed."""
        return len(self._open)

    async def wait_until_idle(self, seconds_max: float = CLOSE_SECONDS_MAX) -> None:
        """Returns when no connection is open; TimeoutError if that takes too long."""
        async with asyncio.timeout(seconds_max):
            await self._idle.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        self._idle.clear()
        self.connections_count += 1
        try:
            while await self._serve(reader, writer):
                pass
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the peer left, or the test is over; cancelling is the only way that a test ends a script
        finally:
            writer.transport.abort()
            self._open.discard(writer)
            if not self._open:
                self._idle.set()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
        seen = Seen(method, target, headers)
        self.requests.append(seen)
        exchange = Exchange(seen, reader, writer)
        script = self._scripts.get(target.partition("?")[0], self.fallback)
        if script is None:
            await exchange.read_body()
            await exchange.reply(200, body=b"" if method == "HEAD" else b"ok")
        else:
            await script(exchange)
        return not writer.is_closing()


def reply(status: int, *, body: bytes = b"", headers: tuple[str, ...] = ()) -> Script:
    """Reads the body and answers; the connection stays."""

    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.reply(status, body=body, headers=headers)

    return script


def slow_head(seconds: float) -> Script:
    """Reads the body, waits, answers."""

    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        await asyncio.sleep(seconds)
        await exchange.reply(200, body=b"late")

    return script


def slow_body(pieces: int, *, pause_seconds: float) -> Script:
    """Sends a head at once and then one byte after each pause."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {pieces}\r\n\r\n".encode())
        for _ in range(pieces):
            await asyncio.sleep(pause_seconds)
            await exchange.send(b"x")

    return script


def slow_reader(piece_bytes: int, *, pieces: int, pause_seconds: float) -> Script:
    """Takes `pieces` of the body with a pause before each, then the rest at once."""

    async def script(exchange: Exchange) -> None:
        for _ in range(pieces):
            await asyncio.sleep(pause_seconds)
            await exchange.read_exactly(piece_bytes)
        remaining = int(exchange.seen.get_all("content-length")[0]) - pieces * piece_bytes
        await exchange.read_exactly(remaining)
        exchange.seen.is_body_complete = True
        await exchange.reply(200)

    return script


async def silent(exchange: Exchange) -> None:
    """Never answers; ends when the peer leaves."""
    await exchange.read_body()
    await exchange.wait_until_left()


def deaf(seconds: float) -> Script:
    """Takes nothing of the body for a while, then all that still comes; never answers."""

    async def script(exchange: Exchange) -> None:
        transport = exchange.writer.transport
        transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport has it
        await asyncio.sleep(seconds)
        transport.resume_reading()  # type: ignore[attr-defined]  # a transport, typed by its base
        await exchange.read_body()
        await exchange.wait_until_left()

    return script


async def stalled_body(exchange: Exchange) -> None:
    """Sends a part of the body and falls silent; ends when the peer leaves."""
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart")
    await exchange.wait_until_left()


async def endless_body(exchange: Exchange) -> None:
    """Sends as fast as the peer takes it; ends when the peer leaves."""
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while True:
        await exchange.send(b"x" * 65536)
        await asyncio.sleep(0)


async def cut_body(exchange: Exchange) -> None:
    """Sends a part of the body and closes."""
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart")
    exchange.writer.close()


async def no_answer(exchange: Exchange) -> None:
    """Reads the request and closes."""
    await exchange.read_body()
    exchange.writer.close()


async def early_forbidden(exchange: Exchange) -> None:
    """Answers 403 after the first bytes of the body and reads on as long as the peer sends."""
    await exchange.read_exactly(1)
    await exchange.reply(403, body=b"no")
    await exchange.wait_until_left()


async def raw_body(exchange: Exchange) -> None:
    """Reads until the peer leaves, noting what came, the chunked framing included."""
    exchange.seen.body = await exchange.wait_until_left()


async def endless_head(exchange: Exchange) -> None:
    """Sends header fields as fast as the peer takes them; ends when the peer leaves."""
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.send(b"X-More: and more\r\n" * 1000)
        await asyncio.sleep(0)


async def long_body(exchange: Exchange) -> None:
    """Sends more than it said, what comes after being a reply that nobody asked for; the connection stays."""
    await exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"
    )


async def no_http(exchange: Exchange) -> None:
    """Answers with bytes that are no reply at all, and closes."""
    await exchange.read_body()
    await exchange.send(b"\x15\x03\x01\x00\x02\x02\x50 no such thing\r\n\r\n")
    exchange.writer.close()
