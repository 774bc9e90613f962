"""Bytes with their checksums, which are made while the bytes come."""

from __future__ import annotations

import hashlib
import weakref

from simulators.core.contents import Draft
from simulators.gdrive.records import Blob


class BlobWriter:
    """Takes bytes in order and makes the checksums on the way."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")]

    @property
    def size_bytes(self) -> int:
        return self.draft.size_bytes

    def write(self, data: bytes) -> None:
        self.draft.write(data)
        for one in self._hashes:
            one.update(data)

    def rest(self) -> None:
        """Holds no open file until more bytes come."""
        self.draft.rest()

    def finish(self) -> Blob:
        content = self.draft.finish()
        md5, sha1, sha256 = (one.hexdigest() for one in self._hashes)
        blob = Blob(content=content, md5=md5, sha1=sha1, sha256=sha256)
        weakref.finalize(blob, content.path.unlink, missing_ok=True).atexit = False
        return blob

    def drop(self) -> None:
        self.draft.drop()
