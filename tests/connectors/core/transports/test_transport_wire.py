"""What goes over the wire and what comes back: exactly what was built, and nothing of the client's own making."""

from __future__ import annotations

import asyncio
import gzip
import ssl

import httpx
import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.core.bytesource import BytesSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.transport import TransportSettings, build_body, build_url
from connectors.core.transports.wire import read_wire_url
from tests.connectors.core.transports.conftest import BuildTransport
from tests.servers.origin import Origin, reply

NASTY_KEYS = [
    "100%.txt",
    "a+b c.txt",
    "ünï/日本.txt",
    "a//b",
    "what?.txt",
    "#1.txt",
    "a%2Fb",
    "%2e%2e/x",
    "..;/x",
    ".../x",
    ".hidden",
    "a\\b",
    "a&b=c;d",
    'it\'s [1] {2} |3| ^4` <5> "6"',
    "~tilde:@!$()*,",
    "tab\there",
    "trailing ",
    "trailing/",
]
DIRECTIONS = ["..", ".", "a/../b", "a/./b", "a/..", "../a"]


class TestUrl:
    @pytest.mark.parametrize("key", NASTY_KEYS)
    async def test_key_arrives_unchanged_when_built_by_build_url(
        self, build: BuildTransport, origin: Origin, key: str
    ) -> None:
        url = build_url(origin.url("/bucket"), key)
        await (await build()(httpx.Request("GET", url))).aread()
        target = origin.requests[0].target
        assert target == url.raw_path.decode()
        assert httpx.URL(f"http://x{target}").path == f"/bucket/{key}"

    @given(key=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    def test_any_key_is_sent_as_built_or_refused_when_it_is_text(self, key: str) -> None:
        if {".", ".."} & set(key.split("/")):
            with pytest.raises(ConnectorError):
                build_url("https://files.test/b", key)
            return
        url = build_url("https://files.test/b", key)
        wire = read_wire_url(url, None)
        assert wire.path.encode() == url.raw_path
        assert wire.query_string is None
        assert wire.fragment is None

    @pytest.mark.parametrize("key", DIRECTIONS)
    def test_invalid_name_when_a_segment_is_a_direction(self, key: str) -> None:
        with pytest.raises(ConnectorError) as caught:
            build_url("https://files.test/b", key)
        assert caught.value.kind is ErrorKind.INVALID_NAME

    @pytest.mark.parametrize(
        "path", ["/a/%2e%2e/b", "/%2E/b", "/a\\..\\b", "/a\\b", "/?q='", "/%2e%2e"], ids=lambda path: str(path)[1:]
    )
    async def test_nothing_is_sent_when_the_url_would_change(
        self, build: BuildTransport, origin: Origin, path: str
    ) -> None:
        with pytest.raises(ConnectorError) as caught:
            await build()(httpx.Request("PUT", origin.url(path), content=b"x"))
        assert caught.value.kind is ErrorKind.INVALID_NAME
        assert not caught.value.maybe_applied
        assert origin.connections_count == 0

    @pytest.mark.parametrize(
        "url", ["ftp://files.test/", "http://me:secret@files.test/", "http://0x7f.1/", "file:///x"]
    )
    async def test_refused_when_scheme_user_or_host_are_odd(self, build: BuildTransport, url: str) -> None:
        with pytest.raises(ConnectorError) as caught:
            await build()(httpx.Request("GET", url))
        assert caught.value.kind is ErrorKind.INVALID_NAME
        assert "secret" not in str(caught.value)

    async def test_query_arrives_unchanged_when_it_holds_directions(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        query = "?prefix=a/../b&x=%2e%2e&y=a+b%20c&empty="
        await (await build()(httpx.Request("GET", origin.url(f"/{query}")))).aread()
        assert origin.requests[0].target == f"/{query}"


class TestHeaders:
    async def test_headers_arrive_once_when_the_size_is_known(self, build: BuildTransport, origin: Origin) -> None:
        headers, stream = build_body(BytesSource(b"a" * 300_000))
        request = httpx.Request("PUT", origin.url("/"), headers={"X-Note": "1", **headers}, stream=stream)
        await (await build(user_agent="tester/1")(request)).aread()
        seen = origin.requests[0]
        assert seen.get_all("Content-Length") == ["300000"]
        assert seen.get_all("Transfer-Encoding") == []
        assert seen.get_all("X-Note") == ["1"]
        assert seen.get_all("User-Agent") == ["tester/1"]
        assert seen.get_all("Host") == [f"127.0.0.1:{origin.port}"]
        assert seen.get_all("Accept-Encoding") == []
        assert seen.body == b"a" * 300_000

    async def test_small_body_and_its_length_arrive_when_it_is_in_memory(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        await (await build()(httpx.Request("POST", origin.url("/"), json={"a": 1}))).aread()
        seen = origin.requests[0]
        assert seen.get_all("Content-Length") == [str(len(seen.body))]
        assert seen.get_all("Content-Type") == ["application/json"]
        assert seen.body == b'{"a":1}'

    async def test_large_body_arrives_when_it_is_in_memory(self, build: BuildTransport, origin: Origin) -> None:
        content = bytes(range(256)) * 4096
        await (await build()(httpx.Request("POST", origin.url("/"), content=content))).aread()
        assert origin.requests[0].get_all("Content-Length") == [str(len(content))]
        assert origin.requests[0].body == content

    async def test_refused_when_a_header_would_split_the_request(self, build: BuildTransport, origin: Origin) -> None:
        request = httpx.Request("GET", origin.url("/"), headers={"X-Name": "a\r\nX-Evil: 1"})
        with pytest.raises(ConnectorError) as caught:
            await build()(request)
        assert caught.value.kind is ErrorKind.INVALID_NAME
        assert origin.requests == []

    async def test_readable_headers_come_back_when_others_are_not_ascii(
        self, build: BuildTransport, origin: Origin
    ) -> None:
        headers = ("Content-Disposition: inline; filename=caf\xe9", "X-Tag: a", "X-Tag: b", "ETag: abc")
        origin.on("/", reply(200, body=b"ok", headers=headers))
        response = await build()(httpx.Request("GET", origin.url("/")))
        assert response.headers["etag"] == "abc"
        assert response.headers.get_list("x-tag") == ["a", "b"]
        assert await response.aread() == b"ok"

    async def test_many_headers_are_read_or_reported_when_there_are_over_a_hundred(
        self, build: BuildTransport, kind: str, origin: Origin
    ) -> None:
        origin.on("/", reply(200, body=b"ok", headers=tuple(f"X-{number}: 1" for number in range(150))))
        transport = build()
        if kind == "httpx":
            assert (await transport(httpx.Request("GET", origin.url("/")))).headers["x-149"] == "1"
            return
        with pytest.raises(ConnectorError) as caught:
            await transport(httpx.Request("GET", origin.url("/")))
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert "head is too large" in caught.value.message


class TestNothingOfItsOwn:
    async def test_no_cookie_is_kept_when_the_origin_sets_one(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/set", reply(200, headers=("Set-Cookie: sid=1; Path=/",)))
        transport = build()
        response = await transport(httpx.Request("GET", origin.url("/set")))
        await response.aread()
        await (await transport(httpx.Request("GET", origin.url("/next")))).aread()
        assert response.headers["set-cookie"] == "sid=1; Path=/"
        assert origin.requests[1].get_all("Cookie") == []

    async def test_redirect_is_a_reply_when_the_origin_sends_one(self, build: BuildTransport, origin: Origin) -> None:
        origin.on("/from", reply(302, headers=("Location: /to",)))
        response = await build()(httpx.Request("GET", origin.url("/from")))
        await response.aread()
        assert (response.status_code, response.headers["location"]) == (302, "/to")
        assert [seen.target for seen in origin.requests] == ["/from"]

    async def test_bytes_stay_packed_when_the_origin_says_gzip(self, build: BuildTransport, origin: Origin) -> None:
        packed = gzip.compress(b"hello" * 100)
        origin.on("/", reply(200, body=packed, headers=("Content-Encoding: gzip",)))
        response = await build()(httpx.Request("GET", origin.url("/")))
        assert b"".join([chunk async for chunk in response.aiter_raw()]) == packed
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers["content-length"] == str(len(packed))

    async def test_no_proxy_is_used_when_the_environment_names_one(
        self, monkeypatch: pytest.MonkeyPatch, origin: Origin, build: BuildTransport
    ) -> None:
        async with Origin() as proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, proxy.url())
            await (await build()(httpx.Request("GET", origin.url("/")))).aread()
            assert proxy.connections_count == 0
        assert len(origin.requests) == 1

    async def test_proxy_is_used_when_the_operator_sets_one(self, build: BuildTransport, origin: Origin) -> None:
        response = await build(proxy_url=origin.url())(httpx.Request("GET", "http://files.test/a%2Fb?c"))
        assert await response.aread() == b"ok"
        assert origin.requests[0].target == "http://files.test/a%2Fb?c"

    def test_proxy_password_is_not_shown_when_settings_are(self) -> None:
        assert "hunter2" not in repr(TransportSettings(proxy_url="http://me:hunter2@proxy.test"))

    @pytest.mark.parametrize("method", ["HEAD", "PROPFIND", "MKCOL", "DELETE"])
    async def test_method_arrives_when_it_is_not_a_common_one(
        self, build: BuildTransport, origin: Origin, method: str
    ) -> None:
        response = await build()(httpx.Request(method, origin.url("/")))
        await response.aread()
        assert (response.status_code, origin.requests[0].method) == (200, method)


class TestConnecting:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("http://no-such-host.invalid/", "the host name no-such-host.invalid could not be looked up"),
            ("http://127.0.0.1:1/", "127.0.0.1 refuses connections on this port"),
        ],
        ids=["name", "refused"],
    )
    async def test_reason_is_said_in_plain_words_when_nothing_could_be_sent(
        self, build: BuildTransport, url: str, said: str
    ) -> None:
        with pytest.raises(ConnectorError) as caught:
            await build()(httpx.Request("GET", url))
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert not caught.value.maybe_applied
        assert said in caught.value.message

    async def test_reason_is_said_when_the_port_speaks_no_tls(self, build: BuildTransport) -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ConnectorError) as caught:
                await build()(httpx.Request("GET", f"https://127.0.0.1:{port}/"))
        assert "does not speak TLS on this port" in caught.value.message

    async def test_reason_is_said_when_the_certificate_is_of_another_host(self, build: BuildTransport) -> None:
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("other.example").configure_cert(context)
        async with Origin(tls=context) as origin:
            with pytest.raises(ConnectorError) as caught:
                await build(ca_pem=authority.cert_pem.bytes())(httpx.Request("GET", origin.url("/")))
        assert "is not trusted" in caught.value.message
        assert "not valid for" in caught.value.message


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def context(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        return context

    async def test_reply_comes_when_the_private_root_is_given(
        self, build: BuildTransport, authority: trustme.CA, context: ssl.SSLContext
    ) -> None:
        other = trustme.CA().cert_pem.bytes()
        async with Origin(tls=context) as origin:
            transport = build(ca_pem=other + authority.cert_pem.bytes())
            response = await transport(httpx.Request("GET", origin.url("/")))
            assert await response.aread() == b"ok"
            await transport.aclose()

    async def test_unavailable_names_tls_when_the_root_is_not_known(
        self, build: BuildTransport, context: ssl.SSLContext
    ) -> None:
        async with Origin(tls=context) as origin:
            with pytest.raises(ConnectorError) as caught:
                await build()(httpx.Request("PUT", origin.url("/?key=secret"), content=b"x"))
            assert origin.requests == []
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert not caught.value.maybe_applied
        assert "TLS" in caught.value.message
        assert "certificate" in caught.value.message
        assert "secret" not in caught.value.message

    def test_value_error_when_the_root_is_not_a_certificate(self, build: BuildTransport) -> None:
        with pytest.raises((ValueError, ssl.SSLError)):
            build(ca_pem=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
