# ruff: noqa: ASYNC240 - the disk is looked at directly
"""Zeros take no room, and room that is not there is not looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import OnConflict, RawId
from tests.connectors.behavior.space import refused

MIB = 2**20
ROOT = RawId("/")
ZEROS = bytes(4 * MIB)
BLOCK_BYTES = 512
TOO_MUCH_BYTES = 40 * 2**40


@pytest.mark.parametrize(
    "content",
    [b"\0", ZEROS, ZEROS + b"end", b"begin" + ZEROS, b"begin" + ZEROS + b"end", b"\0x\0" * MIB],
    ids=["one", "all", "at the beginning", "at the end", "between", "many short"],
)
async def test_bytes_are_the_same_when_some_are_zeros(connector: Connector, root: Path, content: bytes) -> None:
    file = await connector.upload(ROOT, "a.bin", BytesSource(content), on_conflict=OnConflict.FAIL)
    assert file.size_bytes == len(content)
    assert (root / "a.bin").read_bytes() == content


async def test_file_takes_little_room_when_it_is_mostly_zeros(connector: Connector, root: Path) -> None:
    content = ZEROS + b"middle" + ZEROS
    file = await connector.upload(ROOT, "a.bin", BytesSource(content), on_conflict=OnConflict.FAIL)
    assert (root / "a.bin").stat().st_blocks * BLOCK_BYTES < len(content) // 2
    await connector.replace(file.raw_id, BytesSource(ZEROS))
    assert (root / "a.bin").stat().st_blocks * BLOCK_BYTES < len(ZEROS) // 2
    assert (root / "a.bin").read_bytes() == ZEROS


async def test_nothing_is_reserved_when_an_upload_in_parts_is_larger_than_the_disk(
    connector: Connector, root: Path
) -> None:
    with refused(ErrorKind.QUOTA_EXCEEDED):
        await connector.start_upload(ROOT, "a.bin", size_bytes=TOO_MUCH_BYTES, on_conflict=OnConflict.FAIL)
    assert list(root.iterdir()) == []
