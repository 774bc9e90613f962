"""Two accounts of one application, and their tasks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app.models import Task
from tests.app.drive import Drive, read_json, wait_until
from tests.app.tasks.serving import LEASE_SECONDS, Bench
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.postgres import create_database

TASK_SECONDS_MAX = 60.0
UNFINISHED = {"PENDING", "STARTED"}


@dataclass(frozen=True)
class Tasks:
    """The tasks of one account."""

    drive: Drive

    def url(self, task_id: str = "") -> str:
        return f"{self.drive.caller.account_url}/tasks/{task_id}".removesuffix("/")

    def get(self, task_id: str) -> httpx.Response:
        return self.drive.client.get(self.url(task_id))

    def wait(self, task_id: str) -> httpx.Response:
        """What the task answers when it has ended."""
        reply = self.get(task_id)

        def has_ended() -> bool:
            nonlocal reply
            reply = self.get(task_id)
            return reply.status_code != 200 or reply.json().get("state") not in UNFINISHED

        wait_until(has_ended, seconds_max=TASK_SECONDS_MAX)
        return reply

    def read(self, reply: httpx.Response) -> dict[str, Any]:
        """The task of a 202."""
        task = read_json(reply, status=202)
        assert task["type"] == "task"
        assert task["state"] == task["status"]
        return task


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def idle_api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that runs no tasks itself and that waits for them only a moment."""
    given: dict[str, Any] = {"tasks_parallel_max": 0, "task_lease_seconds": LEASE_SECONDS, "task_wait_seconds_max": 0.2}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    with running_api(build_settings(tmp_path_factory.mktemp("api"), **given)) as running:
        yield running


@pytest.fixture
def bench(idle_api: Api) -> Bench:
    """An account whose tasks are the only ones that are ever due."""

    async def forget_others() -> None:
        async with idle_api.state.db.writing() as session:
            await session.execute(update(Task).values(due_at=None))

    idle_api.run(forget_others())
    return Bench(idle_api, idle_api.create_caller())


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)


@pytest.fixture
def other(caller: Caller) -> Iterator[Drive]:
    account = caller.api.add_account(caller)
    with account.client() as client:
        yield Drive(account, client)


@pytest.fixture
def tasks(drive: Drive) -> Tasks:
    return Tasks(drive)
