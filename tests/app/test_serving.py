"""`kloudless serve --demo` as a process of its own: started three times on the same data, used, and stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.missing import skipping_when_missing
from tests.servers.packages import find_program
from tests.servers.ports import find_free_port
from tests.servers.secrecy import check_written, mark_data

SCRIPT = Path(sys.executable).with_name("kloudless")
WAIT_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0  # promised are 5 s with 4 s for running requests; these servers are given 1 s for them
DOWNLOAD_BYTES = 2**30
READ_BYTES = 2**16


@dataclass
class Served:
    """One run: what it printed, wrote and answered, and how it ended."""

    port: int
    demo: dict[str, Any]
    greeting: str
    answers: list[str] = field(default_factory=list)
    status: int = -1
    stop_seconds: float = -1.0
    goodbye: str = ""
    errors: str = ""


@contextmanager
def _serving(data: Path, *, stop: signal.Signals, **variables: str) -> Iterator[Served]:
    port = find_free_port()
    process = subprocess.Popen(
        [SCRIPT, "serve", "--demo"],
        env={
            **os.environ,
            "KLOUDLESS_DATA_DIR": str(data),
            "KLOUDLESS_PORT": str(port),
            "KLOUDLESS_SHUTDOWN_SECONDS_MAX": "1",
            **variables,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1].strip() or len(lines) < 6:
            lines.append(process.stdout.readline())
            assert lines[-1], f"the server ended: {process.communicate(timeout=WAIT_SECONDS_MAX)[1]}"
        served = Served(port, json.loads((data / "demo.json").read_text()), "".join(lines))
        with httpx.Client(trust_env=False, timeout=WAIT_SECONDS_MAX) as client:
            assert client.get(f"{served.demo['base_url']}/ready").status_code == 200
        yield served
        started = time.monotonic()
        process.send_signal(stop)
        served.status = process.wait(WAIT_SECONDS_MAX)
        served.stop_seconds = time.monotonic() - started
        served.goodbye, served.errors = process.communicate(timeout=WAIT_SECONDS_MAX)
        mark_data(data)
        check_written(served.errors)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _downloading(demo: dict[str, Any], files: Path) -> Iterator[None]:
    """Asks for a big file and reads only its beginning."""
    with (files / "big.bin").open("wb") as file:
        file.truncate(DOWNLOAD_BYTES)
    account = demo["accounts"][0]
    headers = {"Authorization": f"Bearer {account['bearer_token']}"}
    with httpx.Client(base_url=demo["base_url"], headers=headers, trust_env=False, timeout=WAIT_SECONDS_MAX) as client:
        found = client.get("/v1/accounts/me/storage/path", params={"path": "/big.bin"}).json()
    url = httpx.URL(found["href"] + "/contents")
    with socket.create_connection((url.host, url.port or 80), timeout=WAIT_SECONDS_MAX) as connection:
        lines = (
            f"GET {url.path} HTTP/1.1",
            f"Host: {url.host}:{url.port}",
            f"Authorization: {headers['Authorization']}",
        )
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert connection.recv(READ_BYTES).startswith(b"HTTP/1.1 200 ")
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Served]:
    with skipping_when_missing():
        find_program("curl", "curl", package="curl")
    data = tmp_path_factory.mktemp("serving") / "data"
    with _serving(data, stop=signal.SIGTERM) as first:
        for line in first.greeting.splitlines():
            if line.strip().startswith("curl"):
                done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
                first.answers.append(done.stdout)
    with _serving(data, stop=signal.SIGINT) as second, _downloading(second.demo, data / "files"):
        second.answers.append(str((data / "demo.json").stat().st_mode & 0o777))
    (data / "demo.json").unlink()
    with _serving(data, stop=signal.SIGTERM) as third, _downloading(third.demo, data / "files"):
        third.answers.append(str((data / "demo.json").stat().st_mode & 0o777))
    return [first, second, third]


def test_greeting_says_where_everything_is(runs: list[Served]) -> None:
    for run in runs:
        base_url = f"http://127.0.0.1:{run.port}"
        assert f"{base_url}/v1" in run.greeting
        assert f"{base_url}/docs" in run.greeting
        assert "demo.json" in run.greeting
        assert run.greeting.count("curl ") == 3


def test_three_printed_commands_work_when_pasted(runs: list[Served]) -> None:
    listed, stored, found = (json.loads(answer) for answer in runs[0].answers)
    assert listed["count"] == len(listed["objects"]) >= 5
    assert (stored["name"], stored["size"], stored["type"]) == ("hello.txt", 12, "file")
    assert (found["id"], found["href"]) == (stored["id"], stored["href"])


def test_second_run_reuses_everything_and_tells_its_own_address(runs: list[Served]) -> None:
    first, second, _ = (run.demo for run in runs)
    assert second["base_url"] == f"http://127.0.0.1:{runs[1].port}" != first["base_url"]
    assert {**second, "base_url": ""} == {**first, "base_url": ""}


def test_deleted_file_is_rebuilt_for_the_same_application_and_account(runs: list[Served]) -> None:
    second, third = runs[1].demo, runs[2].demo
    assert [run.answers[-1] for run in runs[1:]] == [str(0o600)] * 2
    assert (third["application_id"], third["api_key"]) == (second["application_id"], second["api_key"])
    assert third["accounts"][0]["id"] == second["accounts"][0]["id"]


def test_server_stops_cleanly_and_in_time_also_during_a_download(runs: list[Served]) -> None:
    for run in runs:
        assert (run.status, run.goodbye) == (0, "Stopped.\n")
        assert run.stop_seconds < STOP_SECONDS_MAX
        assert "Traceback" not in run.errors


def test_script_says_what_is_wrong_in_one_line() -> None:
    done = subprocess.run(
        [SCRIPT, "app", "list"],
        env={**os.environ, "KLOUDLESS_PORT": "http"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("kloudless: setting port: ")
