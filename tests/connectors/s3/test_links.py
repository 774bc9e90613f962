"""Signed addresses: what they allow, for how long, and nothing beyond."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import unquote

import httpx
import pytest

from connectors.core.resources import RawId
from connectors.s3.links import build_disposition
from tests.connectors.s3.conftest import Store
from tests.servers.seaweedfs import SHARED_SEAWEEDFS

NAME = "Größe 日本 + 100%.txt"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield client


async def test_file_is_saved_under_its_own_name_when_its_address_is_opened(
    seaweedfs: Store, client: httpx.AsyncClient
) -> None:
    file = await seaweedfs.upload(NAME, b"bytes")
    signed = await seaweedfs.connector.create_download_url(file.raw_id, seconds=60)
    reply = await client.get(signed.url)
    _, _, encoded = reply.headers["content-disposition"].partition("filename*=UTF-8''")
    assert unquote(encoded) == NAME
    assert reply.content == b"bytes"
    assert reply.headers["content-type"] == "text/plain"


async def test_part_comes_when_a_range_is_asked_of_an_address(seaweedfs: Store, client: httpx.AsyncClient) -> None:
    file = await seaweedfs.upload("a.txt", b"0123456789")
    signed = await seaweedfs.connector.create_download_url(file.raw_id, seconds=60)
    assert (await client.get(signed.url, headers={"Range": "bytes=2-4"})).content == b"234"


async def test_nothing_else_is_allowed_when_an_address_is_for_reading_one_file(
    seaweedfs: Store, client: httpx.AsyncClient
) -> None:
    file, other = await seaweedfs.upload("a.txt", b"mine"), await seaweedfs.upload("b.txt", b"other")
    signed = await seaweedfs.connector.create_download_url(file.raw_id, seconds=60)
    refused = [
        await client.get(signed.url.replace("a.txt", "b.txt", 1)),
        await client.put(signed.url, content=b"changed"),
        await client.delete(signed.url),
        await client.get(signed.url.replace("X-Amz-Expires=60", "X-Amz-Expires=600")),
        await client.get(signed.url.partition("?")[0]),
    ]
    assert {reply.status_code for reply in refused} == {403}
    assert [await seaweedfs.download(each) for each in (file, other)] == [b"mine", b"other"]


async def test_address_is_refused_when_its_time_is_over(seaweedfs: Store, client: httpx.AsyncClient) -> None:
    file = await seaweedfs.upload("a.txt", b"bytes")
    signed = await seaweedfs.connector.create_download_url(file.raw_id, seconds=1)
    async with asyncio.timeout(30):
        while (reply := await client.get(signed.url)).status_code == httpx.codes.OK:
            pass
    assert reply.status_code == httpx.codes.FORBIDDEN


async def test_type_is_that_of_the_name_when_a_body_is_stored_through_an_address(
    seaweedfs: Store, client: httpx.AsyncClient
) -> None:
    signed = await seaweedfs.connector.create_upload_url(RawId("/"), "a.png", seconds=60)
    assert signed.headers == {"Content-Type": "image/png"}
    assert (await client.put(signed.url, headers=signed.headers, content=b"bytes")).is_success
    assert seaweedfs.head("a.png")["ContentType"] == "image/png"
    assert (await client.put(signed.url, headers={"Content-Type": "text/html"}, content=b"<b>")).status_code == 403
    assert seaweedfs.read("a.png") == b"bytes"


async def test_secret_is_nowhere_when_an_address_is_given_away(seaweedfs: Store) -> None:
    file = await seaweedfs.upload("a.txt")
    signed = await seaweedfs.connector.create_download_url(file.raw_id, seconds=60)
    assert SHARED_SEAWEEDFS.get().secret_access_key not in f"{signed}"


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("a.txt", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"),
        ('a"b\\c.txt', "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
        ("ü\n.txt", "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%BC%0A.txt"),
    ],
)
def test_name_is_told_to_old_and_new_readers(name: str, disposition: str) -> None:
    assert build_disposition(name) == disposition
