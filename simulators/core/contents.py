"""Where a simulator keeps the bytes of files: in a temporary folder, each content written once and never changed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock
from typing import BinaryIO

CHUNK_BYTES = 256 * 1024
REWRITTEN_TAIL = b"\n<!-- stored by the provider -->"


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one version of one file."""

    path: Path
    size_bytes: int

    def read(self, start: int = 0, length_bytes_max: int | None = None) -> bytes:
        """A part of it, or all."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(-1 if length_bytes_max is None else length_bytes_max)

    async def stream(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Its bytes from `start` up to before `end`, in chunks; the file is not open in between: readers may leave."""
        ends_at = self.size_bytes if end is None else end
        for at in range(start, ends_at, CHUNK_BYTES):
            yield await asyncio.to_thread(self.read, at, min(CHUNK_BYTES, ends_at - at))


class Draft:
    """A content while it is written: pieces come in any order, again, from several threads. `rest` until the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._file: BinaryIO | None = path.open("wb+")
        self._lock = Lock()

    def write(self, data: bytes, *, at: int | None = None) -> None:
        """Puts bytes at a place, by default behind all that there are."""
        with self._lock:
            start = self.size_bytes if at is None else at
            file = self._open()
            file.seek(start)
            file.write(data)
            self.size_bytes = max(self.size_bytes, start + len(data))

    def read(self, start: int = 0, length_bytes_max: int | None = None) -> bytes:
        """A part of what was written so far, or all."""
        self.rest()
        return Content(self.path, self.size_bytes).read(start, length_bytes_max)

    def truncate(self, size_bytes: int) -> None:
        """Forgets what came after."""
        with self._lock:
            self._open().truncate(size_bytes)
            self.size_bytes = size_bytes

    def rest(self) -> None:
        """Holds no open file until more is written: there may be thousands of drafts."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def finish(self) -> Content:
        """No more bytes: what there is becomes a content."""
        self.rest()
        return Content(self.path, self.size_bytes)

    def drop(self) -> None:
        """It was not wanted after all."""
        self.rest()
        self.path.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._file = self.path.open("rb+")
        return self._file


class Contents:
    """The folder; `close` removes it with all that is in it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kloudless-simulator-")
        self._numbers = count(1)

    def begin(self) -> Draft:
        """An empty content to write into."""
        return Draft(Path(self._folder.name) / str(next(self._numbers)))

    def keep(self, data: bytes) -> Content:
        """Bytes that are there already."""
        draft = self.begin()
        draft.write(data)
        return draft.finish()

    def close(self) -> None:
        """Ends with the simulator."""
        self._folder.cleanup()
