"""Servers as child processes: started, waited for with a real request, also gone when tests are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from tests.servers.loop import run_beside

ServerT = TypeVar("ServerT")
Argument = str | int | Path

NOBODY = 65534
START_SECONDS_MAX = 60.0
START_ATTEMPTS_MAX = 5  # somebody else may take a free port between finding and using it
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05
LOG_CHARACTERS_MAX = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[ServerT]):
    """One attempt to start a server.

    - `command` is complete; `environment` is all that it gets beside a path, a home and a language.
    - `ask` asks it a real question that only this very server answers rightly, since on its port there may be another,
      and returns what the server's users need to know, or None when it does not answer yet.
    """

    command: Sequence[Argument]
    ask: Callable[[], ServerT | None]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child(Generic[ServerT]):
    """A server that runs and answers."""

    server: ServerT
    process_id: int


@contextmanager
def running_child(
    folder: Path,
    name: str,
    plan: Callable[[], Plan[ServerT]],
    *,
    user: Sequence[str] = (),
    stop_signal: signal.Signals = signal.SIGTERM,
    stop_seconds_max: float = STOP_SECONDS_MAX,
) -> Iterator[Child[ServerT]]:
    """Runs a server in `folder` until the block ends.

    `plan` is asked anew for each attempt. `user` comes from `as_nobody`. The process is sent `stop_signal` when the
    block ends, and killed if it takes too long; it is sent the same when the test process ends without a word.
    """
    log = folder / f"{name}.log"
    for _ in range(START_ATTEMPTS_MAX):
        planned = plan()
        process = _spawn(planned, folder, log, ["setpriv", *user, "--pdeathsig", stop_signal.name.removeprefix("SIG")])
        try:
            server = _wait_until_ready(process, planned)
            if server is not None:
                yield Child(server=server, process_id=process.pid)
                return
            if process.poll() is None:  # it neither answers nor gives up, and would not the next time
                break
        finally:
            _stop(process, stop_signal, seconds_max=stop_seconds_max)
    raise RuntimeError(f"{name} did not start: {log.read_text(errors='replace')[-LOG_CHARACTERS_MAX:]}")


def as_nobody(*capabilities: str) -> list[str]:
    """What makes a server run as nobody where the tests run as root: for programs that refuse to be root.

    With the capability `dac_override` it still reads and writes in root's folders, as pytest's are.
    """
    if os.geteuid() != 0:
        return []
    kept = ",".join(f"+{capability}" for capability in capabilities)
    keeping = ["--inh-caps", kept, "--ambient-caps", kept] if kept else []
    return [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *keeping]


def build_environment(folder: Path) -> dict[str, str]:
    """What a child process learns from its environment: nothing of the machine's settings, nor of the tests'."""
    return {"HOME": str(folder), "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _spawn(planned: Plan[ServerT], folder: Path, log: Path, wrapper: list[str]) -> subprocess.Popen[bytes]:
    async def spawn() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: ASYNC220 - it only starts the process, and belongs to this loop's thread
                [*wrapper, *map(str, planned.command)],
                cwd=folder,
                env={**build_environment(folder), **planned.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C stops the tests first, and they stop the server
            )

    # The kernel tells a child of its parent's death when the THREAD that started it ends; this one lives to the end.
    return run_beside(spawn())


def _wait_until_ready(process: subprocess.Popen[bytes], planned: Plan[ServerT]) -> ServerT | None:
    """What it answers; None when it ended or took too long."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        server = planned.ask()
        if server is not None:
            return server
        time.sleep(POLL_SECONDS)
    return None


def _stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, *, seconds_max: float) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        process.wait(seconds_max)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with all that it started; not waited for yet, so the number is its own
        process.wait()
