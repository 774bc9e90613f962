from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from PIL import Image

from app.thumbnails import worker
from app.thumbnails.sizes import read_jpeg_size, read_png_size
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.sharing import Thumbnail
from tests.app.drive import Drive, read_error
from tests.app.sharing import SharingDrive
from tests.servers.api import Api, Caller

Add = Callable[[str, bytes], dict[str, str]]


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)


@pytest.fixture
def add(drive: Drive) -> Add:
    """Puts a file into the account's folder and tells its metadata."""

    def put(name: str, data: bytes) -> dict[str, str]:
        (drive.caller.folder / name).write_bytes(data)
        found: dict[str, str] = drive.client.get(drive.url("path"), params={"path": f"/{name}"}).json()
        return found

    return put


def draw(kind: str, size: tuple[int, int] = (800, 400), mode: str = "RGB", **options: object) -> bytes:
    """An image, red on the left and blue on the right."""
    image = Image.new(mode, size, "red" if mode == "RGB" else None)
    if mode == "RGB":
        image.paste("blue", (size[0] // 2, 0, *size))
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def claim_size(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is enormous."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_picture_is_small_and_keeps_its_form(drive: Drive, add: Add, kind: str) -> None:
    file = add(f"a.{kind.lower()}", draw(kind))
    reply = drive.client.get(f"{file['href']}/thumbnail")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(reply.content)) as image:
        assert image.size == (256, 128)
        left, right = image.convert("RGB").getpixel((20, 60)), image.convert("RGB").getpixel((230, 60))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert (left[0] > 200, left[2] < 60) == (True, True)
    assert (right[2] > 200, right[0] < 60) == (True, True)


def test_size_and_format_are_as_asked_for(drive: Drive, add: Add) -> None:
    file = add("a.png", draw("PNG"))
    reply = drive.client.get(f"{file['href']}/thumbnail", params={"size": 64, "image_format": "jpeg"})
    assert reply.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(reply.content)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 32))


def test_picture_is_turned_as_the_camera_was_held(drive: Drive, add: Add) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    file = add("a.jpg", draw("JPEG", exif=exif))
    with Image.open(io.BytesIO(drive.client.get(f"{file['href']}/thumbnail").content)) as image:
        assert image.size == (128, 256)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
@pytest.mark.parametrize("image_format", ["png", "jpeg"])
def test_every_kind_of_colour_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, mode: str, image_format: worker.Format
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # the worker sets it for its process
    kind = "TIFF" if mode == "CMYK" else "PNG"
    made = worker.make_thumbnail(draw(kind, mode=mode), 100, image_format, 10**6)
    assert isinstance(made, bytes)
    with Image.open(io.BytesIO(made)) as image:
        assert image.size == (100, 50)


def test_small_picture_stays_small(drive: Drive, add: Add) -> None:
    file = add("a.png", draw("PNG", (10, 10)))
    with Image.open(io.BytesIO(drive.client.get(f"{file['href']}/thumbnail").content)) as image:
        assert image.size == (10, 10)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b"this is text"),
        ("a.jpg", draw("JPEG")[:500]),
        ("a.png", b""),
        ("a.txt", b"this is text"),
        ("a", b"\0" * 1000),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.gif", b"GIF89a" + b"\xff" * 50),
    ],
    ids=["text as image", "cut short", "empty", "text", "zeros", "drawing", "broken"],
)
def test_what_is_no_image_is_refused_in_words(drive: Drive, add: Add, name: str, data: bytes) -> None:
    reply = drive.client.get(f"{add(name, data)['href']}/thumbnail")
    assert read_error(reply) == (400, "request_failed")


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_image_that_claims_to_be_enormous_is_refused(drive: Drive, add: Add, size: tuple[int, int]) -> None:
    reply = drive.client.get(f"{add('bomb.png', claim_size(*size))['href']}/thumbnail")
    assert read_error(reply) == (413, "request_too_large")


@pytest.mark.parametrize("query", ["size=0", "size=1025", "size=x", "image_format=gif", "image_format="])
def test_size_or_format_out_of_bounds_is_refused(drive: Drive, add: Add, query: str) -> None:
    reply = drive.client.get(f"{add('a.png', draw('PNG'))['href']}/thumbnail?{query}")
    assert read_error(reply) == (400, "invalid_parameters")


def test_unchanged_picture_is_not_sent_again(drive: Drive, add: Add) -> None:
    url = f"{add('a.png', draw('PNG'))['href']}/thumbnail"
    etag = drive.client.get(url).headers["etag"]
    assert drive.client.get(url, headers={"If-None-Match": etag}).status_code == 304
    add("a.png", draw("PNG", (50, 50)))
    assert drive.client.get(url, headers={"If-None-Match": etag}).status_code == 200


def test_file_that_is_gone_is_not_found(drive: Drive, add: Add) -> None:
    file = add("a.png", draw("PNG"))
    (drive.caller.folder / "a.png").unlink()
    assert read_error(drive.client.get(f"{file['href']}/thumbnail")) == (404, "not_found")


class TestTheStoragesOwn:
    @pytest.mark.parametrize("image_format", ["png", "jpeg"])
    @pytest.mark.parametrize("name", ["a.png", "a.pdf"])
    def test_it_is_passed_on_as_it_is_when_it_fits(
        self, sharing: SharingDrive, name: str, image_format: worker.Format
    ) -> None:
        file, data = sharing.upload(name, b"no picture"), draw(image_format.upper(), (64, 32))
        sharing.store.thumbnails[file["raw_id"]] = Thumbnail(data, f"image/{image_format}")
        reply = sharing.client.get(f"{file['href']}/thumbnail", params={"size": 64, "image_format": image_format})
        assert (reply.content, reply.headers["content-type"]) == (data, f"image/{image_format}")

    @pytest.mark.parametrize(
        ("kind", "size"), [("JPEG", (100, 50)), ("PNG", (100, 50)), ("WEBP", (40, 20)), ("JPEG", (40, 20))]
    )
    def test_it_is_made_fit_when_it_is_too_large_or_of_another_kind(
        self, sharing: SharingDrive, kind: str, size: tuple[int, int]
    ) -> None:
        file = sharing.upload("a.pdf", b"no picture")
        sharing.store.thumbnails[file["raw_id"]] = Thumbnail(draw(kind, size), f"image/{kind.lower()}")
        reply = sharing.client.get(f"{file['href']}/thumbnail", params={"size": 64})
        with Image.open(io.BytesIO(reply.content)) as image:
            assert (image.format, image.size) == ("PNG", (min(64, size[0]), min(32, size[1])))

    @pytest.mark.parametrize("own", [None, Thumbnail(b"", "image/png"), Thumbnail(b"junk", "image/png")])
    def test_one_is_made_of_the_file_when_there_is_none(self, sharing: SharingDrive, own: Thumbnail | None) -> None:
        file = sharing.upload("a.png", draw("PNG"))
        sharing.store.thumbnails.update({} if own is None else {file["raw_id"]: own})
        reply = sharing.client.get(f"{file['href']}/thumbnail", params={"size": 64})
        with Image.open(io.BytesIO(reply.content)) as image:
            assert image.size == (64, 32)

    def test_one_is_made_of_the_file_when_this_account_gets_none(self, sharing: SharingDrive) -> None:
        file = sharing.upload("a.png", draw("PNG"))
        sharing.store.faults["get_thumbnail"] = [
            ConnectorError(ErrorKind.UNSUPPORTED),
            ConnectorError(ErrorKind.TIMED_OUT),
        ]
        assert sharing.client.get(f"{file['href']}/thumbnail").status_code == 200
        assert read_error(sharing.client.get(f"{file['href']}/thumbnail")) == (504, "gateway_timeout")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (300, 7), (7, 300)])
def test_size_is_known_from_the_first_bytes(size: tuple[int, int], *, progressive: bool) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a long description " * 100
    jpeg = draw("JPEG", size, progressive=progressive, exif=exif)
    assert (read_jpeg_size(jpeg), read_png_size(jpeg)) == (size, None)
    png = draw("PNG", size)
    assert (read_jpeg_size(png), read_png_size(png)) == (None, size)
    assert (read_jpeg_size(b"\xff\xd8\xff\xff" + jpeg[3:]), read_jpeg_size(jpeg[:600])) == (size, None)


@pytest.fixture
def many(api: Api) -> Iterator[Drive]:
    caller = api.create_caller()
    with caller.client() as client:
        yield Drive(caller, client)


def test_all_are_made_when_many_are_asked_for_at_once(many: Drive) -> None:
    (many.caller.folder / "a.png").write_bytes(draw("PNG", (100, 100)))
    file = many.client.get(many.url("path"), params={"path": "/a.png"}).json()

    async def ask() -> list[int]:
        async with httpx.AsyncClient(
            base_url=many.caller.api.base_url, headers=many.caller.key_header, trust_env=False, timeout=60
        ) as client:
            replies = await asyncio.gather(*(client.get(f"{file['href']}/thumbnail") for _ in range(8)))
        return [reply.status_code for reply in replies]

    assert many.caller.api.run(ask()) == [200] * 8
