"""Who is let in: schemes, keys, tokens, and how fast they end."""

from __future__ import annotations

import httpx
import pytest

from tests.servers.api import Api, Caller

URLS = ("/v1/accounts", "/v1/accounts/1/storage/folders/root", "/v1/meta/applications")
PICKER = {"X-Kloudless-Source": "file-picker/2.3.3"}


@pytest.mark.parametrize("scheme", ["APIKey", "ApiKey", "apikey", "APIKEY"])
def test_key_is_accepted_whatever_the_case_of_its_scheme(caller: Caller, scheme: str) -> None:
    with caller.client({"Authorization": f"{scheme} {caller.api_key}"}) as client:
        assert client.get(caller.account_url).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_token_is_accepted_whatever_the_case_of_its_scheme(caller: Caller, scheme: str) -> None:
    with caller.client({"Authorization": f"{scheme} {caller.bearer_token}"}) as client:
        assert client.get("/v1/accounts/me").status_code == 200


@pytest.mark.parametrize("scheme", ["DeveloperKey", "developerkey", "Bearer"])
@pytest.mark.parametrize("prefix", ["/v1/applications", "/v1/meta/applications"])
def test_developer_is_accepted_under_both_schemes_and_paths(caller: Caller, scheme: str, prefix: str) -> None:
    with caller.client({"Authorization": f"{scheme} {caller.developer_token}"}) as client:
        assert client.get(f"{prefix}/{caller.application_id}").status_code == 200


@pytest.mark.parametrize("header", [{}, {"Authorization": ""}])
def test_authentication_is_required_when_no_header_is_sent(api: Api, header: dict[str, str]) -> None:
    with api.client(header) as client:
        for url in URLS:
            answer = client.get(url)
            assert (answer.status_code, answer.json()["error_code"]) == (401, "authentication_required")
            assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "value",
    [
        "junk",
        "Basic dXNlcjpwYXNz",
        "AccountKey abc",
        "APIKey",
        "Bearer",
        "APIKey wrong",
        "Bearer wrong",
        "DeveloperKey wrong",
        "Bearer one,two",
        "Bearer " + "x" * 2000,
        "Bearer \xfc\xff".encode("latin-1"),
        "Bearer ' OR 1=1 --",
    ],
)
def test_request_is_unauthorized_when_the_header_is_no_good(api: Api, value: str | bytes) -> None:
    header = value if isinstance(value, bytes) else value.encode()
    with api.client() as client:
        for url in URLS:
            answer = client.get(url, headers=[(b"Authorization", header)])
            assert (answer.status_code, answer.json()["error_code"]) == (401, "unauthorized")
            assert "www-authenticate" in answer.headers


def test_several_tokens_at_once_are_refused(caller: Caller) -> None:
    with caller.client({"Authorization": f"Bearer {caller.bearer_token},{caller.bearer_token}"}) as client:
        assert client.get(caller.account_url).status_code == 401


@pytest.mark.parametrize(
    ("credentials", "url"),
    [
        ("developer_header", "/v1/accounts"),
        ("developer_header", "{storage_url}/folders/root"),
        ("key_header", "/v1/meta/applications"),
        ("bearer_header", "/v1/meta/applications"),
        ("key_header", "/v1/applications/{application_id}/apikeys"),
    ],
)
def test_credentials_of_one_kind_do_not_open_what_needs_another(caller: Caller, credentials: str, url: str) -> None:
    filled = url.format(storage_url=caller.storage_url, application_id=caller.application_id)
    with caller.client(getattr(caller, credentials)) as client:
        answer = client.get(filled)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "unauthorized")


@pytest.mark.parametrize("scheme", ["APIKey {bearer_token}", "Bearer {api_key}", "DeveloperKey {api_key}"])
def test_secret_is_refused_under_the_scheme_of_another(caller: Caller, scheme: str) -> None:
    with caller.client({"Authorization": scheme.format(**vars(caller))}) as client:
        assert client.get(caller.account_url).status_code == 401


def test_token_is_forbidden_on_another_account_of_its_own_application(caller: Caller, client: httpx.Client) -> None:
    (caller.folder / "inner").mkdir()
    body = {"account": "b", "service": "local", "token": "tests", "folder": f"{caller.folder.name}/inner"}
    other = client.post("/v1/accounts", json=body).json()["id"]
    with caller.client(caller.bearer_header) as own:
        for url in (f"/v1/accounts/{other}", f"/v1/accounts/{other}/storage/folders/root"):
            answer = own.get(url)
            assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")


@pytest.mark.parametrize("prefix", ["/v1/meta/applications", "/v1/applications"])
def test_key_stops_working_at_once_when_it_is_deleted(caller: Caller, client: httpx.Client, prefix: str) -> None:
    assert client.get("/v1/accounts").status_code == 200
    with caller.client(caller.developer_header) as developer:
        assert developer.delete(f"{prefix}/{caller.application_id}/apikeys/{caller.api_key}").status_code == 204
    assert client.get("/v1/accounts").status_code == 401
    with caller.client(caller.bearer_header) as own:
        assert own.get("/v1/accounts/me").status_code == 200


@pytest.mark.parametrize(
    ("url", "headers", "status", "code"),
    [
        ("/v1/accounts?active=True", PICKER, 403, "forbidden"),
        ("/v1/accounts/?active=True", {"X-Kloudless-Source": "file-explorer/1.0"}, 403, "forbidden"),
        ("/v1/accounts/me/?active=True", PICKER, 403, "forbidden"),
        ("/v1/accounts/me/", PICKER, 401, "unauthorized"),
        ("/v1/accounts?active=True", {"X-Kloudless-Source": "authenticator"}, 401, "unauthorized"),
        ("/v1/accounts?active=True", {}, 401, "unauthorized"),
    ],
)
def test_dead_token_is_forbidden_only_where_the_picker_needs_it(
    api: Api, url: str, headers: dict[str, str], status: int, code: str
) -> None:
    with api.client({"Authorization": "Bearer dead"}) as client:
        answer = client.get(url, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_keys_and_tokens_pause_while_the_application_is_switched_off(caller: Caller, client: httpx.Client) -> None:
    url = f"/v1/meta/applications/{caller.application_id}"
    with caller.client(caller.developer_header) as developer, caller.client(caller.bearer_header) as own:
        assert client.get("/v1/accounts").status_code == own.get("/v1/accounts/me").status_code == 200
        assert developer.patch(url, json={"active": False}).json()["active"] is False
        assert client.get("/v1/accounts").status_code == own.get("/v1/accounts/me").status_code == 401
        assert own.get("/v1/oauth/token").status_code == 400
        assert own.get(f"{caller.storage_url}/folders/root").status_code == 401
        assert developer.patch(url, json={"active": True}).json()["active"] is True
        assert client.get("/v1/accounts").status_code == own.get("/v1/accounts/me").status_code == 200


def test_keys_and_tokens_die_when_the_application_is_deleted(caller: Caller, client: httpx.Client) -> None:
    with caller.client(caller.developer_header) as developer, caller.client(caller.bearer_header) as own:
        assert client.get("/v1/accounts").status_code == own.get("/v1/accounts/me").status_code == 200
        assert developer.delete(f"/v1/meta/applications/{caller.application_id}").status_code == 204
        assert client.get("/v1/accounts").status_code == own.get("/v1/accounts/me").status_code == 401
        assert own.get("/v1/oauth/token").status_code == 400
