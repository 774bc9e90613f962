"""Dropbox's own small pictures of files, in one of its sizes.

https://www.dropbox.com/developers/documentation/http/documentation#files-get_thumbnail
"""

from __future__ import annotations

from typing import Literal

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.sharing import Thumbnail
from connectors.dropbox.mapping import read_raw_id
from connectors.dropbox.reading import Reader

SIZES_PX = (
    (32, 32),
    (64, 64),
    (128, 128),
    (256, 256),
    (480, 320),
    (640, 480),
    (960, 640),
    (1024, 768),
    (2048, 1536),
)


async def get_thumbnail(
    reader: Reader, file: str, *, size_px: int, image_format: Literal["png", "jpeg"]
) -> Thumbnail | None:
    """The smallest one into which a picture of any shape fits with that many pixels; None for what is no picture."""
    asked = read_raw_id(file)
    if not asked:
        raise ConnectorError(ErrorKind.WRONG_TYPE, "this is the root folder")
    width, height = next((size for size in SIZES_PX if min(size) >= size_px), SIZES_PX[-1])
    try:
        data = await reader.api.get_thumbnail(asked, size=f"w{width}h{height}", image_format=image_format)
    except ConnectorError as error:
        if error.kind is ErrorKind.UNSUPPORTED:
            return None
        raise
    return Thumbnail(data, f"image/{image_format}")
