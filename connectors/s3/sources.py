"""Bytes to store, on their way in: small ones are kept, so that they can be sent again."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from connectors.core.bytesource import ByteSource, BytesSource, CheckedSource


class ContinuedSource(ByteSource):
    """Bytes that were read already, then the rest."""

    is_replayable = False

    def __init__(self, start: bytes, rest: AsyncIterator[bytes], size_bytes: int | None) -> None:
        self.size_bytes = size_bytes
        self._start = start
        self._rest = rest

    async def open(self) -> AsyncIterator[bytes]:
        yield self._start
        async for chunk in self._rest:
            yield chunk


async def buffer_small(source: CheckedSource, bytes_max: int) -> tuple[ByteSource, AsyncIterator[bytes] | None]:
    """The same bytes, in memory if there are at most so many; else a source that goes on where reading stopped.

    The iterator, if there is one, is still open: the caller closes it.
    """
    if source.is_replayable or (source.size_bytes or 0) > bytes_max:
        return source, None
    chunks = source.open()
    start = bytearray()
    try:
        async for chunk in chunks:
            start += chunk
            if len(start) > bytes_max:
                return ContinuedSource(bytes(start), chunks, source.size_bytes), chunks
    except BaseException:
        await close(chunks)
        raise
    return BytesSource(bytes(start)), None


async def close(chunks: AsyncIterator[bytes] | None) -> None:
    """Ends a source where it is."""
    aclose = getattr(chunks, "aclose", None)
    if aclose is not None:
        await aclose()


async def hash_source(source: ByteSource) -> str:
    """The MD5 of a source that can be read again, as stores tell it."""
    digest = hashlib.md5(usedforsecurity=False)
    async for chunk in source.open():
        digest.update(chunk)
    return digest.hexdigest()
