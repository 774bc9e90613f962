"""The proxy passes on what it is not told to lie about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.servers import lies
from tests.servers.lying import Lie, LyingProxy
from tests.servers.origin import Exchange, Origin

BODY = b"0123456789" * 100


async def answer(exchange: Exchange) -> None:
    """As servers do that were asked to close the connection."""
    await exchange.read_body()
    await exchange.reply(201, body=BODY, headers=("ETag: x",))
    exchange.writer.close()


@pytest_asyncio.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as opened:
        opened.fallback = answer
        yield opened


@pytest_asyncio.fixture
async def proxy(origin: Origin) -> AsyncIterator[LyingProxy]:
    async with LyingProxy("127.0.0.1", origin.port) as opened:
        yield opened


@pytest_asyncio.fixture
async def client(proxy: LyingProxy) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=proxy.origin, trust_env=False) as opened:
        yield opened


async def test_request_and_reply_pass_as_they_are_when_nobody_lies(
    origin: Origin, proxy: LyingProxy, client: httpx.AsyncClient
) -> None:
    told = await client.put("/a%20b?c=d", content=b"sent", headers={"X-Mine": "y"})
    assert (told.status_code, told.content, told.headers["etag"]) == (201, BODY, "x")
    (seen,) = origin.requests
    assert (seen.method, seen.target, seen.body, seen.get_all("x-mine")) == ("PUT", "/a%20b?c=d", b"sent", ["y"])
    assert ([each.method for each in proxy.requests], proxy.lied) == (["PUT"], [])


@pytest.mark.parametrize(("lie", "reaches"), [(lies.BROKEN, 0), (lies.BROKEN_AFTER, 1)], ids=["before", "after"])
async def test_server_has_the_request_only_when_the_lie_lets_it(
    origin: Origin, proxy: LyingProxy, client: httpx.AsyncClient, lie: Lie, reaches: int
) -> None:
    proxy.begin(lambda number, _: lie if number == 1 else None)
    assert (await client.get("/")).status_code == 500
    assert len(origin.requests) == reaches
    assert (await client.get("/")).status_code == 201
    assert (len(proxy.requests), len(proxy.lied), proxy.arrived.is_set()) == (2, 1, True)


@pytest.mark.parametrize(
    "lie", [lies.DROPPED, lies.LOST, lies.CUT, lies.ANNOUNCED_MORE, lies.NOT_HTTP], ids=lambda lie: lie.name
)
async def test_client_notices_when_a_reply_breaks_off(proxy: LyingProxy, client: httpx.AsyncClient, lie: Lie) -> None:
    proxy.begin(lambda *_: lie)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/")


async def test_silence_ends_when_the_proxy_hangs_up(proxy: LyingProxy, client: httpx.AsyncClient) -> None:
    proxy.begin(lambda *_: lies.SILENT)
    asking = asyncio.create_task(client.get("/"))
    await proxy.arrived.wait()
    assert not asking.done()
    proxy.hang_up()
    with pytest.raises(httpx.RemoteProtocolError):
        await asking
    await proxy.wait_until_idle()
