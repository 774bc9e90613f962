"""A file far larger than the memory it may cost."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.servers.process import Server, running_server

MIB = 2**20
SIZE_BYTES = 5 * 2**30
BLOCKS_COUNT = SIZE_BYTES // MIB
MEMORY_GROWTH_BYTES_MAX = 64 * MIB
ON_DISK_BYTES_MAX = 64 * MIB
IDLE_SECONDS_MAX = 100.0
CACHE_BLOCKS_MAX = 64
ZEROS = bytes(MIB)
WRITTEN = {number: os.urandom(MIB) for number in (0, 1700, 4097, BLOCKS_COUNT - 1)}
"""The blocks that are not holes; past 4 GiB too, where 32 bits end."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "data") as running:
        yield running
        for file in running.files.glob("*.bin"):
            file.unlink()


@pytest.fixture
def connection(server: Server) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection(*server.address, timeout=IDLE_SECONDS_MAX)) as opened:
        yield opened


def list_blocks() -> Iterator[bytes]:
    return (WRITTEN.get(number, ZEROS) for number in range(BLOCKS_COUNT))


def read_memory_bytes_max(server: Server) -> int:
    """The most memory that the process has held so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def upload(server: Server, connection: HTTPConnection, name: str, blocks: Iterator[bytes], size_bytes: int) -> bytes:
    headers = {
        "Authorization": f"APIKey {server.api_key}",
        "X-Kloudless-Metadata": f'{{"name": "{name}", "parent_id": "root"}}',
        "Content-Length": str(size_bytes),
    }
    connection.request("POST", f"{server.storage_url}/files", body=blocks, headers=headers)
    reply = connection.getresponse()
    body = reply.read()
    assert reply.status == 201, body
    return body


@pytest.mark.timeout(400)  # a machine may be slow; this is no measurement
def test_memory_stays_small_and_bytes_arrive_when_file_has_5_gib(server: Server, connection: HTTPConnection) -> None:
    upload(server, connection, "warm-up.bin", iter([os.urandom(MIB)] * 32), 32 * MIB)
    before = read_memory_bytes_max(server)

    upload(server, connection, "big.bin", list_blocks(), SIZE_BYTES)
    stored = server.files / "big.bin"
    assert stored.stat().st_size == SIZE_BYTES
    assert stored.stat().st_blocks * 512 < ON_DISK_BYTES_MAX, "a sparse file does not fill the disk"

    with server.client() as client:
        file_id = client.get(f"{server.storage_url}/path", params={"path": "/big.bin"}).json()["id"]
    headers = {"Authorization": f"APIKey {server.api_key}"}
    connection.request("GET", f"{server.storage_url}/files/{file_id}/contents", headers=headers)
    reply = connection.getresponse()
    assert (reply.status, reply.length) == (200, SIZE_BYTES)
    block = bytearray(MIB)
    with stored.open("rb") as file:
        for number, expected in enumerate(list_blocks()):
            assert reply.readinto(block) == MIB
            assert block == expected, f"block {number} differs"
            if number % CACHE_BLOCKS_MAX == 0:  # keeps the machine's own memory out of this
                os.posix_fadvise(file.fileno(), 0, number * MIB, os.POSIX_FADV_DONTNEED)

    grown = read_memory_bytes_max(server) - before
    assert grown < MEMORY_GROWTH_BYTES_MAX, f"the server's memory grew by {grown / MIB:.0f} MiB"
