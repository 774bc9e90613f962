"""The server as operators run it: a process of its own, with a folder, a port and a demo account of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.servers.ports import find_free_port
from tests.servers.secrecy import check_written, mark_data

ROOT = Path(__file__).parents[2]
CLI, SERVE = "app.cli", "serve --demo"
START_SECONDS_MAX = 100.0
STOP_SECONDS_MAX = 30.0
CALL_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Server:
    """A running server with a demo, and what its demo.json says."""

    process: subprocess.Popen[bytes]
    data: Path
    base_url: str
    api_key: str
    account_id: int
    bearer_token: str
    output: Path

    @property
    def files(self) -> Path:
        """The demo account's folder."""
        return self.data / "files"

    @property
    def storage_url(self) -> str:
        """The demo account's storage, as a path."""
        return f"/v1/accounts/{self.account_id}/storage"

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect a socket."""
        url = httpx.URL(self.base_url)
        return url.host, url.port or 80

    def client(self) -> httpx.Client:
        """A client that asks as the demo application. Close it."""
        headers = {"Authorization": f"APIKey {self.api_key}"}
        return httpx.Client(base_url=self.base_url, headers=headers, trust_env=False, timeout=CALL_SECONDS_MAX)

    def kill(self) -> None:
        """Ends the process at once, without a word to it."""
        self.process.kill()
        self.process.wait(STOP_SECONDS_MAX)

    def stop(self) -> int:
        """Asks the process to end; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS_MAX)


def build_command(module: str = CLI) -> tuple[str, ...]:
    """What runs the command line of a module."""
    return (sys.executable, "-c", f"from {module} import main; main()")


@contextmanager
def running_server(data: Path, *, module: str = CLI, command: str = SERVE, **variables: str) -> Iterator[Server]:
    """Serves `data` until the block ends; what was there before is used again. `module` has the command's `main`."""
    port = find_free_port()
    environment = {"KLOUDLESS_DATA_DIR": str(data), "KLOUDLESS_PORT": str(port), "KLOUDLESS_LOG_LEVEL": "warning"}
    path = data.parent / f"{data.name}.log"
    with path.open("ab") as log:
        process = subprocess.Popen(
            [*build_command(module), *command.split()],
            cwd=ROOT,
            env={**os.environ, **environment, **variables},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        base_url = f"http://127.0.0.1:{port}"
        wait_until_ready(base_url, process)
        demo: dict[str, Any] = json.loads((data / "demo.json").read_text())
        account = demo["accounts"][0]
        yield Server(process, data, base_url, demo["api_key"], account["id"], account["bearer_token"], path)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        finally:
            process.kill()
    mark_data(data)
    check_written(path.read_text(errors="replace"))


def wait_until_ready(
    base_url: str, process: subprocess.Popen[bytes], *, seconds_max: float = START_SECONDS_MAX
) -> None:
    """Returns when requests are served; AssertionError if the process ends or takes too long."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended with status {process.returncode}"
        try:
            if httpx.get(f"{base_url}/ready", trust_env=False, timeout=CALL_SECONDS_MAX).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"the server was not ready within {seconds_max} seconds")
