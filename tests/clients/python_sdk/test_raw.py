"""Requests in a storage's own terms, through the official Python SDK."""

from __future__ import annotations

import json

import kloudless
import pytest
from kloudless import exceptions

from tests.clients.python_sdk.sdk import CONTENT, list_names, upload
from tests.servers.accounts import AccountKind
from tests.servers.api import Caller

RANGE = json.dumps({"Range": "bytes=10-19"})


@pytest.mark.needs("call_raw")
def test_storage_answers_itself_when_it_is_asked_in_its_own_terms(
    account: kloudless.Account, caller: Caller, account_kind: AccountKind
) -> None:
    upload(account, "a.bin", CONTENT)
    root = account_kind.find_raw_root(caller.folder.name)
    reply = account.raw(raw_uri=f"{root}/a.bin", raw_method="GET", headers={"X-Kloudless-Raw-Headers": RANGE})
    assert (reply.status_code, reply.content) == (206, CONTENT[10:20])
    assert account.raw(raw_uri=f"{root}/b.bin", raw_method="PUT", data=CONTENT).ok
    assert list_names(account) == ["a.bin", "b.bin"]
    with pytest.raises(exceptions.NotFoundException):
        account.raw(raw_uri=f"{root}/none.bin", raw_method="GET")
    with pytest.raises(exceptions.ForbiddenException):
        account.raw(raw_uri="http://example.com/", raw_method="GET")


def test_refusal_is_plain_when_a_storage_has_no_terms_of_its_own(local_caller: Caller) -> None:
    with (
        kloudless.Account(token=local_caller.bearer_token) as account,
        pytest.raises(exceptions.ServerException) as got,
    ):
        account.raw(raw_uri="/", raw_method="GET")
    assert got.value.response.status_code == 501
