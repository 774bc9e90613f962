"""Tasks and links that two accounts have to do with, through the official Python SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kloudless
import pytest
from kloudless import exceptions
from kloudless.resources import Resource

from tests.app.drive import wait_until
from tests.clients.python_sdk.sdk import CONTENT, download, list_names, upload
from tests.servers.api import Api, Caller

TASK_SECONDS_MAX = 60.0


@pytest.fixture
def other_caller(api: Api, caller: Caller) -> Caller:
    """A local account of the same application."""
    return api.add_account(caller)


@pytest.fixture
def other(other_caller: Caller) -> Iterator[kloudless.Account]:
    with kloudless.Account(token=other_caller.bearer_token) as opened:
        yield opened


def find(application: kloudless.Client, caller: Caller, resource: Resource) -> Resource:
    """The same, as the application sees it."""
    kind = f"{resource.data['type']}s"
    return application.get(f"accounts/{caller.account_id}/storage/{kind}/{resource.data['id']}")


def wait_for_result(application: kloudless.Client, caller: Caller, task: dict[str, Any]) -> Resource:
    """What a task made, asked for as long as it takes."""
    path = f"accounts/{caller.account_id}/tasks/{task['id']}"
    result = application.get(path)

    def has_ended() -> bool:
        nonlocal result
        result = application.get(path)
        return result.data.get("state") not in {"PENDING", "RECEIVED", "STARTED"}

    assert task["state"] in {"PENDING", "STARTED"}
    wait_until(has_ended, seconds_max=TASK_SECONDS_MAX)
    return result


@pytest.mark.parametrize("is_back", [False, True], ids=["there", "back"])
def test_folder_is_copied_to_another_account_while_the_client_looks_at_the_task(
    account: kloudless.Account,
    other: kloudless.Account,
    application: kloudless.Client,
    caller: Caller,
    other_caller: Caller,
    is_back: bool,
) -> None:
    here, there = ((other, other_caller), (account, caller)) if is_back else ((account, caller), (other, other_caller))
    folder = here[0].post("storage/folders", json={"name": "Größe", "parent_id": "root"})
    upload(here[0], "a b.bin", CONTENT, parent=folder.data["id"])
    task = find(application, here[1], folder).post(
        "copy",
        params={"return_type": "task"},
        json={"parent_id": "root", "account": there[1].account_id},
    )
    copy = wait_for_result(application, here[1], task.data)
    assert (copy.data["type"], copy.data["name"], copy.data["account"]) == ("folder", "Größe", there[1].account_id)
    (file,) = there[0].get(f"storage/folders/{copy.data['id']}/contents")
    assert (file.data["name"], download(file)) == ("a b.bin", CONTENT)
    assert list_names(here[0]) == ["Größe"]


def test_file_is_moved_to_another_account_when_the_client_waits(
    account: kloudless.Account,
    other: kloudless.Account,
    application: kloudless.Client,
    caller: Caller,
    other_caller: Caller,
) -> None:
    file = find(application, caller, upload(account, "a.bin", CONTENT))
    moved = file.patch(json={"account": other_caller.account_id, "parent_id": "root", "name": "b.bin"})
    assert (moved.data["account"], moved.data["name"]) == (other_caller.account_id, "b.bin")
    assert download(other.get(f"storage/files/{moved.data['id']}")) == CONTENT
    assert (list_names(account), list_names(other)) == ([], ["b.bin"])
    with pytest.raises(exceptions.NotFoundException):
        file.refresh()


def test_links_of_two_accounts_are_listed_together_with_both_tokens(
    account: kloudless.Account, other: kloudless.Account, caller: Caller, other_caller: Caller
) -> None:
    made = {}
    for owner, number in ((account, caller.account_id), (other, other_caller.account_id)):
        file_id = upload(owner, "a.txt", b"x").data["id"]
        made[owner.post("storage/links", json={"file_id": file_id}).data["id"]] = number
    path = f"accounts/{caller.account_id},{other_caller.account_id}/storage/links"
    with kloudless.Client(token=f"{caller.bearer_token},{other_caller.bearer_token}") as both:
        links = list(both.get(path, params={"page_size": 1}).get_paging_iterator())
        assert {link.data["id"]: link.data["account"] for link in links} == made
        for link in links:
            assert link.data["href"].split("/accounts/")[1].startswith(f"{link.data['account']}/")
    with (
        kloudless.Client(token=caller.bearer_token) as one,
        pytest.raises(exceptions.ForbiddenException),
    ):
        one.get(path)
