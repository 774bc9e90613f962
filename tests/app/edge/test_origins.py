from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.applications.schemas import ApplicationCreate
from app.applications.service import create_application, create_developer
from tests.app.drive import read_error, read_json
from tests.app.edge.wire import Wire
from tests.servers.api import Api, build_settings, running_api


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that believes proxies on this machine."""
    settings = build_settings(
        tmp_path_factory.mktemp("proxied"), public_origins="https://API.example.com", trusted_proxies="127.0.0.1,::1"
    )
    with running_api(settings) as running:
        yield running


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1", "127.0.0.1:1", "localhost:80", "", "[::1"])
def test_unknown_host_is_400(api: Api, host: str) -> None:
    with api.client() as client:
        refused = client.get("/v1/accounts", headers={"Host": host})
        assert read_error(refused) == (400, "bad_request")
        assert client.get("/health", headers={"Host": host}).status_code == 200
        assert client.get("/ready", headers={"Host": host}).status_code == 200


def test_missing_host_is_400(wire: Wire) -> None:
    wire.send(b"GET /v1/accounts HTTP/1.1\r\n\r\n")
    assert wire.read().status == 400


def test_host_is_accepted_in_any_case(api: Api) -> None:
    with api.client() as client:
        reply = client.get("/v1/accounts", headers={"Host": f"LOCALHOST:{api.settings.port}"})
    assert read_error(reply) == (401, "authentication_required")


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Forwarded-Proto"])
def test_forwarded_headers_of_strangers_are_ignored(api: Api, header: str) -> None:
    caller = api.create_caller()
    with caller.client(
        {**caller.key_header, header: "https" if header.endswith("Proto") else "x.example.com"}
    ) as client:
        reply = read_json(client.get(f"{caller.storage_url}/quota"))
    assert reply["href"] == f"{api.base_url}{caller.storage_url}/quota"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example.com"}, 401),
        ({"X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "API.example.com, inner"}, 401),
        ({"X-Forwarded-Proto": "https", "Host": "api.example.com"}, 401),
        ({"X-Forwarded-Host": "api.example.com"}, 400),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example.com"}, 400),
        ({}, 400),
    ],
)
def test_forwarded_headers_of_a_listed_proxy_are_believed(proxied: Api, headers: dict[str, str], status: int) -> None:
    with proxied.client() as client:
        assert client.get("/v1/accounts", headers=headers).status_code == status


def test_links_start_with_the_public_origin_behind_a_proxy(proxied: Api) -> None:
    async def create() -> str:
        async with proxied.state.db.writing() as session:
            developer_id, token = await create_developer(session, name="A developer")
            create = ApplicationCreate(name="An application")
            await create_application(proxied.state, session, developer_id=developer_id, create=create)
        return token

    headers = {"Authorization": f"Bearer {proxied.run(create())}"}
    with proxied.client(headers | {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example.com"}) as client:
        listed = read_json(client.get("/v1/meta/applications"))
    assert [entry["href"].startswith("https://api.example.com/v1/") for entry in listed["objects"]] == [True]
