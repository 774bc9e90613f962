"""Where a case plays: a new empty folder, and short ways to fill and read it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import pytest

from connectors.core.bytesource import ByteSource, BytesSource, StreamSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paging import walk
from connectors.core.resources import ByteRange, File, Folder, OnConflict, RawId, Resource
from tests.connectors.behavior.target import Target

ResultT = TypeVar("ResultT")

CALLS_PARALLEL_MAX = 16
SETTLE_STEP_SECONDS = 0.2


def refused(*kinds: ErrorKind) -> pytest.RaisesExc[ConnectorError]:
    """A block that must end in an error of one of these kinds."""
    return pytest.raises(ConnectorError, check=lambda error: error.kind in kinds)


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Chunks as they would come from a network."""
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


class FailingSource(ByteSource):
    """Gives some bytes, then fails, ends early or goes on too long."""

    is_replayable = False

    def __init__(self, chunks: Iterable[bytes], *, size_bytes: int | None, fails: bool = False) -> None:
        self.size_bytes = size_bytes
        self._chunks = list(chunks)
        self._fails = fails

    async def open(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            await asyncio.sleep(0)
            yield chunk
        if self._fails:
            raise OSError("the reader broke")


class StalledSource(ByteSource):
    """Gives one chunk, then nothing more. `is_stalled` is set when it is waited for, `is_closed` when it was left."""

    is_replayable = False

    def __init__(self, chunk: bytes) -> None:
        self.size_bytes = 2 * len(chunk)
        self._chunk = chunk
        self.is_stalled = asyncio.Event()
        self.is_closed = False

    async def open(self) -> AsyncIterator[bytes]:
        try:
            yield self._chunk
            self.is_stalled.set()
            await asyncio.Event().wait()
        finally:
            self.is_closed = True


def as_known(seen: Resource, known: Resource) -> Resource:
    """What is seen now, to be compared with what was seen before: an etag that is told only later is no difference, nor
    is a time in whole seconds that was one more or less at first, when writing ended in the next one (seen at rclone).
    """
    if isinstance(seen, File) and isinstance(known, File) and None in {seen.etag, known.etag}:
        seen = msgspec.structs.replace(seen, etag=known.etag)
    if _is_rounded_differently(seen.modified_at, known.modified_at):
        seen = msgspec.structs.replace(seen, modified_at=known.modified_at)
    return seen


def _is_rounded_differently(time: datetime | None, other: datetime | None) -> bool:
    if time is None or other is None or time.microsecond or other.microsecond:
        return False
    return abs(time - other) <= timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Space:
    """A new empty folder of an account."""

    target: Target
    connector: Connector
    folder: RawId

    async def put(
        self,
        name: str,
        data: bytes = b"some bytes",
        *,
        parent: RawId | None = None,
        on_conflict: OnConflict = OnConflict.FAIL,
    ) -> File:
        """Stores a file."""
        return await self.connector.upload(parent or self.folder, name, BytesSource(data), on_conflict=on_conflict)

    async def put_stream(self, name: str, chunks: Iterable[bytes], *, size_bytes: int | None) -> File:
        """Stores a file from a source that can be read only once."""
        source = StreamSource(stream(chunks), size_bytes=size_bytes)
        return await self.connector.upload(self.folder, name, source, on_conflict=OnConflict.FAIL)

    async def make(self, name: str, *, parent: RawId | None = None) -> Folder:
        """Creates a folder."""
        return await self.connector.create_folder(parent or self.folder, name)

    async def read(self, file: RawId, byte_range: ByteRange | None = None) -> bytes:
        """A file's bytes."""
        async with self.connector.open_download(file, byte_range=byte_range) as download:
            return b"".join([chunk async for chunk in download.chunks])

    async def put_with_etag(self, name: str, data: bytes) -> File:
        """Stores a file, and waits until the provider tells its etag."""
        file = await self.put(name, data)

        async def has_etag() -> bool:
            nonlocal file
            seen = await self.connector.get(file.ref)
            assert isinstance(seen, File)
            file = seen
            return file.etag is not None

        await self.settled(has_etag, True)  # noqa: FBT003 - the expected value
        return file

    def walk(self, folder: RawId | None = None, *, limit: int = 1000) -> AsyncGenerator[Resource, None]:
        """A folder's resources, page after page."""
        return walk(lambda cursor: self.connector.list_folder(folder or self.folder, cursor=cursor, limit=limit))

    async def names(self, folder: RawId | None = None, *, limit: int = 1000) -> list[str]:
        """A folder's names, sorted."""
        return sorted([resource.name async for resource in self.walk(folder, limit=limit)])

    async def holds(self, *names: str, folder: RawId | None = None) -> None:
        """Asserts that a folder holds exactly these names, as soon as the provider lets it be seen."""
        await self.settled(lambda: self.names(folder), sorted(names))

    async def settled(self, read: Callable[[], Awaitable[ResultT]], expected: ResultT) -> None:
        """Asserts what is read, as soon as the provider lets it be seen."""
        ends_at = time.monotonic() + self.target.settle_seconds_max
        seen = await read()
        while seen != expected and time.monotonic() < ends_at:
            await asyncio.sleep(SETTLE_STEP_SECONDS)
            seen = await read()
        assert seen == expected

    async def gather(self, calls: Iterable[Awaitable[ResultT]]) -> list[ResultT]:
        """Many calls, some at a time. When one fails, the others are over before its error comes."""
        numbered, results = enumerate(calls), dict[int, ResultT]()

        async def work() -> None:
            for number, call in numbered:
                results[number] = await call

        workers = [asyncio.ensure_future(work()) for _ in range(CALLS_PARALLEL_MAX)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [results[number] for number in sorted(results)]
