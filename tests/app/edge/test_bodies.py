from __future__ import annotations

import json

import pytest

from tests.app.drive import METADATA, Drive, read_error, read_json, wait_until
from tests.app.edge.wire import Wire

MIB = 2**20


@pytest.mark.parametrize(
    "body", [b"{", b'{"name": "a"', b"nonsense", b"\xff\xfe", b'{"name": "\xff"}', b"{} {}", b"'a'"]
)
def test_malformed_json_is_400_and_ends_the_connection(drive: Drive, wire: Wire, body: bytes) -> None:
    headers = {**drive.caller.key_header, "Content-Type": "application/json", "Content-Length": str(len(body))}
    wire.ask("POST", drive.url("folders"), headers, body)
    reply = wire.read()
    assert (reply.status, reply.headers["connection"]) == (400, "close")
    assert json.loads(reply.body)["error_code"] == "bad_request"
    assert wire.read_to_end() == b""
    assert drive.list_names() == []


def test_tail_of_a_miscounted_body_is_not_taken_as_a_request(drive: Drive, wire: Wire) -> None:
    folder = drive.create_folder("kept")
    headers = {**drive.caller.key_header, "Content-Type": "application/json"}
    body = '{"name": "é"}'.encode()
    cut = wire.build("POST", drive.url("folders"), {**headers, "Content-Length": str(len(body) - 1)}, body)
    wire.send(cut + wire.build("DELETE", drive.url(f"folders/{folder['id']}"), headers))
    reply = wire.read()
    assert reply.status == 400
    assert wire.read_to_end() == b""
    assert drive.list_names() == ["kept"]


def test_next_request_behind_malformed_json_is_not_served(drive: Drive, wire: Wire) -> None:
    folder = drive.create_folder("kept")
    bad = wire.build("POST", drive.url("folders"), {**drive.caller.key_header, "Content-Length": "1"}, b"{")
    wire.send(bad + wire.build("DELETE", drive.url(f"folders/{folder['id']}"), drive.caller.key_header))
    assert wire.read().status == 400
    assert wire.read_to_end() == b""
    assert drive.list_names() == ["kept"]


@pytest.mark.parametrize("content_type", [None, "application/json", "application/json; charset=utf-8", "text/plain"])
def test_json_is_read_whatever_its_content_type_says(drive: Drive, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    created = drive.client.post(drive.url("folders"), headers=headers, content=b'{"name": "a"}')
    if content_type == "text/plain":
        assert read_error(created) == (400, "invalid_parameters")
    else:
        assert read_json(created, status=201)["name"] == "a"


def test_deep_json_never_fails_the_server(drive: Drive) -> None:
    for depth in (1_000, 100_000):
        for body in (b"[" * depth + b"]" * depth, b'{"name":"a","x":' + b"[" * depth + b"]" * depth + b"}"):
            reply = drive.client.post(drive.url("folders"), content=body)
            assert reply.status_code in {201, 400}, reply.text
            assert reply.status_code == 201 or read_error(reply)[1] in {"bad_request", "invalid_parameters"}


@pytest.mark.parametrize("is_chunked", [False, True])
def test_json_of_one_byte_too_many_is_413(drive: Drive, is_chunked: bool) -> None:
    frame = b'{"name":"a","x":""}'
    fits = frame[:-2] + b"x" * (MIB - len(frame)) + frame[-2:]
    for body, status in ((fits, 201), (fits + b" ", 413)):
        reply = drive.client.post(drive.url("folders"), content=iter([body]) if is_chunked else body)
        assert reply.status_code == status, reply.text
    assert read_error(reply) == (413, "request_too_large")


def test_body_longer_than_its_length_is_stored_as_declared_and_the_rest_does_no_harm(drive: Drive, wire: Wire) -> None:
    headers = {**drive.caller.key_header, METADATA: '{"name": "a.txt"}', "Content-Length": "5"}
    wire.ask("POST", drive.url("files"), headers, b"helloGARBAGE THAT IS NO REQUEST\r\n\r\n")
    assert wire.read().status == 201
    assert wire.read_to_end() == b""
    assert drive.list_names() == ["a.txt"]
    assert (drive.caller.folder / "a.txt").read_bytes() == b"hello"


def test_client_that_leaves_in_the_middle_of_an_upload_leaves_nothing(drive: Drive, wire: Wire) -> None:
    headers = {**drive.caller.key_header, METADATA: '{"name": "a.txt"}', "Content-Length": "1000"}
    wire.ask("POST", drive.url("files"), headers, b"half")
    wire.close()
    other = {**drive.caller.key_header, METADATA: '{"name": "b.txt"}', "Transfer-Encoding": "chunked"}
    with Wire(drive.caller.api.settings.port) as second:
        second.ask("POST", drive.url("files"), other, b"4\r\nhalf\r\n")
    drive.upload("z.txt")
    wait_until(lambda: [path.name for path in drive.caller.folder.iterdir()] == ["z.txt"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "-1"},
        {"Content-Length": "5, 6"},
        {"Content-Length": "five"},
        {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        {"Content-Length": "9" * 40},
        {"Transfer-Encoding": "chunked, identity"},
        {"Transfer-Encoding": "gzip"},
    ],
)
def test_lengths_that_make_no_sense_are_400_and_end_the_connection(
    drive: Drive, wire: Wire, headers: dict[str, str]
) -> None:
    given = {**drive.caller.key_header, METADATA: '{"name": "a.txt"}', **headers}
    wire.ask("POST", drive.url("files"), given, b"5\r\nhello\r\n0\r\n\r\n")
    assert wire.read_to_end().startswith(b"HTTP/1.1 400")
    assert drive.list_names() == []


@pytest.mark.parametrize("body", [b"zz\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloX\r\n0\r\n\r\n"])
def test_broken_chunks_store_nothing(drive: Drive, wire: Wire, body: bytes) -> None:
    headers = {**drive.caller.key_header, METADATA: '{"name": "a.txt"}', "Transfer-Encoding": "chunked"}
    wire.ask("POST", drive.url("files"), headers, body)
    assert wire.read_to_end().startswith(b"HTTP/1.1 400")
    assert drive.list_names() == []


def test_what_is_no_http_is_400(wire: Wire) -> None:
    wire.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    assert wire.read_to_end().startswith(b"HTTP/1.1 400")


def test_pipelined_requests_are_answered_in_order(drive: Drive, wire: Wire) -> None:
    names = ["a.txt", "b.txt", "c.txt"]
    for name in names:
        headers = {**drive.caller.key_header, METADATA: json.dumps({"name": name}), "Content-Length": "5"}
        wire.ask("POST", drive.url("files"), headers, b"bytes")
    assert [json.loads(wire.read().body)["name"] for _ in names] == names


@pytest.mark.parametrize("piece_bytes", [1_000_003, 10 * MIB])
def test_requests_behind_a_large_body_are_answered_in_order(drive: Drive, wire: Wire, piece_bytes: int) -> None:
    names = ["large.bin", "b.txt", "larger.bin", "d.txt"]
    bodies = [bytes(range(256)) * 8192, b"bytes", bytes(reversed(range(256))) * 16384, b"end"]
    sent = b"".join(
        wire.build(
            "POST",
            drive.url("files"),
            {**drive.caller.key_header, METADATA: json.dumps({"name": name}), "Content-Length": str(len(body))},
            body,
        )
        for name, body in zip(names, bodies, strict=True)
    )
    for start in range(0, len(sent), piece_bytes):
        wire.send(sent[start : start + piece_bytes])
    assert [json.loads(wire.read().body)["name"] for _ in names] == names
    assert [(drive.caller.folder / name).read_bytes() for name in names] == bodies


def test_garbage_behind_a_large_body_does_no_harm(drive: Drive, wire: Wire) -> None:
    body = bytes(2 * MIB)
    headers = {**drive.caller.key_header, METADATA: '{"name": "a.bin"}', "Content-Length": str(len(body))}
    wire.ask("POST", drive.url("files"), headers, body + b"GARBAGE THAT IS NO REQUEST\r\n\r\n")
    assert wire.read().status == 201
    assert wire.read_to_end() == b""
    assert (drive.caller.folder / "a.bin").read_bytes() == body


def test_expect_is_answered_before_the_body(drive: Drive, wire: Wire) -> None:
    headers = {
        **drive.caller.key_header,
        METADATA: '{"name": "a.txt"}',
        "Content-Length": "5",
        "Expect": "100-continue",
    }
    wire.ask("POST", drive.url("files"), headers)
    assert wire.read().status == 100
    wire.send(b"bytes")
    assert wire.read().status == 201


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain"])
def test_header_that_is_missing_is_named_when_json_is_sent_as_something_else(drive: Drive, content_type: str) -> None:
    folders = drive.url("folders")
    reply = drive.client.post(folders, headers={"Content-Type": content_type}, content=b'{"name": "a"}')
    assert read_error(reply) == (400, "invalid_parameters")
    assert "`Content-Type: application/json`" in reply.json()["message"]
