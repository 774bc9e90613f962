"""Readers that are slower than the origin: what the server holds in memory for each."""

from __future__ import annotations

import asyncio
import time

from tests.benchmarks.measuring import (
    MIB,
    format_table,
    judge,
    read_memory_mib,
    read_peak_memory_mib,
    start_peak_memory,
)
from tests.benchmarks.run import Run
from tests.benchmarks.server import BenchServer

READERS_COUNT = 16
BYTES_PER_SECOND = MIB
SECONDS = 8.0
QUICK_SECONDS = 0.5
PIECE_BYTES = 64 * 1024
MIB_MAX = 4.0  # for each reader
NAME = "for-slow-readers.bin"
SIZE_MIB = 1024


def measure_slow_readers(run: Run) -> str:
    """Memory before, and at most while all read."""
    run.origin.add_file(NAME, SIZE_MIB * MIB)
    seconds = QUICK_SECONDS if run.is_quick else SECONDS
    with run.running_server() as server:
        asyncio.run(_read_all(server, 0.2))  # what the first download of all costs is not theirs
        before = read_memory_mib(server.process_id)
        start_peak_memory(server.process_id)
        run.note(f"{READERS_COUNT} slow readers for {seconds:g} s")
        asyncio.run(_read_all(server, seconds))
        peak = read_peak_memory_mib(server.process_id)
    each = max(0.0, peak - before) / READERS_COUNT
    heads = ("readers", "MiB/s each", "seconds", "MiB before", "MiB at most", "MiB a reader", f"<= {MIB_MAX:g}")
    row = [str(READERS_COUNT), "1", f"{seconds:g}", f"{before:.0f}", f"{peak:.0f}", f"{each:.2f}", judge(each, MIB_MAX)]
    return format_table(heads, [row])


async def _read_all(server: BenchServer, seconds: float) -> None:
    await asyncio.gather(*(_read(server, seconds) for _ in range(READERS_COUNT)))


async def _read(server: BenchServer, seconds: float) -> None:
    """Takes bytes at its own pace and leaves when the time is over."""
    target = server.build_target("file", NAME, ending="/contents")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=PIECE_BYTES)
    try:
        lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
        lines += [f"{name}: {value}" for name, value in server.headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        started_at, received_bytes = time.monotonic(), 0
        while time.monotonic() - started_at < seconds:
            data = await reader.read(PIECE_BYTES)
            if not data:
                raise ConnectionError("the server closed the download")
            received_bytes += len(data)
            ahead_seconds = received_bytes / BYTES_PER_SECOND - (time.monotonic() - started_at)
            await asyncio.sleep(max(0.0, ahead_seconds))
    finally:
        writer.close()
