"""From what the disk says to our resources. No input or output."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from mimetypes import MimeTypes
from pathlib import PurePosixPath

from connectors.core.resources import File, Folder, Parent, Resource
from connectors.local.names import Parts, show, write_raw_id

_ENCODED_TYPES = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_MORE_TYPES = {
    ".7z": "application/x-7z-compressed",
    ".avif": "image/avif",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".flac": "audio/flac",
    ".heic": "image/heic",
    ".jpg": "image/jpeg",
    ".md": "text/markdown",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ogg": "audio/ogg",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rtf": "application/rtf",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


def _build_types() -> MimeTypes:
    types = MimeTypes()  # Python's own table, whatever the machine's says
    for extension, media_type in _MORE_TYPES.items():
        types.add_type(media_type, extension)
    return types


_TYPES = _build_types()


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
            media_type=read_media_type(name),
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


def read_media_type(name: bytes) -> str | None:
    """The type that the name's ending stands for, the same on every machine; None when it stands for none."""
    extension = PurePosixPath(show(name)).suffix
    media_type, encoding = _TYPES.guess_type(f"x{extension}")
    return media_type if encoding is None else _ENCODED_TYPES.get(encoding, "application/octet-stream")


def read_time(nanoseconds: int) -> datetime | None:
    """The time of a file; None outside the calendar."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1000 / 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
