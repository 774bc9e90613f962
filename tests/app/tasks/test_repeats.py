"""Idempotency-Keys on requests that become tasks: a repeat is given the same task, and never makes another."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.app.tasks.conftest import Tasks

KEY = {"Idempotency-Key": "one of a kind"}
AS_TASK = {"return_type": "task"}


@pytest.fixture
def file(drive: Drive) -> dict[str, Any]:
    return drive.upload("file.txt", b"bytes")


def count(drive: Drive) -> int:
    total: int = read_json(drive.client.get(f"{drive.caller.account_url}/tasks"))["total"]
    return total


def test_repeat_is_given_the_same_task(drive: Drive, other: Drive, tasks: Tasks, file: dict[str, Any]) -> None:
    def ask() -> httpx.Response:
        body = {"account": other.caller.account_id}
        return drive.client.post(f"{file['href']}/copy", json=body, params=AS_TASK, headers=KEY)

    first = tasks.read(ask())
    tasks.wait(first["id"])
    assert tasks.read(ask())["id"] == first["id"]
    assert (count(drive), other.list_names()) == (1, ["file.txt"])


def test_repeat_is_given_the_same_result_when_it_was_waited_for(
    drive: Drive, other: Drive, file: dict[str, Any]
) -> None:
    def ask() -> dict[str, Any]:
        body = {"account": other.caller.account_id}
        return read_json(drive.client.post(f"{file['href']}/copy", json=body, headers=KEY), status=201)

    assert ask() == ask()
    assert (count(drive), other.list_names()) == (1, ["file.txt"])


def test_repeat_is_given_the_same_failure_when_the_task_failed(drive: Drive) -> None:
    def ask() -> httpx.Response:
        body = {"url": "http://127.0.0.1:9/secret", "name": "a", "parent_id": "root"}
        return drive.client.post(drive.url("files"), json=body, headers=KEY)

    first, second = ask(), ask()
    read_error(first)
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert (count(drive), drive.list_names()) == (1, [])


def test_key_is_free_again_when_no_task_was_made(drive: Drive, other: Drive, file: dict[str, Any]) -> None:
    def ask(parent_id: str) -> httpx.Response:
        body = {"account": other.caller.account_id, "parent_id": parent_id}
        return drive.client.post(f"{file['href']}/copy", json=body, headers=KEY)

    assert read_error(ask("nonsense")) == (400, "invalid_parent_folder")
    assert count(drive) == 0
    assert ask("root").status_code == 201
