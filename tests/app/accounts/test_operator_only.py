"""Services whose accounts only the operator adds, and services that a server does not offer (any more)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.accounts.service import connect_account, create_token
from app.applications.schemas import ApplicationCreate
from app.applications.service import create_application, create_developer
from connectors.core.service import Registry
from tests.servers.api import ROOT, Api, build_settings, running_api
from tests.servers.ports import find_free_port

SERVICE = "local"


@dataclass(frozen=True)
class Given:
    """A server whose operator keeps accounts to himself, and an account that he added."""

    api: Api
    key_header: dict[str, str]
    account_url: str
    bearer_token: str


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = tmp_path_factory.mktemp("operator")
    roots = {ROOT: {"folder": str(folder), "applications": ["*"]}}
    with running_api(build_settings(folder, connectors={SERVICE: {"roots": roots}})) as api:

        async def add() -> tuple[str, int, str]:
            async with api.state.db.writing() as session:
                developer_id, _ = await create_developer(session, name="D")
                application, key = await create_application(
                    api.state, session, developer_id=developer_id, create=ApplicationCreate(name="A")
                )
            row, _ = await connect_account(
                api.state, application_id=application.id, service=SERVICE, credentials={"root": ROOT}, label="added"
            )
            token, _ = await create_token(api.state, row=row)
            return key, row.id, token

        key, account_id, token = api.run(add())
        yield Given(api, {"Authorization": f"APIKey {key}"}, f"/v1/accounts/{account_id}", token)


@pytest.fixture
def client(given: Given) -> Iterator[httpx.Client]:
    with given.api.client(given.key_header) as opened:
        yield opened


@pytest.mark.parametrize("validate", ["true", "false"])
def test_import_is_forbidden_and_says_who_may(client: httpx.Client, validate: str) -> None:
    body = {"account": "a", "service": SERVICE, "token": ROOT}
    answer = client.post("/v1/accounts", params={"validate": validate}, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")
    assert f"kloudless account add {SERVICE}" in answer.json()["message"]


def test_credentials_are_forbidden_to_change_but_the_rest_is_not(given: Given, client: httpx.Client) -> None:
    answer = client.patch(given.account_url, json={"token": "another root"})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")
    assert client.patch(given.account_url, json={"account": "renamed", "token": ROOT}).json()["account"] == "renamed"


@pytest.fixture
def client_without(given: Given, tmp_path: Path) -> Iterator[httpx.Client]:
    """Asks a server on the same data that offers no service at all."""
    settings = given.api.settings.model_copy(update={"port": find_free_port()})
    with running_api(settings, registry=Registry([])) as api, api.client(given.key_header) as opened:
        yield opened


def test_account_is_shown_but_not_opened_when_its_service_is_no_longer_offered(
    given: Given, client_without: httpx.Client
) -> None:
    account = client_without.get(given.account_url, params={"retrieve_tokens": "true"}).json()
    assert (account["service"], account["service_name"]) == (SERVICE, SERVICE)
    assert "properties" not in account
    assert "token" not in account
    for path in ("/storage/folders/root", "/capabilities"):
        answer = client_without.get(given.account_url + path)
        assert (answer.status_code, answer.json()["error_code"]) == (501, "not_implemented")
    assert client_without.post("/v1/accounts", json={"account": "a", "service": SERVICE}).status_code == 400
