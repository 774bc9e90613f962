"""Thumbnails of files (contract 4.3)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.core.errors import ErrorCode
from app.core.http.replies import describe
from app.storage.endpoints import STORAGE_ERRORS, STORAGE_PREFIX, AccountStorage
from app.storage.file_endpoints import FileRef
from app.storage.ranges import is_unmodified, quote_etag
from app.thumbnails.service import Thumbnailer
from connectors.core.resources import File

SIZE_PX_MAX = 1024
SIZE_PX_DEFAULT = 256
IMAGES = {
    f"image/{image_format}": {"schema": {"type": "string", "format": "binary"}} for image_format in ("png", "jpeg")
}

router = APIRouter(prefix=STORAGE_PREFIX, tags=["storage"])
thumbnailer = Thumbnailer()


@router.get(
    "/files/{file_id}/thumbnail",
    **describe(
        IMAGES, also={304: None}, errors=(*STORAGE_ERRORS, ErrorCode.REQUEST_FAILED, ErrorCode.REQUEST_TOO_LARGE)
    ),
)
async def get_thumbnail(
    request: Request,
    storage: AccountStorage,
    ref: FileRef,
    size: Annotated[
        int, Query(ge=1, le=SIZE_PX_MAX, description="The longer side, in pixels; never larger than the image.")
    ] = SIZE_PX_DEFAULT,
    image_format: Annotated[Literal["png", "jpeg"], Query(description="What the thumbnail is.")] = "png",
) -> Response:
    """A small picture of a file: the storage's own where it has one, else made of an image (JPEG, PNG, GIF, WebP,
    BMP, TIFF or icon); 400 where neither can be had.
    """
    file = await storage.connector.get(ref)
    if not isinstance(file, File):
        raise AssertionError("a file's reference gave a folder")  # noqa: TRY004 - the connector's promise
    headers = {"Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox"}
    if file.etag is not None:
        # The thumbnail changes with the file and with what is asked for, which the address says.
        headers["ETag"] = quote_etag(file.etag)
        if is_unmodified(request.headers, file):
            return Response(status_code=304, headers=headers)
    thumbnail = await thumbnailer.make(storage.connector, file, size_px=size, image_format=image_format)
    return Response(thumbnail, media_type=f"image/{image_format}", headers=headers)
