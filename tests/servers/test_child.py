"""Child processes do not outlive those who need them."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from tests.servers.child import START_ATTEMPTS_MAX, Plan, running_child
from tests.servers.ports import find_free_port

ROOT = Path(__file__).parents[2]
GONE_SECONDS_MAX = 30.0
STILL_THERE_SECONDS = 0.5
STOP_SECONDS = 0.2

LISTENS = "import socket, sys, time; a = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
IGNORES = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LISTENS}"
ENDS = "raise SystemExit('no luck')"

Build = Callable[[str], Plan[int]]


@pytest.fixture
def build() -> Build:
    """Plans a Python process that runs some code with its port as the argument."""

    def build(code: str) -> Plan[int]:
        port = find_free_port()

        def ask() -> int | None:
            try:
                with socket.create_connection(("127.0.0.1", port)):
                    return port
            except OSError:
                return None

        return Plan(command=[sys.executable, "-c", code, port], ask=ask)

    return build


def test_process_is_gone_when_block_ends(build: Build, tmp_path: Path) -> None:
    with running_child(tmp_path, "listener", lambda: build(LISTENS)) as child:
        assert psutil.Process(child.process_id).ppid() == os.getpid()
    assert not psutil.pid_exists(child.process_id)


def test_process_is_gone_when_it_ignores_its_signal(build: Build, tmp_path: Path) -> None:
    with running_child(tmp_path, "listener", lambda: build(IGNORES), stop_seconds_max=STOP_SECONDS) as child:
        assert psutil.pid_exists(child.process_id)
    assert not psutil.pid_exists(child.process_id)


def test_another_attempt_is_made_when_process_ends_before_it_answers(build: Build, tmp_path: Path) -> None:
    plans = [build(ENDS), build(LISTENS)]
    with running_child(tmp_path, "listener", lambda: plans.pop(0)) as child:
        assert psutil.Process(child.process_id).cmdline()[-1] == str(child.server)
    assert plans == []


def test_log_is_told_when_no_attempt_succeeds(build: Build, tmp_path: Path) -> None:
    plans = [build(ENDS) for _ in range(START_ATTEMPTS_MAX)]
    with (
        pytest.raises(RuntimeError, match="listener did not start: no luck"),
        running_child(tmp_path, "listener", lambda: plans.pop(0)),
    ):
        pass
    assert plans == []


def test_process_learns_nothing_of_our_environment_when_it_starts(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    with running_child(tmp_path, "listener", lambda: build(LISTENS)) as child:
        environment = psutil.Process(child.process_id).environ()
    assert {*environment} - {"LC_CTYPE"} == {"HOME", "PATH", "LC_ALL", "TZ"}
    assert environment["HOME"] == str(tmp_path)


def test_process_stays_when_thread_that_started_it_ends(build: Build, tmp_path: Path) -> None:
    with ExitStack() as stack:
        started: list[int] = []

        def start() -> None:
            child = stack.enter_context(running_child(tmp_path, "listener", lambda: build(LISTENS)))
            started.append(child.process_id)

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        with pytest.raises(psutil.TimeoutExpired):
            psutil.Process(started[0]).wait(STILL_THERE_SECONDS)


@pytest.mark.parametrize(("module", "name"), [("apache", "SHARED_APACHE"), ("rclone", "SHARED_RCLONE_S3")])
def test_server_ends_with_all_its_workers_when_tests_are_killed(module: str, name: str, tmp_path: Path) -> None:
    getattr(import_module(f"tests.servers.{module}"), name).get()  # skips the case when it cannot be had
    script = tmp_path / "holder.py"
    script.write_text(
        f"import time\nfrom tests.servers.{module} import {name}\n"
        f"{name}.get()\nprint('ready', flush=True)\ntime.sleep(300)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline()
            servers = psutil.Process(holder.pid).children(recursive=True)
            assert servers
            holder.send_signal(signal.SIGKILL)
            assert psutil.wait_procs(servers, timeout=GONE_SECONDS_MAX)[1] == []
        finally:
            holder.kill()
