"""`pytest --live SERVICE`, run inside pytest: on a simulator that stands in for the real provider."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import httpx
import pytest

from tests.connectors.behavior.live import build_live_target
from tests.run import ROOT
from tests.servers.sandbox import SERVICES, SHARED_SANDBOX

SUITE = "tests/connectors/behavior/test_create_folder.py"
USAGE_ERROR = 4


def run(service: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--live", service, "-p", "no:cacheprovider", "-q", "-rA", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_suite_runs_on_the_account_and_leaves_nothing_when_there_are_credentials(service: str) -> None:
    judged = SHARED_SANDBOX.get()[service]
    settings, tokens = judged.place.build_settings(), judged.place.consent(judged.add_user().number)
    credentials = {f"LIVE_{service.upper()}_REFRESH_TOKEN": tokens["refresh_token"]}
    ran = run(service, SUITE, LIVE_CONNECTORS=json.dumps({service: settings}), **credentials)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = [line for line in ran.stdout.splitlines() if line.startswith("PASSED")]
    assert len(passed) > 3
    assert all(f"[live-{service}" in line for line in passed), passed
    assert count_files(service, settings["endpoint"], tokens["access_token"]) == 0


def count_files(service: str, url: str, token: str) -> int:
    """How much lies at the top of the account, asked without a connector."""
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
    ) as client:
        if service == "dropbox":
            return len(client.post("/2/files/list_folder", json={"path": ""}).json()["entries"])
        query = {"q": "'root' in parents and trashed = false"}
        return len(client.get("/drive/v3/files", params=query).json()["files"])


def test_run_does_not_begin_when_there_are_no_credentials() -> None:
    ran = run("dropbox", "--collect-only")
    assert ran.returncode == USAGE_ERROR
    assert "client_id and client_secret of dropbox in LIVE_CONNECTORS with LIVE_DROPBOX_REFRESH_TOKEN" in ran.stderr


@pytest.mark.parametrize(
    ("service", "variables", "words"),
    [
        ("gdrive", {}, "LIVE_CONNECTORS with LIVE_GDRIVE_REFRESH_TOKEN, or LIVE_GDRIVE_ACCESS_TOKEN"),
        ("gdrive", {"LIVE_CONNECTORS": '{"gdrive": {"client_id": "a"}}'}, "needs LIVE_GDRIVE_REFRESH_TOKEN, or"),
        ("s3", {"LIVE_S3_ACCESS_KEY_ID": "A"}, "needs LIVE_S3_SECRET_ACCESS_KEY"),
        ("nothing", {}, "there is no such service; there are local, "),
    ],
)
def test_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, service: str, variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(pytest.UsageError, match=re.escape(words)):
        build_live_target(service)


def test_access_token_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVE_GDRIVE_ACCESS_TOKEN", "a")
    assert build_live_target("gdrive").name == "live-gdrive"
