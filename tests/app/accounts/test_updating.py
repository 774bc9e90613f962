from __future__ import annotations

import httpx
import pytest

from tests.app.accounts.conftest import Connect
from tests.servers.api import ROOT, Caller


def test_account_is_accepted_unchanged_when_a_client_saves_it_whole(caller: Caller, client: httpx.Client) -> None:
    before = client.get(caller.account_url, params={"retrieve_tokens": "true"}).json()
    names = ("active", "account", "service", "token", "token_secret", "refresh_token", "token_expiry")
    answer = client.patch(caller.account_url, json={name: before[name] for name in names})
    assert answer.status_code == 200
    after = client.get(caller.account_url, params={"retrieve_tokens": "true"}).json()
    assert {**after, "modified": None} == {**before, "modified": None}


def test_fields_change_at_once_when_they_are_given(caller: Caller, client: httpx.Client) -> None:
    client.get(caller.account_url)
    changes = {"account": "New name", "custom_properties": {"deep": [1, None, "ü"]}}
    answer = client.patch(caller.account_url, json=changes).json()
    shown = client.get(caller.account_url).json()
    assert {name: shown[name] for name in changes} == changes
    assert shown["modified"] == answer["modified"] > answer["created"]


@pytest.mark.parametrize(
    "body",
    [
        {"service": "other"},
        {"service": "LOCAL"},
        {"account": ""},
        {"account": "nul\0"},
        {"active": "perhaps"},
        {"token_expiry": "soon"},
        {"custom_properties": {"a": 2**70}},
        {"folder": 7},
    ],
)
def test_nothing_changes_when_a_field_is_refused(caller: Caller, client: httpx.Client, body: dict[str, object]) -> None:
    before = client.get(caller.account_url).json()
    answer = client.patch(caller.account_url, json={"account": "Changed", **body})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")
    assert client.get(caller.account_url).json() == before


def test_update_is_forbidden_with_a_bearer_token(caller: Caller) -> None:
    with caller.client(caller.bearer_header) as client:
        answer = client.patch(caller.account_url, json={"account": "Mine"})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")


@pytest.mark.parametrize("field", ["active", "enabled"])
def test_storage_is_forbidden_while_the_account_is_switched_off(
    caller: Caller, client: httpx.Client, field: str
) -> None:
    url = f"{caller.storage_url}/folders/root/contents"
    with caller.client(caller.bearer_header) as own:
        assert own.get(url).status_code == 200
        client.patch(caller.account_url, json={field: "False"})
        answer = own.get(url)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")
        client.patch(caller.account_url, json={field: True})
        assert own.get(url).status_code == 200


def test_old_credentials_stay_when_the_new_ones_are_refused(caller: Caller, client: httpx.Client) -> None:
    answer = client.patch(caller.account_url, json={"token": "no such root"})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "service_unauthorized")
    assert client.get(caller.account_url, params={"retrieve_tokens": "true"}).json()["token"] == ROOT
    assert client.get(f"{caller.storage_url}/folders/root").status_code == 200


def test_credentials_are_refused_when_they_belong_to_another_identity(
    caller: Caller, client: httpx.Client, connect: Connect
) -> None:
    connect(folder="somebody else")
    answer = client.patch(caller.account_url, json={"folder": "somebody else"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")


@pytest.mark.parametrize("is_used_before", [True, False])
def test_equal_credentials_are_accepted_when_the_account_was_imported_untried(
    client: httpx.Client, connect: Connect, *, is_used_before: bool
) -> None:
    folder = f"untried {is_used_before}"
    account_id = connect(folder=folder, validate=False).json()["id"]
    if is_used_before:
        client.get(f"/v1/accounts/{account_id}/storage/folders/root")
    answer = client.patch(f"/v1/accounts/{account_id}", json={"folder": f"{folder}/"})
    assert (answer.status_code, answer.json()["verified"]) == (200, True)
    assert connect(folder=folder).json()["id"] == account_id


def test_unverified_account_is_refused_when_its_new_credentials_are_connected_already(
    caller: Caller, client: httpx.Client, connect: Connect
) -> None:
    account_id = connect(folder="soon the same", validate=False).json()["id"]
    answer = client.patch(f"/v1/accounts/{account_id}", json={"folder": caller.folder.name})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")
