"""Cuts a stream at exact places, whatever pieces it comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from connectors.core.bytesource import ByteSource


class Cutter:
    """Reads a source once and cuts what comes at exact places."""

    def __init__(self, source: ByteSource) -> None:
        self._chunks = source.open()
        self._left = memoryview(b"")
        self.position_bytes = 0

    async def has_more(self) -> bool:
        """False at the end of the source; an empty chunk is not the end."""
        while not self._left:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return False
            self._left = memoryview(chunk)
        return True

    async def read(self, size_bytes: int) -> AsyncIterator[bytes]:
        """The next bytes, so many or as many as there are."""
        end_bytes = self.position_bytes + size_bytes
        while self.position_bytes < end_bytes and await self.has_more():
            length = min(len(self._left), end_bytes - self.position_bytes)
            piece, self._left = bytes(self._left[:length]), self._left[length:]
            self.position_bytes += length
            yield piece

    async def cut(self, size_bytes: int) -> bytes:
        """The same as one piece, in memory."""
        piece = bytearray()
        async for chunk in self.read(size_bytes):
            piece += chunk
        return bytes(piece)

    async def aclose(self) -> None:
        """Closes the source."""
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()
