"""Bytes on their way to a provider. Whether they can be sent twice is known before the first attempt, never after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from connectors.core.errors import ConnectorError, ErrorKind

CHUNK_BYTES = 256 * 1024


class ByteSource(ABC):
    """Something that can be read from the start: once, or as often as needed when `is_replayable`."""

    size_bytes: int | None  # declared; None is unknown
    is_replayable: bool

    @abstractmethod
    def open(self) -> AsyncIterator[bytes]:
        """Starts reading; exactly `size_bytes` bytes come, or source_failed is raised."""


class BytesSource(ByteSource):
    """Bytes in memory: replayable."""

    is_replayable = True

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size_bytes: int = len(data)

    async def open(self) -> AsyncIterator[bytes]:
        view = memoryview(self._data)
        for start in range(0, len(view), CHUNK_BYTES):
            yield bytes(view[start : start + CHUNK_BYTES])


class StreamSource(ByteSource):
    """A stream from elsewhere, readable once; a second opening is a programming error and refused.

    The declared size is enforced: bytes past it, or too few, are source_failed. `size_bytes_max` bounds a stream that
    declared none: more is too_large.
    """

    is_replayable = False

    def __init__(
        self, chunks: AsyncIterator[bytes], *, size_bytes: int | None = None, size_bytes_max: int | None = None
    ) -> None:
        self._chunks: AsyncIterator[bytes] | None = chunks
        self.size_bytes = size_bytes
        self._size_bytes_max = size_bytes_max

    async def open(self) -> AsyncIterator[bytes]:
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            raise AssertionError("a stream was opened twice; is_replayable says it must not be")
        seen = 0
        async for chunk in chunks:
            seen += len(chunk)
            if self.size_bytes is not None and seen > self.size_bytes:
                raise ConnectorError(ErrorKind.SOURCE_FAILED, f"more than the declared {self.size_bytes} bytes came")
            if self._size_bytes_max is not None and seen > self._size_bytes_max:
                raise ConnectorError(ErrorKind.TOO_LARGE, f"more than {self._size_bytes_max} bytes came")
            yield chunk
        if self.size_bytes is not None and seen < self.size_bytes:
            raise ConnectorError(ErrorKind.SOURCE_FAILED, f"only {seen} of the declared {self.size_bytes} bytes came")


class CheckedSource(ByteSource):
    """A source whose every failure is source_failed, whatever it raises; so is another size than it declared.

    `seen_bytes` counts what came since it was opened last.
    """

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
                self._count(chunk)
                yield chunk
        except (ConnectorError, AssertionError):
            raise
        except Exception as error:
            raise ConnectorError(ErrorKind.SOURCE_FAILED, "the bytes to store could not be read") from error
        finally:
            close = getattr(chunks, "aclose", None)  # generators have it, iterators in general do not
            if close is not None:
                await close()
        if self.size_bytes is not None and self.seen_bytes < self.size_bytes:
            text = f"only {self.seen_bytes} of the declared {self.size_bytes} bytes came"
            raise ConnectorError(ErrorKind.SOURCE_FAILED, text)

    def _count(self, chunk: bytes) -> None:
        self.seen_bytes += len(chunk)
        if self.size_bytes is not None and self.seen_bytes > self.size_bytes:
            raise ConnectorError(ErrorKind.SOURCE_FAILED, f"more than the declared {self.size_bytes} bytes came")
