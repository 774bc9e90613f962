"""A process starts each server once, whoever asks, and leaves nothing behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.servers.missing import ServerMissingError
from tests.servers.shared import Shared

ROOT = Path(__file__).parents[2]
ASKING_COUNT = 8

CASE = """
import os
from pathlib import Path
import psutil
import pytest
from tests.servers.rclone import SHARED_RCLONE_WEBDAV

@pytest.mark.parametrize("number", range(4))
def test_server_answers_when_asked(number):
    with SHARED_RCLONE_WEBDAV.get().client() as client:
        assert client.put("a.txt", content=b"some bytes").is_success
    (child,) = psutil.Process().children()
    (Path(__file__).parent / f"{child.pid}.seen").write_text(str(os.getpid()))
"""


class Starting:
    """Servers that are the folder they were started in, or the error instead; counts the attempts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.folders: list[Path] = []
        self.error = error

    @contextmanager
    def running(self, folder: Path) -> Iterator[Path]:
        self.folders.append(folder)
        if self.error is not None:
            raise self.error
        (folder / "data").write_text("some data")
        yield folder


@pytest.fixture
def starting() -> Starting:
    return Starting()


@pytest.fixture
def shared(starting: Starting) -> Iterator[Shared[Path]]:
    shared = Shared(starting.running)
    yield shared
    shared.stop()


def test_one_server_is_started_when_many_ask_at_once(starting: Starting, shared: Shared[Path]) -> None:
    with ThreadPoolExecutor(ASKING_COUNT) as threads:
        found = list(threads.map(lambda _: shared.get(), range(ASKING_COUNT)))
    assert found == starting.folders * ASKING_COUNT
    assert len(starting.folders) == 1


def test_folder_is_gone_and_another_server_starts_when_it_was_stopped(shared: Shared[Path]) -> None:
    first = shared.get()
    shared.stop()
    assert not first.exists()
    assert shared.get().exists()


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_case_is_skipped_here_and_fails_in_ci_when_server_is_missing(
    monkeypatch: pytest.MonkeyPatch, starting: Starting, shared: Shared[Path], ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    starting.error = ServerMissingError("SomeServer", "no package")
    for _ in range(2):
        with pytest.raises(outcome, match="SomeServer cannot be had: no package"):
            shared.get()
    assert len(starting.folders) == 1


def test_all_who_ask_hear_it_when_start_failed(starting: Starting, shared: Shared[Path]) -> None:
    starting.error = RuntimeError("did not start")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="did not start"):
            shared.get()
    assert len(starting.folders) == 1


@pytest.mark.parametrize("processes_count", [0, 2])
def test_nothing_is_left_when_test_processes_end(tmp_path: Path, processes_count: int) -> None:
    (tmp_path / "test_case.py").write_text(CASE)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    options = f"-c pyproject.toml {tmp_path} -p no:cacheprovider -n {processes_count}".split()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    servers = [int(seen.stem) for seen in tmp_path.glob("*.seen")]
    assert len(servers) == max(processes_count, 1)
    assert [pid for pid in servers if psutil.pid_exists(pid)] == []
    assert list(temporary.glob("kloudless-server-*")) == []
