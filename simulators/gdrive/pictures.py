"""Thumbnails: small pictures of pictures and of documents."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, UnidentifiedImageError

from simulators.gdrive.records import DriveFile

PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/tiff"})
PICTURE_BYTES_MAX = 50 * 1024 * 1024
SIDE_PIXELS_MAX = 1600
PAGE_SIZE = (440, 570)
LINES_COUNT_MAX = 30


def has_thumbnail(file: DriveFile) -> bool:
    """Can there be one? Pictures and documents have them, and whatever was stored with one of its own."""
    if file.thumbnail is not None or file.is_native:
        return True
    return file.mime_type in PICTURE_TYPES and find_size(file) is not None


def find_size(file: DriveFile) -> tuple[int, int] | None:
    """Width and height of a picture in pixels; None if it is none."""
    blob = file.blob
    if blob is None or file.mime_type not in PICTURE_TYPES or blob.size_bytes > PICTURE_BYTES_MAX:
        return None
    try:
        with Image.open(blob.content.path) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None


def draw_thumbnail(file: DriveFile, side_pixels: int) -> bytes:
    """A PNG picture whose longer side has at most that many pixels."""
    with _open(file) as picture:
        picture.thumbnail((side_pixels, side_pixels))
        target = io.BytesIO()
        picture.convert("RGB").save(target, format="PNG")
    return target.getvalue()


def _open(file: DriveFile) -> Image.Image:
    if file.thumbnail is not None:
        return Image.open(io.BytesIO(file.thumbnail))
    if not file.is_native and file.blob is not None:
        return Image.open(file.blob.content.path)
    page = Image.new("RGB", PAGE_SIZE, "white")
    text = file.blob.content.read(0, 4096).decode("utf-8", "replace") if file.blob else ""
    drawing = ImageDraw.Draw(page)
    for number, line in enumerate(text.splitlines()[:LINES_COUNT_MAX]):
        drawing.text((30, 30 + 17 * number), line.encode("latin-1", "replace").decode("latin-1"), fill="black")
    return page
