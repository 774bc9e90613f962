"""Who may ask several accounts at once: the application, or whoever has a token for each of them."""

from __future__ import annotations

import httpx
import pytest

from app.accounts.callers import ACCOUNTS_MAX
from tests.app.drive import read_error, read_json
from tests.app.several.conftest import Accounts
from tests.servers.api import Api, Caller, build_settings, running_api

PATHS = ("search?q=a", "recent", "links")

every_path = pytest.mark.parametrize("path", PATHS)


@every_path
def test_application_asks_all_accounts_by_its_key(accounts: Accounts, path: str) -> None:
    page = read_json(accounts.client.get(accounts.url(path)))
    assert (page["objects"], page["errors"]) == ([], [])


@every_path
@pytest.mark.parametrize("separator", [",", ", "])
def test_tokens_open_their_accounts_in_any_order(accounts: Accounts, path: str, separator: str) -> None:
    with accounts.bearing(*reversed(accounts.tokens), separator=separator) as client:
        assert read_json(client.get(accounts.url(path)))["errors"] == []
        assert read_json(client.get(accounts.url(path).replace(",", "%2C")))["errors"] == []
        spaced = accounts.url(path).replace(",", ",%20")
        assert read_json(client.get(spaced))["errors"] == []


@every_path
def test_one_account_is_answered_as_ever(accounts: Accounts, path: str) -> None:
    with accounts.bearing(accounts.tokens[0]) as client:
        assert "errors" not in read_json(client.get(accounts.url(path, 0)))
        assert "errors" not in read_json(client.get(f"/v1/accounts/me/storage/{path}"))


def ask(accounts: Accounts, url: str, *tokens: str) -> tuple[int, str]:
    with accounts.bearing(*tokens) as client:
        return read_error(client.get(url))


@every_path
def test_account_is_forbidden_when_no_token_is_its_own(accounts: Accounts, path: str) -> None:
    first, second, _ = accounts.tokens
    assert ask(accounts, accounts.url(path), first, second) == (403, "forbidden")
    assert ask(accounts, accounts.url(path, 0, 1), first) == (403, "forbidden")
    assert ask(accounts, accounts.url(path, 0, 1), first, first) == (403, "forbidden")


def test_tokens_are_forbidden_when_there_are_more_than_accounts(accounts: Accounts) -> None:
    assert ask(accounts, accounts.url("recent", 0, 1), *accounts.tokens) == (403, "forbidden")


def test_tokens_of_two_applications_are_forbidden_together(api: Api, accounts: Accounts) -> None:
    other = api.create_caller()
    url = f"/v1/accounts/{accounts.ids[0]},{other.account_id}/storage/recent"
    assert ask(accounts, url, accounts.tokens[0], other.bearer_token) == (403, "forbidden")


@pytest.mark.parametrize("wrong", ["wrong", ""])
def test_request_is_unauthorized_when_one_token_is_wrong(accounts: Accounts, wrong: str) -> None:
    with accounts.bearing(*accounts.tokens[:2], wrong) as client:
        answer = client.get(accounts.url("recent"))
    assert read_error(answer) == ((401, "unauthorized") if wrong else (403, "forbidden"))


@pytest.mark.parametrize(
    "header", ["APIKey {key},{key}", "DeveloperKey {key},{key}", "Bearer ,", "Bearer ,,,", "Bearer {token},{key}"]
)
def test_request_is_unauthorized_when_the_header_is_no_good(accounts: Accounts, header: str) -> None:
    value = header.format(key=accounts.caller.api_key, token=accounts.tokens[0])
    with accounts.caller.client({"Authorization": value}) as client:
        assert read_error(client.get(accounts.url("recent"))) == (401, "unauthorized")


def test_authentication_is_required_when_no_header_is_sent(accounts: Accounts) -> None:
    with accounts.caller.api.client() as client:
        assert read_error(client.get(accounts.url("recent"))) == (401, "authentication_required")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("{0},{0}", (400, "invalid_parameters")),
        ("me,{0}", (400, "invalid_parameters")),
        ("me,me", (400, "invalid_parameters")),
        (",".join(str(number) for number in range(1, ACCOUNTS_MAX + 2)), (400, "invalid_parameters")),
        ("{0},", (404, "not_found")),
        (",{0}", (404, "not_found")),
        ("{0},junk", (404, "not_found")),
        ("{0},-1", (404, "not_found")),
        ("{0},999999999999999", (404, "not_found")),
        ("{0},99999999999999999999", (404, "not_found")),
        ("{0},{other}", (404, "not_found")),
    ],
)
def test_accounts_are_refused_when_one_is_no_other_account_of_the_application(
    api: Api, accounts: Accounts, names: str, expected: tuple[int, str]
) -> None:
    filled = names.format(*accounts.ids, other=api.create_caller().account_id)
    assert read_error(accounts.client.get(f"/v1/accounts/{filled}/storage/recent")) == expected


def test_several_accounts_are_refused_where_one_is_meant(accounts: Accounts) -> None:
    for path in ("folders/root", "folders/root/contents", "quota"):
        assert read_error(accounts.client.get(accounts.url(path))) == (400, "invalid_parameters")
        with accounts.bearing() as client:
            assert client.get(accounts.url(path)).status_code in {400, 401}


def test_every_account_is_counted_when_several_are_asked(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = build_settings(
        tmp_path_factory.mktemp("limited"), account_requests_per_second=0.01, account_requests_burst=4
    )
    with running_api(settings) as api:
        caller: Caller = api.create_caller()
        (caller.folder / "inner").mkdir()
        body = {"account": "b", "service": "local", "token": "tests", "folder": f"{caller.folder.name}/inner"}
        with caller.client() as client:
            other = client.post("/v1/accounts", json=body).json()["id"]
            url = f"/v1/accounts/{caller.account_id},{other}/storage/recent"
            answers: list[httpx.Response] = [client.get(url) for _ in range(5)]
            assert {answer.status_code for answer in answers} == {200, 429}
            assert answers[0].headers["ratelimit"].count('"account"') == 2
            left = [client.get(f"/v1/accounts/{other}").status_code for _ in range(2)]
            assert left == [200, 429]  # one account's token was made, so that one could ask once less


def test_request_to_several_accounts_is_logged_for_the_application(accounts: Accounts) -> None:
    with accounts.bearing() as client:
        request_id = client.get(accounts.url("recent")).headers["x-request-id"]
    seen = read_json(accounts.client.get(f"/v1/requests/{request_id}"))
    assert (seen["account"], seen["route"]) == (None, "/v1/accounts/{account_id}/storage/recent")
