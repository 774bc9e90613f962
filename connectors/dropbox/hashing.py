"""Dropbox's content hash: SHA-256 over the SHA-256 of each 4 MiB, computed in a thread.

https://www.dropbox.com/developers/reference/content-hash
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable

from connectors.dropbox.manifest import BLOCK_BYTES


async def hash_blocks(data: bytes) -> list[str]:
    """The hash of each block, in hex."""
    return await asyncio.to_thread(_hash_blocks, data)


def join_blocks(blocks: Iterable[str]) -> str:
    """The hash of what consists of these blocks."""
    return hashlib.sha256(bytes.fromhex("".join(blocks))).hexdigest()


def _hash_blocks(data: bytes) -> list[str]:
    view = memoryview(data)
    return [hashlib.sha256(view[at : at + BLOCK_BYTES]).hexdigest() for at in range(0, len(view), BLOCK_BYTES)]
