"""The protocols of uploads, byte by byte: what sessions keep, and what they refuse."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.servers.gdrive import Place

CHUNK_BYTES = 256 * 1024
ASKING_COUNT_MAX = 500
UPLOAD = "/upload/drive/v3/files"


@pytest.fixture
def client(place: Place) -> Iterator[httpx.Client]:
    with place.client(1) as client:
        yield client


def begin(client: httpx.Client, size_bytes: int | None = None, **metadata: Any) -> str:
    """A session's address."""
    headers = {"X-Upload-Content-Type": "application/x-thing"}
    if size_bytes is not None:
        headers["X-Upload-Content-Length"] = str(size_bytes)
    params = {"uploadType": "resumable", "fields": "id,name,size,mimeType"}
    answer = client.post(UPLOAD, params=params, json={"name": "a"} | metadata, headers=headers)
    assert answer.status_code == 200
    return answer.headers["location"]


def put(client: httpx.Client, session: str, content_range: str, data: bytes = b"") -> httpx.Response:
    return client.put(session, content=data, headers={"Content-Range": content_range})


def test_a_session_says_how_far_it_is_when_it_is_asked(client: httpx.Client) -> None:
    total = 2 * CHUNK_BYTES + 3
    session = begin(client, total)
    asked = put(client, session, f"bytes */{total}")
    assert (asked.status_code, asked.headers.get("range")) == (308, None)
    first = put(client, session, f"bytes 0-{CHUNK_BYTES - 1}/{total}", b"a" * CHUNK_BYTES)
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{CHUNK_BYTES - 1}")
    asked = put(client, session, "bytes */*")
    assert (asked.status_code, asked.headers["range"]) == (308, f"bytes=0-{CHUNK_BYTES - 1}")
    last = put(client, session, f"bytes {CHUNK_BYTES}-{total - 1}/{total}", b"b" * (total - CHUNK_BYTES))
    assert last.json() == {"id": last.json()["id"], "name": "a", "size": str(total), "mimeType": "application/x-thing"}
    assert put(client, session, f"bytes */{total}").json() == last.json()
    got = client.get(f"/drive/v3/files/{last.json()['id']}", params={"alt": "media"})
    assert got.content == b"a" * CHUNK_BYTES + b"b" * (total - CHUNK_BYTES)


def test_only_whole_multiples_are_kept_when_a_chunk_is_odd(client: httpx.Client) -> None:
    session = begin(client)
    odd = put(client, session, f"bytes 0-{CHUNK_BYTES + 9}/*", b"a" * (CHUNK_BYTES + 10))
    assert (odd.status_code, odd.headers["range"]) == (308, f"bytes=0-{CHUNK_BYTES - 1}")
    small = put(client, session, f"bytes {CHUNK_BYTES}-{CHUNK_BYTES + 9}/*", b"b" * 10)
    assert small.status_code == 400
    total = CHUNK_BYTES + 4
    done = put(client, session, f"bytes {CHUNK_BYTES}-{total - 1}/{total}", b"last")
    assert done.json()["size"] == str(total)


def test_what_came_is_kept_when_the_connection_breaks(place: Place, client: httpx.Client) -> None:
    total = 3 * CHUNK_BYTES
    session = begin(client, total)
    port = int(place.url.rpartition(":")[2])
    head = (
        f"PUT {session.removeprefix(place.url)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Length: {total}\r\nContent-Range: bytes 0-{total - 1}/{total}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as broken:
        broken.sendall(head.encode() + b"a" * (CHUNK_BYTES + 100))
    for _ in range(ASKING_COUNT_MAX):
        asked = put(client, session, f"bytes */{total}")
        if asked.headers.get("range"):
            break
    assert (asked.status_code, asked.headers["range"]) == (308, f"bytes=0-{CHUNK_BYTES - 1}")
    rest = put(client, session, f"bytes {CHUNK_BYTES}-{total - 1}/{total}", b"b" * (total - CHUNK_BYTES))
    assert rest.json()["size"] == str(total)


def test_bytes_that_are_there_already_are_skipped_when_a_chunk_is_sent_again(client: httpx.Client) -> None:
    total = 2 * CHUNK_BYTES
    session = begin(client, total)
    put(client, session, f"bytes 0-{CHUNK_BYTES - 1}/{total}", b"a" * CHUNK_BYTES)
    done = put(client, session, f"bytes 0-{total - 1}/{total}", b"x" * CHUNK_BYTES + b"b" * CHUNK_BYTES)
    got = client.get(f"/drive/v3/files/{done.json()['id']}", params={"alt": "media"})
    assert got.content == b"a" * CHUNK_BYTES + b"b" * CHUNK_BYTES


@pytest.mark.parametrize(
    ("content_range", "length"),
    [
        ("bytes 10-19/30", 10),
        ("bytes 0-9/31", 10),
        ("bytes 0-9/30", 5),
        ("bytes 0-40/30", 41),
        ("bytes 9-0/30", 10),
        ("pages 0-9/30", 10),
    ],
)
def test_a_chunk_is_refused_when_it_does_not_fit(client: httpx.Client, content_range: str, length: int) -> None:
    session = begin(client, 30)
    assert put(client, session, content_range, b"a" * length).status_code == 400
    assert put(client, session, "bytes 0-29/30", b"a" * 30).status_code == 200


def test_a_session_is_gone_when_it_is_given_up_or_too_old(place: Place, client: httpx.Client) -> None:
    session = begin(client, 5)
    assert client.delete(session).status_code == 499
    assert put(client, session, "bytes 0-4/5", b"hello").status_code == 410
    other = begin(client, 5)
    place.world.clock.advance(7 * 24 * 3600 + 1)
    with place.client(1) as later:
        assert put(later, other, "bytes 0-4/5", b"hello").status_code == 404
        assert put(later, other + "x", "bytes 0-4/5", b"hello").status_code == 404


def test_a_session_needs_no_other_permission_when_its_address_is_known(place: Place, client: httpx.Client) -> None:
    session = begin(client, 5)
    with httpx.Client(trust_env=False, timeout=60) as stranger:
        assert put(stranger, session, "bytes 0-4/5", b"hello").status_code == 200
    ended = begin(client, 5)
    place.world.clock.advance(3601)
    assert put(client, ended, "bytes 0-4/5", b"hello").status_code == 401


def test_new_bytes_become_a_revision_when_a_session_is_for_a_file(place: Place, client: httpx.Client) -> None:
    file_id = place.store(1, "a.txt", b"old")
    answer = client.patch(f"{UPLOAD}/{file_id}", params={"uploadType": "resumable"}, json={"name": "b.txt"})
    done = put(client, answer.headers["location"], "bytes 0-2/3", b"new")
    assert (done.json()["id"], done.json()["name"]) == (file_id, "b.txt")
    assert len(client.get(f"/drive/v3/files/{file_id}/revisions").json()["revisions"]) == 2


def test_the_whole_body_is_the_file_when_an_upload_is_simple(client: httpx.Client) -> None:
    headers = {"Content-Type": "image/png"}
    params = {"uploadType": "media", "fields": "name,mimeType,size"}
    made = client.post(UPLOAD, params=params, content=b"12345", headers=headers)
    assert made.json() == {"name": "Untitled", "mimeType": "image/png", "size": "5"}


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_both_parts_are_read_when_lines_end_in_either_way(client: httpx.Client, newline: bytes) -> None:
    data = b"\r\n--almost\n--b\r" + bytes(range(256)) + b"\n\r"
    lines = [
        b"--bound",
        b"Content-Type: application/json",
        b"",
        b'{"name": "parts"}',
        b"--bound",
        b"Content-Type: application/x-parts",
        b"",
        data,
        b"--bound--",
        b"",
    ]
    params = {"uploadType": "multipart", "fields": "id,name,mimeType"}
    headers = {"Content-Type": 'multipart/related; boundary="bound"'}
    made = client.post(UPLOAD, params=params, content=newline.join(lines), headers=headers).json()
    assert (made["name"], made["mimeType"]) == ("parts", "application/x-parts")
    assert client.get(f"/drive/v3/files/{made['id']}", params={"alt": "media"}).content == data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--bound\r\n\r\n{}\r\n--bound--\r\n",
        b"--bound\r\n\r\n{}\r\n--bound\r\n\r\nno end",
        b"--other\r\n\r\n{}\r\n--other\r\n\r\n\r\n--other--",
        b"--bound\r\n\r\n{\r\n--bound\r\n\r\n\r\n--bound--",
    ],
)
def test_nothing_is_stored_when_the_parts_are_wrong(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "multipart/related; boundary=bound"}
    refused = client.post(UPLOAD, params={"uploadType": "multipart"}, content=body, headers=headers)
    assert refused.status_code == 400
    assert client.get("/drive/v3/files").json()["files"] == []


def test_bytes_are_decoded_when_a_part_says_that_they_are_encoded(client: httpx.Client) -> None:
    body = (
        b'--b\r\n\r\n{"name": "c"}\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        b"aGVs\r\nbG8=\r\n--b--"
    )
    headers = {"Content-Type": "multipart/related; boundary=b"}
    made = client.post(UPLOAD, params={"uploadType": "multipart"}, content=body, headers=headers).json()
    assert client.get(f"/drive/v3/files/{made['id']}", params={"alt": "media"}).content == b"hello"


def test_an_upload_is_refused_when_there_is_no_room(place: Place, client: httpx.Client) -> None:
    place.drive.store.quota_bytes[1] = 10
    headers = {"X-Upload-Content-Length": "11"}
    for params, content in (({"uploadType": "media"}, b"x" * 11), ({"uploadType": "resumable"}, b"")):
        refused = client.post(UPLOAD, params=params, content=content, headers=headers)
        assert refused.json()["error"]["errors"][0]["reason"] == "storageQuotaExceeded"
    assert client.post(UPLOAD, params={"uploadType": "media"}, content=b"x" * 10).status_code == 200


def test_an_upload_is_refused_before_its_bytes_when_the_folder_is_not_there(client: httpx.Client) -> None:
    params = {"uploadType": "resumable"}
    refused = client.post(UPLOAD, params=params, json={"name": "a", "parents": ["nowhere"]})
    assert refused.json()["error"]["errors"][0]["reason"] == "notFound"
