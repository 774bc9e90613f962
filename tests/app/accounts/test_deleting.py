from __future__ import annotations

import httpx
import pytest
from sqlalchemy import select, text

from app.models import Account, BearerToken
from tests.app.accounts.conftest import Connect
from tests.servers.api import Api, Caller


def test_account_and_its_tokens_are_gone_when_it_is_deleted(caller: Caller, client: httpx.Client) -> None:
    (caller.folder / "stays.txt").write_text("stays")
    with caller.client(caller.bearer_header) as own:
        assert own.get("/v1/accounts/me").status_code == 200
        answer = client.delete(caller.account_url)
        assert (answer.status_code, answer.content) == (204, b"")
        assert own.get("/v1/accounts/me").status_code == 401
        assert own.get("/v1/oauth/token").status_code == 400
    for url in (caller.account_url, f"{caller.storage_url}/folders/root"):
        answer = client.get(url)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")
    assert client.delete(caller.account_url).status_code == 404
    assert client.get("/v1/accounts").json()["total"] == 0
    assert (caller.folder / "stays.txt").exists()


def test_account_may_delete_itself(caller: Caller, client: httpx.Client) -> None:
    with caller.client(caller.bearer_header) as own:
        assert own.delete("/v1/accounts/me/").status_code == 204
    assert client.get(caller.account_url).status_code == 404


def test_secrets_leave_the_database_when_an_account_is_deleted(
    api: Api, client: httpx.Client, connect: Connect
) -> None:
    account_id = connect(refresh_token="s3cret", custom_properties={"a": "b"}).json()["id"]
    client.post(f"/v1/accounts/{account_id}/tokens")
    client.delete(f"/v1/accounts/{account_id}")

    async def read() -> tuple[object, ...]:
        async with api.state.db.reading() as session:
            row = await session.get_one(Account, account_id)
            tokens = await session.scalars(select(BearerToken).where(BearerToken.account_id == account_id))
            return row.sealed_credentials, row.custom_properties, list(tokens)

    assert api.run(read()) == (None, {}, [])


def test_id_is_not_given_again_when_the_newest_account_was_deleted(client: httpx.Client, connect: Connect) -> None:
    account_id = connect().json()["id"]
    client.delete(f"/v1/accounts/{account_id}")
    assert connect().json()["id"] > account_id


def test_token_opens_the_account_when_it_was_created_by_api_key(caller: Caller, client: httpx.Client) -> None:
    answer = client.post(f"{caller.account_url}/tokens")
    token = answer.json()
    assert answer.status_code == 201
    assert (token["token_type"], token["account_id"], token["expires"]) == ("Bearer", caller.account_id, None)
    verified = client.get("/v1/oauth/token/", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert verified.status_code == 200
    assert verified.json() == {
        "client_id": caller.application_id,
        "account_id": caller.account_id,
        "scope": token["scope"],
        "token_type": "Bearer",
        "expires": None,
    }


def test_token_is_stored_only_as_its_hash(api: Api, caller: Caller) -> None:
    async def read() -> str:
        async with api.state.db.reading() as session:
            rows = await session.execute(text("SELECT * FROM tokens WHERE account_id = :id"), {"id": caller.account_id})
            return str(rows.all())

    assert caller.bearer_token not in api.run(read())


def test_tokens_are_not_created_with_a_bearer_token(caller: Caller) -> None:
    with caller.client(caller.bearer_header) as own:
        answer = own.post("/v1/accounts/me/tokens")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")


def test_token_has_the_scope_that_was_asked_for(caller: Caller, client: httpx.Client) -> None:
    assert client.post(f"{caller.account_url}/tokens", json={"scope": "storage"}).json()["scope"] == "storage"
    refused = client.post(f"{caller.account_url}/tokens", json={"scope": "x" * 1001})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "invalid_parameters")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ({"Authorization": "Bearer wrong"}, 400, "invalid_token"),
        ({"Authorization": "APIKey {api_key}"}, 400, "invalid_token"),
        ({"Authorization": "Bearer {developer_token}"}, 400, "invalid_token"),
        ({}, 401, "authentication_required"),
    ],
)
def test_what_is_no_bearer_token_is_neither_verified_nor_revoked(
    caller: Caller, api: Api, method: str, header: dict[str, str], status: int, code: str
) -> None:
    filled = {name: value.format(**vars(caller)) for name, value in header.items()}
    with api.client(filled) as client:
        answer = client.request(method, "/v1/oauth/token")
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_only_the_revoked_token_stops_working(caller: Caller, client: httpx.Client) -> None:
    other = client.post(f"{caller.account_url}/tokens").json()["access_token"]
    with caller.client(caller.bearer_header) as own:
        assert own.get("/v1/accounts/me").status_code == 200
        answer = own.delete("/v1/oauth/token")
        assert (answer.status_code, answer.content) == (204, b"")
        assert own.get("/v1/accounts/me").status_code == 401
        assert own.get("/v1/oauth/token").status_code == 400
        assert own.delete("/v1/oauth/token").status_code == 400
    assert client.get("/v1/accounts/me", headers={"Authorization": f"Bearer {other}"}).status_code == 200
