"""Uploads by URL, and whatever is a task, with an Idempotency-Key: one task, and its URL is asked once."""

from __future__ import annotations

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.app.tasks.conftest import Tasks
from tests.servers.origin import Origin, reply

KEY = {"Idempotency-Key": "one of a kind"}
REPLAYED = "idempotency-replayed"


def fetch(drive: Drive, url: str, **params: str) -> httpx.Response:
    body = {"url": url, "name": "a.bin", "parent_id": "root"}
    return drive.client.post(drive.url("files"), params=params, json=body, headers=KEY)


def test_url_is_fetched_once_when_the_request_comes_again(drive: Drive, origin: Origin) -> None:
    origin.on("/a", reply(200, body=b"x"))
    first = fetch(drive, origin.url("/a"))
    assert (first.status_code, REPLAYED in first.headers) == (201, False)
    again = fetch(drive, origin.url("/a"))
    assert (again.status_code, again.content, again.headers[REPLAYED]) == (201, first.content, "true")
    assert drive.list_names() == ["a.bin"]
    assert len(origin.requests) == 1


def test_other_url_under_the_same_key_is_refused(drive: Drive, origin: Origin) -> None:
    origin.on("/a", reply(200, body=b"x"))
    assert fetch(drive, origin.url("/a")).status_code == 201
    assert read_error(fetch(drive, origin.url("/b"))) == (422, "idempotency_mismatch")
    assert len(origin.requests) == 1


def test_failure_of_a_fetch_is_the_answer_of_every_repeat(drive: Drive, origin: Origin, tasks: Tasks) -> None:
    origin.on("/a", reply(404))
    first = fetch(drive, origin.url("/a"))
    again = fetch(drive, origin.url("/a"))
    assert first.status_code >= 400
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    assert read_json(drive.client.get(tasks.url()))["total"] == 1


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_same_task_is_named_when_a_copy_is_asked_for_again(drive: Drive, tasks: Tasks, kind: str) -> None:
    made = drive.upload("one", b"x") if kind == "file" else drive.create_folder("one")
    url = drive.url(f"{kind}s/{made['id']}/copy")
    first, again = (
        tasks.read(drive.client.post(url, params={"return_type": "task"}, json={}, headers=KEY)) for _ in range(2)
    )
    assert again["id"] == first["id"]
    assert read_json(tasks.wait(first["id"]))["name"] == "one (1)"
    assert drive.list_names() == ["one", "one (1)"]
    other = drive.client.post(url, json={}, headers=KEY)
    assert read_error(other) == (422, "idempotency_mismatch")
