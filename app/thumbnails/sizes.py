"""What the first bytes of a PNG or JPEG say of it, without reading the picture: enough to pass it on as it is."""

from __future__ import annotations

import struct

from app.thumbnails.worker import Format

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
LONE_MARKERS = frozenset({0x01, *range(0xD0, 0xDA)})
_PNG_HEAD = struct.Struct(">8s4x4sII")
_JPEG_SEGMENT = struct.Struct(">HxHH")  # its length; in a frame's, height and width


def is_fitting(data: bytes, *, size_px: int, image_format: Format) -> bool:
    """True for a picture of this format, neither side of which is longer."""
    size = read_png_size(data) if image_format == "png" else read_jpeg_size(data)
    return size is not None and 0 < max(size) <= size_px


def read_png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height; None for what is no PNG."""
    if len(data) < _PNG_HEAD.size:
        return None
    start, kind, width, height = _PNG_HEAD.unpack_from(data)
    return (width, height) if (start, kind) == (PNG_START, b"IHDR") else None


def read_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height, from the segment that describes the frame; None for what is no JPEG."""
    at = len(JPEG_START)
    if not data.startswith(JPEG_START):
        return None
    while at + 2 + _JPEG_SEGMENT.size <= len(data) and data[at] == 0xFF:  # noqa: PLR2004 - what begins every marker
        marker = data[at + 1]
        if marker in FRAME_MARKERS:
            _, height, width = _JPEG_SEGMENT.unpack_from(data, at + 2)
            return width, height
        if marker == 0xFF:  # noqa: PLR2004 - markers may be padded
            at += 1
        elif marker in LONE_MARKERS:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
