"""A crowd of clients on PostgreSQL that dies in the middle, and a storage that fails every tenth time.

`make soak` sends a thousand clients for a minute. CROWD_CLIENTS says how many, CROWD_SECONDS for how long.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from app.core.keys import KeyRing
from app.core.migrating import migrate
from app.core.settings import Settings
from tests.app.drive import wait_until
from tests.journeys import watched
from tests.journeys.crowd import METADATA, Client, Home, Ledger
from tests.servers.apache import running_apache
from tests.servers.missing import skipping_when_missing
from tests.servers.nginx import running_nginx
from tests.servers.origin import Exchange, Origin, reply
from tests.servers.ports import find_free_port
from tests.servers.postgres import MortalPostgres, create_database, running_mortal_postgres
from tests.servers.process import Server, running_server
from tests.servers.webdav import WebDavServer

CLIENTS_COUNT = int(os.environ.get("CROWD_CLIENTS", "60"))
SECONDS = float(os.environ.get("CROWD_SECONDS", "12"))
PAUSE_SECONDS_MAX = 0.5
ACCOUNTS_COUNT = 4  # of each storage
DEAD_SECONDS = 1.0
DATABASE_SECONDS_MAX = 5.0
AWAY_SECONDS_MAX = 30.0  # for a server that is busy with a thousand others; clients that hang wait longer
LEFT_TASKS_MAX = 5
LEFT_DESCRIPTORS_MAX = 130  # connections that are kept for the next call: to the database, and to the storage
GROWN_BYTES_MAX = 192 * 2**20 + CLIENTS_COUNT * 128 * 2**10  # what the first crowd needs and malloc keeps
GROWN_AGAIN_BYTES_MAX = 24 * 2**20 + CLIENTS_COUNT * 32 * 2**10  # by the second, which finds all that there already
SHOWN_MAX = 30  # of what was wrong
ROOT = "crowd"

pytestmark = pytest.mark.timeout(300 + 8 * SECONDS)

FAULTY = """
split_clients "$request_id" $fault {{ 4% 503; 3% 500; 2% cut; 2% late; * none; }}
upstream storage {{ server 127.0.0.1:{storage_port}; keepalive 32; }}
server {{
    listen 127.0.0.1:{port};
    client_max_body_size 0;
    set $now $fault;
    if (!-f {switch}) {{ set $now none; }}
    error_page 418 = @late;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    location / {{
        if ($now = 503) {{ return 503; }}
        if ($now = 500) {{ return 500; }}
        if ($now = cut) {{ return 444; }}
        if ($now = late) {{ return 418; }}
        proxy_pass http://storage;
    }}
    location @late {{ proxy_read_timeout 1ms; proxy_pass http://storage; }}
}}
"""
"""Fails a tenth of all requests while the file `switch` is there: before the storage hears of them, or after."""


@dataclass
class Story:
    """What was seen from outside while the crowd was there."""

    ledger: Ledger = field(default_factory=Ledger)
    away_answers: list[tuple[int, str | None, float]] = field(default_factory=list)  # status, Retry-After, seconds
    tasks: list[int] = field(default_factory=list)  # before, after the first crowd, after the second
    descriptors: list[int] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)
    left_connections_count: int = -1
    log: str = ""

    @property
    def summary(self) -> str:
        """Everything that can be counted."""
        ledger, sizes = self.ledger, [f"{size / 2**20:.0f} MiB" for size in self.resident_bytes]
        return (
            f"{dict(ledger.statuses)}\n{dict(ledger.reasons)}\n{dict(ledger.operations)}\n"
            f"{ledger.cut_count} downloads cut, "
            f"{self.tasks} tasks, {self.descriptors} descriptors, {sizes}\n"
            + "".join(f"{wrong}\n" for wrong in ledger.wrong[:SHOWN_MAX])
        )


@contextmanager
def faulty_webdav(folder: Path) -> Iterator[tuple[WebDavServer, str, Path]]:
    """A server, the address at which it fails, and the file that makes it do so."""
    port, switch = find_free_port(), folder / "faulty"
    with running_apache(folder / "apache") as storage:
        url = httpx.URL(storage.url)
        http = FAULTY.format(storage_port=url.port, port=port, switch=switch)
        with running_nginx(folder / "nginx", http, ready_port=find_free_port()):
            yield storage, str(url.copy_with(port=port)), switch


class Stage:
    """The server and all around it."""

    def __init__(self, server: Server, postgres: MortalPostgres, switch: Path, counts: Path) -> None:
        self.server = server
        self.story = Story()
        self._postgres = postgres
        self._switch = switch
        self._counts = counts
        self._process = psutil.Process(server.process.pid)

    def connect(self, storage: WebDavServer, url: str, files: Path) -> list[tuple[str, int]]:
        """Accounts, by turns of either storage."""
        with self.server.client() as client:
            accounts: list[tuple[str, int]] = []
            for number in range(ACCOUNTS_COUNT):
                (files / f"l{number}").mkdir()
                (storage.root / f"w{number}").mkdir()
                sign_in = {"url": f"{url}w{number}/", "username": storage.user, "password": storage.password}
                for body in (
                    {"service": "local", "token": ROOT, "folder": f"l{number}"},
                    {"service": "webdav", **sign_in},
                ):
                    made = client.post("/v1/accounts", json={"account": f"{body['service']}{number}", **body})
                    assert made.status_code == 201, made.text
                    accounts.append((f"/v1/accounts/{made.json()['id']}/storage", made.json()["id"]))
            return accounts

    def make_homes(self, accounts: list[tuple[str, int]], crowd: str) -> list[tuple[Home, Home]]:
        """For each client a folder in one account, and one in an account of the other storage."""
        with self.server.client() as client:
            return [self._make_homes(client, accounts, f"{crowd}-{number}", number) for number in range(CLIENTS_COUNT)]

    def _make_homes(
        self, client: httpx.Client, accounts: list[tuple[str, int]], name: str, number: int
    ) -> tuple[Home, Home]:
        homes = []
        for index, kind in ((number, "home"), (number + 1, "copies")):
            storage_url, account_id = accounts[index % len(accounts)]
            folder = client.post(f"{storage_url}/folders", json={"name": f"{kind}-{name}", "parent_id": "root"})
            assert folder.status_code == 201, folder.text
            homes.append(Home(storage_url, account_id, folder.json()["id"]))
        return homes[0], homes[1]

    async def play(self, homes: list[tuple[Home, Home]], crowd: str, *, is_database_mortal: bool) -> None:
        """The crowd comes, the database dies and lives again, everything is compared, the crowd leaves."""
        headers = {"Authorization": f"APIKey {self.server.api_key}"}
        port = self.server.address[1]
        clients = [
            Client(f"{crowd}-{number}", port, headers, home, other, self.story.ledger)
            for number, (home, other) in enumerate(homes)
        ]
        self._switch.touch()
        until = asyncio.get_running_loop().time() + SECONDS
        async with asyncio.TaskGroup() as group:
            if is_database_mortal:
                group.create_task(self._kill_database())
            for client in clients:
                group.create_task(client.run(until, pause_seconds_max=PAUSE_SECONDS_MAX))
        self._switch.unlink()
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.check())

    async def _kill_database(self) -> None:
        await asyncio.sleep(SECONDS / 2)
        await asyncio.to_thread(self._postgres.die)
        await asyncio.to_thread(self._ask_in_vain)
        await asyncio.to_thread(self._postgres.start)

    def _ask_in_vain(self) -> None:
        with self.server.client() as client:
            until = time.monotonic() + DEAD_SECONDS
            while time.monotonic() < until:
                started = time.monotonic()
                answer = client.post(f"/v1/accounts/{self.server.account_id}/tokens")
                seconds = time.monotonic() - started
                self.story.away_answers.append((answer.status_code, answer.headers.get("retry-after"), seconds))
                assert client.get("/health").status_code == 200
                time.sleep(DEAD_SECONDS / 10)

    def measure(self) -> None:
        """What the server holds now."""
        self._counts.unlink(missing_ok=True)
        self._process.send_signal(watched.SIGNAL)
        wait_until(self._counts.exists)
        self.story.tasks.append(int(self._counts.read_text()))
        self.story.descriptors.append(self._process.num_fds())
        self.story.resident_bytes.append(self._process.memory_info().rss)

    def count_clients(self) -> int:
        """Connections of clients that the server still has."""
        port = self.server.address[1]
        found = self._process.net_connections(kind="tcp")
        return sum(connection.laddr.port == port and connection.status != "LISTEN" for connection in found)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("crowd")
    files, counts = folder / "files", folder / "counts"
    for new in (files, folder / "apache"):
        new.mkdir()
    with ExitStack() as stack:
        with skipping_when_missing():
            postgres = stack.enter_context(running_mortal_postgres())
            storage, url, switch = stack.enter_context(faulty_webdav(folder))
        database_url = create_database(postgres.url, "crowd")
        settings = Settings(data_dir=folder / "data", database_url=database_url)
        KeyRing.from_file(settings.keys_path, create=True)
        migrate(settings)
        root = {"folder": str(files), "applications": ["*"]}
        variables = {
            "DATABASE_URL": database_url,
            "KLOUDLESS_CONNECTORS": json.dumps({"local": {"roots": {ROOT: root}, "allow_api_accounts": True}}),
            "KLOUDLESS_DATABASE_SECONDS_MAX": str(DATABASE_SECONDS_MAX),
            "KLOUDLESS_APPLICATION_REQUESTS_PER_SECOND": "0",
            "KLOUDLESS_ACCOUNT_REQUESTS_PER_SECOND": "0",
            "KLOUDLESS_ACCOUNT_REQUESTS_PARALLEL_MAX": "0",
            watched.FILE_VARIABLE: str(counts),
        }
        with running_server(folder / "data", module=watched.__name__, **variables) as server:
            stage = Stage(server, postgres, switch, counts)
            accounts = stage.connect(storage, url, files)
            stage.measure()
            for measured_count, crowd in enumerate(("first", "second"), 1):
                homes = stage.make_homes(accounts, crowd)
                asyncio.run(stage.play(homes, crowd, is_database_mortal=crowd == "first"))
                wait_until(lambda: stage.count_clients() == 0)
                wait_until(partial(stage_is_quiet, stage, measured_count))
            stage.story.left_connections_count = stage.count_clients()
    stage.story.log = (folder / "data.log").read_text()
    sys.stdout.write(stage.story.summary)  # shown when a case fails, and with -s
    return stage.story


def stage_is_quiet(stage: Stage, measured_count: int) -> bool:
    """Measures again until nothing is left of what the crowd began."""
    for measured in (stage.story.tasks, stage.story.descriptors, stage.story.resident_bytes):
        del measured[measured_count:]
    stage.measure()
    return stage.story.tasks[-1] <= stage.story.tasks[0] + LEFT_TASKS_MAX


@pytest.mark.parametrize(
    ("operation", "words"),
    [("_read", "are not those that were stored"), ("_list", "missing"), ("_settle", "lost"), ("_look", "404 instead")],
)
async def test_client_notices_when_a_server_forgets_and_lies(operation: str, words: str) -> None:
    async def store(exchange: Exchange) -> None:
        body = await exchange.read_body()
        (metadata,) = exchange.seen.get_all(METADATA)
        made = {"id": "1", "name": json.loads(metadata)["name"], "size": len(body), "account": 1}
        await exchange.reply(201, body=json.dumps(made).encode())

    ledger, home = Ledger(), Home("/storage", 1, "home")
    async with Origin() as origin:
        origin.on("/storage/files", store)
        origin.on("/storage/files/1", reply(404))
        origin.on("/storage/files/1/contents", reply(200, body=b"something else"))
        origin.on("/storage/folders/home/contents", reply(200, body=b'{"objects": []}'))
        client = Client("client", origin.port, {}, home, home, ledger)
        await client._step(client._upload)
        assert ledger.wrong == []
        await client._step(getattr(client, operation))
        await client.close()
    assert len(ledger.wrong) == 1
    assert words in ledger.wrong[0]


def test_no_answer_is_wrong_and_nothing_acknowledged_is_lost(story: Story) -> None:
    assert story.ledger.wrong == []
    assert story.ledger.operations.keys() >= {"upload", "replace", "rename", "delete", "look", "list", "read", "copy"}
    assert story.ledger.statuses[200] > CLIENTS_COUNT
    assert story.ledger.statuses[201] >= CLIENTS_COUNT / 4


def test_storage_and_database_failed_as_they_should(story: Story) -> None:
    assert sum(story.ledger.statuses[status] for status in (502, 503, 504)) > 0


def test_requests_are_refused_at_once_while_the_database_is_away(story: Story) -> None:
    assert story.away_answers
    for status, retry_after, seconds in story.away_answers:
        assert status == 503
        assert retry_after is not None
        assert int(retry_after) > 0
        assert seconds < AWAY_SECONDS_MAX


def test_nothing_is_left_of_the_crowd(story: Story) -> None:
    assert story.left_connections_count == 0
    assert max(story.tasks) <= story.tasks[0] + LEFT_TASKS_MAX
    assert max(story.descriptors) <= story.descriptors[0] + LEFT_DESCRIPTORS_MAX
    assert story.resident_bytes[1] - story.resident_bytes[0] < GROWN_BYTES_MAX
    assert story.resident_bytes[2] - story.resident_bytes[1] < GROWN_AGAIN_BYTES_MAX


def test_no_fault_of_the_server_was_logged(story: Story) -> None:
    # A storage that breaks off a file in the middle leaves only cutting the reply, which uvicorn logs at length.
    faults = [line for line in story.log.splitlines() if "Traceback" in line and "errors.ConnectorError: " not in line]
    assert faults == []
