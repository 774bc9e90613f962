"""A connection that sends a reply's head and the first bytes of its body together, if both are there at once."""

from __future__ import annotations

import asyncio
from typing import Any

HEAD_BEGINNING = b"HTTP/1."
JOINED_BYTES_MAX = 64 * 1024  # up to here a copy costs less than a list of pieces


class GatheringTransport(asyncio.Transport):
    """Keeps a head back until the next piece, or until the event loop has nothing else to do in this turn.

    Each write wakes the client up: for a small reply that costs more than making it.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: Any) -> None:
        if self._head:
            head, self._head = self._head, b""
            if len(data) <= JOINED_BYTES_MAX:
                self._transport.write(b"".join((head, data)))
            else:
                self._transport.writelines((head, data))
        elif data[: len(HEAD_BEGINNING)] == HEAD_BEGINNING:
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._head = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
