"""An HTTP proxy that leads every connection to one server of this machine, whatever host was asked for.

Programs whose hosts are built in come to a stand-in that way: they open a tunnel, and find a server behind it that has
a certificate for the host. The proxy passes bytes on and reads none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers.loop import run_beside

HEAD_BYTES_MAX = 16 * 1024
CHUNK_BYTES = 64 * 1024


@dataclass(slots=True)
class Detour:
    """Where the proxy is, and for which hosts it was asked."""

    port: int
    _server: asyncio.Server | None = None
    url: str = ""
    hosts: set[str] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, *_ = head.decode("latin-1").split(" ")
            if method != "CONNECT":
                writer.write(b"HTTP/1.1 405 Only tunnels\r\nContent-Length: 0\r\n\r\n")
                return
            self.hosts.add(target.partition(":")[0])
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await asyncio.gather(_pass_on(reader, there_writer), _pass_on(there_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # either side is gone
        finally:
            writer.close()


@contextmanager
def running_detour(port: int) -> Iterator[Detour]:
    """A proxy to that port until the block ends."""
    detour = Detour(port)
    run_beside(detour.start())
    try:
        yield detour
    finally:
        run_beside(detour.stop())


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()
