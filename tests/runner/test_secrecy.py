"""Secrets in logs are found, wherever they were written."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.tokens import generate_token
from connectors.core.oauth import generate_verifier
from simulators.core.clock import Clock
from simulators.core.grants import Grant, Grants
from simulators.core.world import SANDBOX_CLIENT
from tests.run import ROOT
from tests.servers.process import running_server
from tests.servers.secrecy import HIDDEN, check_written, find_leaks, mark

CASE = """
import structlog
from tests.servers.secrecy import mark

def test_logs():
    structlog.get_logger("app").info("request", token={secret!r})

def test_is_silent():
    mark({secret!r})
"""


@pytest.mark.parametrize("is_marked", [True, False])
def test_case_fails_when_a_marked_secret_is_logged_in_it(tmp_path: Path, is_marked: bool) -> None:
    secret = secrets.token_urlsafe(32)
    path = tmp_path / "test_case.py"
    mark_line = f"mark({secret!r})\n" if is_marked else ""
    path.write_text(CASE.format(secret=secret) + mark_line)
    arguments = f"-c pyproject.toml {path} -p tests.servers.secrecy -p no:cacheprovider -p no:randomly -n 0 -rA".split()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == int(is_marked), ran.stdout
    assert ("secrets were written" in ran.stdout) == is_marked


def issue() -> str:
    """An access token of a simulator."""
    grant = Grant(client_id=SANDBOX_CLIENT.client_id, user_number=1, scopes=frozenset())
    return Grants(clock=Clock()).issue(grant).access_token


@pytest.mark.parametrize("make", [generate_token, generate_verifier, issue])
def test_secret_is_found_without_a_mark_when_our_programs_made_it(make: Callable[[], str]) -> None:
    (leak,) = find_leaks(f"before {make()}")
    assert leak.endswith(HIDDEN)


def test_text_shows_where_a_secret_stands_but_not_the_secret() -> None:
    secret = mark(secrets.token_urlsafe(32))
    text = f"before Authorization: Bearer {secret} after"
    assert find_leaks(text) == [f"before Authorization: Bearer {HIDDEN}"]
    with pytest.raises(AssertionError) as caught:
        check_written(text)
    assert secret not in str(caught.value)
    check_written(text.replace(secret, secret[:-1]))


def test_server_of_a_test_is_watched_to_its_end(tmp_path: Path) -> None:
    server = running_server(tmp_path / "data")
    running = server.__enter__()
    with (tmp_path / "data.log").open("a") as log:
        log.write(f"key={running.api_key}\n")
    with pytest.raises(AssertionError, match="secrets in a log"):
        server.__exit__(None, None, None)
