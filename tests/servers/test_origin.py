"""The small server lies as it was told to."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.servers import origin as scripts
from tests.servers.origin import Origin

REQUEST = b"GET / HTTP/1.1\r\nHost: origin\r\n\r\n"
ENOUGH_BYTES = 2**20


@pytest_asyncio.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as origin:
        yield origin


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest_asyncio.fixture
async def connection(origin: Origin) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(origin.host, origin.port)
    yield reader, writer
    writer.close()
    await writer.wait_closed()


async def test_head_never_ends_when_it_is_endless(
    origin: Origin, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    origin.on("/", scripts.endless_head)
    reader, writer = connection
    writer.write(REQUEST)
    assert b"\r\n\r\n" not in await reader.readexactly(ENOUGH_BYTES)
    writer.transport.abort()
    await origin.wait_until_idle()


async def test_more_comes_than_was_said_when_body_is_long(
    origin: Origin, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    origin.on("/", scripts.long_body)
    reader, writer = connection
    writer.write(REQUEST)
    assert (await reader.readuntil(b"\r\n\r\n")).endswith(b"Content-Length: 4\r\n\r\n")
    assert (await reader.readuntil(b"bad")).startswith(b"bodyHTTP/1.1 200 OK\r\n")


async def test_client_sees_no_reply_when_answer_is_no_http(origin: Origin, client: httpx.AsyncClient) -> None:
    origin.on("/", scripts.no_http)
    with pytest.raises(httpx.RemoteProtocolError, match="illegal status line"):
        await client.get(origin.url())
    await origin.wait_until_idle()


async def test_client_sees_the_end_when_body_is_cut(origin: Origin, client: httpx.AsyncClient) -> None:
    origin.on("/", scripts.cut_body)
    with pytest.raises(httpx.RemoteProtocolError, match="received 4 bytes, expected 1000"):
        await client.get(origin.url())


async def test_client_is_sent_elsewhere_when_reply_is_a_redirect(origin: Origin, client: httpx.AsyncClient) -> None:
    async with Origin() as other:
        origin.on("/", scripts.reply(307, headers=(f"Location: {other.url('/there')}",)))
        await client.put(origin.url(), content=b"some bytes", follow_redirects=True)
    assert [(seen.target, seen.body) for seen in other.requests] == [("/there", b"some bytes")]
