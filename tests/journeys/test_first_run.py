"""README's two commands on a machine that has never seen the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.architecture.tree import ROOT, list_files
from tests.journeys.tour import MASKS
from tests.servers.ports import find_free_port
from tests.servers.process import wait_until_ready

INSTALL_SECONDS_MAX = 400.0
RUN_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class Run:
    """`make run` in a copy of the repository."""

    make: subprocess.Popen[bytes]
    folder: Path
    printed: Path

    @property
    def demo(self) -> dict[str, Any]:
        demo: dict[str, Any] = json.loads((self.folder / "data" / "demo.json").read_text())
        return demo

    @property
    def storage(self) -> str:
        return f"{self.demo['base_url']}/v1/accounts/{self.demo['accounts'][0]['id']}/storage"

    def curl(self, *arguments: str) -> Any:
        """The reply as JSON, None if it is empty."""
        key = f"Authorization: APIKey {self.demo['api_key']}"
        body = self.paste(["curl", "-sS", "--fail-with-body", "-H", key, "-H", "Content-Type:", *arguments])
        return json.loads(body) if body else None

    def paste(self, command: list[str] | str) -> bytes:
        ran = subprocess.run(
            command if isinstance(command, list) else ["bash", "-c", command],
            cwd=self.folder,
            capture_output=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def stop(self, number: signal.Signals) -> None:
        """Sends the signal to all of it, as a terminal or an init does, and waits until all of it has ended."""
        family = [psutil.Process(self.make.pid), *psutil.Process(self.make.pid).children(recursive=True)]
        os.killpg(self.make.pid, number)
        self.make.wait(RUN_SECONDS_MAX)
        _, alive = psutil.wait_procs(family, timeout=RUN_SECONDS_MAX)
        assert not alive


@contextmanager
def making_run(folder: Path, port: int) -> Iterator[Run]:
    printed = folder / "printed.txt"
    with printed.open("wb") as output:
        make = subprocess.Popen(
            ["make", "run"],
            cwd=folder,
            env={**os.environ, "KLOUDLESS_PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", make, seconds_max=INSTALL_SECONDS_MAX)
        except AssertionError as error:
            raise AssertionError(f"{error}: {printed.read_text()}") from error
        yield Run(make, folder, printed)
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGKILL)
            make.wait()


@pytest.fixture
def fresh_copy(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "kloudless"
    for path in list_files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.timeout(600)  # packages are installed once
@pytest.mark.usefixtures("_curl")
def test_files_can_be_worked_with_and_second_run_goes_on_when_make_run_is_all_that_was_typed(fresh_copy: Path) -> None:
    port = find_free_port()
    with making_run(fresh_copy, port) as run:
        first_demo = run.demo
        assert (fresh_copy / "data" / "demo.json").stat().st_mode & 0o777 == 0o600
        assert first_demo["base_url"] == f"http://127.0.0.1:{port}"
        check_printed_commands(run)
        renamed_id = check_life_of_a_file(run)
        run.stop(signal.SIGTERM)
        assert run.printed.read_text().count("Stopped.") == 1

    installed_at = (fresh_copy / ".venv" / ".run").stat().st_mtime_ns
    with making_run(fresh_copy, port) as run:
        assert {**run.demo, "connectors": first_demo["connectors"]} == first_demo  # at other ports, if need be
        check_simulators(run)
        assert run.curl(f"{run.storage}/files/{renamed_id}")["name"] == "renamed.txt"
        assert (fresh_copy / ".venv" / ".run").stat().st_mtime_ns == installed_at
        run.stop(signal.SIGINT)


def check_printed_commands(run: Run) -> None:
    printed = run.printed.read_text()
    commands = re.findall(r"^ +(curl .*)$", printed, re.MULTILINE)
    assert len(commands) == 4, MASKS["<id>"].sub("", printed)
    copied, listed, stored, found = (json.loads(run.paste(f"{command} -sS")) for command in commands)
    assert copied["account"] == run.demo["accounts"][1]["id"]
    assert "Welcome.md" in [entry["name"] for entry in listed["objects"]]
    assert (stored["name"], stored["size"]) == ("hello.txt", len("Hello, world"))
    assert found["id"] == stored["id"]


def check_simulators(run: Run) -> None:
    """The demo's accounts at simulators work, in the API and on the command line."""
    *_, last = [account["id"] for account in run.demo["accounts"]]
    assert len(run.demo["connectors"]) == len(run.demo["accounts"]) - 1
    for account in run.demo["accounts"]:
        storage = f"{run.demo['base_url']}/v1/accounts/{account['id']}/storage"
        assert run.curl(f"{storage}/folders/root/contents")["count"] > 3
    checked = run.paste(f".venv/bin/kloudless account check {last}")
    assert b"status: ok\noauth_client: sandbox-client\n" in checked
    run.paste(f"KLOUDLESS_PORT={httpx.URL(run.demo['base_url']).port} .venv/bin/kloudless doctor --deep")


def check_life_of_a_file(run: Run) -> str:
    """Uploads, reads, renames, copies, deletes; the id of the file that stays."""
    metadata = 'X-Kloudless-Metadata: {"name": "a.txt", "parent_id": "root"}'
    stored = run.curl("-H", metadata, "--data-binary", "the bytes", f"{run.storage}/files")
    assert (run.folder / "data" / "files" / "a.txt").read_bytes() == b"the bytes"
    key = f"Authorization: APIKey {run.demo['api_key']}"
    assert run.paste(["curl", "-sS", "-H", key, f"{stored['href']}/contents"]) == b"the bytes"
    renamed = run.curl("-X", "PATCH", "-d", '{"name": "renamed.txt"}', stored["href"])
    copy = run.curl("-d", '{"parent_id": "root", "name": "copy.txt"}', f"{renamed['href']}/copy")
    assert run.curl("-X", "DELETE", copy["href"]) is None
    names = {entry["name"] for entry in run.curl(f"{run.storage}/folders/root/contents")["objects"]}
    assert "renamed.txt" in names
    assert not {"a.txt", "copy.txt"} & names
    renamed_id: str = renamed["id"]
    return renamed_id
