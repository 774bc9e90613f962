"""Digests of bytes on their way, computed beside the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

HASH_BYTES_MIN = 2**20
"""Bytes are hashed in a thread, so many at once; fewer would not be worth the way there."""


class Hashing:
    """Digests of a stream that passes through; `size_bytes` have come by so far."""

    def __init__(self, names: Iterable[str] = ("sha256",)) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self.size_bytes = 0

    async def add(self, chunk: bytes) -> None:
        """Takes one more chunk."""
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        self.size_bytes += len(chunk)
        if self._waiting_bytes >= HASH_BYTES_MIN:
            await asyncio.to_thread(self._update)

    async def watch(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The same chunks, taken one by one."""
        async for chunk in chunks:
            await self.add(chunk)
            yield chunk

    def finish(self) -> dict[str, str]:
        """The digests of all that came, in hex, by hashlib's names."""
        self._update()
        return {name: each.hexdigest() for name, each in self._hashes.items()}

    def _update(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for chunk in waiting:
            for each in self._hashes.values():
                each.update(chunk)
