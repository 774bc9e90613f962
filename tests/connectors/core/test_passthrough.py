"""A request in the provider's own terms goes to the account's own host, signed, and comes back as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest

from connectors.core.bytesource import ByteSource, BytesSource, StreamSource
from connectors.core.clock import ManualClock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.passthrough import pass_through
from connectors.core.raw import RawCall, RawReply
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings
from tests.connectors.behavior.space import stream
from tests.connectors.core.fakes import build_manifest
from tests.servers.scripted import Reply, ScriptedServer, Seen


class Account:
    """One account at a scripted server."""

    place = ""

    def __init__(self, server: ScriptedServer) -> None:
        self._base = httpx.URL(server.url)
        guarded = GuardedTransport(AddressGuard(["127.0.0.0/8"]), TransportSettings())
        self.runtime = Runtime(guarded_transport=guarded, clock=ManualClock())
        self._send = self.runtime.build_send(
            build_manifest(),
            "1",
            sign=lambda request, _: request.headers.__setitem__("Authorization", "Signed"),
            users_host=self._base.netloc.decode(),
        )

    @asynccontextmanager
    async def call(
        self,
        method: str,
        uri: str,
        headers: Mapping[str, str] | None = None,
        source: ByteSource | None = None,
    ) -> AsyncIterator[RawReply]:
        call = RawCall(method, uri, headers or {}, source)
        async with pass_through(self._send, call, base=self._base.join(self.place)) as reply:
            yield reply


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(Reply(200, b"answer", {"X-Own": "1", "Set-Cookie": "a=b"})) as running:
        yield running


@pytest.fixture
async def account(server: ScriptedServer) -> AsyncIterator[Account]:
    opened = Account(server)
    yield opened
    await opened.runtime.aclose()


def last(server: ScriptedServer) -> Seen:
    return server.seen[-1]


@pytest.mark.parametrize("is_whole", [False, True], ids=["path", "address"])
async def test_it_is_signed_and_the_reply_is_given_untouched(
    server: ScriptedServer, account: Account, is_whole: bool
) -> None:
    uri = (server.url if is_whole else "") + "/a%20b?list-type=2&x=%2F"
    async with account.call("GET", uri, {"X-Ask": "me", "Authorization": "mine", "Host": "elsewhere"}) as reply:
        assert (reply.status, reply.headers["x-own"]) == (200, "1")
        assert "set-cookie" not in reply.headers
        assert b"".join([chunk async for chunk in reply.chunks]) == b"answer"
    assert last(server).target == "/a%20b?list-type=2&x=%2F"
    assert last(server).headers["authorization"] == "Signed"
    assert last(server).headers["x-ask"] == "me"
    assert last(server).headers["host"] in server.url


@pytest.mark.parametrize(
    "source", [BytesSource(b"body"), StreamSource(stream([b"bo", b"dy"]))], ids=["bytes", "stream"]
)
async def test_body_goes_along(server: ScriptedServer, account: Account, source: ByteSource) -> None:
    async with account.call("PUT", "/a", {"Content-Type": "text/x"}, source):
        pass
    assert (last(server).method, last(server).body) == ("PUT", b"body")
    assert last(server).headers["content-type"] == "text/x"


@pytest.mark.parametrize("status", [301, 302, 404, 409, 429, 500, 503])
async def test_every_status_is_the_callers(status: int) -> None:
    async with ScriptedServer(Reply(status, b"why", {"Location": "http://127.0.0.1:1/"})) as server:
        account = Account(server)
        async with account.call("POST", "/a") as reply:
            assert reply.status == status
            assert b"".join([chunk async for chunk in reply.chunks]) == b"why"
        assert len(server.seen) == 1
        await account.runtime.aclose()


async def test_account_must_be_reconnected_when_its_credentials_are_refused() -> None:
    async with ScriptedServer(Reply(401)) as server:
        account = Account(server)
        with pytest.raises(ConnectorError) as caught:
            async with account.call("GET", "/"):
                pass
        assert caught.value.kind is ErrorKind.GRANT_REVOKED
        await account.runtime.aclose()


@pytest.mark.parametrize(
    "uri",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "http://127.0.0.1:1/",
        "ftp://127.0.0.1/",
        "a/b",
        "",
        "http://127.0.0.1.nip.example/",
    ],
)
async def test_address_elsewhere_is_refused_before_anything_is_sent(
    server: ScriptedServer, account: Account, uri: str
) -> None:
    with pytest.raises(ConnectorError) as caught:
        async with account.call("GET", uri):
            pass
    assert caught.value.kind in {ErrorKind.ADDRESS_REFUSED, ErrorKind.INVALID_NAME}
    assert server.seen == []


async def test_path_that_looks_like_a_host_stays_a_path(server: ScriptedServer, account: Account) -> None:
    async with account.call("GET", "//example.com/a"):
        pass
    assert last(server).target == "//example.com/a"


@pytest.mark.parametrize("uri", ["/bucket", "/bucket/", "/bucket?acl", "/bucket/a/b"])
async def test_account_stays_in_its_own_place(server: ScriptedServer, account: Account, uri: str) -> None:
    account.place = "/bucket/"
    async with account.call("GET", uri):
        pass
    assert last(server).target == uri


@pytest.mark.parametrize("uri", ["/", "/bucket2/a", "/a/bucket/", "/Bucket/a", "/%62ucket/a", "/bucket/../a"])
async def test_place_beside_the_accounts_own_is_refused(server: ScriptedServer, account: Account, uri: str) -> None:
    account.place = "/bucket/"
    with pytest.raises(ConnectorError) as caught:
        async with account.call("GET", uri):
            pass
    assert caught.value.kind is ErrorKind.ADDRESS_REFUSED
    assert server.seen == []


@pytest.mark.parametrize(
    "uri",
    [
        *("%2e%2e/b", ".%2E/b", "%2e%2e%2fb", "a/..%2f../b", "..%5cb", "..\\b", "..;/b", "%2e%2e", "a/%2e/b"),
        *("%252e%252e/b", "%25252e./b", "..%20/b", "..%00/b", "%09../b"),
    ],
)
async def test_place_above_is_refused_when_dots_are_spelled_in_another_way(
    server: ScriptedServer, account: Account, uri: str
) -> None:
    account.place = "/bucket/"
    with pytest.raises(ConnectorError) as caught:
        async with account.call("GET", f"/bucket/{uri}"):
            pass
    assert caught.value.kind is ErrorKind.ADDRESS_REFUSED
    assert server.seen == []


@pytest.mark.parametrize(
    "uri", ["/bucket/a..b", "/bucket/..a", "/bucket/a...", "/bucket/a%20/b", "/bucket/a?prefix=../b"]
)
async def test_name_with_dots_in_it_stays_a_name(server: ScriptedServer, account: Account, uri: str) -> None:
    account.place = "/bucket/"
    async with account.call("GET", uri):
        pass
    assert last(server).target == uri


@pytest.mark.parametrize("uri", ["/a/../b", "/a\\b"])
async def test_address_that_would_be_changed_on_its_way_is_refused(
    server: ScriptedServer, account: Account, uri: str
) -> None:
    try:
        async with account.call("GET", uri):
            pass
    except ConnectorError as error:
        assert error.kind is ErrorKind.INVALID_NAME  # noqa: PT017 - refused, or sent exactly as it is
        assert server.seen == []
    else:
        assert last(server).target in {uri, "/b", "/a%5Cb"}


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "GE T", "get", "", "X" * 40, "GET\r\nX: y"])
async def test_odd_method_is_refused(server: ScriptedServer, account: Account, method: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        async with account.call(method, "/"):
            pass
    assert caught.value.kind is ErrorKind.INVALID_NAME
    assert server.seen == []
