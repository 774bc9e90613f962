"""What is no HTTP, alone and while a reply is on its way."""

from __future__ import annotations

import json

import pytest

from tests.app.drive import Drive
from tests.app.edge.wire import Wire

FILE_BYTES = 64 * 2**20
SEEN_BYTES = 100_000


def test_garbage_in_a_body_never_stands_in_the_middle_of_a_download(drive: Drive, wire: Wire) -> None:
    with (drive.caller.folder / "a.bin").open("wb") as file:
        file.truncate(FILE_BYTES)
    file_id = drive.client.get(drive.url("path"), params={"path": "/a.bin"}).json()["id"]
    wire.ask("GET", drive.url(f"files/{file_id}/contents"), {**drive.caller.key_header, "Transfer-Encoding": "chunked"})
    wire.receive(SEEN_BYTES)
    wire.send(b"no size of a chunk\r\n")
    head, _, body = wire.read_to_end().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert SEEN_BYTES < len(head + body) < FILE_BYTES
    assert not body.strip(b"\0")


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET /" + b"x" * 64 * 1024 + b" HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_gets_an_error_like_all_others(wire: Wire, sent: bytes) -> None:
    wire.send(sent)
    reply = wire.read()
    body = json.loads(reply.body)
    assert (body["status_code"], body["error_code"]) == (reply.status, "bad_request")
    assert (reply.headers["content-type"], reply.headers["x-request-id"]) == ("application/json", body["id"])
