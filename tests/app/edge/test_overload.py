"""More to do than there may be at once: what is too much is refused with a time to come back, the rest goes on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.app.drive import METADATA, Drive, read_error, wait_until
from tests.app.edge.test_streams import count_open
from tests.app.edge.wire import Wire
from tests.servers.api import Api, build_settings, running_api

STREAMS_MAX = 2
REQUESTS_MAX = 4
CONNECTIONS_MAX = 10
IDLE_SECONDS_MAX = 1
PACE_BYTES_PER_SECOND_MIN = 100
TRICKLE_SECONDS = 0.05
PAUSE_SECONDS = 0.25
STEP_BYTES = 4 * 2**20
STEPS_COUNT = 8
TRIES_MAX = 5
LARGE_BYTES = 2**30


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that bears little at once."""
    settings = build_settings(
        tmp_path_factory.mktemp("crowded"),
        streams_parallel_max=STREAMS_MAX,
        requests_parallel_max=REQUESTS_MAX,
        connections_max=CONNECTIONS_MAX,
    )
    with running_api(settings) as running:
        yield running


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that waits for nobody longer than a second."""
    settings = build_settings(
        tmp_path_factory.mktemp("impatient"),
        keep_alive_seconds_max=IDLE_SECONDS_MAX,
        body_idle_seconds_max=IDLE_SECONDS_MAX,
        body_bytes_per_second_min=PACE_BYTES_PER_SECOND_MIN,
        reply_idle_seconds_max=IDLE_SECONDS_MAX,
    )
    with running_api(settings) as running:
        yield running


@pytest.fixture
def drive(crowded: Api) -> Iterator[Drive]:
    caller = crowded.create_caller()
    with caller.client() as client:
        yield Drive(caller, client)


@pytest.fixture
def hurried(impatient: Api) -> Iterator[Drive]:
    caller = impatient.create_caller()
    with caller.client() as client:
        yield Drive(caller, client)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def open_wire(stack: ExitStack, drive: Drive) -> Wire:
    return stack.enter_context(Wire(drive.caller.api.settings.port))


def begin_upload(stack: ExitStack, drive: Drive, size_bytes: int = 1000) -> Wire:
    """An upload that the server waits for."""
    wire = open_wire(stack, drive)
    headers = {METADATA: json.dumps({"name": "begun.bin"}), "Content-Length": str(size_bytes)}
    wire.ask("POST", drive.url("files"), {**drive.caller.key_header, **headers, "Expect": "100-continue"})
    assert wire.read().status == 100
    return wire


def begin_request(stack: ExitStack, drive: Drive) -> Wire:
    """A request that is no stream, and whose body is still to come."""
    wire = open_wire(stack, drive)
    headers = {"Content-Length": "20", "Expect": "100-continue"}
    wire.ask("POST", drive.url("folders"), {**drive.caller.key_header, **headers})
    assert wire.read().status == 100
    return wire


def make_large_file(drive: Drive) -> str:
    file = drive.upload("large.bin", b"x")
    os.truncate(drive.caller.folder / "large.bin", LARGE_BYTES)
    return f"{file['href']}/contents"


def test_health_is_answered_when_requests_are_refused(drive: Drive, stack: ExitStack) -> None:
    for _ in range(REQUESTS_MAX):
        begin_request(stack, drive)
    refused = drive.client.get(drive.url("folders/root"))
    assert read_error(refused) == (503, "service_not_available")
    assert refused.headers["retry-after"] == "1"
    for path in ("/health", "/ready"):
        assert drive.client.get(path).status_code == 200
    stack.close()
    wait_until(lambda: drive.client.get(drive.url("folders/root")).status_code == httpx.codes.OK)


def test_streams_are_refused_before_other_requests(drive: Drive, stack: ExitStack) -> None:
    url, archive = make_large_file(drive), drive.url("folders/root/archive")
    for _ in range(STREAMS_MAX):
        begin_upload(stack, drive)
    for refused in (drive.send_file("a.txt", b"x"), drive.client.get(url), drive.client.get(archive)):
        assert read_error(refused) == (503, "service_not_available")
        assert refused.headers["retry-after"] == "1"
    assert drive.list_names() == ["large.bin"]
    stack.close()
    wait_until(lambda: drive.send_file("a.txt", b"x").status_code == httpx.codes.CREATED)


def test_connection_that_waits_longest_gives_way_when_there_are_too_many(drive: Drive, stack: ExitStack) -> None:
    begun = begin_request(stack, drive)
    first = open_wire(stack, drive)
    first.send(b"GET /health HTTP/1.1\r\nHo")
    assert drive.client.get("/health").status_code == 200  # by then it has seen the other's half
    others = [open_wire(stack, drive) for _ in range(CONNECTIONS_MAX)]
    for wire in others:
        wire.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    head, _, body = first.read_to_end().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in head
    assert json.loads(body)["error_code"] == "service_not_available"
    others[-1].send(b"\r\n")
    assert others[-1].read().status == 200
    begun.send(b'{"name":   "made"}  ')
    assert begun.read().status == 201


def test_connection_is_closed_when_it_is_idle_for_too_long(hurried: Drive, stack: ExitStack) -> None:
    wire = open_wire(stack, hurried)
    wire.ask("GET", "/health")
    assert wire.read().status == 200
    assert wire.read_to_end() == b""


@pytest.mark.parametrize("beginning", [b"", b"x" * 200_000])
def test_body_that_trickles_is_408_and_nothing_is_stored(hurried: Drive, stack: ExitStack, beginning: bytes) -> None:
    wire = begin_upload(stack, hurried, 10**6)
    wire.send(beginning)
    deadline = time.monotonic() + 10 * IDLE_SECONDS_MAX
    while not wire.has_answer() and time.monotonic() < deadline:
        wire.send(b"x")
        time.sleep(TRICKLE_SECONDS)
    reply = wire.read()
    assert (reply.status, reply.headers["connection"]) == (408, "close")
    assert json.loads(reply.body)["error_code"] == "request_timeout"
    assert hurried.list_names() == []


def test_download_is_cut_when_the_client_takes_nothing(hurried: Drive, stack: ExitStack) -> None:
    url = httpx.URL(make_large_file(hurried))
    name = f"{hurried.caller.folder.name}/large.bin"
    wire = open_wire(stack, hurried)
    wire.ask("GET", url.path, hurried.caller.key_header)
    wait_until(lambda: count_open(name) == 1)
    wait_until(lambda: count_open(name) == 0)
    assert len(wire.read_to_end()) < LARGE_BYTES


def test_download_goes_on_when_the_client_takes_a_little_now_and_then(hurried: Drive) -> None:
    url = httpx.URL(make_large_file(hurried))
    name = f"{hurried.caller.folder.name}/large.bin"
    for _ in range(TRIES_MAX):
        with Wire(hurried.caller.api.settings.port) as wire:
            wire.ask("GET", url.path, hurried.caller.key_header)
            is_served, gap_seconds_max = take_now_and_then(wire, name)
        wait_until(lambda: count_open(name) == 0)
        if is_served or gap_seconds_max < 0.8 * IDLE_SECONDS_MAX:
            break  # else it was the test that took nothing for too long
    assert is_served


def take_now_and_then(wire: Wire, name: str) -> tuple[bool, float]:
    """Whether the server still reads the file at the end, and the longest time in which nothing was taken."""
    gap_seconds_max = 0.0
    for step in range(1, STEPS_COUNT + 1):
        began = time.monotonic()
        time.sleep(PAUSE_SECONDS)
        try:
            wire.receive(step * STEP_BYTES)
            is_served = count_open(name) == 1
        except ConnectionResetError:
            is_served = False
        gap_seconds_max = max(gap_seconds_max, time.monotonic() - began)
        if not is_served:
            break
    return is_served, gap_seconds_max
