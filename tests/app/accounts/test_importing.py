from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text

from app.models import Account
from tests.app.accounts.conftest import Connect
from tests.servers.api import ROOT, Api, Caller

POLLS_MAX = 1000
FIELDS = {
    "id": int,
    "account": str,
    "service": str,
    "service_name": str,
    "active": bool,
    "enabled": bool,
    "admin": bool,
    "internal_use": bool,
    "apis": list,
    "created": str,
    "modified": str,
    "effective_scope": str,
    "custom_properties": dict,
    "object_definitions": dict,
    "proxy_connection": type(None),
    "type": str,
    "api": str,
    "href": str,
}


def test_account_is_complete_when_it_is_imported(api: Api, connect: Connect) -> None:
    answer = connect(account="me@example.com", custom_properties={"team": "blue"})
    account = answer.json()
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert {name: type(account[name]) for name in FIELDS} == FIELDS
    assert account["href"] == f"{api.base_url}/v1/accounts/{account['id']}"
    shown = [account[name] for name in ("account", "service", "active", "enabled", "verified", "type", "api")]
    assert shown == ["me@example.com", "local", True, True, True, "account", "core"]
    assert account["custom_properties"] == {"team": "blue"}
    assert "storage" in account["apis"]
    assert account["created"].endswith("Z")


def test_credential_may_be_given_by_its_own_name(client: httpx.Client) -> None:
    answer = client.post("/v1/accounts", json={"account": "a", "service": "local", "root": ROOT})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"token": None}, "root"),
        ({"account": None}, "account"),
        ({"service": None}, "service"),
        ({"account": ""}, "account"),
        ({"account": "x" * 321}, "account"),
        ({"folder": 7}, "folder"),
        ({"token": 7}, "token"),
        ({"active": "perhaps"}, "active"),
        ({"token_expiry": "soon"}, "token_expiry"),
        ({"token_expiry": "0001-01-01T00:00:00+23:59"}, "token_expiry"),
        ({"service": "no_such_store"}, "no_such_store"),
        ({"custom_properties": [1]}, "custom_properties"),
    ],
)
def test_field_is_named_when_it_is_missing_or_wrong(client: httpx.Client, given: dict[str, object], named: str) -> None:
    body = {"account": "a", "service": "local", "token": ROOT, **given}
    answer = client.post("/v1/accounts", json={name: value for name, value in body.items() if value is not None})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")
    assert named in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"account": ', "bad_request"),
        (b"", "invalid_parameters"),
        (b"[]", "invalid_parameters"),
        (b'"text"', "invalid_parameters"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "bad_request"),
        (b'{"account": "a\\u0000b", "service": "local", "token": "tests"}', "invalid_parameters"),
        (b'{"account": "a\\ud800b", "service": "local", "token": "tests"}', "invalid_parameters"),
        (b'{"account": "a", "service": "local", "token": "tests", "folder": "a\\ud800b"}', "invalid_parameters"),
        (b'{"account": "\xff", "service": "local", "token": "tests"}', "bad_request"),
    ],
)
def test_body_is_refused_when_it_is_not_what_the_database_can_hold(
    client: httpx.Client, body: bytes, code: str
) -> None:
    answer = client.post("/v1/accounts", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, code), answer.text


@pytest.mark.parametrize("value", ["1" + "0" * 400, '"\\u0000"', '"\\ud800"', '{"\\u0000": 1}', "[" * 900 + "]" * 900])
def test_custom_properties_are_refused_when_they_cannot_be_stored(client: httpx.Client, value: str) -> None:
    body = f'{{"account": "a", "service": "local", "token": "{ROOT}", "custom_properties": {{"a": {value}}}}}'
    answer = client.post("/v1/accounts", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters"), answer.text
    assert "custom_properties" in answer.json()["message"]


def test_import_is_forbidden_with_a_bearer_token(caller: Caller) -> None:
    with caller.client(caller.bearer_header) as client:
        answer = client.post("/v1/accounts", json={"account": "a", "service": "local", "token": ROOT})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"token": "no such root"}, 401, "service_unauthorized"),
        ({"folder": "no/such/folder"}, 403, "permission_denied"),
        ({"folder": "../.."}, 403, "permission_denied"),
    ],
)
def test_nothing_is_saved_when_the_storage_refuses_the_credentials(
    client: httpx.Client, connect: Connect, given: dict[str, str], status: int, code: str
) -> None:
    answer = connect(**given)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert client.get("/v1/accounts").json()["total"] == 1


def test_account_keeps_its_id_when_it_is_connected_again(client: httpx.Client, connect: Connect) -> None:
    first = connect(account="old name", folder="again").json()
    second = connect(account="new name", folder="again")
    assert (second.status_code, second.json()["id"], second.json()["account"]) == (200, first["id"], "new name")
    assert client.get("/v1/accounts").json()["total"] == 2


def test_switched_off_account_works_again_when_it_is_connected_again(client: httpx.Client, connect: Connect) -> None:
    account_id = connect(folder="off and on").json()["id"]
    client.patch(f"/v1/accounts/{account_id}", json={"active": False})
    connect(folder="off and on")
    assert client.get(f"/v1/accounts/{account_id}/storage/folders/root").status_code == 200


def test_deleted_account_comes_back_under_its_id_when_it_is_connected_again(
    client: httpx.Client, connect: Connect
) -> None:
    account_id = connect(folder="back", custom_properties={"a": 1}).json()["id"]
    token = client.post(f"/v1/accounts/{account_id}/tokens").json()["access_token"]
    assert client.delete(f"/v1/accounts/{account_id}").status_code == 204
    revived = connect(folder="back")
    assert revived.is_success
    assert (revived.json()["id"], revived.json()["custom_properties"]) == (account_id, {})
    assert client.get(f"/v1/accounts/{account_id}").status_code == 200
    old = client.get("/v1/accounts/me", headers={"Authorization": f"Bearer {token}"})
    assert old.status_code == 401


def test_other_application_gets_an_account_of_its_own_for_the_same_folder(
    api: Api, caller: Caller, client: httpx.Client
) -> None:
    other = api.create_caller()
    body = {"account": "a", "service": "local", "token": ROOT, "folder": other.folder.name}
    answer = client.post("/v1/accounts", json=body)
    assert answer.status_code == 201
    assert answer.json()["id"] != other.account_id


def test_untried_account_is_unverified_until_its_first_good_call(
    api: Api, client: httpx.Client, connect: Connect
) -> None:
    answer = connect(folder="later/inside", validate=False)
    url = f"/v1/accounts/{answer.json()['id']}"
    assert (answer.status_code, answer.json()["verified"]) == (201, False)
    assert client.get(f"{url}/storage/folders/root").status_code == 403
    assert client.get(url).json()["verified"] is False
    (api.files / "later" / "inside").mkdir(parents=True, exist_ok=True)
    assert client.get(f"{url}/storage/folders/root").status_code == 200
    assert client.get(url).json()["verified"] is True


def test_unverified_account_keeps_its_id_when_it_is_connected_again(client: httpx.Client, connect: Connect) -> None:
    first = connect(folder="untried", validate=False).json()["id"]
    again = connect(folder="untried", validate=False)
    assert (again.status_code, again.json()["id"]) == (200, first)
    assert client.get(f"/v1/accounts/{first}/storage/folders/root").status_code == 200
    tried = connect(folder="untried")
    assert (tried.status_code, tried.json()["id"]) == (200, first)


def test_unverified_account_stays_apart_when_its_identity_is_connected_already(
    caller: Caller, client: httpx.Client, connect: Connect
) -> None:
    twin = connect(folder=caller.folder.name, validate=False).json()["id"]
    assert client.get(f"/v1/accounts/{twin}/storage/folders/root").status_code == 200
    assert client.get(f"/v1/accounts/{twin}").json()["verified"] is True
    assert client.get(f"{caller.storage_url}/folders/root").status_code == 200


def test_one_account_is_made_when_the_same_identity_is_connected_many_times_at_once(
    client: httpx.Client, connect: Connect
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: connect(folder="at once"), range(16)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert client.get("/v1/accounts").json()["total"] == 2


@pytest.mark.parametrize("api", ["postgresql"], indirect=True)
def test_account_is_found_when_another_request_saves_it_at_the_same_moment(
    api: Api, caller: Caller, client: httpx.Client
) -> None:
    (caller.folder / "inner").mkdir()
    key = f"{ROOT}/{caller.folder.name}/inner"
    body = {"account": "late", "service": "local", "token": ROOT, "folder": f"{caller.folder.name}/inner"}

    async def save_while_another_waits() -> tuple[int, httpx.Response]:
        async with api.state.db.writing() as session:
            row = Account(
                application_id=caller.application_id, service="local", identity_key=key, label="early", scope=""
            )
            row.sealed_credentials = api.state.keys.seal(b"{}", purpose="none")
            session.add(row)
            await session.flush()
            request = asyncio.get_running_loop().run_in_executor(None, lambda: client.post("/v1/accounts", json=body))
            for _ in range(POLLS_MAX):
                if await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                    break
                await asyncio.sleep(0.01)
            account_id = row.id
        return account_id, await request

    early_id, late = api.run(save_while_another_waits())
    assert (late.status_code, late.json()["id"], late.json()["account"]) == (200, early_id, "late")
