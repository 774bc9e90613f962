"""Accounts, what they can do, tokens, applications and keys, through the official Python SDK."""

from __future__ import annotations

from typing import Any

import kloudless
import pytest
from kloudless import exceptions

from tests.clients.python_sdk.sdk import list_names, upload
from tests.servers.accounts import AccountKind
from tests.servers.api import Caller

OPTIONAL: dict[str, tuple[str, str, Any]] = {
    "start_upload": ("post", "storage/multipart", {"name": "b.txt", "parent_id": "root"}),
    "get_quota": ("get", "storage/quota", None),
    "list_permissions": ("get", "storage/files/{file_id}/permissions", None),
    "set_permissions": ("put", "storage/files/{file_id}/permissions", []),
    "list_properties": ("get", "storage/files/{file_id}/properties", None),
}
"""Capabilities that not all accounts have, and a request that only those answer: method, path, body."""


def test_account_is_found_when_token_is_its_own(account: kloudless.Account, caller: Caller) -> None:
    found = account.get()
    assert (found.data["id"], found.data["type"]) == (caller.account_id, "account")
    assert "storage" in found.data["apis"]
    assert found.url == f"{caller.api.base_url}/v1/accounts/{caller.account_id}"
    found.refresh()
    assert found.data["id"] == caller.account_id


def test_account_opens_when_key_and_number_are_given(caller: Caller) -> None:
    with kloudless.Account(api_key=caller.api_key, account_id=caller.account_id) as account:
        assert account.get().data["id"] == caller.account_id
        assert list_names(account) == []


def test_account_says_what_it_can_do_when_asked(
    account: kloudless.Account, capabilities: dict[str, bool], account_kind: AccountKind
) -> None:
    assert {name for name in OPTIONAL if capabilities[name]} == account_kind.offers & OPTIONAL.keys()
    found = account.get().data
    shown = {name: each["value"] for name, each in found["properties"]["capabilities"].items()}
    assert shown["multipart_uploads_supported_for_files"] == capabilities["start_upload"]
    assert shown["properties_supported_for_files"] == capabilities["list_properties"]
    assert shown["permissions_supported_for_files"] == capabilities["set_permissions"]
    assert shown["can_search_file_name"]


@pytest.mark.parametrize("need", OPTIONAL)
def test_error_says_not_implemented_when_and_only_when_it_is_not_offered(
    account: kloudless.Account, capabilities: dict[str, bool], need: str
) -> None:
    method, path, body = OPTIONAL[need]
    url = path.format(file_id=upload(account, "a.txt", b"x").data["id"])
    options = {} if body is None else {"json": body}
    if capabilities[need]:
        assert getattr(account, method)(url, **options).data
        return
    with pytest.raises(exceptions.ServerException) as raised:
        getattr(account, method)(url, **options)
    assert (raised.value.status, raised.value.error_data["error_code"]) == (501, "not_implemented")
    assert "does not offer" in raised.value.error_data["message"]


def test_name_is_accepted_when_and_only_when_it_is_within_the_limit_that_is_told(account: kloudless.Account) -> None:
    limits = account.get("capabilities").data["limits"]
    letters_max = limits["name_bytes_max"] or limits["name_characters_max"]
    assert upload(account, "n" * letters_max, b"x").data["name"] == "n" * letters_max
    with pytest.raises(exceptions.APIException) as raised:
        upload(account, "n" * (letters_max + 1), b"x")
    assert (raised.value.status, raised.value.error_data["error_code"]) == (400, "invalid_parameters")


def test_iterator_meets_every_account_once_when_there_are_several_pages(
    caller: Caller, application: kloudless.Client, account_kind: AccountKind
) -> None:
    numbers = [caller.account_id]
    for number in range(4):
        body = account_kind.build(caller.api, f"{caller.folder.name}-{number}")
        numbers.append(application.post("accounts", json={"account": f"no. {number}", **body}).data["id"])
    first = application.get("accounts", params={"page_size": 2})
    assert [len(first.objects), first.data["total"]] == [2, 5]
    assert sorted(item.data["id"] for item in first.get_paging_iterator()) == sorted(numbers)


def test_account_is_changed_and_removed_when_asked_by_key(caller: Caller, application: kloudless.Client) -> None:
    url = f"accounts/{caller.account_id}"
    changed = application.patch(url, json={"account": "A new label", "custom_properties": {"team": "blue"}})
    assert (changed.data["account"], changed.data["custom_properties"]) == ("A new label", {"team": "blue"})
    assert application.delete(url).status_code == 204
    with pytest.raises(exceptions.NotFoundException):
        application.get(url)
    with kloudless.Account(token=caller.bearer_token) as account, pytest.raises(exceptions.AuthorizationException):
        account.get()


@pytest.mark.needs("get_quota")
def test_space_is_told_when_quota_is_asked_for(account: kloudless.Account) -> None:
    quota = account.get("storage/quota").data
    assert {"total", "used", "remaining"} <= set(quota)


def test_token_is_verified_when_it_belongs_to_the_application(local_caller: Caller) -> None:
    assert (
        kloudless.verify_token(local_caller.application_id, local_caller.bearer_token)["account_id"]
        == local_caller.account_id
    )
    with kloudless.get_verified_account(local_caller.application_id, local_caller.bearer_token) as account:
        assert account.get().data["id"] == local_caller.account_id


def test_token_is_refused_when_it_is_wrong_or_of_another_application(local_caller: Caller) -> None:
    with pytest.raises(exceptions.TokenVerificationFailed):
        kloudless.verify_token("another", local_caller.bearer_token)
    with pytest.raises(exceptions.APIException) as raised:
        kloudless.verify_token(local_caller.application_id, "wrong")
    assert raised.value.status == 400
    assert raised.value.error_data["error_code"] == "invalid_token"


def test_applications_and_keys_are_managed_when_meta_token_is_given(developer: kloudless.Client) -> None:
    created = developer.post("meta/applications", json={"name": "Made by the SDK"})
    listed = developer.get("meta/applications", params={"page_size": 1})
    assert created.data["id"] in [item.data["id"] for item in listed.get_paging_iterator()]
    renamed = created.patch(json={"name": "Renamed"})
    assert renamed.data["name"] == "Renamed"
    key = created.post("apikeys")
    keys = created.get("apikeys")
    assert len(keys.objects) == 2
    with kloudless.Client(api_key=key.data["key"]) as application:
        assert application.get("accounts").objects == []
        assert key.delete().status_code == 204
        with pytest.raises(exceptions.AuthorizationException):
            application.get("accounts")
    assert created.delete().status_code == 204
    with pytest.raises(exceptions.NotFoundException):
        created.get()
