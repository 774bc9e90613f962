"""Dropbox's content hash: SHA-256 over the SHA-256 of each 4 MiB.

https://www.dropbox.com/developers/reference/content-hash
"""

from __future__ import annotations

import hashlib

from simulators.core.contents import Content

BLOCK_BYTES = 4 * 1024 * 1024


def hash_content(content: Content) -> str:
    """The hash of a stored content."""
    whole = hashlib.sha256()
    for start in range(0, content.size_bytes, BLOCK_BYTES):
        whole.update(hashlib.sha256(content.read(start, BLOCK_BYTES)).digest())
    return whole.hexdigest()
