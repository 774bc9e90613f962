"""Makes one thumbnail in a process of its own: an image on standard input, the thumbnail on standard output.

Run as `python -m app.thumbnails.worker SIZE FORMAT MEMORY_BYTES CPU_SECONDS PIXELS`. Images come from strangers, so the
process may use only so much memory and time, and the exit status says what went wrong.
"""

from __future__ import annotations

import io
import resource
import sys
import warnings
from typing import Literal

NOT_AN_IMAGE = 3
TOO_LARGE = 4
READ_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "ICO")
JPEG_QUALITY = 85

Format = Literal["png", "jpeg"]


def main(size_px: int, image_format: Format, memory_bytes: int, cpu_seconds: int, pixels_max: int) -> int:
    """Reads, scales, writes; returns the exit status."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        thumbnail = make_thumbnail(sys.stdin.buffer.read(), size_px, image_format, pixels_max)
    except MemoryError:
        return TOO_LARGE
    if isinstance(thumbnail, int):
        return thumbnail
    sys.stdout.buffer.write(thumbnail)
    return 0


def make_thumbnail(data: bytes, size_px: int, image_format: Format, pixels_max: int) -> bytes | int:
    """The thumbnail, as large as fits into a square of that size, turned as the camera was held; or an exit status."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - under the limits set above

    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = pixels_max
    try:
        with Image.open(io.BytesIO(data), formats=READ_FORMATS) as opened:
            if opened.width * opened.height > pixels_max:
                return TOO_LARGE
            opened.draft("RGB", (size_px, size_px))  # lets JPEG be read at a fraction of its size
            image = ImageOps.exif_transpose(opened)
            if image.mode not in {"RGB", "RGBA", "L"}:
                image = image.convert("RGBA" if "transparency" in image.info or "A" in image.mode else "RGB")
            image.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
            if image_format == "jpeg" and image.mode == "RGBA":
                background = Image.new("RGB", image.size, "white")
                background.paste(image, mask=image.getchannel("A"))
                image = background
            written = io.BytesIO()
            image.save(written, image_format.upper(), quality=JPEG_QUALITY)
    except Image.DecompressionBombError:
        return TOO_LARGE
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
        return NOT_AN_IMAGE  # Pillow tells broken images in all these ways
    return written.getvalue()


if __name__ == "__main__":
    size, chosen, memory, cpu, pixels = sys.argv[1:]
    sys.exit(main(int(size), "jpeg" if chosen == "jpeg" else "png", int(memory), int(cpu), int(pixels)))
