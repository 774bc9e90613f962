"""An HTTP proxy on a free port that passes requests on to a real server, and tells lies instead of what came back.

    async with LyingProxy(server.host, server.port) as proxy:
        proxy.choose = lambda number, seen: DROPPED if number == 3 else None
        ... connect to proxy.origin ...
        proxy.requests, proxy.lied

It runs in the test's own event loop. Bodies are held in memory; connections stay open as long as replies allow it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.servers.origin import Exchange, Origin, Seen

HEAD_END = b"\r\n\r\n"
OPENING_SECONDS_MAX = 10.0


@dataclass(slots=True)
class Reply:
    """What the real server answered; `head` has no end of its own."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes  # as it came, in chunks or not

    def get(self, name: str) -> str | None:
        """A header's first value."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def without(self, *names: str) -> list[tuple[str, str]]:
        """The headers but for some."""
        return [(key, value) for key, value in self.headers if key.lower() not in names]

    def write(self) -> bytes:
        """The whole reply, as it is sent."""
        return write_head(self.status, self.headers) + self.body


Tell = Callable[[Exchange, Reply | None], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Lie:
    """What is said instead of a reply. `tell` gets the real one, if `is_applied` let the server have the request.

    `is_silence`: nothing is said, for as long as the proxy is there or until `hang_up`.
    """

    name: str
    tell: Tell
    is_applied: bool = False
    is_silence: bool = False


@dataclass(slots=True, eq=False)
class LyingProxy:
    """The proxy. `choose` is asked for each request, numbered from 1 since `begin`, whether to lie about it.

    `requests` are those since then, and `lied` are those of them that were lied about.
    """

    host: str
    port: int
    choose: Callable[[int, Seen], Lie | None] = lambda _number, _seen: None
    requests: list[Seen] = field(default_factory=list)
    lied: list[Seen] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _silent: set[Exchange] = field(default_factory=set)
    _front: Origin = field(default_factory=Origin)

    async def __aenter__(self) -> Self:
        self._front.fallback = self._answer
        await self._front.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._front.__aexit__(kind, error, trace)

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._front.port}"

    @property
    def open_count(self) -> int:
        """Connections from clients that neither side has closed."""
        return self._front.open_count

    async def wait_until_idle(self) -> None:
        """Returns when all of those connections are gone; TimeoutError if that takes too long."""
        await self._front.wait_until_idle()

    def hang_up(self) -> None:
        """Ends the connections on which nothing was said. Not every client can end them by itself."""
        for exchange in self._silent:
            exchange.writer.close()

    def begin(self, choose: Callable[[int, Seen], Lie | None] = lambda _number, _seen: None) -> None:
        """Forgets all requests so far, and goes on as `choose` says. `arrived` is set by the next lie."""
        self.choose = choose
        self._front.requests.clear()
        self.requests.clear()
        self.lied.clear()
        self.arrived.clear()

    async def _answer(self, exchange: Exchange) -> None:
        self.requests.append(exchange.seen)
        lie = self.choose(len(self.requests), exchange.seen)
        await exchange.read_body()
        reply = None
        if lie is None or lie.is_applied:
            reply = await self._pass_on(exchange.seen)
        if lie is None:
            assert reply is not None
            await exchange.send(reply.write())
            return
        self.lied.append(exchange.seen)
        self.arrived.set()
        if lie.is_silence:
            self._silent.add(exchange)
        try:
            await lie.tell(exchange, reply)
        finally:
            self._silent.discard(exchange)

    async def _pass_on(self, seen: Seen) -> Reply:
        async with asyncio.timeout(OPENING_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            headers = [
                (name, value)
                for name, value in seen.headers
                if name.lower() not in {"connection", "transfer-encoding", "content-length"}
            ]
            if seen.body or seen.method in {"PUT", "POST"}:
                headers.append(("Content-Length", str(len(seen.body))))
            headers.append(("Connection", "close"))
            lines = [f"{seen.method} {seen.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
            writer.write("\r\n".join(lines).encode("latin-1") + seen.body)
            return _read_reply(seen, await reader.read())
        finally:
            writer.close()


def _read_reply(seen: Seen, raw: bytes) -> Reply:
    head, _, body = raw.partition(HEAD_END)
    lines = head.decode("latin-1").split("\r\n")
    fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    reply = Reply(int(lines[0].split(" ")[1]), fields, body)
    reply.headers = reply.without("connection", "keep-alive")
    has_body = seen.method != "HEAD" and reply.status not in {204, 304}
    if has_body and reply.get("content-length") is None and reply.get("transfer-encoding") is None:
        reply.headers.append(("Content-Length", str(len(body))))
    return reply


def write_head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """The head of a reply, with its end."""
    lines = [f"HTTP/1.1 {status} Told", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")
