"""Who may see the metrics: whoever reaches their own port, and whoever shows the operator's token."""

from __future__ import annotations

import httpx
import pytest

from app.core.settings import Settings
from app.server import StartError, open_socket, open_sockets
from tests.app.drive import Drive, read_error
from tests.app.metrics.conftest import TOKEN
from tests.servers.api import Api, build_settings, running_api
from tests.servers.ports import find_free_port


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, (401, "authentication_required")),
        (f"Bearer {TOKEN}x", (401, "unauthorized")),
        (f"APIKey {TOKEN}", (401, "unauthorized")),
        ("Bearer \N{LATIN SMALL LETTER E WITH ACUTE}", (401, "unauthorized")),
        ("the application's key", (401, "unauthorized")),
        ("the account's token", (401, "unauthorized")),
    ],
)
def test_metrics_are_refused_at_the_apis_port_without_the_operators_token(
    api: Api, drive: Drive, authorization: str | None, expected: tuple[int, str]
) -> None:
    own = {"the application's key": drive.caller.key_header, "the account's token": drive.caller.bearer_header}
    headers = own.get(authorization or "") or ({} if authorization is None else {"Authorization": authorization})
    fields = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    with api.client() as client:
        assert read_error(client.send(httpx.Request("GET", f"{api.base_url}/metrics", headers=fields))) == expected


def test_metrics_are_shown_at_the_apis_port_with_the_operators_token(api: Api) -> None:
    with api.client({"Authorization": f"Bearer {TOKEN}"}) as client:
        reply = client.get("/metrics")
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    assert reply.headers["content-type"].startswith("text/plain")
    assert "kloudless_requests_total" in reply.text


def test_guessing_the_token_is_limited_like_guessing_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = {"metrics_token": TOKEN, "failed_logins_per_second": 0.001, "failed_logins_burst": 3}
    with running_api(build_settings(tmp_path_factory.mktemp("api"), **given)) as api:
        wrong = {"Authorization": "Bearer a-wrong-token-of-somebody"}
        with api.client(wrong) as client:
            assert [client.get("/metrics").status_code for _ in range(4)] == [401, 401, 401, 429]


def test_there_are_no_metrics_at_the_apis_port_when_the_operator_set_no_token(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_api(build_settings(tmp_path_factory.mktemp("api"))) as api, api.client() as client:
        for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}):
            assert read_error(client.get("/metrics", headers=headers)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/health", 404),
        ("GET", "/v1/accounts", 404),
        ("GET", "/metrics/", 404),
    ],
)
def test_nothing_but_metrics_is_served_at_their_own_port(
    drive: Drive, port: httpx.Client, method: str, path: str, status: int
) -> None:
    assert port.request(method, path, headers=drive.caller.key_header).status_code == status


def test_metrics_come_in_the_newest_form_that_the_scraper_reads(port: httpx.Client) -> None:
    reply = port.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.text.endswith("# EOF\n")


def test_server_does_not_start_when_the_metrics_port_is_taken() -> None:
    settings = Settings(port=find_free_port(), metrics_port=find_free_port())
    with open_socket(Settings(port=settings.metrics_port)), pytest.raises(StartError, match="KLOUDLESS_METRICS_PORT"):
        open_sockets(settings)
    open_socket(settings).close()  # the API's own was given back


def test_the_metrics_port_cannot_be_the_apis() -> None:
    with pytest.raises(ValueError, match="KLOUDLESS_METRICS_TOKEN"):
        Settings(port=8001, metrics_port=8001)
