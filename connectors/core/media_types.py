"""The media type that a name's ending stands for, the same on every machine."""

from __future__ import annotations

from functools import lru_cache
from mimetypes import MimeTypes

ENDINGS_MAX = 1024  # whose types are remembered
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


def read_media_type(name: str) -> str | None:
    """The type that the name's ending stands for; None when it stands for none."""
    stem, _, ending = name.rpartition(".")
    return _read_ending(ending) if stem and ending else None


@lru_cache(maxsize=ENDINGS_MAX)
def _read_ending(ending: str) -> str | None:
    media_type, encoding = _TYPES.guess_type(f"x.{ending}")
    return media_type if encoding is None else _ENCODED_TYPES.get(encoding, "application/octet-stream")
