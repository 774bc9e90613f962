"""rclone on a simulator: its hosts are built in, so it comes through a proxy; its token has just ended."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulators.core.world import SANDBOX_CLIENT, World

RUN_SECONDS_MAX = 100


def run_rclone(*command: str | Path, fails: bool = False) -> str:
    """Runs it to its end and returns what it says; it succeeds unless it is to fail."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    assert (done.returncode != 0) is fails, done.stderr
    return done.stdout + (done.stderr if fails else "")


def build_remote(name: str, kind: str, world: World, issued: tuple[str, str], options: Mapping[str, str]) -> str:
    """A section of its configuration, signed in with a token that the provider calls ended from now on."""
    access_token, refresh_token = issued
    world.grants.expire(access_token)
    ended = datetime.now(UTC) - timedelta(hours=1)
    token = {
        "access_token": access_token,
        "token_type": "Bearer",
        "refresh_token": refresh_token,
        "expiry": ended.isoformat(),
    }
    lines = {
        "type": kind,
        "client_id": SANDBOX_CLIENT.client_id,
        "client_secret": SANDBOX_CLIENT.client_secret,
        "token": json.dumps(token),
        **options,
    }
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
