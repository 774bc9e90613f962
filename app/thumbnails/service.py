"""Thumbnails: the storage's own where it has one, else made of the image; by a process of its own, from bytes that
stream through.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.core.errors import ApiError, ErrorCode
from app.thumbnails.sizes import is_fitting
from app.thumbnails.worker import NOT_AN_IMAGE, TOO_LARGE, Format
from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File

SOURCE_BYTES_MAX = 64 * 2**20
PIXELS_MAX = 100_000_000
MEMORY_BYTES_MAX = 1024 * 2**20
CPU_SECONDS_MAX = 15
SECONDS_MAX = 60.0
PROCESSES_MAX = 2
WAIT_SECONDS_MAX = 20.0
THUMBNAIL_BYTES_MAX = 16 * 2**20
MEDIA_TYPES_TRIED = ("image/", "application/octet-stream")
READ_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 5
KILLED_FOR_TIME = frozenset({-signal.SIGXCPU, -signal.SIGKILL})


class Thumbnailer:
    """Makes thumbnails, a bounded number at a time."""

    def __init__(self, *, processes_max: int = PROCESSES_MAX, memory_bytes_max: int = MEMORY_BYTES_MAX) -> None:
        self._slots = asyncio.Semaphore(processes_max)
        self._memory_bytes_max = memory_bytes_max

    async def make(self, connector: Connector, file: File, *, size_px: int, image_format: Format) -> bytes:
        """The thumbnail's bytes. ApiError 400 for no known kind of image, 413 for one too large, 503 if busy.

        What the storage has is taken as it is when it fits, and is the image that one is made of when it does not.
        """
        own = await _get_own(connector, file, size_px, image_format)
        if own is not None and is_fitting(own, size_px=size_px, image_format=image_format):
            return own
        if own is not None:
            try:
                async with self._slot():
                    return await self._run(BytesSource(own).open(), size_px, image_format)
            except ApiError as error:
                if error.code is not ErrorCode.REQUEST_FAILED:  # what cannot be read is none
                    raise
        if file.media_type is not None and not file.media_type.startswith(MEDIA_TYPES_TRIED):
            raise _no_image()
        if file.size_bytes is not None and file.size_bytes > SOURCE_BYTES_MAX:
            raise _too_large()
        async with self._slot(), connector.open_download(file.raw_id) as download:
            return await self._run(download.chunks, size_px, image_format)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._slots.acquire()
        except TimeoutError:
            raise ApiError(
                ErrorCode.SERVICE_NOT_AVAILABLE,
                "Too many thumbnails are being made; try again shortly.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from None
        try:
            async with asyncio.timeout(SECONDS_MAX):
                yield
        except TimeoutError:
            raise ApiError(ErrorCode.GATEWAY_TIMEOUT, f"The image could not be read in {SECONDS_MAX:g} s.") from None
        finally:
            self._slots.release()

    async def _run(self, chunks: AsyncIterator[bytes], size_px: int, image_format: Format) -> bytes:
        limits = (self._memory_bytes_max, CPU_SECONDS_MAX, PIXELS_MAX)
        command = [sys.executable, "-m", "app.thumbnails.worker", str(size_px), image_format, *map(str, limits)]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={"PYTHONDONTWRITEBYTECODE": "1"}
        )
        try:
            reading = asyncio.create_task(_read(process))
            try:
                await _feed(process, chunks)
                thumbnail = await reading
            finally:
                reading.cancel()
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if status == 0 and thumbnail:
            return thumbnail
        if status == TOO_LARGE or status in KILLED_FOR_TIME:
            raise _too_large()
        if status == NOT_AN_IMAGE:
            raise _no_image()
        raise ApiError(ErrorCode.REQUEST_FAILED, "No thumbnail could be made of this file.")


async def _get_own(connector: Connector, file: File, size_px: int, image_format: Format) -> bytes | None:
    """What the storage has of this file."""
    if not connector.capabilities.get_thumbnail:
        return None
    try:
        own = await connector.get_thumbnail(file.raw_id, size_px=size_px, image_format=image_format)
    except ConnectorError as error:
        if error.kind is not ErrorKind.UNSUPPORTED:
            raise
        return None
    return None if own is None else own.data


def _too_large() -> ApiError:
    limits = f"{SOURCE_BYTES_MAX // 2**20} MiB and {PIXELS_MAX // 1_000_000} million pixels"
    return ApiError(ErrorCode.REQUEST_TOO_LARGE, f"Thumbnails are made of images of at most {limits}.")


def _no_image() -> ApiError:
    return ApiError(ErrorCode.REQUEST_FAILED, "This file is no image that a thumbnail can be made of.")


async def _feed(process: Process, chunks: AsyncIterator[bytes]) -> None:
    """Hands the image over; the process may stop listening early, when it has seen enough."""
    if process.stdin is None:
        raise AssertionError("started with a pipe")
    fed_bytes = 0
    with suppress(ConnectionError):
        async for chunk in chunks:
            fed_bytes += len(chunk)
            if fed_bytes > SOURCE_BYTES_MAX:
                raise _too_large()
            process.stdin.write(chunk)
            await process.stdin.drain()
        process.stdin.close()


async def _read(process: Process) -> bytes:
    if process.stdout is None:
        raise AssertionError("started with a pipe")
    pieces: list[bytes] = []
    read_bytes = 0
    while piece := await process.stdout.read(READ_BYTES):
        read_bytes += len(piece)
        if read_bytes > THUMBNAIL_BYTES_MAX:
            raise _too_large()
        pieces.append(piece)
    return b"".join(pieces)
