"""What scopes mean (contract 2.4), and that tokens open no more than theirs says."""

from __future__ import annotations

import re

import pytest

from app.accounts.scopes import is_storage_granted, parse_scopes, select_services
from tests.servers.api import Api, Caller

SERVICES = ("s3", "webdav")
BODY = {"raw_id": "a", "type": "file"}  # good where a route reads its body before it knows the account
NEEDS_NO_STORAGE = {"", "/tokens", "/capabilities"}  # below /v1/accounts/{account_id}


@pytest.mark.parametrize(
    ("text", "granted"),
    [
        ("all", True),
        ("any", True),
        ("storage", True),
        ("any.storage", True),
        ("all.storage", True),
        ("s3", True),
        ("s3.storage", True),
        ("s3:normal.storage", True),
        ("s3:normal.storage.default:kloudless", True),
        ("s3:admin.storage", True),
        ('s3:normal.storage."https://www.example.com/auth/files and more":raw', True),
        ("calendar s3", True),
        ("s3:normal.basic", False),
        ("calendar", False),
        ("any.calendar", False),
        ("webdav", False),
        ("s3.calendar", False),
        ("", False),
        ("what is this?", False),
    ],
)
def test_scope_grants_storage_when_it_says_so(text: str, *, granted: bool) -> None:
    assert is_storage_granted(text, "s3") is granted


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", ["s3", "webdav"]),
        ("all", ["s3", "webdav"]),
        ("storage", ["s3", "webdav"]),
        ("webdav:normal.storage webdav:normal.basic", ["webdav"]),
        ("webdav:normal.basic", ["webdav"]),
        ("any.crm", []),
        ("all:admin", []),
        ("gone", []),
    ],
)
def test_scope_selects_services(text: str, selected: list[str]) -> None:
    assert select_services(text, SERVICES) == selected


@pytest.mark.parametrize("text", ["S3", "a b:root", "s3..x", "s3:normal.storage.x:other", '"', "s3:", ".storage"])
def test_error_names_what_is_no_scope(text: str) -> None:
    with pytest.raises(ValueError, match="is not a scope"):
        parse_scopes(text)


@pytest.mark.parametrize(
    "text", ["s3:normal.storage.:raw", 's3.storage."a\u00e9":raw', 'all.storage."a":raw', "any.storage.a:raw"]
)
def test_error_names_what_is_no_scope_of_a_provider(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_scopes(text)


def test_every_route_to_files_is_closed_when_scope_has_no_storage(api: Api, caller: Caller) -> None:
    with caller.client() as client:
        reply = client.post(f"{caller.account_url}/tokens", json={"scope": "local:normal.basic calendar"})
        assert reply.status_code == 201
        document = client.get("/openapi.json").json()
    walked = []
    with api.client({"Authorization": f"Bearer {reply.json()['access_token']}"}) as token:
        for path, methods in document["paths"].items():
            prefix, below_accounts, rest = path.partition("/v1/accounts/{account_id}")
            if not below_accounts or prefix or rest in NEEDS_NO_STORAGE:
                continue
            url = re.sub(r"\{\w+\}", "root", caller.account_url + rest)
            for method in methods:
                if method in {"get", "head", "post", "put", "patch", "delete"}:
                    answer = token.request(method, url, json=BODY)
                    walked.append((method, path))
                    assert answer.status_code == 403, f"{method} {path}: {answer.status_code} {answer.text}"
        assert token.get(caller.account_url).status_code == 200
    assert len(walked) > 30


def test_error_says_what_to_ask_for(caller: Caller) -> None:
    with caller.client() as client:
        wrong = client.post(f"{caller.account_url}/tokens", json={"scope": "no such!"})
        assert (wrong.status_code, wrong.json()["error_code"]) == (400, "invalid_parameters")
        token = client.post(f"{caller.account_url}/tokens", json={"scope": "crm"}).json()["access_token"]
    with caller.client({"Authorization": f"Bearer {token}"}) as client:
        reply = client.get(f"{caller.storage_url}/folders/root/contents")
    assert reply.status_code == 403
    assert "'crm'" in reply.json()["message"]
