"""A server that dies before or after every single call and every single commit: the next one goes on."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from app.core.clock import now
from app.main import build_kinds
from app.models import Task
from app.tasks.claims import Claim
from app.tasks.repository import TaskRepository
from app.tasks.running import TaskRun
from tests.app.drive import read_json
from tests.app.transfers.conftest import Account, OpenAccount, serve_vaults
from tests.app.transfers.mortal import DiedError, Life, make_mortal
from tests.app.transfers.vault import PART_BYTES
from tests.servers.api import Api, build_settings
from tests.servers.postgres import create_database

BIG = random.Random(8).randbytes(2 * PART_BYTES + 17)
TREE = {"top": None, "top/a": b"a", "top/sub": None, "top/sub/big": BIG}
MOMENTS_MIN, MOMENTS_MAX = 50, 500
PARALLEL_MAX = 4  # parts whose sending was not written down when it died


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that runs no tasks itself."""
    given = {}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    yield from serve_vaults(build_settings(tmp_path_factory.mktemp("api"), tasks_parallel_max=0, **given))


@dataclass(frozen=True)
class Run:
    """One transfer that is served by hand."""

    source: Account
    target: Account
    task_id: UUID

    def serve(self, *, dies_at: int | None = None) -> Life:
        """Claims the task and serves it, for as long as the server lives."""
        life = Life(dies_at)
        self.source.drive.caller.api.run(self._serve(life))
        return life

    async def _serve(self, life: Life) -> None:
        state = make_mortal(self.source.drive.caller.api.state, life)
        for account in (self.source, self.target):
            account.vault.on_moment = life.pass_moment
        ours = Task.id == self.task_id, Task.due_at.is_not(None)
        async with self.source.drive.caller.api.state.db.writing() as session:
            await session.execute(update(Task).where(*ours).values(due_at=now(), attempts=0))
            await session.execute(update(Task).where(Task.id != self.task_id).values(due_at=None))
        async with self.source.drive.caller.api.state.db.writing() as session:
            task = await TaskRepository(session).claim(
                now=now(), until=now() + timedelta(seconds=30), skipped_applications=()
            )
        if task is None:
            return  # it died after its last word
        assert task.id == self.task_id
        run = TaskRun(state, task, claimed_at=asyncio.get_running_loop().time())
        build = build_kinds()[task.kind]
        with suppress(DiedError):
            await Claim(run, build, jitter=lambda: 0.0).serve()


def begin(open_account: OpenAccount, *, is_move: bool) -> Run:
    source, target = open_account(), open_account()
    for path, data in TREE.items():
        source.vault.put(path, data)
    target.vault.put("top", None)  # the name is taken, so that a free one is found, once
    href, body = source.href(source.vault.put("top")), {"account": target.id}
    client, wish = source.drive.client, {"return_type": "task"}
    reply = (
        client.patch(href, params=wish, json=body) if is_move else client.post(f"{href}/copy", params=wish, json=body)
    )
    return Run(source, target, UUID(read_json(reply, status=202)["id"]))


def check(run: Run, *, is_move: bool, deaths: int) -> None:
    task, rows = run.source.load()
    assert (task.state, task.error_message) == ("finished", None)
    assert run.target.vault.tree() == {"top": None} | {f"top (1){path[3:]}": data for path, data in TREE.items()}
    assert run.source.vault.tree() == ({} if is_move else TREE)
    assert run.target.vault.uploads == {}, "an upload was left behind"
    assert set(run.target.vault.stored.values()) == {1}, "something was stored twice"
    assert sum(run.target.vault.parts.values()) <= 3 + PARALLEL_MAX * deaths
    assert [row.parts_count for row in rows if row.name == "big"] == [3], "a part that was stored was sent again"
    assert task.outcomes == {"verified": 2}


@pytest.mark.timeout(300)
def test_move_is_whole_and_single_wherever_its_server_died(open_account: OpenAccount) -> None:
    for moment in range(1, MOMENTS_MAX):
        run = begin(open_account, is_move=True)
        life = run.serve(dies_at=moment)
        if not life.is_over:
            check(run, is_move=True, deaths=0)
            assert moment > MOMENTS_MIN
            return
        run.serve()
        check(run, is_move=True, deaths=1)
    raise AssertionError("it never ends")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(6))
def test_transfer_is_whole_and_single_when_several_servers_die(open_account: OpenAccount, seed: int) -> None:
    chance = random.Random(seed)
    run = begin(open_account, is_move=bool(seed % 2))
    deaths = 0
    while run.serve(dies_at=chance.randint(5, 80)).is_over:
        deaths += 1
        assert deaths < MOMENTS_MAX
    check(run, is_move=bool(seed % 2), deaths=deaths)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("api", ["sqlite"], indirect=True)  # the moments are the same on every database
def test_nothing_is_left_behind_when_task_is_cancelled_after_its_server_died(open_account: OpenAccount) -> None:
    for moment in range(1, MOMENTS_MAX):
        run = begin(open_account, is_move=False)
        if not run.serve(dies_at=moment).is_over:
            return
        was_finished = run.source.load()[0].state == "finished"  # it died after its last word
        url = run.source.tasks.url(str(run.task_id))
        assert run.source.drive.client.delete(url).status_code in {202, 204}
        run.serve()
        assert run.source.load()[0].state == ("finished" if was_finished else "cancelled")
        assert run.target.vault.uploads == {}
        assert run.source.vault.tree() == TREE
    raise AssertionError("it never ends")
