"""Errors as the official Python SDK raises them."""

from __future__ import annotations

import kloudless
import pytest
from kloudless import exceptions

from tests.servers.api import Caller


def test_error_is_an_authorization_exception_when_token_or_key_is_wrong(caller: Caller) -> None:
    for client in (kloudless.Account(token="wrong"), kloudless.Client(api_key="wrong")):
        with client, pytest.raises(exceptions.AuthorizationException) as raised:
            client.get("" if isinstance(client, kloudless.Account) else "accounts")
        assert raised.value.error_data["error_code"] == "unauthorized"
        assert raised.value.error_data["id"] in str(raised.value)


def test_error_is_a_not_found_exception_when_account_is_of_another_application(
    caller: Caller, application: kloudless.Client
) -> None:
    other = caller.api.create_caller()
    with pytest.raises(exceptions.NotFoundException):
        application.get(f"accounts/{other.account_id}")
    with pytest.raises(exceptions.NotFoundException):
        application.get(f"accounts/{other.account_id}/storage/folders/root/contents")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("storage/folders/root/contents?page_size=0", "invalid_parameters"),
        ("storage/folders/root/contents?page=nonsense", "invalid_parameters"),
        ("storage/path", "invalid_parameters"),
    ],
)
def test_error_is_an_api_exception_with_its_code_when_parameters_are_wrong(
    account: kloudless.Account, path: str, code: str
) -> None:
    with pytest.raises(exceptions.APIException) as raised:
        account.get(path)
    assert type(raised.value) is exceptions.APIException
    assert (raised.value.status, raised.value.error_data["error_code"]) == (400, code)


def test_error_is_a_server_exception_when_operation_is_not_offered(account: kloudless.Account) -> None:
    with pytest.raises(exceptions.ServerException) as raised:
        account.get("storage/search", params={"q": "a", "lang": "cmis"})
    assert (raised.value.status, raised.value.error_data["error_code"]) == (501, "not_implemented")
