"""Where a transfer's bytes come from: one version of a file, read whole or in ranges."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

from app.core.errors import ApiError
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.idle import IdleWatch
from connectors.core.resources import ByteRange, File, RawId, Ref

SILENCE_SECONDS_MAX = 120.0
"""How long a source may give nothing; the other side's connection would not wait for ever."""

RANGES_PARALLEL_MAX = 4
"""How many ranges of one file are read at the same time."""


class Version(Struct, frozen=True, kw_only=True):
    """What tells one version of a source from another, as far as its storage says."""

    size_bytes: int | None = None
    etag: str | None = None
    modified_at: datetime | None = None
    hashes: dict[str, str] = {}

    def is_same(self, other: Version) -> bool:
        """False when the bytes have changed between the two."""
        if self.size_bytes is not None and other.size_bytes is not None and self.size_bytes != other.size_bytes:
            return False
        if self.etag is not None and other.etag is not None:
            return self.etag == other.etag
        return self.modified_at is None or other.modified_at is None or self.modified_at == other.modified_at


class SourceChangedError(Exception):
    """The source is another version than the one that was begun: what was read of it so far is worth nothing."""


class Source(Protocol):
    """A file to copy."""

    can_range: bool
    ranges_parallel_max: int  # 1: one stream from front to back, however many parts become of it
    is_checked_on_open: bool  # a version that is not there any more is refused by the storage itself

    async def get_version(self) -> Version:
        """The version that is there now."""
        ...

    def open(self, version: Version, byte_range: ByteRange | None) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Opens its bytes. SourceChangedError where that is seen; ConnectorError and ApiError say what went wrong."""
        ...


class ConnectorSource:
    """A file of an account."""

    def __init__(self, connector: Connector, raw_id: RawId) -> None:
        self._connector = connector
        self._raw_id = raw_id
        self.can_range = connector.capabilities.download_range
        self.ranges_parallel_max = RANGES_PARALLEL_MAX if self.can_range else 1
        self.is_checked_on_open = connector.capabilities.download_if_match

    async def get_version(self) -> Version:
        file = await self._connector.get(Ref("file", self._raw_id))
        if not isinstance(file, File):
            raise AssertionError("a file's reference gave a folder")  # noqa: TRY004 - the connector's promise
        if not file.is_downloadable:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "the storage does not let this file be downloaded")
        return read_version(file)

    @asynccontextmanager
    async def open(self, version: Version, byte_range: ByteRange | None) -> AsyncIterator[AsyncIterator[bytes]]:
        if_match = version.etag if self.is_checked_on_open else None
        try:
            async with self._connector.open_download(
                self._raw_id, byte_range=byte_range, if_match=if_match
            ) as download:
                if version.size_bytes is not None and download.size_bytes not in {None, version.size_bytes}:
                    raise SourceChangedError
                told = Version(etag=download.etag, modified_at=download.modified_at)
                if if_match is None and not told.is_same(version):
                    await check_version(self, version)  # some storages say it in one way here and in another there
                yield download.chunks
        except ConnectorError as error:
            if error.kind in {ErrorKind.PRECONDITION_FAILED, ErrorKind.RANGE_INVALID}:
                raise SourceChangedError from error
            raise


def read_version(file: File) -> Version:
    """A file's version, from its metadata."""
    return Version(
        size_bytes=file.size_bytes, etag=file.etag, modified_at=file.modified_at, hashes=dict(file.hashes or {})
    )


async def check_version(source: Source, version: Version) -> None:
    """SourceChangedError when another version than this is there now."""
    if not (await source.get_version()).is_same(version):
        raise SourceChangedError


class Reading:
    """One pass over a source's bytes, or a range of them, which remembers why it failed.

    A connector that stores the bytes sees any failure of the source as source_failed; `raise_own` gives the reason.
    Leaving the block closes the source.
    """

    def __init__(self, source: Source, version: Version, byte_range: ByteRange | None = None) -> None:
        self._source = source
        self._version = version
        self._byte_range = byte_range
        self._error: Exception | None = None
        self.chunks = self._read()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.chunks.aclose()

    async def _read(self) -> AsyncGenerator[bytes, None]:
        try:
            async with (
                self._source.open(self._version, self._byte_range) as chunks,
                aclosing(_watch(chunks)) as watched,
            ):
                async for chunk in watched:
                    yield chunk
        except (ConnectorError, ApiError, SourceChangedError) as error:
            self._error = error
            raise ConnectorError(ErrorKind.SOURCE_FAILED, "the source could not be read") from error

    def raise_own(self) -> None:
        """Raises what went wrong at the source, if anything did."""
        if self._error is not None:
            raise self._error


async def _watch(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    watch = IdleWatch(SILENCE_SECONDS_MAX)
    try:
        while True:
            try:
                with watch:
                    chunk = await anext(chunks, None)
            except TimeoutError:
                text = f"the source gave nothing for {SILENCE_SECONDS_MAX:g} seconds"
                raise ConnectorError(ErrorKind.TIMED_OUT, text) from None
            if chunk is None:
                return
            yield chunk
    finally:
        watch.close()
