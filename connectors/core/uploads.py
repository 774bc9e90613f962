"""Drives an upload in parts: reads the source once, cuts it exactly, keeps several parts under way, cleans up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from connectors.core.bytesource import ByteSource, BytesSource, CheckedSource, StreamSource
from connectors.core.connector import Connector
from connectors.core.crew import Crew
from connectors.core.cutter import Cutter
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Limits
from connectors.core.resources import File, OnConflict, Part, RawId, UploadSession

PARTS_BUFFERED_BYTES_MAX = 128 * 2**20  # of one upload, in memory
ABORT_SECONDS_MAX = 20.0

OnPart = Callable[[Part], Awaitable[None]]


def choose_part_bytes(limits: Limits, size_bytes: int | None) -> int:
    """The size of an upload's parts: the default, grown until the file fits into the parts there may be; too_large."""
    needed_bytes = -(-(size_bytes or 0) // limits.upload_parts_max)
    part_bytes = max(limits.upload_part_bytes_default, limits.upload_part_bytes_min, needed_bytes)
    multiple = limits.upload_part_bytes_multiple
    part_bytes = -(-part_bytes // multiple) * multiple
    if part_bytes > limits.upload_part_bytes_max:
        raise ConnectorError(ErrorKind.TOO_LARGE, "the file does not fit into the parts that the provider allows")
    return part_bytes


async def upload_in_parts(
    connector: Connector,
    parent: RawId,
    name: str,
    source: ByteSource,
    *,
    on_conflict: OnConflict,
    parts_parallel_max: int | None = None,
    finished: Iterable[Part] = (),
    session: UploadSession | None = None,
    on_part: OnPart | None = None,
    keep_session_on_failure: bool = False,
) -> File:
    """Stores a file in parts and returns it.

    - The source gives the whole file from its beginning, also when `finished` parts of an earlier `session` are there:
      their bytes are read over, not sent.
    - Parts go in order of number, several at once where the connector allows it. They are kept in memory until stored,
      at most `PARTS_BUFFERED_BYTES_MAX`; one at a time is streamed if the file's size is known.
    - `on_part` is told of each stored part before the upload counts it.
    - Repeats nothing itself. A failure or cancellation aborts the session once, unless `keep_session_on_failure` keeps
      one that the caller passed in, for resuming. What goes wrong at aborting never hides why.
    """
    if session is None:
        session = await connector.start_upload(parent, name, size_bytes=source.size_bytes, on_conflict=on_conflict)
    upload = _PartsUpload(connector, session, source, parts_parallel_max, on_part)
    try:
        await upload.run({part.number: part for part in finished})
        return await connector.finish_upload(session, [part for _, part in sorted(upload.parts.items())])
    except BaseException:
        if not keep_session_on_failure:
            await _abort(connector, session)
        raise
    finally:
        await upload.cutter.aclose()


class _PartsUpload:
    """One run of an upload; `parts` are those stored, by number."""

    def __init__(
        self,
        connector: Connector,
        session: UploadSession,
        source: ByteSource,
        parts_parallel_max: int | None,
        on_part: OnPart | None,
    ) -> None:
        limits = connector.manifest.limits
        allowed = limits.upload_parts_parallel_max if connector.capabilities.upload_parts_parallel else 1
        in_memory = PARTS_BUFFERED_BYTES_MAX // session.part_size_bytes
        self._parallel_max = max(1, min(parts_parallel_max or allowed, allowed, in_memory))
        self._parts_max = limits.upload_parts_max
        self._connector = connector
        self._session = session
        self._size_bytes = session.size_bytes if session.size_bytes is not None else source.size_bytes
        self._on_part = on_part
        self.cutter = Cutter(source)
        self.parts: dict[int, Part] = {}

    async def run(self, finished: dict[int, Part]) -> None:
        async with Crew(self._parallel_max) as crew:
            number = 1
            while await self.cutter.has_more():
                if number > self._parts_max:
                    raise ConnectorError(
                        ErrorKind.TOO_LARGE, f"the upload needs more than the {self._parts_max} parts that there may be"
                    )
                if number in finished:
                    await self._skip(finished[number])
                elif self._parallel_max == 1 and self._size_bytes is not None:
                    await self._stream_part(number, self._size_bytes)
                else:
                    await crew.wait_for_slot()
                    crew.start(self._put(number, BytesSource(await self.cutter.cut(self._session.part_size_bytes))))
                number += 1

    async def _skip(self, part: Part) -> None:
        skipped_bytes = 0
        async for chunk in self.cutter.read(self._session.part_size_bytes):
            skipped_bytes += len(chunk)
        if skipped_bytes != part.size_bytes:
            text = f"part {part.number} was stored with {part.size_bytes} bytes, the source has {skipped_bytes} there"
            raise ConnectorError(ErrorKind.SOURCE_FAILED, text)
        self.parts[part.number] = part

    async def _stream_part(self, number: int, total_bytes: int) -> None:
        size_bytes = min(self._session.part_size_bytes, total_bytes - self.cutter.position_bytes)
        if size_bytes <= 0:
            raise ConnectorError(ErrorKind.SOURCE_FAILED, f"more than the declared {total_bytes} bytes came")
        end_bytes = self.cutter.position_bytes + size_bytes
        await self._put(number, StreamSource(self.cutter.read(size_bytes), size_bytes=size_bytes))
        if self.cutter.position_bytes != end_bytes:
            raise ConnectorError(ErrorKind.UNEXPECTED, f"part {number} was stored without reading all of it")

    async def _put(self, number: int, source: ByteSource) -> None:
        part = await self._connector.put_part(self._session, number, source, previous=self.parts.get(number - 1))
        if self._on_part is not None:
            await self._on_part(part)
        self.parts[number] = part


async def _abort(connector: Connector, session: UploadSession) -> None:
    try:
        async with asyncio.timeout(ABORT_SECONDS_MAX):
            await connector.abort_upload(session)
    except Exception as error:  # noqa: BLE001 - the reason for aborting is what the caller must see
        structlog.get_logger("connectors.uploads").warning("upload_not_aborted", error=str(error))


async def read_part(source: ByteSource, *, bytes_max: int) -> bytes:
    """All of a part that has to be whole before it is sent; invalid_parts for more than a part may have."""
    data = bytearray()
    async for chunk in CheckedSource(source).open():
        data += chunk
        if len(data) > bytes_max:
            raise ConnectorError(ErrorKind.INVALID_PARTS, f"a part of this upload has at most {bytes_max} bytes")
    return bytes(data)
