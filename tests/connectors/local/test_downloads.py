# ruff: noqa: ASYNC240 - the disk is looked at directly
from __future__ import annotations

import os
from pathlib import Path

import pytest

from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import ByteRange, RawId
from connectors.local.downloads import CHUNK_BYTES
from tests.connectors.behavior.space import refused

FILE = RawId("/a.bin")
DATA = os.urandom(4 * CHUNK_BYTES + 1000)


@pytest.mark.parametrize("size_bytes", [0, 10, CHUNK_BYTES + 10, len(DATA) - 1])
async def test_reading_fails_when_file_is_cut_meanwhile(connector: Connector, root: Path, size_bytes: int) -> None:
    (root / "a.bin").write_bytes(DATA)
    async with connector.open_download(FILE) as download:
        os.truncate(root / "a.bin", size_bytes)
        with refused(ErrorKind.UNAVAILABLE):
            async for _ in download.chunks:
                pass


async def test_reading_fails_when_bytes_are_written_in_place_meanwhile(connector: Connector, root: Path) -> None:
    (root / "a.bin").write_bytes(DATA)
    os.utime(root / "a.bin", (1, 1))
    for byte_range in (None, ByteRange(5, 10)):
        async with connector.open_download(FILE, byte_range=byte_range) as download:
            with (root / "a.bin").open("r+b") as file:
                file.write(b"x")
            with refused(ErrorKind.UNAVAILABLE):
                async for _ in download.chunks:
                    pass


async def test_reading_goes_on_when_file_is_deleted_meanwhile(connector: Connector, root: Path) -> None:
    (root / "a.bin").write_bytes(DATA)
    async with connector.open_download(FILE) as download:
        (root / "a.bin").unlink()
        assert b"".join([chunk async for chunk in download.chunks]) == DATA


async def test_no_file_stays_open_when_readers_leave_at_any_time(connector: Connector, root: Path) -> None:
    (root / "a.bin").write_bytes(DATA)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for chunks_count in range(7):
        async with connector.open_download(FILE) as download:
            for _ in range(chunks_count):
                await anext(download.chunks, None)
    with pytest.raises(ZeroDivisionError):
        async with connector.open_download(FILE):
            raise ZeroDivisionError
    with refused(ErrorKind.RANGE_INVALID):
        async with connector.open_download(FILE, byte_range=ByteRange(len(DATA))):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_chunks_have_the_named_size_when_file_is_large(connector: Connector, root: Path) -> None:
    (root / "a.bin").write_bytes(DATA)
    async with connector.open_download(FILE) as download:
        sizes = [len(chunk) async for chunk in download.chunks]
    assert sizes == [CHUNK_BYTES] * 4 + [1000]
    assert download.media_type == "application/octet-stream"
