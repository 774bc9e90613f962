from __future__ import annotations

import httpx
import pytest

from tests.app.accounts.conftest import Connect
from tests.servers.api import Api, Caller


def test_pages_are_numbered_when_there_are_more_accounts_than_fit(
    caller: Caller, client: httpx.Client, connect: Connect
) -> None:
    ids = [caller.account_id, *(connect().json()["id"] for _ in range(4))]
    first = client.get("/v1/accounts", params={"page_size": 2}).json()
    last = client.get("/v1/accounts", params={"page_size": 2, "page": 3}).json()
    middle = client.get("/v1/accounts", params={"page_size": 2, "page": 2}).json()
    assert [entry["id"] for page in (first, middle, last) for entry in page["objects"]] == ids
    envelope = {"type": "object_list", "api": "meta", "total": 5, "count": 2, "page": 1, "next_page": 2}
    assert {name: first[name] for name in envelope} == envelope
    assert (middle["page"], middle["next_page"]) == (2, 3)
    assert (last["count"], last["page"], last["next_page"], last["total"]) == (1, 3, None, 5)


def test_total_is_right_at_once_when_accounts_come_and_go(client: httpx.Client, connect: Connect) -> None:
    second = connect().json()["id"]
    totals = [client.get("/v1/accounts", params={"page_size": 1}).json()["total"]]
    third = connect().json()["id"]
    totals.append(client.get("/v1/accounts", params={"page_size": 1}).json()["total"])
    for account_id in (second, third):
        assert client.delete(f"/v1/accounts/{account_id}").status_code == 204
        totals.append(client.get("/v1/accounts", params={"page_size": 1}).json()["total"])
    assert totals == [2, 3, 2, 1]


def test_ten_are_listed_when_no_page_size_is_given(client: httpx.Client, connect: Connect) -> None:
    for _ in range(10):
        connect()
    listed = client.get("/v1/accounts").json()
    assert (listed["count"], listed["total"], listed["next_page"]) == (10, 11, 2)


def test_full_last_page_has_no_next_page(client: httpx.Client, connect: Connect) -> None:
    connect()
    assert client.get("/v1/accounts", params={"page_size": 2}).json()["next_page"] is None


@pytest.mark.parametrize("header", ["key_header", "bearer_header"])
def test_page_is_not_found_when_it_is_past_the_end(caller: Caller, header: str) -> None:
    with caller.client(getattr(caller, header)) as client:
        answer = client.get("/v1/accounts", params={"page": 2})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


def test_first_page_is_empty_when_application_has_no_accounts(api: Api, caller: Caller) -> None:
    with api.client(caller.developer_header) as developer:
        application = developer.post("/v1/meta/applications", json={"name": "Empty"}).json()
        keys = developer.get(f"/v1/meta/applications/{application['id']}/apikeys").json()["objects"]
    with api.client({"Authorization": f"APIKey {keys[0]['key']}"}) as client:
        listed = client.get("/v1/accounts")
    assert listed.status_code == 200
    assert (listed.json()["objects"], listed.json()["total"], listed.json()["next_page"]) == ([], 0, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_size", "0"),
        ("page_size", "1001"),
        ("page_size", "-1"),
        ("page_size", "many"),
        ("page", "0"),
        ("page", "-1"),
        ("page", "first"),
        ("page", "99999999999999999999"),
        ("active", "perhaps"),
        ("search", "x" * 321),
    ],
)
def test_parameter_is_named_when_it_is_wrong(client: httpx.Client, name: str, value: str) -> None:
    answer = client.get("/v1/accounts", params={name: value})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")
    assert name in answer.json()["message"]


def test_largest_page_size_is_accepted(client: httpx.Client) -> None:
    assert client.get("/v1/accounts", params={"page_size": 1000}).status_code == 200


@pytest.mark.parametrize("field", ["active", "enabled"])
def test_only_accounts_in_that_state_are_listed_when_filtered(
    caller: Caller, client: httpx.Client, connect: Connect, field: str
) -> None:
    off = connect().json()["id"]
    assert client.patch(f"/v1/accounts/{off}", json={field: False}).status_code == 200
    for spelled, expected in (("True", [caller.account_id]), ("0", [off])):
        listed = client.get("/v1/accounts", params={field: spelled}).json()
        assert [entry["id"] for entry in listed["objects"]] == expected
        assert listed["total"] == 1


def test_no_account_is_listed_when_only_administrators_are_asked_for(caller: Caller, client: httpx.Client) -> None:
    assert client.get("/v1/accounts", params={"admin": "true"}).json()["objects"] == []
    listed = client.get("/v1/accounts", params={"admin": "false"}).json()["objects"]
    assert [entry["id"] for entry in listed] == [caller.account_id]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("%", ["fifty % off"]),
        ("_", ["snake_case"]),
        ("\\", ["back\\slash"]),
        ("SNAKE", ["snake_case"]),
        ("Ärger", ["Ärger@example.com"]),
        ("ärgER@", ["Ärger@example.com"]),
        ("nothing like it", []),
    ],
)
def test_search_finds_part_of_the_name_and_has_no_wildcards(
    client: httpx.Client, connect: Connect, search: str, expected: list[str]
) -> None:
    for label in ("fifty % off", "snake_case", "back\\slash", "Ärger@example.com"):
        assert connect(account=label).status_code == 201
    listed = client.get("/v1/accounts", params={"search": search}).json()["objects"]
    assert [entry["account"] for entry in listed] == expected


def test_nothing_is_found_when_search_holds_a_nul(client: httpx.Client) -> None:
    answer = client.get("/v1/accounts", params={"search": "\0"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")


def test_only_its_own_account_is_listed_when_asked_with_a_bearer_token(caller: Caller, connect: Connect) -> None:
    connect()
    with caller.client(caller.bearer_header) as client:
        listed = client.get("/v1/accounts").json()
    assert [entry["id"] for entry in listed["objects"]] == [caller.account_id]
    assert (listed["total"], listed["next_page"]) == (1, None)


def test_own_account_is_filtered_too_when_asked_with_a_bearer_token(caller: Caller, client: httpx.Client) -> None:
    client.patch(caller.account_url, json={"active": False})
    with caller.client(caller.bearer_header) as own:
        assert own.get("/v1/accounts", params={"active": "True"}).json()["objects"] == []
        assert len(own.get("/v1/accounts", params={"active": "False"}).json()["objects"]) == 1
