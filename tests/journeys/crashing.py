"""Transfers under a server that is killed again and again: what a seed decides, and what must hold at the end."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
from sqlalchemy import select

from app.core.db import Database
from app.models import Task, TransferFile
from tests.journeys.places import Place, Roads, merge_connectors
from tests.servers.process import running_server

MIB = 2**20
PART_BYTES = 8 * MIB
BIG_BYTES = 2 * PART_BYTES + 12_345
SMALL_BYTES_MAX = 40_000
FILES_COUNT = (4, 9)
KILLS_COUNT = (1, 3)
ALIVE_SECONDS_MAX = 1.2
"""Within which a kill comes: about as long as the transfers of a story take."""

LEASE_SECONDS = 1.0
END_SECONDS_MAX = 180.0
LOG_CHARACTERS_TOLD_MAX = 20_000
POLL_SECONDS = 0.05
NAMES = ("a.txt", "b.bin", "Ünïcode é.txt", "spaces  and #%.txt", "日本語", "no ending", ".dot", "UPPER.TXT", "z")
TOP = "tree"
BEGUN_ANEW, SOURCE_CHANGED_ERROR = "file begun anew", "SourceChangedError"  # as the server logs it
SOURCE_CHANGED = "the source changed before the copy could be compared with it"


@dataclass(frozen=True)
class Script:
    """What one transfer moves, all of it decided by its seed."""

    seed: int
    is_move: bool
    files: dict[str, bytes]
    changed: dict[str, bytes]  # files that somebody replaces after the first kill

    @classmethod
    def from_seed(cls, seed: int) -> Script:
        """The same for the same seed."""
        chance = random.Random(seed)
        folders = ["", "sub/", "sub/deeper/", "other/"]
        names = chance.sample(NAMES, chance.randint(*FILES_COUNT))
        files = {chance.choice(folders) + name: chance.randbytes(chance.randint(0, SMALL_BYTES_MAX)) for name in names}
        files[chance.choice(folders) + "big.bin"] = chance.randbytes(BIG_BYTES)
        is_move = chance.random() < 0.5
        is_torn = not is_move and chance.random() < 0.4
        torn = [chance.choice(sorted(files))] if is_torn else []
        keeps_size = chance.random() < 0.5
        return cls(seed, is_move, files, {path: change(files[path], keeps_size=keeps_size) for path in torn})


def change(data: bytes, *, keeps_size: bool) -> bytes:
    """Other bytes, as many of them if there are any."""
    return bytes(byte ^ 1 for byte in data[:1]) + data[1:] if keeps_size and data else data + b"changed"


@dataclass
class Transfer:
    """One transfer between two places, from its beginning to its end."""

    script: Script
    source: Place
    target: Place
    task_url: str = ""
    stamps: dict[str, object] = field(default_factory=dict)  # of files that were finished when a server died
    states: dict[str, str] = field(default_factory=dict)  # of files when somebody changed the source

    @property
    def task_id(self) -> UUID:
        """Of the task that was made."""
        return UUID(self.task_url.rpartition("/")[2])

    def begin(self, client: httpx.Client) -> None:
        """Connects the accounts and asks for the task."""
        self.source.put({f"{TOP}/{path}": data for path, data in self.script.files.items()})
        ids = []
        for place in (self.source, self.target):
            reply = client.post("/v1/accounts", json={"account": place.name, **place.credentials})
            assert reply.status_code == 201, reply.text
            ids.append(reply.json()["id"])
        storage = f"/v1/accounts/{ids[0]}/storage"
        folder = client.get(f"{storage}/path", params={"path": f"/{TOP}/"}).json()
        url, params = f"{storage}/folders/{folder['id']}", {"return_type": "task"}
        body = {"account": ids[1], "parent_id": "root"}
        if self.script.is_move:
            reply = client.patch(url, params=params, json=body)
        else:
            reply = client.post(f"{url}/copy", params=params, json=body)
        assert reply.status_code == 202, reply.text
        self.task_url = f"/v1/accounts/{ids[0]}/tasks/{reply.json()['id']}"

    def tear(self, rows: Sequence[TransferFile]) -> None:
        """Somebody replaces files of the source."""
        self.states = {row.path: read_state(row) for row in rows if row.kind == "file"}
        self.source.put({f"{TOP}/{path}": data for path, data in self.script.changed.items()})

    def note(self, rows: Sequence[TransferFile]) -> None:
        """Remembers what is finished: it must never be written again."""
        stamps = self.target.list_stamps()
        for row in rows:
            if row.kind == "file" and row.state == "stored":
                self.stamps.setdefault(row.path, stamps[row.path])

    def wait_for_end(self, client: httpx.Client) -> None:
        """The task answers with the folder that it made."""
        deadline = time.monotonic() + END_SECONDS_MAX
        while (reply := client.get(self.task_url)).status_code == 200 and "state" in reply.json():
            assert time.monotonic() < deadline, reply.text
            time.sleep(POLL_SECONDS)
        assert reply.status_code == 200, reply.text
        assert (reply.json()["type"], reply.json()["name"]) == ("folder", TOP)

    def check(self, task: Task, rows: Sequence[TransferFile]) -> None:
        """All bytes are there, once; nothing half-done is left; nothing that was finished was done again."""
        script = self.script
        now = script.files | script.changed
        stored = self.target.read()
        assert set(stored) == {f"{TOP}/{path}" for path in script.files}
        assert self.source.read() == ({} if script.is_move else {f"{TOP}/{path}": data for path, data in now.items()})
        assert self.target.list_unfinished() == []
        stamps = self.target.list_stamps()
        assert {path: stamps[path] for path in self.stamps} == self.stamps
        files = [row for row in rows if row.kind == "file"]
        for row in files:
            self._check_file(row, stored[row.path])
        assert task.outcomes == Counter(row.outcome for row in files)
        assert (task.files_done, task.files_total) == (len(files), len(files))
        assert task.bytes_done == task.bytes_total == sum(row.size_bytes or 0 for row in files)

    def _check_file(self, row: TransferFile, stored: bytes) -> None:
        """A file that nobody changed is there, byte by byte, and known to be. One that somebody changed is the old or
        the new one as a whole: the old one only if it had been stored before, or just might have been.
        """
        path = row.path.removeprefix(f"{TOP}/")
        old, new = self.script.files[path], self.script.changed.get(path)
        before = self.states.get(row.path, "waiting")
        if new is None:
            assert stored == old, f"{path} has other bytes"
            assert (row.outcome, row.starts) == ("verified", 0), f"{path} is {row.outcome}: {row.reason}"
        elif stored == new:
            assert row.outcome == "verified", f"{path} is {row.outcome}: {row.reason}"
            assert before != "stored", f"{path} was stored and was stored again"
            assert row.starts or row.path not in self.states, f"nobody noticed that {path} changed when it was {before}"
            assert row.starts <= 1, f"{path} changed once and was begun anew {row.starts} times"
        else:
            assert stored == old, f"{path} is neither the old nor the new one"
            assert before in {"stored", "finishing"}, f"nobody noticed that {path} changed when it was {before}"
            # What it was made of is gone; whether it can still be compared depends on what was written down.
            is_uncertain = (row.outcome, row.reason) == ("unverifiable", SOURCE_CHANGED) and before == "finishing"
            assert row.outcome == "verified" or is_uncertain, f"{path} is {row.outcome}: {row.reason}"
        if row.name == "big.bin" and not row.starts and row.parts_count:
            assert row.parts_count == -(-BIG_BYTES // PART_BYTES), "a part that was stored was sent again"


def read_state(row: TransferFile) -> str:
    """How far a file is; one of which all parts have arrived is made of them without another look at the source."""
    is_whole = row.size_bytes is not None and row.parts_count * PART_BYTES >= row.size_bytes > 0
    return "finishing" if row.state == "started" and is_whole else row.state


@dataclass
class Story:
    """Several transfers on one server, across its deaths."""

    seed: int
    transfers: list[Transfer]
    data: Path
    variables: Mapping[str, str]
    roads: Roads

    def run(self) -> None:
        """Everything; AssertionError names what does not hold, and what the servers logged."""
        try:
            self._run()
            self._check_reasons()
        except AssertionError as error:
            error.add_note(self._log[-LOG_CHARACTERS_TOLD_MAX:])
            raise

    @property
    def _log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text()

    def _check_reasons(self) -> None:
        """Files are begun anew because somebody changed them, never because a server lost what it had begun.

        One that is killed while it begins a changed file anew may have aborted the upload, and not written that down.
        """
        changed: set[int] = set()
        for line in self._log.splitlines():
            if BEGUN_ANEW in line:
                file_id = json.loads(line)["file_id"]
                assert SOURCE_CHANGED_ERROR in line or file_id in changed, line
                changed.add(file_id)

    def _run(self) -> None:
        chance = random.Random(self.seed)
        kills_count = chance.randint(*KILLS_COUNT)
        places = [place for transfer in self.transfers for place in (transfer.source, transfer.target)]
        variables = {
            "KLOUDLESS_CONNECTORS": json.dumps(merge_connectors(places)),
            "KLOUDLESS_TASK_LEASE_SECONDS": str(LEASE_SECONDS),
            "KLOUDLESS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "MEASURED_FOLDERS": "",  # who is killed could not tell what ran
            **self.variables,
        }
        for kill in range(kills_count):
            with running_server(self.data, **variables) as server:
                if kill == 0:
                    with server.client() as client:
                        for transfer in self.transfers:
                            transfer.begin(client)
                with self.roads.bad():
                    time.sleep(chance.uniform(0, ALIVE_SECONDS_MAX))
                    server.kill()
            self.look(is_tearing=kill == 0)
        with running_server(self.data, **variables) as server, server.client() as client:
            with self.roads.bad():
                time.sleep(chance.uniform(0, ALIVE_SECONDS_MAX))
            for transfer in self.transfers:
                transfer.wait_for_end(client)
        self.look(is_over=True)

    def look(self, *, is_tearing: bool = False, is_over: bool = False) -> None:
        """Looks into the database while no server runs. Somebody may change the sources at that moment."""
        tasks, rows = asyncio.run(self._load())
        for transfer in self.transfers:
            mine = [row for row in rows if row.task_id == transfer.task_id]
            if is_over:
                transfer.check(tasks[transfer.task_id], mine)
            else:
                transfer.note(mine)
            if is_tearing:
                transfer.tear(mine)

    async def _load(self) -> tuple[dict[UUID, Task], list[TransferFile]]:
        db = Database(self.variables.get("DATABASE_URL") or f"sqlite+aiosqlite:///{self.data / 'kloudless.db'}")
        try:
            async with db.reading() as session:
                tasks = {task.id: task for task in await session.scalars(select(Task))}
                return tasks, list(await session.scalars(select(TransferFile)))
        finally:
            await db.aclose()
