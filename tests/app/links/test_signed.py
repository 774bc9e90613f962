"""Sending visitors on to the storage's own short-lived addresses, and when their bytes must come through here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from app.core.clock import now
from app.core.state import build_registry_from
from app.links.visiting import SIGNED_SECONDS, find_signed_url, open_visit
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.service import Registry
from tests.app.drive import read_error
from tests.app.links.conftest import CONTENT, PASSWORD, Links
from tests.app.sharing import SERVICE, SharingConnector, SharingDrive, connect_sharing
from tests.servers.api import Api, build_settings, running_api
from tests.servers.ports import find_free_port

FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "files.example.com"}


@pytest.fixture
def store(signing: Links) -> SharingConnector:
    assert isinstance(signing.drive, SharingDrive)
    return signing.drive.store


@pytest.mark.parametrize("direct", [True, False])
def test_visitor_is_sent_to_an_address_that_lives_minutes(
    signing: Links, store: SharingConnector, visitor: httpx.Client, *, direct: bool
) -> None:
    url = signing.create(direct=direct)["url"] + ("" if direct else "/download")
    reply = visitor.get(url)
    raw_id = signing.file["raw_id"]
    assert (reply.status_code, reply.content) == (302, b"")
    assert reply.headers["location"] == f"https://signed.example/{raw_id}?seconds=300&signature=s%2Fi%3Dg"
    assert store.signed == [(raw_id, SIGNED_SECONDS)]
    assert (reply.headers["cache-control"], reply.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert visitor.get(url, headers={"Range": "bytes=0-1"}).status_code == 302
    assert len(store.signed) == 2


@pytest.mark.parametrize("direct", [True, False])
def test_nothing_is_signed_before_the_password_was_given(
    signing: Links, store: SharingConnector, browser: httpx.Client, *, direct: bool
) -> None:
    url = signing.create(direct=direct, password=PASSWORD)["url"]
    for path in (url, f"{url}/download"):
        assert "location" not in browser.get(path).headers or browser.get(path).status_code == 303
    browser.post(url, data={"password": "wrong"})
    assert store.signed == []
    browser.post(url, data={"password": PASSWORD})
    assert store.signed == []
    assert browser.get(f"{url}/download").headers["location"].startswith("https://signed.example/")


def test_head_and_the_page_sign_nothing(signing: Links, store: SharingConnector, visitor: httpx.Client) -> None:
    direct, page = signing.create(direct=True)["url"], signing.create()["url"]
    for url in (direct, f"{direct}/download", f"{page}/download"):
        head = visitor.head(url)
        assert (head.status_code, head.headers["content-length"]) == (200, "10")
    assert visitor.get(page).status_code == 200
    assert store.signed == []


@pytest.mark.parametrize("prefer", ["relay", "Relay", "wait=1, relay"])
def test_bytes_come_through_here_when_that_is_preferred(
    signing: Links, store: SharingConnector, visitor: httpx.Client, prefer: str
) -> None:
    reply = visitor.get(signing.create(direct=True)["url"], headers={"Prefer": prefer})
    assert (reply.status_code, reply.content, store.signed) == (200, CONTENT, [])


def test_bytes_come_through_here_when_the_address_needs_headers(
    signing: Links, store: SharingConnector, visitor: httpx.Client
) -> None:
    store.signed_headers = {"x-needed": "yes"}
    reply = visitor.get(signing.create(direct=True)["url"])
    assert (reply.status_code, reply.content) == (200, CONTENT)


def test_bytes_come_through_here_when_the_storage_cannot_sign_after_all(
    signing: Links, store: SharingConnector, visitor: httpx.Client
) -> None:
    store.faults["create_download_url"] = [ConnectorError(ErrorKind.UNSUPPORTED)]
    reply = visitor.get(signing.create(direct=True)["url"])
    assert (reply.status_code, reply.content) == (200, CONTENT)


def test_address_of_a_file_that_is_gone_is_not_signed(signing: Links, visitor: httpx.Client) -> None:
    url = signing.create(direct=True)["url"]
    assert signing.drive.client.delete(signing.file["href"]).status_code == 204
    assert read_error(visitor.get(url)) == (404, "not_found")


@pytest.mark.parametrize(("left", "seconds"), [(1000.0, 300), (300.0, 300), (299.5, 300), (100.5, 101), (0.1, 1)])
def test_address_lives_no_longer_than_the_link(
    signing: Links, store: SharingConnector, left: float, seconds: int
) -> None:
    api, moment = signing.drive.caller.api, now()
    link = signing.create(expiration=(moment + timedelta(seconds=left)).isoformat())

    async def sign() -> str | None:
        visit = await open_visit(api.state, link["url"].rpartition("/")[2], now=moment)
        return await find_signed_url(visit, is_secure=True, now=moment)

    assert api.run(sign()) is not None
    assert store.signed == [(signing.file["raw_id"], seconds)]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that is known as https, behind a proxy on this machine."""
    port = find_free_port()
    settings = build_settings(
        tmp_path_factory.mktemp("proxied"),
        port=port,
        public_origins=f"http://127.0.0.1:{port},https://files.example.com",
        trusted_proxies="127.0.0.1",
    )
    with running_api(settings, registry=Registry([*build_registry_from(settings), SERVICE])) as running:
        yield running


@pytest.fixture
def proxied_links(proxied: Api) -> Iterator[Links]:
    caller = proxied.create_caller()
    with caller.client() as client:
        drive = connect_sharing(caller, client)
        yield Links(drive, drive.upload("a file.txt", CONTENT))


def test_cookie_is_secure_behind_https(proxied_links: Links) -> None:
    url = proxied_links.create(password=PASSWORD)["url"]
    with proxied_links.drive.caller.api.client() as visitor:
        for headers, is_secure in ((FORWARDED, True), ({}, False)):
            reply = visitor.post(url, data={"password": PASSWORD}, headers=headers)
            assert ("; secure" in reply.headers["set-cookie"].lower()) == is_secure


def test_nobody_is_sent_from_https_to_plain_http(proxied_links: Links) -> None:
    assert isinstance(proxied_links.drive, SharingDrive)
    url = proxied_links.create(direct=True)["url"]
    with proxied_links.drive.caller.api.client() as visitor:
        assert visitor.get(url, headers=FORWARDED).status_code == 302
        proxied_links.drive.store.signed_prefix = "http://storage.internal:9000"
        reply = visitor.get(url, headers=FORWARDED)
        assert (reply.status_code, reply.content) == (200, CONTENT)
        assert visitor.get(url).headers["location"].startswith("http://storage.internal:9000/")


def test_bytes_come_through_here_when_the_operator_wants_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = build_settings(tmp_path_factory.mktemp("relaying"), links_redirect=False)
    registry = Registry([*build_registry_from(settings), SERVICE])
    with running_api(settings, registry=registry) as api, (caller := api.create_caller()).client() as client:
        drive = connect_sharing(caller, client)
        links = Links(drive, drive.upload("a file.txt", CONTENT))
        with api.client() as visitor:
            assert visitor.get(links.create(direct=True)["url"]).content == CONTENT
        assert drive.store.signed == []
