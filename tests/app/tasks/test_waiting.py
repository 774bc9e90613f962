"""Requests that wait for their tasks, and tasks that nobody runs yet."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.tasks import service
from tests.app.drive import Drive, read_error, read_json, wait_until
from tests.app.tasks.conftest import Tasks
from tests.app.tasks.serving import Bench, Script, do_nothing
from tests.servers.api import build_settings, running_api

LONG_SECONDS = 100.0


@pytest.fixture
def drive(bench: Bench) -> Any:
    with bench.caller.client() as client:
        yield Drive(bench.caller, client)


@pytest.fixture
def file(drive: Drive) -> dict[str, Any]:
    return drive.upload("file.txt", b"bytes")


def test_task_itself_is_answered_when_waiting_takes_too_long(drive: Drive, bench: Bench, file: dict[str, Any]) -> None:
    target = bench.api.add_account(bench.caller)
    tasks = Tasks(drive)
    task = tasks.read(drive.client.post(f"{file['href']}/copy", json={"account": target.account_id}))
    assert (task["state"], task["started"], task["ended"]) == ("PENDING", None, None)
    assert read_json(tasks.get(task["id"])) == task
    assert bench.load(UUID(task["id"])).state == "pending"


def test_running_task_answers_with_how_far_it_is(drive: Drive, bench: Bench) -> None:
    tasks, task_id = Tasks(drive), bench.create()
    bench.api.run(bench.claim())
    bench.set(task_id, files_total=7, files_done=3, bytes_total=100, bytes_done=42, outcomes={"verified": 3})
    task = read_json(tasks.get(str(task_id)))
    assert (task["state"], task["status"]) == ("STARTED", "STARTED")
    assert task["progress"] == {"files_total": 7, "files_done": 3, "bytes_total": 100, "bytes_done": 42}
    assert task["started"] is not None
    listed = read_json(drive.client.get(tasks.url(), params={"state": "started"}))["objects"]
    assert listed == [task]


def test_task_that_nobody_began_is_cancelled_at_once(drive: Drive, bench: Bench) -> None:
    tasks, task_id = Tasks(drive), bench.create()
    for _ in range(2):
        cancelled = drive.client.delete(tasks.url(str(task_id)))
        assert (cancelled.status_code, cancelled.content) == (204, b"")
    reply = tasks.get(str(task_id))
    assert read_error(reply) == (400, "request_failed")
    assert reply.json()["message"] == "The task was cancelled."
    listed = read_json(drive.client.get(tasks.url(), params={"state": "CANCELLED"}))["objects"]
    assert [entry["id"] for entry in listed] == [str(task_id)]
    assert bench.load(task_id).sealed_request == ""
    assert not bench.serve(Script(do_nothing))


def test_ended_task_stays_as_it_is_when_it_is_cancelled(drive: Drive, bench: Bench) -> None:
    tasks, task_id = Tasks(drive), bench.create()
    bench.serve(Script(do_nothing))
    assert drive.client.delete(tasks.url(str(task_id))).status_code == 204
    assert bench.load(task_id).state == "finished"
    assert tasks.get(str(task_id)).status_code == 204


def test_request_is_sealed_in_the_database(drive: Drive, bench: Bench) -> None:
    url = "http://127.0.0.1:9/secret-path?signature=hunter2"
    reply = drive.client.post(drive.url("files"), params={"return_type": "task"}, json={"url": url, "name": "a"})
    task_id = Tasks(drive).read(reply)["id"]
    row = bench.load(UUID(task_id))
    assert "hunter2" not in repr(vars(row))
    assert "secret-path" not in repr(vars(row))
    assert "hunter2" not in drive.client.get(Tasks(drive).url()).text


def test_application_can_have_only_so_many_tasks_that_have_not_ended(
    drive: Drive, bench: Bench, file: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TASKS_OPEN_MAX", 2)
    for _ in range(2):
        Tasks(drive).read(drive.client.post(f"{file['href']}/copy", json={}, params={"return_type": "task"}))
    refused = drive.client.post(f"{file['href']}/copy", json={}, params={"return_type": "task"})
    assert read_error(refused) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) > 0
    stranger = bench.api.create_caller()
    with stranger.client() as client:
        other = Drive(stranger, client)
        mine = other.upload("a")
        assert client.post(f"{mine['href']}/copy", json={}, params={"return_type": "task"}).status_code == 202
    bench.serve(Script(do_nothing))
    bench.serve(Script(do_nothing))
    assert drive.client.post(f"{file['href']}/copy", json={}, params={"return_type": "task"}).status_code == 202


@pytest.mark.parametrize("ending", ["client leaves", "server stops"])
def test_waiting_request_ends_at_once_and_its_task_lives_on(tmp_path: Path, ending: str) -> None:
    settings = build_settings(tmp_path, tasks_parallel_max=0, task_wait_seconds_max=LONG_SECONDS)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as threads, running_api(settings) as api:
        caller = api.create_caller()
        other = api.add_account(caller)
        with caller.client() as client:
            file = Drive(caller, client).upload("a.txt", b"x")
            body = json.dumps({"account": other.account_id})
            tasks = Tasks(Drive(caller, client))

            def has_task() -> bool:
                return bool(client.get(tasks.url()).json()["objects"])

            if ending == "client leaves":
                with closing(HTTPConnection("127.0.0.1", settings.port, timeout=LONG_SECONDS)) as connection:
                    headers = {**caller.key_header, "Content-Type": "application/json"}
                    connection.request("POST", f"{file['href']}/copy", body=body, headers=headers)
                    wait_until(has_task)
                waiting = None
            else:
                waiting = threads.submit(client.post, f"{file['href']}/copy", content=body)
                with caller.client() as second:
                    wait_until(lambda: bool(second.get(tasks.url()).json()["objects"]))
                api.state.signals.stop()
            if waiting is not None:
                assert tasks.read(waiting.result(LONG_SECONDS))["state"] == "PENDING"
            (task,) = read_json(client.get(tasks.url()))["objects"]
            assert task["state"] == "PENDING"
    assert time.monotonic() - began < LONG_SECONDS / 2
