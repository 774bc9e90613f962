"""Two servers on one PostgreSQL: what one of them changes, the other forgets long before its memory ends."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg
import httpx
import pytest

from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.ports import find_free_port
from tests.servers.postgres import create_database, drop_database

MEMORY_SECONDS = 60.0
NEWS_SECONDS_MAX = 30.0
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Pair:
    """Two servers with one database and one key file."""

    first: Api
    second: Api
    name: str  # of the database

    def wait_until_refused(self, client: httpx.Client, url: str) -> float:
        """Seconds until the second server refuses; AssertionError when it remembers for too long."""
        started = time.monotonic()
        while client.get(url).is_success:
            assert time.monotonic() < started + NEWS_SECONDS_MAX
            time.sleep(POLL_SECONDS)
        return time.monotonic() - started


@pytest.fixture(scope="module")
def pair(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    name = f"n{secrets.token_hex(6)}"
    given = {"database_url": create_database(postgres_url, name), "account_cache_seconds_max": MEMORY_SECONDS}
    settings = build_settings(tmp_path_factory.mktemp("pair"), **given)
    with (
        running_api(settings) as first,
        running_api(settings.model_copy(update={"port": find_free_port()})) as second,
    ):
        yield Pair(first, second, name)
    drop_database(postgres_url, name)


@pytest.fixture
def caller(pair: Pair) -> Caller:
    return pair.first.create_caller()


@pytest.mark.parametrize(
    ("remembered", "asked", "changed", "changing"),
    [
        ("bearer_header", "/v1/accounts/me", "DELETE /v1/oauth/token", "bearer_header"),
        ("key_header", "{account_url}", "DELETE {account_url}", "key_header"),
        ("bearer_header", "{storage_url}/folders/root", "PATCH {account_url}", "key_header"),
        (
            "key_header",
            "/v1/accounts",
            "DELETE /v1/applications/{application_id}/apikeys/{api_key}",
            "developer_header",
        ),
        ("key_header", "{account_url}", "DELETE /v1/applications/{application_id}", "developer_header"),
        ("bearer_header", "{account_url}", "DELETE /v1/applications/{application_id}", "developer_header"),
        ("bearer_header", "/v1/accounts/me", "PATCH /v1/applications/{application_id}", "developer_header"),
    ],
)
def test_second_server_refuses_when_the_first_was_told_to(
    pair: Pair, caller: Caller, remembered: str, asked: str, changed: str, changing: str
) -> None:
    values = {**vars(caller), "account_url": caller.account_url, "storage_url": caller.storage_url}
    url, (method, target) = asked.format(**values), changed.format(**values).split(" ")
    with pair.second.client(getattr(caller, remembered)) as client, caller.client(getattr(caller, changing)) as changer:
        assert client.get(url).status_code == 200
        assert changer.request(method, target, json={"active": False}).is_success
        assert pair.wait_until_refused(client, url) < MEMORY_SECONDS / 2


def test_second_server_catches_up_when_its_line_was_cut(pair: Pair, caller: Caller, postgres_url: str) -> None:
    async def cut() -> int:
        plain = postgres_url.replace("postgresql+asyncpg", "postgresql")
        connection = await asyncpg.connect(f"{plain}/postgres")
        rows = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LISTEN%'",
            pair.name,
        )
        await connection.close()
        return len(rows)

    for _ in range(2):
        with caller.client() as client:
            token = client.post(f"{caller.account_url}/tokens").json()["access_token"]
        header = {"Authorization": f"Bearer {token}"}
        with pair.second.client(header) as client, pair.first.client(header) as changer:
            assert client.get("/v1/accounts/me").status_code == 200
            deadline = time.monotonic() + NEWS_SECONDS_MAX
            while not asyncio.run(cut()):
                assert time.monotonic() < deadline, "nobody listens"
            assert changer.delete("/v1/oauth/token").status_code == 204
            assert pair.wait_until_refused(client, "/v1/accounts/me") < MEMORY_SECONDS / 2
