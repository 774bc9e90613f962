"""Which requests become tasks, and what their tasks answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.app.tasks.conftest import Tasks

WISHES: list[dict[str, dict[str, str]]] = [
    {"params": {"return_type": "task"}},
    {"params": {"return_type": "Task"}},
    {"headers": {"X-Kloudless-Async": "true"}},
    {"headers": {"X-Kloudless-Async": "True"}},
]
NO_WISHES: list[dict[str, dict[str, str]]] = [
    {},
    {"params": {"return_type": ""}},
    {"params": {"return_type": "object"}},
    {"headers": {"X-Kloudless-Async": "false"}},
]
TASK_FIELDS = {
    "type", "id", "account", "operation", "state", "status", "progress", "outcomes", "error", "created", "started",
    "ended", "href", "api",
}  # fmt: skip


def copy(drive: Drive, thing: dict[str, Any], body: dict[str, Any], **wish: Any) -> httpx.Response:
    return drive.client.post(f"{thing['href']}/copy", json=body, **wish)


def patch(drive: Drive, thing: dict[str, Any], body: dict[str, Any], **wish: Any) -> httpx.Response:
    return drive.client.patch(thing["href"], json=body, **wish)


@pytest.fixture
def folder(drive: Drive) -> dict[str, Any]:
    folder = drive.create_folder("folder")
    drive.upload("a.txt", b"inside", parent=folder["id"])
    return folder


@pytest.fixture
def file(drive: Drive) -> dict[str, Any]:
    return drive.upload("file.txt", b"bytes")


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("is_far", [False, True])
def test_copy_is_a_task_that_answers_with_the_copy_when_it_is_wished_for(
    drive: Drive,
    other: Drive,
    tasks: Tasks,
    file: dict[str, Any],
    folder: dict[str, Any],
    wish: dict[str, Any],
    kind: str,
    is_far: bool,
) -> None:
    body = {"name": "copy", "parent_id": "root", **({"account": other.caller.account_id} if is_far else {})}
    task = tasks.read(copy(drive, file if kind == "file" else folder, body, **wish))
    assert set(task) == TASK_FIELDS
    assert (task["operation"], task["account"]) == ("copy", drive.caller.account_id)
    assert task["href"] == drive.caller.api.base_url + tasks.url(task["id"])
    result = read_json(tasks.wait(task["id"]))
    there = other if is_far else drive
    assert (result["type"], result["name"], result["account"]) == (kind, "copy", there.caller.account_id)
    assert not {"state", "status"} & set(result)
    assert read_json(there.client.get(result["href"])) == result


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_move_to_another_account_is_a_task_when_it_is_wished_for(
    drive: Drive,
    other: Drive,
    tasks: Tasks,
    file: dict[str, Any],
    folder: dict[str, Any],
    wish: dict[str, Any],
    kind: str,
) -> None:
    thing = file if kind == "file" else folder
    task = tasks.read(patch(drive, thing, {"account": str(other.caller.account_id)}, **wish))
    assert task["operation"] == "move"
    result = read_json(tasks.wait(task["id"]))
    assert (result["type"], result["name"], result["account"]) == (kind, thing["name"], other.caller.account_id)
    assert read_error(drive.client.get(thing["href"])) == (404, "not_found")


@pytest.mark.parametrize("wish", NO_WISHES)
def test_result_itself_is_waited_for_when_no_task_is_wished_for(
    drive: Drive, other: Drive, file: dict[str, Any], folder: dict[str, Any], wish: dict[str, Any]
) -> None:
    account = other.caller.account_id
    for thing in (file, folder):
        copied = read_json(copy(drive, thing, {"account": account}, **wish), status=201)
        moved = read_json(patch(drive, thing, {"account": account, "parent_id": "root"}, **wish))
        assert copied["account"] == moved["account"] == account
        assert (copied["name"], moved["name"]) != (thing["name"], thing["name"])
    assert drive.list_names() == []
    assert other.list_names() == ["file (1).txt", "file.txt", "folder", "folder (1)"]


@pytest.mark.parametrize("wish", WISHES)
def test_recursive_deletion_is_a_task_that_ends_without_a_body(
    drive: Drive, tasks: Tasks, folder: dict[str, Any], wish: dict[str, Any]
) -> None:
    params = {"recursive": "true", **wish.get("params", {})}
    task = tasks.read(drive.client.delete(folder["href"], params=params, headers=wish.get("headers", {})))
    assert task["operation"] == "delete"
    done = tasks.wait(task["id"])
    assert (done.status_code, done.content) == (204, b"")
    assert drive.list_names() == []


def test_what_is_quick_is_never_a_task(drive: Drive, file: dict[str, Any]) -> None:
    params = {"return_type": "task"}
    folder = drive.create_folder("empty")
    assert drive.client.delete(folder["href"], params=params).status_code == 204
    assert read_json(patch(drive, file, {"name": "renamed"}, params=params))["name"] == "renamed"
    root = drive.client.delete(drive.url("folders/root"), params={"recursive": "true", **params})
    assert read_error(root) == (403, "permission_denied")


def test_copy_inside_the_account_takes_a_free_name(drive: Drive, tasks: Tasks, file: dict[str, Any]) -> None:
    names = []
    for _ in range(3):
        task = tasks.read(copy(drive, file, {}, params={"return_type": "task"}))
        names.append(read_json(tasks.wait(task["id"]))["name"])
    assert names == ["file (1).txt", "file (2).txt", "file (3).txt"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"parent_id": "itself"}, (400, "invalid_parent_folder")),
        ({"name": "a/b"}, (400, "invalid_parameters")),
        ({"parent_id": "nonsense"}, (400, "invalid_parent_folder")),
    ],
)
def test_error_is_the_same_with_and_without_a_task(
    drive: Drive, tasks: Tasks, folder: dict[str, Any], body: dict[str, str], expected: tuple[int, str]
) -> None:
    if body.get("parent_id") == "itself":
        body = {"parent_id": folder["id"]}
    assert read_error(copy(drive, folder, body)) == expected
    reply = copy(drive, folder, body, params={"return_type": "task"})
    if reply.status_code == 202:
        reply = tasks.wait(tasks.read(reply)["id"])
    assert read_error(reply) == expected


@pytest.mark.parametrize("wish", [WISHES[0], NO_WISHES[0]])
def test_bearer_token_reaches_no_other_account(drive: Drive, other: Drive, file: dict[str, Any], wish: Any) -> None:
    with drive.caller.client(drive.caller.bearer_header) as client:
        mine = Drive(drive.caller, client)
        body = {"account": other.caller.account_id}
        assert read_error(copy(mine, file, body, **wish)) == (403, "forbidden")
        assert read_error(patch(mine, file, body, **wish)) == (403, "forbidden")
        own = {"account": drive.caller.account_id, "name": "b"}
        assert copy(mine, file, own, **wish).status_code in {201, 202}
    assert other.list_names() == []


def test_account_of_another_application_is_404_as_a_target(drive: Drive, file: dict[str, Any]) -> None:
    stranger = drive.caller.api.create_caller()
    body = {"account": stranger.account_id}
    assert read_error(copy(drive, file, body)) == (404, "not_found")
    assert read_error(patch(drive, file, body)) == (404, "not_found")
    assert list(stranger.folder.iterdir()) == []


def test_account_that_is_switched_off_is_403_as_a_target(drive: Drive, other: Drive, file: dict[str, Any]) -> None:
    other.client.patch(other.caller.account_url, json={"active": False})
    assert read_error(copy(drive, file, {"account": other.caller.account_id})) == (403, "forbidden")
