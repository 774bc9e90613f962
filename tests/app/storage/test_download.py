from __future__ import annotations

from email.utils import parsedate_to_datetime
from urllib.parse import unquote

import httpx
import pytest

from tests.app.drive import Drive


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.txt", "text/plain"),
        ("a.pdf", "application/pdf"),
        ("a.HTML", "text/html"),
        ("a.svg", "image/svg+xml"),
        ("a.json", "application/octet-stream"),
        ("a.JSON", "application/octet-stream"),
        ("a.tar.gz", "application/gzip"),
        ("a", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_bytes_have_their_own_type_except_json(shared: Drive, name: str, content_type: str, method: str) -> None:
    (shared.caller.folder / name).write_bytes(b"[1, 2]")
    file = shared.client.get(shared.url("path"), params={"path": f"/{name}"}).json()
    reply = shared.client.request(method, f"{file['href']}/contents")
    assert (reply.status_code, reply.headers["content-type"]) == (200, content_type)


@pytest.mark.parametrize(
    "name",
    [
        "plain.txt",
        "é€😀 .txt",
        'quote".txt',
        "back\\slash",
        "a;b=c, d.txt",
        "%41.txt",
        "line\r\nX-Evil: 1",
        "tab\t\x7f",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_any_name_comes_back_whole_and_adds_no_header(shared: Drive, name: str, method: str) -> None:
    (shared.caller.folder / name).write_bytes(b"bytes")
    file = shared.client.get(shared.url("path"), params={"path": f"/{name}"}).json()
    reply = shared.client.request(method, f"{file['href']}/contents")
    kind, plain, extended = (
        reply.headers["content-disposition"].split("; ", 2)
        if ";" not in name
        else (
            reply.headers["content-disposition"].partition("; ")[0],
            "",
            "filename*=" + reply.headers["content-disposition"].rpartition("filename*=")[2],
        )
    )
    assert kind == "attachment"
    assert unquote(extended.removeprefix("filename*=UTF-8''"), errors="strict") == name
    assert plain.count('"') in {0, 2}
    assert reply.headers["content-disposition"].isprintable()
    assert "x-evil" not in reply.headers


@pytest.fixture(scope="module")
def contents_url(shared: Drive) -> str:
    return f"{shared.upload('read me.txt', b'0123456789')['href']}/contents"


def test_download_has_every_header_that_keeps_it_harmless_and_cachable(shared: Drive, contents_url: str) -> None:
    reply = shared.client.get(contents_url)
    assert (reply.status_code, reply.content) == (200, b"0123456789")
    headers = reply.headers
    assert headers["content-length"] == "10"
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox"
    assert headers["cache-control"] == "private, no-cache"
    assert headers["content-disposition"].startswith('attachment; filename="read me.txt"; filename*=')
    assert headers["etag"].startswith('"')
    assert headers["etag"].endswith('"')
    modified = parsedate_to_datetime(headers["last-modified"])
    assert modified.timestamp() == int((shared.caller.folder / "read me.txt").stat().st_mtime)
    assert headers["access-control-allow-origin"] == "*"
    exposed = {name.strip().lower() for name in headers["access-control-expose-headers"].split(",")}
    assert {"retry-after", "content-disposition", "content-length", "etag", "content-range"} <= exposed


def test_head_has_the_headers_of_get_and_no_body(shared: Drive, contents_url: str) -> None:
    got, head = shared.client.get(contents_url), shared.client.head(contents_url)
    assert (head.status_code, head.content) == (200, b"")
    own = {"date", "x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in own} == {
        name: value for name, value in got.headers.items() if name not in own
    }


def test_connection_goes_on_after_a_head_and_after_an_empty_file(shared: Drive, contents_url: str) -> None:
    empty = f"{shared.upload('empty')['href']}/contents"
    for _ in range(2):
        assert shared.client.head(contents_url).status_code == 200
        reply = shared.client.get(empty)
        assert (reply.status_code, reply.content, reply.headers["content-length"]) == (200, b"", "0")


def test_etag_changes_with_the_bytes_only(drive: Drive) -> None:
    file = drive.upload("a.txt", b"one")
    url = f"{file['href']}/contents"
    first = drive.client.get(url).headers["etag"]
    assert drive.client.get(url).headers["etag"] == first
    assert drive.client.put(file["href"], content=b"two").status_code == 200
    assert drive.client.get(url).headers["etag"] != first


def test_api_objects_are_never_cached_but_file_bytes_are_checked(shared: Drive) -> None:
    reply: httpx.Response = shared.client.get(shared.url("folders/root"))
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
