"""What stores get wrong about bytes on their way out: it is an error, never other bytes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors.core.connector import Connector
from connectors.core.errors import ErrorKind
from connectors.core.resources import ByteRange, RawId, Ref
from tests.connectors.behavior.space import refused
from tests.connectors.s3.accounts import open_account
from tests.connectors.s3.conftest import Store
from tests.connectors.s3.tinystore import BUCKET, GOOD, Stored, TinyStore, open_tiny
from tests.servers.origin import Exchange, Origin
from tests.servers.scripted import Reply

TEN = b"0123456789"


def build_store(reply: Reply, **arguments: Any) -> TinyStore:
    """A store with ten bytes at "a", which answers every GET of it with the reply."""
    store = TinyStore(**arguments)
    store.objects["a"] = Stored(TEN)
    store.intercept = lambda seen: reply if seen.method == "GET" and seen.target.endswith("/a") else None
    return store


async def read(connector: Connector, byte_range: ByteRange | None = None, if_match: str | None = None) -> bytes:
    async with connector.open_download(RawId("/a"), byte_range=byte_range, if_match=if_match) as download:
        return b"".join([chunk async for chunk in download.chunks])


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (206, {"Content-Range": "bytes 0-3/10"}, TEN[:4]),
        (206, {"Content-Range": "bytes 2-6/10"}, TEN[2:7]),
        (206, {"Content-Range": "bytes 2-5/10"}, TEN),
        (206, {"Content-Range": "bytes 2-5/10"}, TEN[2:4]),
        (206, {"Content-Range": "nonsense"}, TEN[2:6]),
        (206, {}, TEN[2:6]),
        (206, {"Content-Range": "bytes 2-5/*"}, TEN[2:6]),
        (200, {}, TEN),
    ],
    ids=["other", "longer", "too much", "too little", "nonsense", "none", "no size", "whole"],
)
async def test_unexpected_when_another_part_comes_than_was_asked_for(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    async with open_tiny(build_store(Reply(status, body, headers)), learned={}) as connector:
        with refused(ErrorKind.UNEXPECTED):
            await read(connector, ByteRange(2, 5))


async def test_unexpected_when_a_part_comes_and_none_was_asked_for() -> None:
    reply = Reply(206, TEN[2:6], {"Content-Range": "bytes 2-5/10"})
    async with open_tiny(build_store(reply), learned={}) as connector:
        with refused(ErrorKind.UNEXPECTED):
            await read(connector)


@pytest.mark.parametrize("status", [200, 206])
async def test_part_comes_when_the_store_calls_it_whole(status: int) -> None:
    reply = Reply(status, TEN[2:6], {"Content-Range": "bytes 2-5/10", "ETag": f'"{Stored(TEN).etag}"'})
    async with open_tiny(build_store(reply), learned={}) as connector:
        assert await read(connector, ByteRange(2, 5)) == TEN[2:6]


async def test_whole_file_will_do_when_the_range_is_all_of_it() -> None:
    reply = Reply(200, TEN, {"ETag": f'"{Stored(TEN).etag}"'})
    async with open_tiny(build_store(reply), learned={}) as connector:
        assert await read(connector, ByteRange(0, 100)) == TEN
        with refused(ErrorKind.RANGE_INVALID) as caught:
            await read(connector, ByteRange(10, 100))
        assert caught.value.size_bytes == 10


async def test_precondition_failed_when_the_store_ignores_the_condition() -> None:
    async with open_tiny(build_store(Reply(200, TEN, {"ETag": '"another"'})), learned={}) as connector:
        with refused(ErrorKind.PRECONDITION_FAILED):
            await read(connector, if_match=Stored(TEN).etag)


@pytest.mark.parametrize("if_match", [None, "etag"])
async def test_unexpected_when_what_answers_has_no_etags_and_so_is_no_store(if_match: str | None) -> None:
    async with open_tiny(build_store(Reply(200, TEN)), learned={}) as connector:
        with refused(ErrorKind.UNEXPECTED):
            await read(connector, if_match=if_match)


@pytest.mark.parametrize("told", ['""', "", 'W/""'])
@pytest.mark.parametrize("if_match", [None, "etag"])
async def test_unavailable_when_the_store_cannot_tell_the_etag_while_the_file_is_replaced(
    told: str, if_match: str | None
) -> None:
    async with open_tiny(build_store(Reply(200, TEN, {"ETag": told})), learned={}) as connector:
        with refused(ErrorKind.UNAVAILABLE):
            await read(connector, if_match=if_match)


async def test_unavailable_when_the_store_cannot_tell_the_etag_of_what_is_looked_at() -> None:
    store = TinyStore()
    store.objects["a"] = Stored(TEN, {"ETag": '""'})
    async with open_tiny(store, learned={}) as connector:
        with refused(ErrorKind.UNAVAILABLE):
            await connector.get(Ref("file", RawId("/a")))


@pytest.mark.parametrize("etag", ['quo"ted', "line\nbreak", "ü"])
async def test_precondition_failed_when_no_store_gives_out_such_etags(store: Store, etag: str) -> None:
    file = await store.upload("a")
    with refused(ErrorKind.PRECONDITION_FAILED):
        async with store.connector.open_download(file.raw_id, if_match=etag):
            pass


async def test_unavailable_when_the_file_is_another_at_the_end_and_the_store_knows_no_conditions() -> None:
    store = TinyStore(obeys=frozenset())
    store.objects["a"] = Stored(TEN)
    async with open_tiny(store) as connector:
        assert await read(connector) == TEN
        seen = b""
        with refused(ErrorKind.UNAVAILABLE):
            async with connector.open_download(RawId("/a")) as download:
                store.objects["a"] = Stored(b"replaced")
                async for chunk in download.chunks:
                    seen += chunk
        assert len(seen) < len(TEN)


async def test_unavailable_when_bytes_are_a_mix_and_the_store_knows_no_conditions() -> None:
    store = build_store(Reply(200, TEN[::-1], {"ETag": f'"{Stored(TEN).etag}"'}), obeys=frozenset())
    async with open_tiny(store, learned={"dialect": {"hashes_etags": True}}) as connector:
        with refused(ErrorKind.UNAVAILABLE):
            await read(connector)


async def answer_cut(exchange: Exchange) -> None:
    """Announces ten bytes and sends four."""
    await exchange.send(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 10\r\n\r\n0123')
    exchange.writer.close()


async def answer_chunks_cut(exchange: Exchange) -> None:
    """A body in chunks that has no end."""
    await exchange.send(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n')
    exchange.writer.close()


async def answer_chunks_short(exchange: Exchange) -> None:
    """Four bytes in chunks, where the range has ten."""
    head = b'HTTP/1.1 206 OK\r\nETag: "e"\r\nContent-Range: bytes 0-9/10\r\nTransfer-Encoding: chunked\r\n\r\n'
    await exchange.send(head + b"4\r\n0123\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "byte_range"),
    [(answer_cut, None), (answer_chunks_cut, None), (answer_chunks_short, ByteRange(0, 9))],
    ids=["cut", "chunks, cut", "chunks, short"],
)
async def test_unavailable_when_fewer_bytes_come_than_were_announced(answer: Any, byte_range: ByteRange | None) -> None:
    async with Origin() as origin:
        origin.on(f"/{BUCKET}/a", answer)
        place = {"endpoint": origin.url().rstrip("/"), "bucket": BUCKET}
        async with open_account(place, learned={}) as connector:
            with refused(ErrorKind.UNAVAILABLE):
                await read(connector, byte_range)


async def test_type_is_the_stores_when_a_file_is_downloaded(store: Store) -> None:
    store.put("a.txt", b"bytes", ContentType="application/x-odd")
    async with store.connector.open_download(RawId("/a.txt")) as download:
        assert download.media_type == "application/x-odd"
        assert download.name == "a.txt"
        assert download.modified_at is not None


DOTTED = ["..", "a/../b", "./c"]


async def test_file_is_listed_and_says_why_it_cannot_be_read_when_no_url_can_hold_its_key() -> None:
    store = TinyStore()
    store.objects = {key: Stored(b"bytes") for key in DOTTED}
    async with open_tiny(store) as connector:
        found = (await connector.list_recursive(RawId("/"))).resources
        files = [each for each in found if each.ref.kind == "file"]
        assert sorted(each.raw_id for each in files) == sorted(f"/{key}" for key in DOTTED)
        for file in files:
            assert not getattr(file, "is_downloadable", True)
            assert await connector.get(file.ref) == file
            with refused(ErrorKind.UNSUPPORTED) as caught:
                async with connector.open_download(file.raw_id):
                    pass
            assert "URL" in caught.value.message
            with refused(ErrorKind.UNSUPPORTED):
                await connector.create_download_url(file.raw_id, seconds=60)


@pytest.mark.parametrize("obeys", [GOOD, GOOD - {"copy"}], ids=["exclusive", "not exclusive"])
async def test_file_can_be_renamed_and_deleted_when_no_url_can_hold_its_key(obeys: frozenset[str]) -> None:
    store = TinyStore(obeys=obeys)
    store.objects = {key: Stored(key.encode()) for key in DOTTED}
    async with open_tiny(store) as connector:
        for number, key in enumerate(DOTTED[:2]):
            await connector.update((await find(connector, f"/{key}")).ref, name=f"good {number}", parent=RawId("/"))
        await connector.delete((await find(connector, "/./c")).ref)
    assert {key: stored.data for key, stored in store.objects.items()} == {"good 0": b"..", "good 1": b"a/../b"}


async def find(connector: Connector, raw_id: str) -> Any:
    found = (await connector.list_recursive(RawId("/"))).resources
    return next(each for each in found if each.raw_id == raw_id)


async def test_body_is_closed_at_once_when_the_reader_leaves(store: Store) -> None:
    file = await store.upload("a", b"x" * 5_000_000)
    async with asyncio.timeout(30):
        for _ in range(100):  # more than there are connections
            async with store.connector.open_download(file.raw_id) as download:
                await anext(download.chunks)


async def test_requests_ask_for_the_bytes_as_they_are() -> None:
    store = build_store(Reply(200, TEN, {"ETag": f'"{Stored(TEN).etag}"'}))
    async with open_tiny(store, learned={}) as connector:
        await read(connector)
        seen = [each for each in store.seen if each.method == "GET"]
    assert [each.headers["accept-encoding"] for each in seen] == ["identity"]
