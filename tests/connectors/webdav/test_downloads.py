"""One version from beginning to end, or a failure, from servers that do not make it easy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import ByteRange, RawId
from tests.connectors.behavior.space import refused
from tests.connectors.webdav.conftest import Open
from tests.connectors.webdav.fake import MODIFIED, Fake
from tests.connectors.webdav.servers import APACHE
from tests.servers.origin import Exchange, Origin
from tests.servers.scripted import Reply, Seen

FILE = RawId("/a.bin")
DATA = bytes(range(100))
DESCRIPTION = (
    b'<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a.bin</D:href><D:propstat><D:prop><D:resourcetype/>'
    b"<D:getcontentlength>100</D:getcontentlength></D:prop></D:propstat></D:response></D:multistatus>"
)
IN_PLACE = msgspec.structs.replace(APACHE, is_put_atomic=False)


async def read(connector: Connector, byte_range: ByteRange | None = None, if_match: str | None = None) -> bytes:
    async with connector.open_download(FILE, byte_range=byte_range, if_match=if_match) as download:
        return b"".join([chunk async for chunk in download.chunks])


@pytest.fixture(autouse=True)
def data(fake: Fake) -> bytes:
    fake.files["a.bin"] = DATA
    return DATA


@pytest.mark.parametrize(
    "byte_range",
    [ByteRange(0, 9), ByteRange(10, 19), ByteRange(90), ByteRange(None, 10), ByteRange(0), ByteRange(50, 999)],
)
async def test_part_is_cut_out_when_the_server_ignores_ranges(
    connector: Connector, fake: Fake, byte_range: ByteRange
) -> None:
    fake.gives_ranges = False
    part = byte_range.resolve(100)
    assert part is not None
    async with connector.open_download(FILE, byte_range=byte_range) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == DATA[part[0] : part[1] + 1]
        assert (download.content_range, download.size_bytes) == (part, 100)


@pytest.mark.parametrize(
    ("content_range", "kind"),
    [
        ("bytes 10-19/100", None),
        ("bytes 11-20/100", ErrorKind.UNEXPECTED),
        ("bytes 10-18/100", ErrorKind.UNEXPECTED),
        ("nonsense", ErrorKind.UNEXPECTED),
        ("bytes 10-19/200", ErrorKind.UNAVAILABLE),
    ],
)
async def test_part_is_refused_when_it_is_another_than_was_asked_for(
    connector: Connector, fake: Fake, content_range: str, kind: ErrorKind | None
) -> None:
    headers = {"Content-Range": content_range, "Last-Modified": MODIFIED}
    fake.answers["GET"] = [Reply(206, DATA[10:20], headers)]
    if kind is None:
        assert await read(connector, ByteRange(10, 19)) == DATA[10:20]
        return
    with refused(kind):
        await read(connector, ByteRange(10, 19))


async def test_server_is_asked_only_for_the_bytes_when_an_etag_proves_the_file(
    connector: Connector, fake: Fake
) -> None:
    file = await connector.get_by_path("/a.bin")
    fake.seen.clear()
    assert await read(connector, ByteRange(10, 19), if_match=getattr(file, "etag", None)) == DATA[10:20]
    assert [seen.method for seen in fake.seen] == ["GET"]


@pytest.mark.parametrize(
    ("byte_range", "size"), [(ByteRange(100), 100), (ByteRange(None, 0), 100), (ByteRange(10**20), 100)]
)
async def test_range_invalid_with_the_size_when_an_etag_proves_the_file(
    connector: Connector, fake: Fake, byte_range: ByteRange, size: int
) -> None:
    file = await connector.get_by_path("/a.bin")
    fake.answers["GET"] = [Reply(416, headers={"ETag": f'"{getattr(file, "etag", "")}"'})]
    with refused(ErrorKind.RANGE_INVALID) as caught:
        await read(connector, byte_range, if_match=getattr(file, "etag", None))
    assert caught.value.size_bytes == size


@pytest.mark.parametrize("etag", ["other", None])
async def test_precondition_failed_when_the_reply_does_not_prove_the_file(
    connector: Connector, fake: Fake, etag: str | None
) -> None:
    fake.answers["GET"] = [Reply(200, DATA, {"ETag": f'"{etag}"'} if etag else {})]
    with refused(ErrorKind.PRECONDITION_FAILED):
        await read(connector, if_match="mine")


async def test_not_found_when_a_file_that_was_known_is_gone(connector: Connector, fake: Fake) -> None:
    del fake.files["a.bin"]
    with refused(ErrorKind.NOT_FOUND):
        await read(connector, if_match="mine")


@pytest.mark.parametrize("body", [b"", DATA[:50], DATA + b"more"])
async def test_download_fails_when_the_length_is_not_the_one_that_was_told(
    connector: Connector, fake: Fake, body: bytes
) -> None:
    fake.answers["GET"] = [Reply(200, body, {"Last-Modified": MODIFIED})]
    with refused(ErrorKind.UNAVAILABLE):
        await read(connector)


async def test_reply_describes_itself_when_the_file_was_replaced_in_between(connector: Connector, fake: Fake) -> None:
    new = b"a longer text than before" * 10
    fake.answers["GET"] = [Reply(200, new, {"ETag": '"new"', "Last-Modified": "Wed, 25 Nov 2026 17:45:16 GMT"})]
    async with connector.open_download(FILE) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == new
        assert (download.size_bytes, download.etag) == (len(new), "new")


class TestInPlace:
    async def test_server_is_asked_at_the_end_whether_the_file_is_still_the_same(
        self, open_fake: Open, fake: Fake
    ) -> None:
        assert await read(open_fake(IN_PLACE)) == DATA
        assert [seen.method for seen in fake.seen] == ["PROPFIND", "GET", "PROPFIND"]

    @pytest.mark.parametrize("answer", [Reply(404), None])
    async def test_last_bytes_stay_away_when_the_file_has_changed(
        self, open_fake: Open, fake: Fake, answer: Reply | None
    ) -> None:
        def change(_: Seen) -> Reply | None:
            fake.files["a.bin"] = DATA[::-1]
            return answer

        fake.answers["PROPFIND"] = [None, change]
        chunks: list[bytes] = []
        with refused(ErrorKind.UNAVAILABLE):
            async with open_fake(IN_PLACE).open_download(FILE) as download:
                chunks += [chunk async for chunk in download.chunks]
        assert b"".join(chunks) != DATA


Body = Callable[[Exchange], Awaitable[None]]


@pytest.fixture
def serve(fake: Fake, open_fake: Open) -> Callable[[Origin, bytes], None]:
    """Makes a path of an origin answer with bytes as they are."""

    def prepare(origin: Origin, raw: bytes) -> None:
        async def answer(exchange: Exchange) -> None:
            if exchange.seen.method == "GET":
                await exchange.send(raw)
                exchange.writer.close()
                return
            size = b"<D:getcontentlength>100</D:getcontentlength><D:resourcetype/>"
            body = (
                b'<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a.bin</D:href><D:propstat><D:prop>%s</D:prop>'
                % size
            )
            await exchange.read_body()
            await exchange.reply(207, body=body + b"</D:propstat></D:response></D:multistatus>")

        origin.on("/a.bin", answer)

    return prepare


@pytest.mark.parametrize(
    ("raw", "is_good"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + DATA, True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + DATA[:99], False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + DATA + b"!", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + DATA[:99], False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + DATA + b"\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n63\r\n" + DATA[:99] + b"\r\n0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + DATA + b"\r\n", False),
    ],
    ids=["closed", "closed early", "closed late", "cut", "chunked", "chunked short", "no last chunk"],
)
async def test_download_fails_when_the_body_ends_early(
    open_fake: Open, serve: Callable[[Origin, bytes], None], raw: bytes, is_good: bool
) -> None:
    async with Origin() as origin:
        serve(origin, raw)
        connector = open_fake(credentials={"url": origin.url()})
        if is_good:
            assert await read(connector) == DATA
            return
        with pytest.raises(ConnectorError) as caught:
            await read(connector)
        assert caught.value.kind is ErrorKind.UNAVAILABLE
