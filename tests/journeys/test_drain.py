"""A server that is told to stop while it is busy: what it has begun is finished or handed back, nothing is lost."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.app.drive import wait_until
from tests.app.edge.wire import Wire
from tests.servers.process import STOP_SECONDS_MAX, Server, running_server

WRITERS_COUNT = 4
WRITTEN_COUNT_MIN = 20
SLOW_BYTES = 1000
DRAIN_SECONDS_MAX = 20  # time enough for everything that is finished here
METADATA = "X-Kloudless-Metadata"


@dataclass
class Drained:
    """What was promised before and while the server stopped, and what is left."""

    data: Path
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    slow_statuses: list[int] = field(default_factory=list)
    status: int = -1
    is_refused_meanwhile: bool = False

    @property
    def files(self) -> Path:
        return self.data / "files"


@contextmanager
def silent_origin() -> Iterator[str]:
    """An address that takes a request and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/never"


def write_until_refused(server: Server, name: str, drained: Drained, is_over: Event) -> None:
    with server.client() as client:
        number = 0
        while not is_over.is_set():
            number += 1
            title, data = f"{name}-{number}.bin", f"{name} {number}".encode() * 100
            headers = {METADATA: json.dumps({"name": title, "parent_id": "root"})}
            try:
                reply = client.post(f"{server.storage_url}/files", content=data, headers=headers)
            except httpx.TransportError:
                return  # nothing was promised
            assert reply.status_code == 201, reply.text
            drained.acknowledged[title] = data


def begin_slow_upload(server: Server) -> Wire:
    wire = Wire(server.address[1])
    headers = {METADATA: '{"name": "slow.bin", "parent_id": "root"}', "Content-Length": str(SLOW_BYTES)}
    headers |= {"Authorization": f"APIKey {server.api_key}", "Expect": "100-continue"}
    wire.ask("POST", f"{server.storage_url}/files", headers)
    assert wire.read().status == 100
    wire.send(b"x" * (SLOW_BYTES // 2))
    return wire


def can_connect(server: Server) -> bool:
    try:
        socket.create_connection(server.address).close()
    except ConnectionRefusedError:
        return False
    return True


def read_task(data: Path) -> tuple[str, int]:
    with closing(sqlite3.connect(data / "kloudless.db")) as database:
        found: tuple[str, int] = database.execute(
            "SELECT state, julianday(due_at) <= julianday('now') FROM tasks"
        ).fetchone()
    return found


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Drained:
    data = tmp_path_factory.mktemp("drain") / "data"
    drained, is_over = Drained(data), Event()
    variables = {"KLOUDLESS_SHUTDOWN_SECONDS_MAX": str(DRAIN_SECONDS_MAX)}
    with silent_origin() as url, running_server(data, **variables) as server:
        with server.client() as client:
            body = {"url": url, "name": "fetched.bin", "parent_id": "root"}
            task = client.post(f"{server.storage_url}/files", params={"return_type": "task"}, json=body)
            assert task.status_code == 202, task.text
        wait_until(lambda: read_task(data)[0] == "started")
        with begin_slow_upload(server) as slow, ThreadPoolExecutor(WRITERS_COUNT) as threads:
            writers = [
                threads.submit(write_until_refused, server, f"writer-{number}", drained, is_over)
                for number in range(WRITERS_COUNT)
            ]
            try:
                wait_until(lambda: len(drained.acknowledged) >= WRITTEN_COUNT_MIN)
                server.process.send_signal(signal.SIGTERM)
                wait_until(lambda: not can_connect(server))
                drained.is_refused_meanwhile = server.process.poll() is None
                slow.send(b"x" * (SLOW_BYTES - SLOW_BYTES // 2))
                drained.slow_statuses.append(slow.read().status)
            finally:
                is_over.set()
            for writer in writers:
                writer.result()
        drained.status = server.process.wait(STOP_SECONDS_MAX)
    return drained


def test_server_ends_well_and_accepts_nobody_meanwhile(drained: Drained) -> None:
    assert drained.is_refused_meanwhile
    assert drained.status == 0


def test_request_in_flight_is_finished_when_the_server_is_told_to_stop(drained: Drained) -> None:
    assert drained.slow_statuses == [201]
    assert (drained.files / "slow.bin").read_bytes() == b"x" * SLOW_BYTES


def test_nothing_acknowledged_is_lost_when_the_server_is_told_to_stop(drained: Drained) -> None:
    assert len(drained.acknowledged) >= WRITTEN_COUNT_MIN
    for name, data in drained.acknowledged.items():
        assert (drained.files / name).read_bytes() == data


def test_running_task_is_handed_back_at_once(drained: Drained) -> None:
    state, is_due = read_task(drained.data)
    assert (state, bool(is_due)) == ("pending", True)


def test_log_of_a_drained_server_has_no_traceback(drained: Drained) -> None:
    assert "Traceback" not in drained.data.with_suffix(".log").read_text()
