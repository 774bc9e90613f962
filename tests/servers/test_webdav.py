"""First light: what speaks WebDAV does so with an independent client, and only with those who sign in."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.servers.apache import SHARED_APACHE, SHARED_APACHE_DIGEST, running_apache
from tests.servers.rclone import SHARED_RCLONE_WEBDAV, running_rclone_webdav
from tests.servers.shared import Shared
from tests.servers.webdav import WebDavServer
from tests.servers.wsgidav import SHARED_WSGIDAV, SHARED_WSGIDAV_BASIC, running_wsgidav

SHARED = {
    "apache": SHARED_APACHE,
    "apache-digest": SHARED_APACHE_DIGEST,
    "wsgidav": SHARED_WSGIDAV,
    "wsgidav-basic": SHARED_WSGIDAV_BASIC,
    "rclone": SHARED_RCLONE_WEBDAV,
}


@pytest.fixture(params=SHARED.values(), ids=list(SHARED))
def server(request: pytest.FixtureRequest) -> WebDavServer:
    shared: Shared[WebDavServer] = request.param
    return shared.get()


@pytest.fixture
def client(server: WebDavServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.mark.parametrize("name", ["plain.txt", "ü 1+2.txt"])
def test_file_comes_back_when_it_was_put(client: httpx.Client, name: str) -> None:
    assert client.put(name, content=b"some bytes").is_success
    found = client.get(name)
    assert (found.status_code, found.content) == (200, b"some bytes")


def test_members_are_listed_when_depth_is_one(client: httpx.Client) -> None:
    assert client.request("MKCOL", "shelf/").is_success
    assert client.put("shelf/a.txt", content=b"12345").is_success
    reply = client.request("PROPFIND", "shelf/", headers={"Depth": "1"})
    assert reply.status_code == 207
    hrefs = re.findall(r"<\w+:href>([^<]*)<", reply.text)
    assert {href.rstrip("/").rpartition("/")[2] for href in hrefs} == {"shelf", "a.txt"}
    assert re.findall(r"<\w+:getcontentlength[^>]*>(\d+)<", reply.text)[-1:] == ["5"]


def test_caller_is_refused_when_password_is_wrong(server: WebDavServer) -> None:
    with replace(server, password="wrong").client() as stranger:
        reply = stranger.put("stranger.txt", content=b"some bytes")
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].lower().startswith(f"{server.auth} ")
    assert not (server.root / "stranger.txt").exists()


def test_caller_is_refused_when_it_does_not_sign_in(server: WebDavServer) -> None:
    assert httpx.get(server.url, trust_env=False).status_code == 401


def test_file_is_kept_when_another_holds_its_lock(client: httpx.Client) -> None:
    assert client.put("locked.txt", content=b"before").is_success
    lock = """<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>"""
    assert client.request("LOCK", "locked.txt", content=lock).status_code == 200
    assert client.put("locked.txt", content=b"after").status_code == 423
    assert client.get("locked.txt").content == b"before"


@pytest.mark.parametrize("running", [running_apache, running_wsgidav, running_rclone_webdav])
def test_server_is_reached_over_tls_only_when_its_authority_is_trusted(
    running: Callable[..., AbstractContextManager[WebDavServer]], tmp_path: Path
) -> None:
    with running(tmp_path / "server", is_tls=True) as server:
        with server.client() as client:
            assert client.put("a.txt", content=b"some bytes").is_success
        with replace(server, certificate=None).client() as stranger, pytest.raises(httpx.ConnectError):
            stranger.get("a.txt")
