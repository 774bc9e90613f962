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


class ContentHash:
    """The hash of bytes that pass by, in chunks of any size; `told` is what Dropbox says that it is."""

    def __init__(self, told: str) -> None:
        self._told = told
        self._blocks: list[str] = []
        self._block, self._block_bytes = hashlib.sha256(), 0

    async def update(self, data: bytes) -> None:
        await asyncio.to_thread(self._update, data)

    def is_right(self) -> bool:
        open_block = [self._block.hexdigest()] if self._block_bytes else []
        return join_blocks([*self._blocks, *open_block]) == self._told

    def _update(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            piece = view[: BLOCK_BYTES - self._block_bytes]
            self._block.update(piece)
            self._block_bytes += len(piece)
            view = view[len(piece) :]
            if self._block_bytes == BLOCK_BYTES:
                self._blocks.append(self._block.hexdigest())
                self._block, self._block_bytes = hashlib.sha256(), 0


def join_blocks(blocks: Iterable[str]) -> str:
    """The hash of what consists of these blocks."""
    return hashlib.sha256(bytes.fromhex("".join(blocks))).hexdigest()


def _hash_blocks(data: bytes) -> list[str]:
    view = memoryview(data)
    return [hashlib.sha256(view[at : at + BLOCK_BYTES]).hexdigest() for at in range(0, len(view), BLOCK_BYTES)]
