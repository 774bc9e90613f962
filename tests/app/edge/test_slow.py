"""Clients that are slow, silent, too many, or send heads without end: servers with small limits of their own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.app.drive import METADATA, Drive, read_error, read_json
from tests.app.edge.wire import Wire
from tests.servers.api import Api, Caller, build_settings, running_api

HEAD_BYTES_MAX = 8192
HEAD_SECONDS_MAX = 1.5
LARGE_BYTES = 64 * 2**20  # more than sockets hold
UPLOAD_BYTES_MAX = 100_000


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    settings = build_settings(
        tmp_path_factory.mktemp("impatient"),
        head_bytes_max=HEAD_BYTES_MAX,
        head_seconds_max=HEAD_SECONDS_MAX,
        body_idle_seconds_max=1.0,
        upload_bytes_max=UPLOAD_BYTES_MAX,
    )
    with running_api(settings) as running:
        yield running


@pytest.fixture
def hurried(impatient: Api) -> Iterator[Drive]:
    caller = impatient.create_caller()
    with caller.client() as client:
        yield Drive(caller, client)


def build_upload(caller: Caller, name: str, size_bytes: int) -> dict[str, str]:
    return {**caller.key_header, METADATA: json.dumps({"name": name}), "Content-Length": str(size_bytes)}


def test_head_that_takes_too_long_is_408_whether_it_began_or_not(impatient: Api) -> None:
    with Wire(impatient.settings.port) as silent, Wire(impatient.settings.port) as half:
        half.send(b"GET /health HTTP/1.1\r\nHost: local")
        for wire in (silent, half):
            received = wire.read_to_end()
            assert received.startswith(b"HTTP/1.1 408")
            assert b"Connection: close" in received


def test_next_head_on_a_kept_connection_is_timed_too(impatient: Api) -> None:
    with Wire(impatient.settings.port) as wire:
        wire.ask("GET", "/health")
        assert wire.read().status == 200
        wire.send(b"GET /hea")
        assert wire.read_to_end().startswith(b"HTTP/1.1 408")


def test_half_a_head_behind_a_request_does_not_cut_its_reply(hurried: Drive) -> None:
    file = hurried.upload("large.bin")
    os.truncate(hurried.caller.folder / "large.bin", LARGE_BYTES)
    with Wire(hurried.caller.api.settings.port) as wire:
        wire.ask("GET", hurried.url(f"files/{file['id']}/contents"), hurried.caller.key_header)
        wire.send(b"GET /hea")
        time.sleep(2 * HEAD_SECONDS_MAX)  # nothing is read, so that the reply is still on its way
        assert len(wire.read().body) == LARGE_BYTES
        assert wire.read_to_end().startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("framing", [{"Content-Length": "1000"}, {"Transfer-Encoding": "chunked"}])
def test_body_that_falls_silent_is_408_and_nothing_is_stored(hurried: Drive, framing: dict[str, str]) -> None:
    headers = {**hurried.caller.key_header, METADATA: '{"name": "a.txt"}', **framing}
    with Wire(hurried.caller.api.settings.port) as wire:
        wire.ask("POST", hurried.url("files"), headers, b"4\r\nhalf\r\n")
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (408, "close")
        assert json.loads(reply.body)["error_code"] == "request_timeout"
        assert wire.read_to_end() == b""
    assert list(hurried.caller.folder.iterdir()) == []


def test_json_that_falls_silent_is_408(hurried: Drive) -> None:
    with Wire(hurried.caller.api.settings.port) as wire:
        headers = {**hurried.caller.key_header, "Content-Length": "1000"}
        wire.ask("POST", hurried.url("folders"), headers, b'{"name": ')
        reply = wire.read()
    assert (reply.status, json.loads(reply.body)["error_code"]) == (408, "request_timeout")


@pytest.mark.parametrize("padding_bytes", [HEAD_BYTES_MAX, 2**20])
@pytest.mark.parametrize("place", ["header", "path", "query", "metadata"])
def test_head_that_is_too_large_is_431(hurried: Drive, place: str, padding_bytes: int) -> None:
    padding = "x" * padding_bytes
    path = {"path": f"/v1/{padding}", "query": f"/v1/accounts?search={padding}"}.get(place, hurried.url("files"))
    headers = dict(hurried.caller.key_header)
    if place in {"header", "metadata"}:
        headers["X-Padding" if place == "header" else METADATA] = padding
    with Wire(hurried.caller.api.settings.port) as wire:
        with suppress(BrokenPipeError, ConnectionResetError):  # it hangs up before all is sent
            wire.ask("GET" if place != "metadata" else "POST", path, headers)
        received = wire.read_to_end() if padding_bytes > HEAD_BYTES_MAX else str(wire.read().status).encode()
    assert received in {b"431", b""} or received.startswith(b"HTTP/1.1 431")


def test_head_without_end_is_cut(impatient: Api) -> None:
    with Wire(impatient.settings.port) as wire:
        wire.send(b"GET /health HTTP/1.1\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            wire.send((b"X-Padding: " + b"x" * 1000 + b"\r\n") * 100_000)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_file_that_is_too_large_is_413_and_nothing_is_stored(hurried: Drive, is_chunked: bool) -> None:
    fits = b"x" * UPLOAD_BYTES_MAX
    assert read_json(hurried.send_file("fits", iter([fits]) if is_chunked else fits), status=201)["size"] == len(fits)
    refused = hurried.send_file("large", iter([fits, b"x"]) if is_chunked else fits + b"x")
    assert read_error(refused) == (413, "request_too_large")
    file = hurried.client.get(hurried.url("path"), params={"path": "/fits"}).json()
    assert read_error(hurried.client.put(file["href"], content=fits + b"x")) == (413, "request_too_large")
    form = hurried.client.post(hurried.url("files"), files={"file": ("large", fits + b"x" * 1000)})
    assert read_error(form) == (413, "request_too_large")
    assert [path.name for path in hurried.caller.folder.iterdir()] == ["fits"]


def test_slow_clients_do_not_hold_others_up(hurried: Drive) -> None:
    port = hurried.caller.api.settings.port
    with ExitStack() as slow:
        for number in range(30):
            wire = slow.enter_context(Wire(port))
            if number % 2:
                wire.send(b"GET /health HTTP/1.1\r\nHo")
            else:
                wire.ask("POST", hurried.url("files"), build_upload(hurried.caller, f"{number}", 1000), b"x")
        assert hurried.upload("a.txt", b"bytes")["size"] == 5
        assert hurried.list_names() == ["a.txt"]
