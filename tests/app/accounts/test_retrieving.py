from __future__ import annotations

import httpx
import msgspec
import pytest

from app.models import Account
from connectors.core.manifest import Capabilities
from tests.app.accounts.conftest import Connect
from tests.app.sharing import MANIFEST, SharingDrive
from tests.servers.api import ROOT, Api, Caller


@pytest.mark.parametrize("header", ["key_header", "bearer_header"])
@pytest.mark.parametrize("ending", ["", "/"])
def test_account_is_shown_by_its_number(caller: Caller, header: str, ending: str) -> None:
    with caller.client(getattr(caller, header)) as client:
        answer = client.get(caller.account_url + ending)
    assert (answer.status_code, answer.json()["id"]) == (200, caller.account_id)


def test_own_account_is_shown_when_the_token_asks_for_me(caller: Caller) -> None:
    with caller.client(caller.bearer_header) as client:
        account = client.get("/v1/accounts/me").json()
    assert account["id"] == caller.account_id
    assert account["href"] == f"{caller.api.base_url}{caller.account_url}"


@pytest.mark.parametrize("name", ["me", "1,2"])
def test_request_is_refused_when_an_api_key_names_no_single_account(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/v1/accounts/{name}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_parameters")


@pytest.mark.parametrize(
    "name", ["junk", "-1", "0", "1.5", "\uff11\uff12", "99999999999999999999", "9999999999999999", "%00", "%2e"]
)
def test_account_is_not_found_when_its_number_is_none(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/v1/accounts/{name}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


def test_account_of_another_application_is_not_found(api: Api, client: httpx.Client) -> None:
    answer = client.get(api.create_caller().account_url)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")


def test_capabilities_come_unless_they_are_not_asked_for(caller: Caller, client: httpx.Client) -> None:
    capabilities = client.get(caller.account_url).json()["properties"]["capabilities"]
    assert capabilities["can_upload_file"] == {"value": True}
    assert capabilities["multipart_uploads_supported_for_files"] == {"value": True}
    assert capabilities["can_search_file_name"] == {"value": True}
    assert capabilities["can_list_users"] == {"value": False}
    assert "properties" not in client.get(caller.account_url, params={"retrieve_full": "False"}).json()


def test_stored_tokens_come_only_when_asked_for_by_api_key(caller: Caller, client: httpx.Client) -> None:
    assert "token" not in client.get(caller.account_url).json()
    shown = client.get(caller.account_url, params={"retrieve_tokens": "true"}).json()
    assert {name: shown[name] for name in ("token", "token_secret", "refresh_token")} == {
        "token": ROOT,
        "token_secret": None,
        "refresh_token": None,
    }
    with caller.client(caller.bearer_header) as own:
        answer = own.get(caller.account_url, params={"retrieve_tokens": "true"})
        assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")
        assert "token_expiry" not in own.get(caller.account_url).json()


def test_further_secrets_are_given_back_when_they_were_imported(client: httpx.Client, connect: Connect) -> None:
    account_id = connect(token_secret="s3cret", refresh_token="again").json()["id"]
    shown = client.get(f"/v1/accounts/{account_id}", params={"retrieve_tokens": "1"}).json()
    assert (shown["token_secret"], shown["refresh_token"]) == ("s3cret", "again")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2020-05-15T03:24:56.887056Z", "2020-05-15T03:24:56.887056Z"),
        ("2020-10-12T00:00:00", "2020-10-12T00:00:00Z"),
        ("2026-11-22 22:36:01.123456+00:00", "2026-11-22T22:36:01.123456Z"),
        ("2030-01-01T01:30:00.000001+01:30", "2030-01-01T00:00:00.000001Z"),
        (None, None),
    ],
)
def test_expiry_keeps_its_microseconds_and_is_utc(
    client: httpx.Client, connect: Connect, given: str | None, shown: str | None
) -> None:
    account_id = connect(token_expiry=given, refresh_token_expiry=given).json()["id"]
    account = client.get(f"/v1/accounts/{account_id}").json()
    assert (account["token_expiry"], account["refresh_token_expiry"]) == (shown, shown)


def test_account_is_not_found_when_it_is_asked_for_in_another_state(caller: Caller, client: httpx.Client) -> None:
    assert client.get(caller.account_url, params={"active": "True"}).status_code == 200
    assert client.get(caller.account_url, params={"active": "False"}).status_code == 404


SHARING_CAPABILITIES = (
    "permissions_supported_for_files",
    "can_list_properties",
    "properties_supported_for_files",
    "can_delete_all_properties",
)


def test_capabilities_are_those_of_the_account(caller: Caller, client: httpx.Client, sharing: SharingDrive) -> None:
    for account, value in ((caller, False), (sharing.caller, True)):
        capabilities = client.get(account.account_url).json()["properties"]["capabilities"]
        assert [capabilities[name] for name in SHARING_CAPABILITIES] == [{"value": value}] * 4
    sharing.store.__dict__["manifest"] = msgspec.structs.replace(MANIFEST, capabilities=Capabilities())
    capabilities = client.get(sharing.caller.account_url).json()["properties"]["capabilities"]
    assert [capabilities[name] for name in SHARING_CAPABILITIES] == [{"value": False}] * 4


def test_account_is_shown_when_its_credentials_do_not_open(sharing: SharingDrive) -> None:
    api, number = sharing.caller.api, sharing.caller.account_id

    async def spoil() -> None:
        async with api.state.db.writing() as session:
            account = await session.get_one(Account, number)
            account.sealed_credentials = "1.00000000.AAAA"
            session.note_change(f"account:{number}")

    api.run(spoil())
    account = sharing.client.get(sharing.caller.account_url)
    assert account.status_code == 200
    assert account.json()["properties"]["capabilities"]["can_list_properties"] == {"value": True}
    assert sharing.client.delete(sharing.caller.account_url).status_code == 204  # nobody can open it any more


def test_capability_document_says_what_can_be_asked_now(caller: Caller, client: httpx.Client) -> None:
    document = client.get(f"{caller.account_url}/capabilities").json()
    shown = {name: document[name] for name in ("account", "service", "type", "api")}
    assert shown == {"account": caller.account_id, "service": "local", "type": "capabilities", "api": "storage"}
    assert document["capabilities"]["copy"] is True
    assert document["limits"]["name_bytes_max"] == 255
    assert document["href"] == f"{caller.api.base_url}{caller.account_url}/capabilities"
    client.patch(caller.account_url, json={"active": False})
    assert client.get(f"{caller.account_url}/capabilities").status_code == 403


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("X-Kloudless-As-User", "7", 403),
        ("X-Kloudless-Raw-Headers", '{"a": 1}', 400),
        ("X-Kloudless-Raw-Headers", "[]", 400),
        ("X-Kloudless-Raw-Headers", "{", 400),
        ("X-Kloudless-Raw-Headers", '{"X-Thing": "1"}', 200),
        ("X-Kloudless-Raw-Data", "True", 200),
    ],
)
def test_header_for_the_storage_is_checked(
    caller: Caller, client: httpx.Client, header: str, value: str, status: int
) -> None:
    answer = client.get(f"{caller.storage_url}/folders/root", headers={header: value})
    assert answer.status_code == status
