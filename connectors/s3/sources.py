"""Bytes to store, on their way in: failures named, sizes held to, small ones kept so that they can be sent again."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from connectors.core.bytesource import ByteSource, BytesSource
from connectors.core.errors import ConnectorError, ErrorKind


class CheckedSource(ByteSource):
    """A source whose failures are source_failed, whatever it raises, as is another size than it declared."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.size_bytes = source.size_bytes
        self.is_replayable = source.is_replayable
        self.seen_bytes = 0

    async def open(self) -> AsyncIterator[bytes]:
        self.seen_bytes = 0
        chunks = self._source.open()
        try:
            async for chunk in chunks:
                self.seen_bytes += len(chunk)
                if self.size_bytes is not None and self.seen_bytes > self.size_bytes:
                    raise _failed(f"more than the declared {self.size_bytes} bytes came")  # noqa: TRY301 - not caught here
                yield chunk
        except (ConnectorError, AssertionError):
            raise
        except Exception as error:
            raise _failed("the bytes to store could not be read") from error
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        if self.size_bytes is not None and self.seen_bytes < self.size_bytes:
            raise _failed(f"only {self.seen_bytes} of the declared {self.size_bytes} bytes came")


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


def _failed(text: str) -> ConnectorError:
    return ConnectorError(ErrorKind.SOURCE_FAILED, text)
