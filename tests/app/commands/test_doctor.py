"""`kloudless doctor` and `health`: what they find, with and without a server, on both databases."""

from __future__ import annotations

import asyncio
import secrets
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, text

from app.core.aside import run_aside
from app.core.db import Database
from app.core.keys import KeyRing
from app.core.migrating import build_config
from app.core.settings import Settings
from app.doctor import examining
from app.doctor.configuration import check_origins
from app.doctor.database import judge_clocks
from app.doctor.examining import CHECKS, examine
from app.doctor.finding import Check, Finding, well
from app.doctor.machine import GIB, judge_room
from app.models import Account, Task
from app.server import open_socket
from tests.app.commands.conftest import ROOT, Run
from tests.servers.api import build_settings, running_api
from tests.servers.ports import find_free_port
from tests.servers.postgres import create_database, drop_database

PASSWORD = "s3cret-password"
TOO_LONG = f"{'a' * 64}.invalid"
"""A name that is refused without asking anybody."""


@pytest.fixture(params=["sqlite", "postgresql"])
def variables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Names an empty database, a free port and, for PostgreSQL, keys that are there."""
    with ExitStack() as stack:
        given = {"KLOUDLESS_PORT": str(find_free_port()), "KLOUDLESS_DATA_DIR": str(tmp_path / "data")}
        if request.param == "postgresql":
            server, name = request.getfixturevalue("postgres_url"), f"v{secrets.token_hex(6)}"
            given["DATABASE_URL"] = create_database(server, name)
            stack.callback(drop_database, server, name)
            KeyRing.from_file(tmp_path / "data" / "keys.json", create=True)
        yield given


def fill(run: Run, folder: Path, variables: dict[str, str]) -> None:
    """An application with a key and an account: two sealed secrets."""
    assert run("migrate", **variables).status == 0
    developer = run("developer", "create", "--json", **variables).json["id"]
    app = run("app", "create", "--name", "A", "--developer", str(developer), "--json", **variables).json["id"]
    assert run("account", "add", "local", "--app", app, "--root", ROOT, **variables).status == 0


def examined(run: Run, **variables: str) -> tuple[int, dict[str, dict[str, str]]]:
    answer = run("doctor", "--json", **variables)
    return answer.status, {finding["name"]: finding for finding in answer.json}


def test_all_is_well_when_nothing_runs(run: Run, folder: Path, variables: dict[str, str]) -> None:
    fill(run, folder, variables)
    status, found = examined(run, **variables)
    assert list(found) == [check.name for check in CHECKS]
    assert {name: finding for name, finding in found.items() if finding["status"] in {"warning", "failed"}} == {}
    assert status == 0
    assert found["sealed secrets"]["text"] == "2 stored secrets tried, all open"
    assert "no server runs here" in found["port"]["text"]
    assert found["database"]["text"].startswith("PostgreSQL" if "DATABASE_URL" in variables else "SQLite")


def test_all_is_well_while_a_server_runs(
    run: Run, request: pytest.FixtureRequest, tmp_path: Path, variables: dict[str, str]
) -> None:
    port = variables["KLOUDLESS_PORT"]
    given: dict[str, Any] = {"port": int(port), "public_origins": [f"http://127.0.0.1:{port}"]}
    if "DATABASE_URL" in variables:
        given["database_url"] = variables["DATABASE_URL"]
    with running_api(build_settings(tmp_path, **given)) as api:
        api.create_caller()
        status, found = examined(run, **variables, PUBLIC_ORIGINS=f"http://127.0.0.1:{port}")
        refused = examined(run, **variables, PUBLIC_ORIGINS=f"http://localhost:{port}")[1]["public origins"]
        health = [run("health", *option, **variables) for option in ([], ["--ready"])]
    assert {name: finding for name, finding in found.items() if finding["status"] in {"warning", "failed"}} == {}
    assert (status, found["public origins"]["status"]) == (0, "ok")
    assert "is well" in found["port"]["text"]
    assert refused["status"] == "failed"
    assert "does not answer as" in refused["text"]
    assert [(answer.status, "is well" in answer.out) for answer in health] == [(0, True)] * 2
    gone = run("health", **variables)
    assert (gone.status, gone.out.count("\n"), "No server answers" in gone.out) == (1, 1, True)


def test_all_is_well_when_what_a_task_was_asked_is_forgotten(run: Run, folder: Path, variables: dict[str, str]) -> None:
    fill(run, folder, variables)
    url = variables.get("DATABASE_URL") or f"sqlite+aiosqlite:///{variables['KLOUDLESS_DATA_DIR']}/kloudless.db"
    asyncio.run(end_task(url))
    status, found = examined(run, **variables)
    assert (status, found["sealed secrets"]["status"]) == (0, "ok")


async def end_task(url: str) -> None:
    db = Database(url)
    async with db.writing() as session:
        account = (await session.scalars(select(Account))).one()
        task = Task(
            id=uuid.uuid4(),
            application_id=account.application_id,
            account_id=account.id,
            kind="copy",
            sealed_request="",
            state="finished",
        )
        session.add(task)
    await db.aclose()


def test_nothing_is_made_when_there_is_nothing_yet(run: Run, tmp_path: Path) -> None:
    status, found = examined(run, KLOUDLESS_PORT=str(find_free_port()))
    assert status == 0
    assert {found[name]["status"] for name in ("database", "migrations", "keys", "sealed secrets")} == {"skipped"}
    assert not (tmp_path / "data").exists()


def test_empty_server_database_and_missing_keys_say_what_to_run(run: Run, postgres_url: str) -> None:
    name = f"v{secrets.token_hex(6)}"
    status, found = examined(run, DATABASE_URL=create_database(postgres_url, name))
    drop_database(postgres_url, name)
    assert status == 1
    assert (found["migrations"]["status"], found["migrations"]["advice"]) == ("failed", "Run: kloudless migrate")
    assert found["keys"]["status"] == "failed"
    assert "kloudless keys create" in found["keys"]["advice"]
    assert found["sealed secrets"]["status"] == "skipped"


def test_older_and_newer_database_are_told_apart(run: Run, folder: Path, variables: dict[str, str]) -> None:
    run("migrate", **variables)
    url = variables.get("DATABASE_URL") or f"sqlite+aiosqlite:///{variables['KLOUDLESS_DATA_DIR']}/kloudless.db"
    command.downgrade(build_config(url), "-1")
    older = examined(run, **variables)[1]["migrations"]
    assert (older["status"], "backup first" in older["advice"]) == ("failed", True)
    command.stamp(build_config(url), "head")
    asyncio.run(stamp(url, "9999"))
    newer = examined(run, **variables)[1]["migrations"]
    assert (newer["status"], "newer version" in newer["text"]) == ("failed", True)


async def stamp(url: str, revision: str) -> None:
    db = Database(url)
    async with db.writing() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    await db.aclose()


def test_wrong_keys_are_found_before_a_client_meets_them(
    run: Run, folder: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    fill(run, folder, variables)
    path = tmp_path / "data" / "keys.json"
    right = KeyRing.from_file(path)
    path.chmod(0o644)
    status, found = examined(run, **variables)
    assert (status, found["keys"]["status"], found["keys"]["advice"]) == (0, "warning", f"Run: chmod 600 {path}")
    path.unlink()
    KeyRing.from_file(path, create=True)
    status, found = examined(run, **variables)
    assert (status, found["keys"]["status"], found["sealed secrets"]["status"]) == (1, "ok", "failed")
    assert right.key_ids[0] in found["sealed secrets"]["text"]
    path.write_text(path.read_text().replace(KeyRing.from_file(path).key_ids[0], right.key_ids[0]))
    status, found = examined(run, **variables)
    assert (status, "does not open" in found["sealed secrets"]["text"]) == (1, True)
    path.write_text("{")
    assert examined(run, **variables)[1]["keys"]["status"] == "failed"


@pytest.mark.parametrize(
    ("given", "name", "status", "said"),
    [
        ({"KLOUDLESS_PROT": "9000"}, "variables", "warning", "KLOUDLESS_PORT?"),
        ({"KLOUDLESS_DATABASE_URL": "x"}, "variables", "warning", "DATABASE_URL?"),
        ({"KLOUDLESS_LOG_LEVEL": "debug"}, "logs", "warning", "debug"),
        ({"KLOUDLESS_LOG_LEVEL": "error"}, "logs", "warning", "not logged"),
        ({"KLOUDLESS_HOST": "127.0.0.2"}, "origins", "warning", "without TLS"),
        ({"PUBLIC_ORIGINS": "https://127.0.0.1:{free}"}, "origins", "failed", "believes no proxy"),
        ({"PUBLIC_ORIGINS": "http://127.0.0.2:{free}"}, "origins", "warning", "anybody on the way"),
        (
            {"PUBLIC_ORIGINS": "https://127.0.0.1:{free}", "KLOUDLESS_TRUSTED_PROXIES": "127.0.0.1"},
            "origins",
            "ok",
            "https://127.0.0.1",
        ),
        ({"KLOUDLESS_TRUSTED_PROXIES": "proxy"}, "proxies", "failed", "no address"),
        ({"PUBLIC_ORIGINS": "http://127.0.0.1:{free}"}, "public origins", "warning", "does not answer"),
        ({"PUBLIC_ORIGINS": f"http://{TOO_LONG}"}, "names", "failed", f"{TOO_LONG} cannot be looked up"),
        ({"PUBLIC_ORIGINS": "http://127.0.0.1:{free}"}, "names", "ok", "127.0.0.1"),
        ({"KLOUDLESS_CONNECTORS": '{"local": {"roots": {"a": {}}}}'}, "connectors", "failed", "local.roots.a"),
        (
            {"KLOUDLESS_CONNECTORS": '{"local": {"roots": {"a": {"folder": "/missing", "applications": ["*"]}}}}'},
            "connectors",
            "warning",
            "/missing",
        ),
        (
            {"DATABASE_URL": f"postgresql+asyncpg://u:{PASSWORD}@127.0.0.1:{{free}}/d"},
            "database",
            "failed",
            "cannot be reached",
        ),
        (
            {"DATABASE_READ_URL": f"postgresql+asyncpg://u:{PASSWORD}@127.0.0.1:{{free}}/d"},
            "read database",
            "failed",
            "cannot be reached",
        ),
        ({"DATABASE_URL": "nonsense"}, "database", "failed", "Could not parse"),
        ({"KLOUDLESS_PORT": "http"}, "settings", "failed", "port: "),
        ({"PUBLIC_ORIGINS": "example.com"}, "settings", "failed", "public_origins: "),
    ],
)
def test_trouble_is_named_with_what_to_do(run: Run, given: dict[str, str], name: str, status: str, said: str) -> None:
    free = str(find_free_port())
    exit_status, found = examined(run, **{key: value.replace("{free}", free) for key, value in given.items()})
    finding = found[name]
    assert (finding["status"], said in finding["text"]) == (status, True), finding
    assert bool(finding["advice"]) == (status in {"warning", "failed"})
    assert exit_status == (1 if any(other["status"] == "failed" for other in found.values()) else 0)
    assert PASSWORD not in str(found)


async def test_server_for_everybody_that_knows_no_origin_is_told_to_refuse_every_request() -> None:
    found = await check_origins(Settings(host="::"))
    assert (found.status, "PUBLIC_ORIGINS" in found.advice) == ("failed", True)


def test_port_that_something_else_has_is_told(run: Run) -> None:
    port = find_free_port()
    with open_socket(Settings(port=port)) as listener:
        stop = threading.Event()
        answering = threading.Thread(target=answer_nonsense, args=(listener, stop))
        answering.start()
        found = examined(run, KLOUDLESS_PORT=str(port))[1]["port"]
        stop.set()
        answering.join()
    assert (found["status"], "Cannot listen" in found["text"]) == ("failed", True)


def answer_nonsense(listener: socket.socket, stop: threading.Event) -> None:
    listener.settimeout(0.1)
    while not stop.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


def test_people_read_what_scripts_read(run: Run, folder: Path, variables: dict[str, str]) -> None:
    fill(run, folder, variables)
    given = {**variables, "KLOUDLESS_LOG_LEVEL": "debug", "KLOUDLESS_TRUSTED_PROXIES": "proxy"}
    _, found = examined(run, **given)
    told = run("doctor", **given)
    assert (told.status, told.err) == (1, "")
    for finding in found.values():
        assert finding["name"] in told.out
        assert finding["advice"] in told.out
    assert "1 failed, 1 warnings" in told.out


@pytest.mark.parametrize(("free_gib", "status"), [(100, "ok"), (0.5, "warning"), (0.01, "failed")])
def test_room_is_judged_by_the_fullest_disk(free_gib: float, status: str) -> None:
    assert judge_room({"data": 100 * GIB, "temporary files": int(free_gib * GIB)}).status == status


@pytest.mark.parametrize(("seconds", "status"), [(0, "ok"), (1, "ok"), (-3, "failed"), (3600, "failed")])
def test_clocks_are_judged_by_how_far_they_are_apart(seconds: float, status: str) -> None:
    moment = datetime.now(UTC)
    assert judge_clocks(moment, moment + timedelta(seconds=seconds)).status == status


async def test_check_that_hangs_or_breaks_stops_no_other_and_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "CHECK_SECONDS_MAX", 0.2)
    never = threading.Event()

    async def hang(_settings: Settings) -> Finding:
        await run_aside(never.wait)
        return well("never")

    async def break_down(_settings: Settings) -> Finding:
        raise RuntimeError(PASSWORD)

    async def succeed(_settings: Settings) -> Finding:
        return well(str(await run_aside(lambda: "well")))

    checks = (
        Check("hanging", hang),
        Check("broken", break_down),
        Check("after", succeed, needs=("hanging",)),
        Check("last", succeed),
    )
    found = [finding async for finding in examine(checks)]
    assert [finding.status for finding in found] == ["failed", "failed", "skipped", "ok"]
    assert "RuntimeError" in found[1].text
    assert PASSWORD not in str(found)
    never.set()


def test_light_health_check_loads_nothing_of_the_server(tmp_path: Path) -> None:
    port = str(find_free_port())
    code = "import sys; from app.health import main; main(); print(sorted(m for m in sys.modules if m in HEAVY))"
    ran = subprocess.run(
        [sys.executable, "-c", code.replace("HEAVY", "('fastapi', 'sqlalchemy', 'pydantic', 'msgspec', 'httpx')")],
        env={"KLOUDLESS_PORT": port, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "[]"
    assert f"127.0.0.1:{port}" in ran.stdout
