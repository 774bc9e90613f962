"""From what the disk says to our resources. No input or output."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.core.media_types import read_media_type
from connectors.core.resources import File, Folder, Parent, Resource
from connectors.local.names import Parts, show, write_raw_id


@dataclass(frozen=True, slots=True)
class Above:
    """What is above the resources of one folder, made once for all of them."""

    parts: Parts
    ancestors: tuple[Parent, ...]  # nearest first

    @classmethod
    def build(cls, folder: Parts, root_name: str) -> Above:
        """The folder and what is above it."""
        names = [root_name, *map(show, folder)]
        ancestors = [Parent(write_raw_id(folder[:depth]), names[depth]) for depth in range(len(folder), -1, -1)]
        return cls(folder, tuple(ancestors))


@dataclass(frozen=True, slots=True)
class Mapper:
    """Builds resources for one account."""

    root_name: str
    include_raw: bool = False

    def build(self, parts: Parts, status: os.stat_result) -> Resource:
        """The file or folder at a path."""
        if not parts:
            return Folder(
                raw_id=write_raw_id(()),
                name=self.root_name,
                ancestors=(),
                path="/",
                modified_at=read_time(status.st_mtime_ns),
                raw=self._build_raw(status),
            )
        return self.build_child(Above.build(parts[:-1], self.root_name), parts[-1], status)

    def build_file(self, parts: Parts, status: os.stat_result, is_replacement: bool) -> File:
        """The file that was written at a path."""
        return self._build_file(Above.build(parts[:-1], self.root_name), parts[-1], status, is_replacement)

    def build_child(self, above: Above, name: bytes, status: os.stat_result) -> Resource:
        """The file or folder of that name in a folder."""
        if stat.S_ISREG(status.st_mode):
            return self._build_file(above, name, status)
        parts = (*above.parts, name)
        return Folder(
            raw_id=write_raw_id(parts),
            name=show(name),
            parent=above.ancestors[0],
            ancestors=above.ancestors,
            path="/" + "/".join(map(show, parts)),
            modified_at=read_time(status.st_mtime_ns),
            raw=self._build_raw(status),
        )

    def _build_file(self, above: Above, name: bytes, status: os.stat_result, is_replacement: bool = False) -> File:
        parts = (*above.parts, name)
        return File(
            raw_id=write_raw_id(parts),
            name=show(name),
            parent=above.ancestors[0],
            ancestors=above.ancestors,
            path="/" + "/".join(map(show, parts)),
            size_bytes=status.st_size,
            modified_at=read_time(status.st_mtime_ns),
            media_type=read_media_type(show(name)),
            etag=build_etag(status),
            is_replacement=is_replacement,
            raw=self._build_raw(status),
        )

    def _build_raw(self, status: os.stat_result) -> dict[str, object] | None:
        if not self.include_raw:
            return None
        return {
            "inode": status.st_ino,
            "links": status.st_nlink,
            "mode": stat.filemode(status.st_mode),
            "modified_ns": status.st_mtime_ns,
            "size": status.st_size,
        }


def build_etag(status: os.stat_result) -> str:
    """Changes with every write: each of ours makes a new inode with a time of its own."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def read_time(nanoseconds: int) -> datetime | None:
    """The time of a file; None outside the calendar."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1000 / 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
