"""Connecting an account: what is said when it cannot be, in words that help, and how one signs in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.resources import RawId
from connectors.core.service import Options, Registry
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings
from connectors.webdav.service import build_service
from tests.connectors.webdav.conftest import Open
from tests.connectors.webdav.fake import BASE, Fake
from tests.connectors.webdav.servers import LOOPBACK, get_credentials, open_account
from tests.servers.apache import SHARED_APACHE, SHARED_APACHE_DIGEST, running_apache
from tests.servers.ports import find_free_port
from tests.servers.rclone import SHARED_RCLONE_WEBDAV
from tests.servers.scripted import Reply, ScriptedServer, Seen
from tests.servers.shared import Shared
from tests.servers.webdav import WebDavServer
from tests.servers.wsgidav import SHARED_WSGIDAV, SHARED_WSGIDAV_BASIC

ALL = pytest.mark.parametrize(
    "shared",
    [SHARED_APACHE, SHARED_APACHE_DIGEST, SHARED_WSGIDAV, SHARED_WSGIDAV_BASIC, SHARED_RCLONE_WEBDAV],
    ids=["apache", "apache-digest", "wsgidav", "wsgidav-basic", "rclone"],
)
ROOT = RawId("/")


async def fail(connector: Connector) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await connector.get_identity()
    return caught.value


@ALL
async def test_user_and_address_are_the_identity_when_signed_in(shared: Shared[WebDavServer], runtime: Runtime) -> None:
    server = shared.get()
    identity = await open_account(get_credentials(server), runtime).get_identity()
    assert identity.key == f"{server.url.rstrip('/')}/ {server.user}"
    assert identity.label.startswith(f"{server.user}@127.0.0.1:")


@ALL
@pytest.mark.parametrize("wrong", ["username", "password"])
async def test_words_name_user_and_password_when_one_is_wrong(
    shared: Shared[WebDavServer], runtime: Runtime, wrong: str
) -> None:
    error = await fail(open_account(get_credentials(shared.get()) | {wrong: "wrong"}, runtime))
    assert error.kind is ErrorKind.GRANT_REVOKED
    assert "user name and password" in error.message
    assert shared.get().password not in str(error)


@ALL
async def test_words_name_the_folder_when_it_is_not_there(shared: Shared[WebDavServer], runtime: Runtime) -> None:
    server = shared.get()
    error = await fail(open_account(get_credentials(server) | {"url": f"{server.url}none"}, runtime))
    assert (error.kind, error.message) == (ErrorKind.NOT_FOUND, "the server has no folder at this address")


@ALL
async def test_words_name_the_file_when_the_address_is_one(shared: Shared[WebDavServer], runtime: Runtime) -> None:
    server = shared.get()
    (server.root / "a file.txt").write_bytes(b"x")
    error = await fail(open_account(get_credentials(server) | {"url": f"{server.url}a file.txt"}, runtime))
    assert error.kind in {ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE}


async def test_words_name_the_host_when_nobody_listens(runtime: Runtime) -> None:
    error = await fail(open_account({"url": f"http://127.0.0.1:{find_free_port()}/"}, runtime))
    assert error.kind is ErrorKind.UNAVAILABLE
    assert "127.0.0.1 refuses connections" in error.message


async def test_words_name_the_host_when_its_name_is_unknown(runtime: Runtime) -> None:
    async def resolve(_: str) -> list[str]:
        raise OSError("no such name")

    runtime._guarded_transport = GuardedTransport(AddressGuard(resolver=resolve), TransportSettings())
    error = await fail(open_account({"url": "https://cloud.example.com/"}, runtime))
    assert error.kind is ErrorKind.UNAVAILABLE
    assert "cloud.example.com could not be looked up" in error.message


async def test_address_refused_when_the_operator_does_not_allow_it() -> None:
    runtime = Runtime()
    error = await fail(open_account({"url": "http://127.0.0.1:1/"}, runtime))
    assert error.kind is ErrorKind.ADDRESS_REFUSED
    await runtime.aclose()


async def test_words_name_tls_when_the_certificate_is_nobodys(runtime: Runtime, tmp_path: Path) -> None:
    with running_apache(tmp_path / "server", is_tls=True) as server:
        error = await fail(open_account(get_credentials(server), runtime))
        assert error.kind is ErrorKind.UNAVAILABLE
        assert "TLS" in error.message
        assert server.certificate is not None
        trusting = TransportSettings(ca_pem=server.certificate.authority_path.read_bytes())
        runtime._guarded_transport = GuardedTransport(AddressGuard([LOOPBACK]), trusting)
        identity = await open_account(get_credentials(server), runtime).get_identity()
        assert identity.key.startswith("https://127.0.0.1:")


async def test_words_name_tls_when_the_server_speaks_none(runtime: Runtime) -> None:
    url = SHARED_APACHE.get().url.replace("http", "https")
    error = await fail(open_account({"url": url}, runtime))
    assert error.kind is ErrorKind.UNAVAILABLE
    assert "TLS" in error.message


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(200, b"<html>"), ErrorKind.UNSUPPORTED, "does not speak WebDAV"),
        (Reply(207, b"<html>"), ErrorKind.UNEXPECTED, "not what WebDAV prescribes"),
        (Reply(405), ErrorKind.UNSUPPORTED, "does not do this"),
        (Reply(501), ErrorKind.UNSUPPORTED, "501"),
        (Reply(403), ErrorKind.PERMISSION_DENIED, "does not let this user see this folder"),
        (Reply(410), ErrorKind.NOT_FOUND, "no folder"),
        (Reply(500), ErrorKind.UNAVAILABLE, "500"),
        (Reply(302, headers={"Location": "/login?token=secret"}), ErrorKind.UNSUPPORTED, "/login"),
        (
            Reply(301, headers={"Location": "https://new.example/dav/"}),
            ErrorKind.UNSUPPORTED,
            "https://new.example/dav/",
        ),
        (
            Reply(308, headers={"Location": "https://new.example/dav/"}),
            ErrorKind.UNSUPPORTED,
            "https://new.example/dav/",
        ),
        (
            Reply(307, headers={"Location": "https://me:word@new.example/"}),
            ErrorKind.UNSUPPORTED,
            "https://new.example/",
        ),
        (Reply(302), ErrorKind.UNSUPPORTED, "redirects"),
    ],
)
async def test_words_say_what_is_there_instead_when_it_is_no_webdav(
    connector: Connector, fake: Fake, reply: Reply, kind: ErrorKind, words: str
) -> None:
    fake.answers["PROPFIND"] = [reply] * 10
    error = await fail(connector)
    assert error.kind is kind
    assert words in error.message
    assert "secret" not in error.message
    assert "word@" not in error.message


async def test_nothing_goes_to_another_host_when_redirected(open_fake: Open, fake: Fake) -> None:
    async with ScriptedServer(Reply()) as elsewhere:
        fake.answers["PROPFIND"] = [Reply(302, headers={"Location": f"{elsewhere.url}/dav/"})] * 10
        await fail(open_fake())
        assert elsewhere.seen == []


@pytest.mark.parametrize("url", ["", "cloud.example.com", "https://me:word@cloud.example.com/"])
def test_account_is_not_opened_when_the_address_is_none(runtime: Runtime, url: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        open_account({"url": url}, runtime)
    assert caught.value.kind is ErrorKind.INVALID_NAME


async def test_identity_is_one_however_the_address_is_spelled(open_fake: Open, server: ScriptedServer) -> None:
    spellings = [server.url + BASE, server.url + "//dav", server.url.replace("http", "HTTP") + "/%64av/"]
    identities = {await open_fake(credentials={"url": url}).get_identity() for url in spellings}
    assert len(identities) == 1


Guard = Callable[..., Callable[[Seen], Reply]]


@pytest.fixture
def guard(fake: Fake) -> Guard:
    """The fake behind a door: asks for Basic, except for some methods."""

    def build(*open_methods: str, offers: str = 'Basic realm="r"') -> Callable[[Seen], Reply]:
        def answer(seen: Seen) -> Reply:
            if seen.method in open_methods or "authorization" in seen.headers:
                reply = fake(seen)
                assert isinstance(reply, Reply)
                return reply
            return Reply(401, headers={"WWW-Authenticate": offers})

        return answer

    return build


class TestSigningIn:
    async def test_challenge_is_asked_for_once_when_many_requests_follow(
        self, runtime: Runtime, registry: Registry, guard: Guard
    ) -> None:
        async with ScriptedServer(guard()) as server:
            credentials = {"url": server.url + BASE, "username": "me", "password": "word"}
            for _ in range(3):  # a connector is made for each request of ours
                await open_account(credentials, runtime, registry=registry).list_folder(ROOT)
            assert [seen.headers.get("authorization") is None for seen in server.seen] == [True, *[False] * 3]

    async def test_challenge_is_asked_for_by_a_write_when_everybody_may_look(
        self, runtime: Runtime, guard: Guard
    ) -> None:
        async with ScriptedServer(guard("PROPFIND")) as server:
            credentials = {"url": server.url + BASE, "username": "me", "password": "word"}
            await open_account(credentials, runtime).get_identity()
            assert [(seen.method, "authorization" in seen.headers) for seen in server.seen] == [
                ("PROPFIND", False),
                ("UNLOCK", False),
                ("PROPFIND", True),
            ]

    async def test_nothing_is_signed_when_there_is_no_user(self, runtime: Runtime, guard: Guard) -> None:
        async with ScriptedServer(guard()) as server:
            error = await fail(open_account({"url": server.url + BASE}, runtime))
        assert error.kind is ErrorKind.GRANT_REVOKED
        assert len(server.seen) == 1

    async def test_words_name_what_is_offered_when_nothing_can_be_answered(
        self, runtime: Runtime, guard: Guard
    ) -> None:
        async with ScriptedServer(guard(offers="Negotiate, NTLM")) as server:
            credentials = {"url": server.url + BASE, "username": "me", "password": "word"}
            error = await fail(open_account(credentials, runtime))
        assert error.kind is ErrorKind.UNSUPPORTED
        assert "negotiate, ntlm" in error.message

    async def test_password_goes_to_the_accounts_server_only(self, runtime: Runtime, guard: Guard) -> None:
        async with ScriptedServer(guard()) as server, ScriptedServer(Reply()) as elsewhere:
            credentials = {"url": server.url + BASE, "username": "me", "password": "word"}
            connector = open_account(credentials, runtime, extra_headers={"Host": elsewhere.url, "X-Extra": "1"})
            await connector.get_identity()
            assert elsewhere.seen == []
            assert {seen.headers["host"] for seen in server.seen} == {server.url.removeprefix("http://")}
            assert server.seen[-1].headers["x-extra"] == "1"


def test_service_has_no_settings() -> None:
    with pytest.raises(ValueError, match="webdav"):
        build_service(Options(settings={"webdav": {"any": "thing"}}))
