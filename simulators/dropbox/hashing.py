"""Dropbox's content hash: SHA-256 over the SHA-256 of each 4 MiB.

https://www.dropbox.com/developers/reference/content-hash
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from simulators.core.contents import Content

BLOCK_BYTES = 4 * 1024 * 1024


def hash_content(content: Content) -> str:
    """The hash of a stored content."""
    return _hash(content.read(start, BLOCK_BYTES) for start in range(0, content.size_bytes, BLOCK_BYTES))


def hash_bytes(data: bytes) -> str:
    """The hash of bytes."""
    return _hash(data[start : start + BLOCK_BYTES] for start in range(0, len(data), BLOCK_BYTES))


def _hash(blocks: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for block in blocks:
        whole.update(hashlib.sha256(block).digest())
    return whole.hexdigest()
