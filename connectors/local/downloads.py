"""Reading files: one version's bytes from beginning to end, a chunk ahead of the reader."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from threading import Lock

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import ByteRange
from connectors.local.mapping import build_etag
from connectors.local.threads import Threads

CHUNK_BYTES = 512 * 1024


class OpenFile:
    """A file open for reading. Our writes put another in its place, so its bytes stay; others' writes are noticed."""

    def __init__(self, descriptor: int) -> None:
        """Takes over the descriptor."""
        self._descriptor = descriptor
        self._lock = Lock()
        self._is_closed = False
        self.status = os.fstat(descriptor)

    def read(self, offset: int, length_bytes: int, *, is_last: bool) -> bytes:
        """Exactly so many bytes, nothing once closed; unavailable when the file changed since it was opened."""
        with self._lock:
            if self._is_closed:
                return b""
            data = os.pread(self._descriptor, length_bytes, offset)
            while 0 < len(data) < length_bytes:
                more = os.pread(self._descriptor, length_bytes - len(data), offset + len(data))
                if not more:
                    break
                data += more
            if len(data) < length_bytes or (is_last and self._has_changed()):
                raise ConnectorError(ErrorKind.UNAVAILABLE, "the file changed while it was read")
            return data

    def _has_changed(self) -> bool:
        return build_etag(os.fstat(self._descriptor)) != build_etag(self.status)

    def close(self) -> None:
        """Closes it, after a read that is under way. Does nothing the second time."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self._descriptor)

    def advise(self, offset: int, length_bytes: int) -> None:
        """Tells the kernel that this will be read from front to back."""
        with suppress(OSError):
            os.posix_fadvise(self._descriptor, offset, length_bytes, os.POSIX_FADV_SEQUENTIAL)


def choose_range(file: OpenFile, byte_range: ByteRange | None, if_match: str | None) -> tuple[int, int] | None:
    """First and last byte to read, None for all; range_invalid or precondition_failed."""
    if if_match is not None and if_match != build_etag(file.status):
        raise ConnectorError(ErrorKind.PRECONDITION_FAILED, "the file has changed since")
    if byte_range is None:
        return None
    size_bytes = file.status.st_size
    chosen = byte_range.resolve(size_bytes)
    if chosen is None:
        words = f"the range touches none of the file's {size_bytes} bytes"
        raise ConnectorError(ErrorKind.RANGE_INVALID, words, size_bytes=size_bytes)
    return chosen


async def read_chunks(threads: Threads, file: OpenFile, offset: int, end: int) -> AsyncGenerator[bytes, None]:
    """The bytes from `offset` to before `end`; while one chunk is used, the next is read."""
    if offset >= end:
        return
    length_bytes = min(CHUNK_BYTES, end - offset)
    ahead = threads.start(file.read, offset, length_bytes, is_last=offset + length_bytes == end)
    while True:
        data = await threads.join(ahead)
        offset += length_bytes
        length_bytes = min(CHUNK_BYTES, end - offset)
        if not length_bytes:
            yield data
            return
        ahead = threads.start(file.read, offset, length_bytes, is_last=offset + length_bytes == end)
        yield data
