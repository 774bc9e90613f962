"""Listing tasks, reading one, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.app.tasks.conftest import Tasks

WISH = {"return_type": "task"}


@pytest.fixture
def file(drive: Drive) -> dict[str, Any]:
    return drive.upload("file.txt", b"bytes")


def copy(drive: Drive, tasks: Tasks, file: dict[str, Any], **body: Any) -> str:
    """The id of a task that has ended."""
    task = tasks.read(drive.client.post(f"{file['href']}/copy", params=WISH, json=body))
    tasks.wait(task["id"])
    task_id: str = task["id"]
    return task_id


def test_tasks_are_listed_newest_first_in_numbered_pages(drive: Drive, tasks: Tasks, file: dict[str, Any]) -> None:
    ids = [copy(drive, tasks, file) for _ in range(5)]
    seen: list[str] = []
    page: int | None = 1
    while page is not None:
        listed = read_json(drive.client.get(tasks.url(), params={"page": page, "page_size": 2}))
        assert (listed["type"], listed["total"], listed["page"]) == ("object_list", 5, page)
        assert listed["count"] == len(listed["objects"])
        seen += [entry["id"] for entry in listed["objects"]]
        page = listed["next_page"]
    assert seen == ids[::-1]
    assert read_error(drive.client.get(tasks.url(), params={"page": 9})) == (404, "not_found")


def test_list_shows_how_each_task_ended(drive: Drive, other: Drive, tasks: Tasks, file: dict[str, Any]) -> None:
    copy(drive, tasks, file, account=other.caller.account_id)
    listed = read_json(drive.client.get(tasks.url()))["objects"]
    (finished,) = listed
    assert (finished["state"], finished["status"], finished["error"]) == ("FINISHED", "FINISHED", None)
    assert finished["progress"] == {"files_total": 1, "files_done": 1, "bytes_total": 5, "bytes_done": 5}
    assert finished["outcomes"] == {"verified": 1}
    assert finished["created"] <= finished["started"] <= finished["ended"]
    drive.client.delete(file["href"])
    copy(drive, tasks, file)
    failed = read_json(drive.client.get(tasks.url()))["objects"][0]
    assert failed["state"] == "FAILED"
    assert (failed["error"]["status_code"], failed["error"]["error_code"]) == (404, "not_found")
    assert failed["error"]["message"]


@pytest.mark.parametrize(
    ("state", "states"),
    [
        ("", ["FAILED", "FINISHED", "FINISHED"]),
        ("finished", ["FINISHED", "FINISHED"]),
        ("FAILED", ["FAILED"]),
        (" failed, finished,", ["FAILED", "FINISHED", "FINISHED"]),
        ("pending", []),
        ("STARTED,CANCELLED", []),
    ],
)
def test_list_can_be_cut_to_states(
    drive: Drive, tasks: Tasks, file: dict[str, Any], state: str, states: list[str]
) -> None:
    for _ in range(2):
        copy(drive, tasks, file)
    drive.client.delete(file["href"])
    copy(drive, tasks, file)
    listed = read_json(drive.client.get(tasks.url(), params={"state": state}))
    assert [entry["state"] for entry in listed["objects"]] == states
    assert listed["total"] == len(states)


def test_unknown_state_is_400_and_says_which_there_are(drive: Drive, tasks: Tasks) -> None:
    refused = drive.client.get(tasks.url(), params={"state": "unheard of"})
    assert read_error(refused) == (400, "invalid_parameters")
    assert "PENDING, STARTED, FINISHED, FAILED, CANCELLED" in refused.json()["message"]


def test_failed_task_answers_with_its_error_every_time(drive: Drive, tasks: Tasks, file: dict[str, Any]) -> None:
    drive.client.delete(file["href"])
    task_id = copy(drive, tasks, file)
    for _ in range(2):
        assert read_error(tasks.get(task_id)) == (404, "not_found")


def test_result_is_shown_as_it_is_now(drive: Drive, tasks: Tasks, file: dict[str, Any]) -> None:
    task_id = copy(drive, tasks, file, name="copy.txt")
    result = read_json(tasks.get(task_id))
    drive.client.put(result["href"], content=b"longer than before")
    assert read_json(tasks.get(task_id))["size"] == len(b"longer than before")
    raw = drive.client.get(tasks.url(task_id), headers={"X-Kloudless-Raw-Data": "true"})
    assert read_json(raw)["raw"]["id"] == result["raw_id"]
    drive.client.delete(result["href"])
    assert read_error(tasks.get(task_id)) == (404, "not_found")


def test_result_in_another_account_is_for_its_own_callers_only(
    drive: Drive, other: Drive, tasks: Tasks, file: dict[str, Any]
) -> None:
    task_id = copy(drive, tasks, file, account=other.caller.account_id)
    assert read_json(tasks.get(task_id))["account"] == other.caller.account_id
    with drive.caller.client(drive.caller.bearer_header) as client:
        assert read_error(client.get(tasks.url(task_id))) == (403, "forbidden")
        assert read_json(client.get(tasks.url()))["total"] == 1
    with drive.caller.client(other.caller.bearer_header) as client:
        assert read_error(client.get(tasks.url(task_id))) == (403, "forbidden")
    other.client.delete(other.caller.account_url)
    assert read_error(tasks.get(task_id)) == (404, "not_found")


@pytest.mark.parametrize("text", ["nonsense", "0", "7d5b0f62-1f0c-4a53-9a1e-0d7a4a0f4d11", "%00", "a" * 5000])
def test_task_that_never_was_is_404(drive: Drive, tasks: Tasks, text: str) -> None:
    assert read_error(tasks.get(text)) == (404, "not_found")
    assert read_error(drive.client.delete(tasks.url(text))) == (404, "not_found")


def test_task_of_others_is_404(drive: Drive, other: Drive, tasks: Tasks, file: dict[str, Any]) -> None:
    task_id = copy(drive, tasks, file)
    stranger = drive.caller.api.create_caller()
    with stranger.client() as client:
        foreign = Tasks(Drive(stranger, client))
        assert read_error(foreign.get(task_id)) == (404, "not_found")
        assert read_error(client.delete(foreign.url(task_id))) == (404, "not_found")
        assert read_error(client.get(tasks.url(task_id))) == (404, "not_found")
        assert read_json(client.get(foreign.url()))["objects"] == []
    assert read_error(Tasks(other).get(task_id)) == (404, "not_found")
    assert read_json(tasks.get(task_id))["type"] == "file"
