"""Two accounts of one application, and their tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_json, wait_until
from tests.servers.api import Caller

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
