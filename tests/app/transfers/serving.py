"""One transfer that is served by hand, claim by claim, by servers that come to harm."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import update

from app.core.clock import now
from app.core.state import State
from app.main import build_kinds
from app.models import Task
from app.tasks.claims import Claim
from app.tasks.repository import TaskRepository
from app.tasks.running import TaskRun
from tests.app.drive import read_json
from tests.app.transfers.conftest import Account, OpenAccount
from tests.app.transfers.mortal import DiedError, Life, Standstill, Stop, make_mortal
from tests.app.transfers.vault import PART_BYTES

BIG = random.Random(8).randbytes(2 * PART_BYTES + 17)
TREE = {"top": None, "top/a": b"a", "top/sub": None, "top/sub/big": BIG}


@dataclass(frozen=True)
class Run:
    """One transfer that is served by hand."""

    source: Account
    target: Account
    task_id: UUID

    @property
    def _state(self) -> State:
        return self.source.drive.caller.api.state

    def serve(self, *, dies_at: int | None = None) -> Life:
        """Claims the task and serves it, for as long as the server lives."""
        life = Life(dies_at)
        for account in (self.source, self.target):
            account.vault.on_moment = life.pass_moment
        self.source.drive.caller.api.run(self._serve(make_mortal(self._state, life)))
        return life

    def stand_still(
        self,
        *,
        begins_at: int,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
    ) -> Standstill:
        """Claims the task and serves it by a server that stands still at some moment, until another one has claimed
        the task, too, and served it to its end; somebody does something before and after that.
        """

        async def take_over() -> None:
            before()
            await self._serve(self._state)
            after()

        still = Standstill(begins_at, take_over)
        for account in (self.source, self.target):
            account.vault.on_moment = still.pass_moment
        self.source.drive.caller.api.run(self._serve(make_mortal(self._state, still), monotonic=still.monotonic))
        return still

    def stop(self, *, comes_at: int) -> bool:
        """Claims the task and serves it until the server is told to stop, at some moment; False if that never came."""

        async def serve() -> bool:
            stop = Stop(comes_at)
            for account in (self.source, self.target):
                account.vault.on_moment = stop.pass_moment
            with suppress(asyncio.CancelledError):
                await self._serve(make_mortal(self._state, stop))
            return stop.has_come

        return self.source.drive.caller.api.run(serve())

    async def _serve(self, state: State, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        ours = Task.id == self.task_id, Task.due_at.is_not(None)
        async with self._state.db.writing() as session:
            await session.execute(update(Task).where(*ours).values(due_at=now(), attempts=0))
            await session.execute(update(Task).where(Task.id != self.task_id).values(due_at=None))
        async with self._state.db.writing() as session:
            task = await TaskRepository(session).claim(now=now(), until=now() + timedelta(seconds=30))
        if task is None:
            return  # it was ended already, by one that died after its last word
        assert task.id == self.task_id
        run = TaskRun(state, task, claimed_at=monotonic(), monotonic=monotonic)
        build = build_kinds()[task.kind]
        with suppress(DiedError):
            await Claim(run, build, jitter=lambda: 0.0).serve()


def begin(
    open_account: OpenAccount,
    *,
    is_move: bool,
    source_able: Mapping[str, bool] | None = None,
    target_able: Mapping[str, bool] | None = None,
) -> Run:
    """A task to copy or move the tree, between storages that are as able as told."""
    source, target = open_account(**source_able or {}), open_account(**target_able or {})
    for path, data in TREE.items():
        source.vault.put(path, data)
    target.vault.put("top", None)  # the name is taken, so that a free one is found, once
    href, body = source.href(source.vault.put("top")), {"account": target.id}
    client, wish = source.drive.client, {"return_type": "task"}
    reply = (
        client.patch(href, params=wish, json=body) if is_move else client.post(f"{href}/copy", params=wish, json=body)
    )
    return Run(source, target, UUID(read_json(reply, status=202)["id"]))
