"""Answers about whole folders, kept for the pages to come: in order of name, on the disk when large, for some minutes.

WebDAV has no pages. What is no longer here is asked for again, so nothing depends on it: another process, or the same
one after a restart, goes on after the last name just as well.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import BinaryIO

import msgspec

from connectors.core.paths import Parts
from connectors.webdav.mapping import Entry

LISTINGS_MAX = 256
LISTINGS_BYTES_MAX = 2**30  # of all together, in memory and on the disk
LISTING_SECONDS_MAX = 600.0
MEMORY_BYTES_MAX = 128 * 1024  # of one; a larger one is on the disk
BLOCK_ENTRIES = 500
SORTED_HERE_MAX = 5000  # more entries are put in order in a thread

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Entry]).decode


@dataclass(frozen=True, slots=True)
class Key:
    """Which answer: of one account, for one walk through pages, about one folder."""

    account_key: str
    walk: bytes
    folder: Parts


async def put_in_order(entries: list[Entry]) -> list[Entry]:
    """The entries by the bytes of their names."""

    def put() -> list[Entry]:
        return sorted(entries, key=lambda entry: entry.name)

    return put() if len(entries) <= SORTED_HERE_MAX else await asyncio.to_thread(put)


class Listings:
    """The answers of all accounts of a process. The oldest give way when there are too many, or too many bytes."""

    def __init__(
        self,
        *,
        count_max: int = LISTINGS_MAX,
        bytes_max: int = LISTINGS_BYTES_MAX,
        seconds_max: float = LISTING_SECONDS_MAX,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._now = now
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes_count = 0

    async def keep(self, key: Key, entries: Sequence[Entry]) -> None:
        """Keeps an answer whose entries are in order. One that is too large for all of the room is not kept."""
        kept = await asyncio.to_thread(_Kept.pack, entries, self._now())
        self._forget(key)
        if kept.size_bytes > self._bytes_max:
            kept.close()
            return
        self._kept[key] = kept
        self._bytes_count += kept.size_bytes
        self._make_room()

    async def read(self, key: Key, *, after: bytes, limit: int) -> list[Entry] | None:
        """Up to `limit` entries after a name; None when the answer is not, or no longer, here."""
        self._make_room()
        kept = self._kept.get(key)
        return None if kept is None else await asyncio.to_thread(kept.read, after, limit)

    def close(self) -> None:
        """Forgets everything."""
        for key in list(self._kept):
            self._forget(key)

    def _make_room(self) -> None:
        oldest_at = self._now() - self._seconds_max
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            is_too_much = len(self._kept) > self._count_max or self._bytes_count > self._bytes_max
            if kept.made_at >= oldest_at and not is_too_much:
                return
            self._forget(key)

    def _forget(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes_count -= kept.size_bytes
            kept.close()


@dataclass(slots=True)
class _Kept:
    """One answer, in blocks: where each begins, and with which name."""

    made_at: float
    names: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    size_bytes: int = 0
    memory: bytearray = field(default_factory=bytearray)
    file: BinaryIO | None = None
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def pack(cls, entries: Sequence[Entry], made_at: float) -> _Kept:
        kept = cls(made_at)
        try:
            for start in range(0, len(entries), BLOCK_ENTRIES):
                kept._append(entries[start : start + BLOCK_ENTRIES])
        except BaseException:
            kept.close()
            raise
        return kept

    def read(self, after: bytes, limit: int) -> list[Entry] | None:
        found: list[Entry] = []
        with self.lock:
            if not self.names and self.size_bytes:
                return None  # closed in the meantime
            index = max(bisect_right(self.names, after) - 1, 0)
            while index < len(self.names) and len(found) < limit:
                found += [entry for entry in _decode(self._read_block(index)) if entry.name > after]
                index += 1
        return found[:limit]

    def close(self) -> None:
        with self.lock:
            self.names.clear()
            self.memory.clear()
            if self.file is not None:
                self.file.close()

    def __del__(self) -> None:
        self.close()  # with the listings that it belongs to

    def _append(self, entries: Sequence[Entry]) -> None:
        block = _encode(entries)
        self.names.append(entries[0].name)
        self.offsets.append(self.size_bytes)
        self.size_bytes += len(block)
        if self.file is None and self.size_bytes <= MEMORY_BYTES_MAX:
            self.memory += block
            return
        if self.file is None:
            self.file = tempfile.TemporaryFile(prefix="kloudless-listing-")  # noqa: SIM115 - closed with the answer
            self.file.write(self.memory)
            self.memory.clear()
        self.file.write(block)
        self.file.flush()

    def _read_block(self, index: int) -> bytes:
        start = self.offsets[index]
        end = self.offsets[index + 1] if index + 1 < len(self.offsets) else self.size_bytes
        if self.file is None:
            return bytes(self.memory[start:end])
        return os.pread(self.file.fileno(), end - start, start)
