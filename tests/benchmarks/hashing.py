"""What a checksum costs, which some transfers need on top of moving the bytes: in a thread, as the product does it."""

from __future__ import annotations

import asyncio
import hashlib
import time

from tests.benchmarks.measuring import GIB, MIB, format_median, format_table
from tests.benchmarks.run import Run

ALGORITHMS = ("md5", "sha1", "sha256")
CHUNK_BYTES = MIB
SIZE_BYTES = 256 * MIB
QUICK_SIZE_BYTES = 8 * MIB


def measure_hashing(run: Run) -> str:
    """CPU of each algorithm."""
    costs: dict[str, list[float]] = {name: [] for name in ALGORITHMS}
    size_bytes = QUICK_SIZE_BYTES if run.is_quick else SIZE_BYTES
    for number in range(1, run.rounds_count + 1):
        run.note(f"round {number}/{run.rounds_count}: hashing")
        for name in ALGORITHMS:
            costs[name].append(asyncio.run(_hash(name, size_bytes)) / size_bytes * GIB)
    return format_table(("checksum", "CPU-s/GiB"), [[name, format_median(cost)] for name, cost in costs.items()])


async def _hash(name: str, size_bytes: int) -> float:
    """CPU seconds of this process."""
    digest, chunk = hashlib.new(name, usedforsecurity=False), bytes(CHUNK_BYTES)
    before = time.process_time()
    for _ in range(size_bytes // CHUNK_BYTES):
        await asyncio.to_thread(digest.update, chunk)
    return time.process_time() - before
