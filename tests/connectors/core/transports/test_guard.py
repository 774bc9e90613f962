"""Which hosts the guard lets through, and that nothing gets around it on the way to a connection."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
import trustme

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import AddressGuard, GuardedAddress, resolve_by_system
from connectors.core.guarded_transport import PIN_SECONDS_MAX, GuardedTransport
from connectors.core.transport import TransportSettings
from tests.connectors.core.transports.conftest import Kind
from tests.servers import origin as scripts
from tests.servers.origin import Origin

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]
NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
ODD_URLS = [
    "http://0x7f.1/",
    "http://2130706433/",
    "http://127.1/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://files.test./",
    "http://[::ffff:127.0.0.1]/",
    "http://[::1%25lo]/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://ⓕiles.test/",
    "http://files%2etest/",
    "http://me@files.test/",
    "http://me:word@files.test/",
    "http://files.test\\@evil.test/",
    "http:///files.test",
    "http://files.test:0/",
    "http://files.test:99999/",
    "http://xn--a/",
    "http://",
    "files.test",
    "//files.test/",
    "",
    "ftp://files.test/",
    "file:///etc/passwd",
    "gopher://files.test/",
    "javascript:alert(1)",
]

BuildGuarded = Callable[..., GuardedTransport]


class Names:
    """A resolver that a test scripts: each look-up of a name takes the next answer, the last one for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if answers is None:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


class TestAddresses:
    @pytest.mark.parametrize("address", PUBLIC)
    async def test_allowed_when_the_address_is_public(self, address: str) -> None:
        guard = AddressGuard(resolver=Names(files_test=[[address]]))
        assert await guard.check("https://files.test/x") == GuardedAddress("files.test", 443, address)

    @pytest.mark.parametrize("address", NOT_PUBLIC)
    async def test_refused_when_the_name_leads_to_an_address_that_is_not_public(self, address: str) -> None:
        guard = AddressGuard(resolver=Names(files_test=[["8.8.8.8", address]]))
        with pytest.raises(ConnectorError) as caught:
            await guard.check("https://files.test/")
        assert caught.value.kind is ErrorKind.ADDRESS_REFUSED
        assert address not in caught.value.message

    @pytest.mark.parametrize("address", NOT_PUBLIC)
    async def test_refused_when_the_host_is_such_an_address(self, address: str) -> None:
        host = f"[{address}]" if ":" in address else address
        with pytest.raises(ConnectorError) as caught:
            await AddressGuard(resolver=Names()).check(f"http://{host}:8080/")
        assert caught.value.kind is ErrorKind.ADDRESS_REFUSED

    @pytest.mark.parametrize("url", ODD_URLS)
    async def test_refused_when_the_url_could_be_read_in_two_ways(self, url: str) -> None:
        answers = Names(files_test=[["8.8.8.8"]], evil_test=[["8.8.8.8"]])
        with pytest.raises(ConnectorError) as caught:
            await AddressGuard(resolver=answers).check(url)
        assert caught.value.kind is ErrorKind.ADDRESS_REFUSED
        assert "word" not in caught.value.message.replace("password", "")
        assert answers.asked == []

    async def test_punycode_is_looked_up_when_the_name_is_international(self) -> None:
        answers = Names()
        answers.answers["xn--bcher-kva.test"] = [["8.8.8.8"]]
        checked = await AddressGuard(resolver=answers).check("http://bücher.test:8080/ü")
        assert checked == GuardedAddress("xn--bcher-kva.test", 8080, "8.8.8.8")

    async def test_allowed_when_the_operator_lists_the_network(self) -> None:
        guard = AddressGuard(["127.0.0.0/8", "::1/128"], resolver=Names())
        assert (await guard.check("http://127.0.0.9:81/")).address == "127.0.0.9"
        assert (await guard.check("http://[::1]:81/")).address == "::1"
        with pytest.raises(ConnectorError):
            await guard.check("http://10.0.0.1/")

    @pytest.mark.parametrize("answer", [[], ["not an address"]])
    async def test_refused_or_unavailable_when_the_answer_is_no_address(self, answer: list[str]) -> None:
        with pytest.raises(ConnectorError) as caught:
            await AddressGuard(resolver=Names(files_test=[answer])).check("http://files.test/")
        assert caught.value.kind in {ErrorKind.UNAVAILABLE, ErrorKind.ADDRESS_REFUSED}

    async def test_unavailable_when_the_name_is_not_known(self) -> None:
        with pytest.raises(ConnectorError) as caught:
            await AddressGuard(resolver=Names()).check("http://files.test/")
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert not caught.value.maybe_applied

    async def test_every_address_is_found_when_the_system_resolves(self) -> None:
        found = await resolve_by_system("localhost")
        assert found
        assert all(ipaddress.ip_address(address).is_loopback for address in found)


class TestOtherProtocols:
    async def test_address_is_given_when_a_host_and_port_are_checked(self) -> None:
        guard = AddressGuard(resolver=Names(files_test=[["8.8.8.8"]]))
        assert await guard.check_host("files.test", 22) == GuardedAddress("files.test", 22, "8.8.8.8")
        assert (await guard.check_host("2606:4700:4700::1111", 22)).address == "2606:4700:4700::1111"

    @pytest.mark.parametrize("host", ["::1", "127.1", "a/b", "me@files.test", "files.test#", "", "a b", "[::1]"])
    async def test_refused_when_the_host_is_odd_or_not_public(self, host: str) -> None:
        with pytest.raises(ConnectorError) as caught:
            await AddressGuard(resolver=Names(a=[["8.8.8.8"]])).check_host(host, 22)
        assert caught.value.kind is ErrorKind.ADDRESS_REFUSED


class TestGuardedTransport:
    @pytest.fixture
    async def build_guarded(self, kind: Kind, clean_environment: None) -> AsyncIterator[BuildGuarded]:  # noqa: ARG002 - cleans
        base = TransportSettings(kind=kind, connect_timeout_seconds=5, proxy_url="http://127.0.0.1:9")
        async with AsyncExitStack() as stack:

            def build_one(
                names: Names,
                *,
                allowed: Sequence[str] = ("127.0.0.0/8",),
                pins_max: int = 10,
                now: Callable[[], float] = time.monotonic,
                **changes: Any,
            ) -> GuardedTransport:
                guard = AddressGuard(allowed, names)
                transport = GuardedTransport(guard, replace(base, **changes), pins_max=pins_max, now=now)
                stack.push_async_callback(transport.aclose)
                return transport

            yield build_one

    async def test_checked_address_is_used_when_the_name_changes_its_answer(self, build_guarded: BuildGuarded) -> None:
        async with Origin(host="127.0.0.2") as good, Origin(host="127.0.0.1", port=good.port) as evil:
            names = Names(rebind_test=[["127.0.0.2"], ["127.0.0.1"]])
            transport = build_guarded(names, allowed=["127.0.0.2/32"])
            for _ in range(3):
                response = await transport(httpx.Request("GET", f"http://rebind.test:{good.port}/a%2Fb?c"))
                assert await response.aread() == b"ok"
            assert [seen.target for seen in good.requests] == ["/a%2Fb?c"] * 3
            assert good.requests[0].get_all("Host") == [f"rebind.test:{good.port}"]
            assert evil.connections_count == 0
            assert names.asked == ["rebind.test"]

    async def test_refused_and_nothing_sent_when_a_later_answer_is_not_public(
        self, build_guarded: BuildGuarded
    ) -> None:
        clock = [0.0]
        async with Origin(host="127.0.0.2") as good, Origin(host="127.0.0.1", port=good.port) as evil:
            names = Names(rebind_test=[["127.0.0.2"], ["127.0.0.1"]])
            transport = build_guarded(names, allowed=["127.0.0.2/32"], now=lambda: clock[0])
            request = httpx.Request("GET", f"http://rebind.test:{good.port}/")
            await (await transport(request)).aread()
            clock[0] += PIN_SECONDS_MAX + 1
            with pytest.raises(ConnectorError) as caught:
                await transport(request)
            assert caught.value.kind is ErrorKind.ADDRESS_REFUSED
            assert evil.connections_count == 0

    async def test_refused_when_a_redirect_leads_inside(self, build_guarded: BuildGuarded) -> None:
        async with Origin(host="127.0.0.2") as public, Origin(host="127.0.0.1") as inside:
            public.on("/", scripts.reply(302, headers=(f"Location: {inside.url('/secret')}",)))
            transport = build_guarded(Names(files_test=[["127.0.0.2"]]), allowed=["127.0.0.2/32"])
            response = await transport(httpx.Request("GET", f"http://files.test:{public.port}/"))
            await response.aread()
            assert response.status_code == 302
            with pytest.raises(ConnectorError) as caught:
                await transport(httpx.Request("GET", response.headers["location"]))
            assert caught.value.kind is ErrorKind.ADDRESS_REFUSED
            assert inside.connections_count == 0

    async def test_other_address_is_tried_when_a_connection_failed(self, build_guarded: BuildGuarded) -> None:
        async with Origin(host="127.0.0.2") as good:
            names = Names(files_test=[["127.0.0.3", "127.0.0.2"]])
            transport = build_guarded(names)
            request = httpx.Request("GET", f"http://files.test:{good.port}/")
            with pytest.raises(ConnectorError) as caught:
                await transport(request)
            assert (caught.value.kind, caught.value.maybe_applied) == (ErrorKind.UNAVAILABLE, False)
            assert await (await transport(request)).aread() == b"ok"
            assert await (await transport(request)).aread() == b"ok"
            assert names.asked == ["files.test"] * 2

    async def test_least_used_host_is_closed_after_its_last_reply_when_there_are_too_many(
        self, build_guarded: BuildGuarded, origin: Origin
    ) -> None:
        body = b"b" * 8 * 2**20
        origin.on("/big", scripts.reply(200, body=body))
        names = Names(a_test=[["127.0.0.1"]], b_test=[["127.0.0.1"]])
        transport = build_guarded(names, pins_max=1)
        open_reply = await transport(httpx.Request("GET", f"http://a.test:{origin.port}/big"))
        await (await transport(httpx.Request("GET", f"http://b.test:{origin.port}/"))).aread()
        assert origin.open_count == 2
        assert await open_reply.aread() == body
        await asyncio.wait_for(self.wait_for_open_count(origin, 1), 5)
        await transport.aclose()
        await origin.wait_until_idle()

    async def test_one_transport_is_made_when_many_ask_for_a_new_host_at_once(
        self, build_guarded: BuildGuarded, origin: Origin
    ) -> None:
        transport = build_guarded(Names(a_test=[["127.0.0.1"]]), connections_max=1)

        async def ask() -> bytes:
            return await (await transport(httpx.Request("GET", f"http://a.test:{origin.port}/"))).aread()

        assert await asyncio.gather(*(ask() for _ in range(10))) == [b"ok"] * 10
        assert origin.connections_count == 1

    async def test_certificate_is_checked_for_the_name_when_the_address_is_pinned(
        self, build_guarded: BuildGuarded
    ) -> None:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("files.test").configure_cert(context)
        names = Names(files_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]])
        transport = build_guarded(names, ca_pem=authority.cert_pem.bytes())
        async with Origin(tls=context) as origin:
            assert await (await transport(httpx.Request("GET", f"https://files.test:{origin.port}/"))).aread() == b"ok"
            with pytest.raises(ConnectorError) as caught:
                await transport(httpx.Request("GET", f"https://other.test:{origin.port}/"))
            await transport.aclose()
        assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert "TLS" in caught.value.message

    @staticmethod
    async def wait_for_open_count(origin: Origin, count: int) -> None:
        while origin.open_count != count:  # noqa: ASYNC110 - the origin tells only when it is idle
            await asyncio.sleep(0.01)
