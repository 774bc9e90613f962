"""One account, an access token that has ended, refresh tokens that are good once, and a crowd of processes."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.core.service import Registry
from tests.app.consenting import SERVICE, build_service
from tests.servers.api import build_settings, running_api
from tests.servers.dropbox import running_place
from tests.servers.postgres import create_database

PROCESSES_COUNT = 8
SECONDS_MAX = 120
REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_token_is_renewed_once_and_nobody_is_logged_out_when_many_processes_need_it(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    given: dict[str, Any] = {}
    if database == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    settings = build_settings(tmp_path, account_cache_seconds_max=0, **given)  # others change it without a word
    with running_place() as place, running_api(settings, registry=Registry([build_service(place.url)])) as api:
        place.world.grants.rotates_refresh_tokens = True
        token, refresh_token = place.issue(1)
        body = {"service": SERVICE, "token": token, "refresh_token": refresh_token}
        caller = api.create_caller(lambda _api, _name: body)
        place.world.grants.expire(token)
        environment = {
            "PATH": "",
            "KLOUDLESS_DATA_DIR": str(settings.data_dir),
            "KLOUDLESS_DATABASE_URL": settings.database_url_text,
            "KLOUDLESS_LOG_LEVEL": "error",
        }
        arguments = [str(PROCESSES_COUNT), str(caller.account_id), place.url]
        command = [sys.executable, "-m", "tests.journeys.renewing", *arguments]
        crowd = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
        assert crowd.returncode == 0, crowd.stderr
        assert (place.world.grants.refresh_count, place.world.grants.refresh_asked_count) == (1, 1)
        with caller.client() as client:
            stored = client.get(caller.account_url, params={"retrieve_tokens": "true"}).json()
            place.world.grants.expire(stored["token"])  # the refresh token that was stored is good for the next one
            assert client.get(f"{caller.storage_url}/quota").status_code == 200
        assert place.world.grants.refresh_count == 2
