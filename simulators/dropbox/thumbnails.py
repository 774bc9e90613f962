"""Small pictures of pictures."""

from __future__ import annotations

import asyncio
import base64
import io
import secrets
from typing import Annotated, Any

import msgspec
from PIL import Image, ImageOps, UnidentifiedImageError

from simulators.core.contents import Content
from simulators.dropbox.calls import Argument, Call, Download, ReadPath, Routes, Tagged, read_tag
from simulators.dropbox.downloads import describe, find_version
from simulators.dropbox.errors import RouteError
from simulators.dropbox.metadata import PICTURE_BYTES_MAX, is_picture
from simulators.dropbox.sharing_links import open_link
from simulators.dropbox.tree import File, Version

BATCH_COUNT_MAX = 25
QUALITIES = {"quality_80": 80, "quality_90": 90}
FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}
MEDIA_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
MODES = frozenset({"strict", "bestfit", "fitone_bestfit", "original"})
SIZES = {
    "w32h32": (32, 32),
    "w64h64": (64, 64),
    "w128h128": (128, 128),
    "w256h256": (256, 256),
    "w480h320": (480, 320),
    "w640h480": (640, 480),
    "w960h640": (960, 640),
    "w1024h768": (1024, 768),
    "w2048h1536": (2048, 1536),
    "w3200h2400": (3200, 2400),
}

routes = Routes()


class ThumbnailOptions(Argument, kw_only=True):
    format: Tagged = "jpeg"
    size: Tagged = "w64h64"
    mode: Tagged = "strict"
    quality: Tagged = "quality_80"
    exclude_media_info: bool | None = None


class ThumbnailArgument(ThumbnailOptions, kw_only=True):
    path: ReadPath


class PathResource(msgspec.Struct, tag="path", tag_field=".tag"):
    path: ReadPath


class LinkResource(msgspec.Struct, tag="link", tag_field=".tag"):
    url: str
    path: str | None = None
    password: str | None = None


class ThumbnailV2Argument(ThumbnailOptions, kw_only=True):
    resource: PathResource | LinkResource


class ThumbnailBatchArgument(Argument):
    entries: Annotated[list[ThumbnailArgument], msgspec.Meta(max_length=1000)]


@routes.download("files/get_thumbnail", ThumbnailArgument, scope="files.content.read")
async def get_thumbnail(call: Call, argument: ThumbnailArgument) -> Download:
    """The older form, for paths only."""
    file, version = find_version(call, argument.path)
    data = await _draw(version, argument)
    return _answer(call, describe(call, file, version), data, argument)


@routes.download("files/get_thumbnail_v2", ThumbnailV2Argument, scope="files.content.read", auth="app, user")
async def get_thumbnail_v2(call: Call, argument: ThumbnailV2Argument) -> Download:
    """Of a path, or of what a shared link shows."""
    resource = argument.resource
    if isinstance(resource, PathResource):
        file, version = find_version(call, resource.path)
        result: dict[str, Any] = {"file_metadata": describe(call, file, version)}
    else:
        try:
            shown = open_link(call, resource.url, resource.path or "", resource.password)
        except RouteError as error:
            raise RouteError("not_found" if "not_found" in error.tags[0] else "access_denied") from error
        if not isinstance(shown, File):
            raise RouteError("path", "not_file")
        version = shown.version
        result = {"link_metadata": {"url": resource.url, "id": version.file_id, "rev": version.rev}}
    return _answer(call, result, await _draw(version, argument), argument)


@routes.rpc("files/get_thumbnail_batch", ThumbnailBatchArgument, scope="files.content.read", host="content")
async def get_thumbnail_batch(call: Call, argument: ThumbnailBatchArgument) -> dict[str, Any]:
    """Several at once, in base64."""
    if len(argument.entries) > BATCH_COUNT_MAX:
        raise RouteError("too_many_files")
    entries = []
    for one in argument.entries:
        try:
            file, version = find_version(call, one.path)
            data = await _draw(version, one)
        except RouteError as error:
            entries.append({".tag": "failure", "failure": error.error})
            continue
        thumbnail = base64.b64encode(data).decode()
        entries.append({".tag": "success", "metadata": describe(call, file, version), "thumbnail": thumbnail})
    return {"entries": entries}


def _answer(call: Call, result: dict[str, Any], data: bytes, options: ThumbnailOptions) -> Download:
    content = call.state.world.contents.keep(data)
    return Download(
        result=result,
        content=content,
        rev=secrets.token_hex(8),
        media_type=MEDIA_TYPES[read_tag(options.format)[0]],
        has_ranges=False,
    )


async def _draw(version: Version, options: ThumbnailOptions) -> bytes:
    if not is_picture(version.name):
        raise RouteError("unsupported_extension")
    if version.content.size_bytes > PICTURE_BYTES_MAX:
        raise RouteError("unsupported_image")
    chosen = (
        read_tag(options.format, frozenset(FORMATS))[0],
        read_tag(options.size, frozenset(SIZES))[0],
        read_tag(options.mode, MODES)[0],
        read_tag(options.quality, frozenset(QUALITIES))[0],
    )
    try:
        return await asyncio.to_thread(_scale, version.content, *chosen)
    except (UnidentifiedImageError, OSError) as error:
        raise RouteError("conversion_error") from error


def _scale(content: Content, form: str, size: str, mode: str, quality: str) -> bytes:
    with Image.open(io.BytesIO(content.read())) as opened:
        picture: Image.Image = ImageOps.exif_transpose(opened)
        width, height = SIZES[size]
        if mode in {"bestfit", "fitone_bestfit"} and (picture.width < picture.height) != (width < height):
            width, height = height, width
        if mode == "fitone_bestfit":
            factor = min(1.0, max(width / picture.width, height / picture.height))
            picture = picture.resize((max(1, round(picture.width * factor)), max(1, round(picture.height * factor))))
        elif mode != "original":
            picture.thumbnail((width, height))
        target = io.BytesIO()
        if form == "jpeg":
            picture = picture.convert("RGB")
        picture.save(target, format=FORMATS[form], quality=QUALITIES[quality])
        return target.getvalue()
