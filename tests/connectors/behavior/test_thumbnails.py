from __future__ import annotations

import io
from typing import Literal

import pytest
from PIL import Image

from connectors.core.errors import ErrorKind
from connectors.core.resources import File, RawId
from connectors.core.sharing import Thumbnail
from tests.connectors.behavior.space import Space, refused

pytestmark = pytest.mark.needs("get_thumbnail")

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}


def draw(size: tuple[int, int]) -> bytes:
    """A picture, red on the left and blue on the right."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


async def get(space: Space, file: File, size_px: int, image_format: Literal["png", "jpeg"] = "png") -> Thumbnail | None:
    return await space.connector.get_thumbnail(file.raw_id, size_px=size_px, image_format=image_format)


@pytest.mark.parametrize("size", [(900, 600), (600, 900), (600, 600)], ids=["lying", "standing", "square"])
@pytest.mark.parametrize("image_format", ["png", "jpeg"])
async def test_picture_is_small_but_large_enough_and_keeps_its_form(
    space: Space, size: tuple[int, int], image_format: Literal["png", "jpeg"]
) -> None:
    file = await space.put("a.png", draw(size))
    for size_px in (32, 100, 256, 400):
        thumbnail = await get(space, file, size_px, image_format)
        assert thumbnail is not None
        with Image.open(io.BytesIO(thumbnail.data)) as image:
            assert image.format == FORMATS[thumbnail.media_type]
            assert size_px <= max(image.size) <= max(size)
            assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.05)
            left, right = (image.convert("RGB").getpixel((x, image.height // 2)) for x in (2, image.width - 3))
        assert isinstance(left, tuple)
        assert isinstance(right, tuple)
        assert (left[0] > left[2], right[2] > right[0]) == (True, True)


async def test_small_picture_stays_small(space: Space) -> None:
    file = await space.put("a.png", draw((20, 10)))
    thumbnail = await get(space, file, 256)
    if thumbnail is not None:  # of tiny ones some providers make none
        with Image.open(io.BytesIO(thumbnail.data)) as image:
            assert max(image.size) <= 256


@pytest.mark.parametrize("name", ["a.txt", "a.png", "a"])
async def test_there_is_none_when_file_is_no_picture(space: Space, name: str) -> None:
    assert await get(space, await space.put(name, b"this is text"), 64) is None


async def test_not_found_when_file_is_gone(space: Space) -> None:
    file = await space.put("a.png", draw((40, 40)))
    await space.connector.delete(file.ref)
    with refused(ErrorKind.NOT_FOUND):
        await get(space, file, 64)
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.get_thumbnail(RawId("no such id"), size_px=64, image_format="png")


async def test_refused_when_it_is_a_folder(space: Space) -> None:
    folder = await space.make("a.png")
    with refused(ErrorKind.WRONG_TYPE, ErrorKind.NOT_FOUND):
        await space.connector.get_thumbnail(folder.raw_id, size_px=64, image_format="png")
