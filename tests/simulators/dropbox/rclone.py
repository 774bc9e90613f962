"""rclone's Dropbox back end, led to the simulator: its hosts are built in, so it comes through a proxy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulators.core.world import SANDBOX_CLIENT
from tests.servers.detour import running_detour
from tests.servers.dropbox import Place, running_place
from tests.servers.rclone import find_rclone
from tests.servers.tls import issue_certificate

HOSTS = ("api.dropboxapi.com", "content.dropboxapi.com", "notify.dropboxapi.com", "www.dropbox.com")
RUN_SECONDS_MAX = 100
QUICK = ("--retries", "1", "--low-level-retries", "3", "--dropbox-pacer-min-sleep", "1ms")


@dataclass(frozen=True)
class Rclone:
    """The program with a remote `db:`, the first user's Dropbox, whose token has just ended."""

    place: Place
    program: Path
    folder: Path
    options: tuple[str | Path, ...]

    def run(self, *arguments: str | Path, fails: bool = False) -> str:
        """Runs a command to its end and returns what it says; it succeeds unless it is to fail."""
        done = subprocess.run(
            [self.program, *self.options, *QUICK, *arguments],
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stdout + (done.stderr if fails else "")

    def write(self, path: str, data: bytes) -> Path:
        """A file of this machine."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file


@contextmanager
def running_rclone_on_dropbox(folder: Path) -> Iterator[Rclone]:
    program = find_rclone()
    certificate = issue_certificate(folder, *HOSTS)
    with running_place(certificate) as place, running_detour(int(place.url.rpartition(":")[2])) as detour:
        config = folder / "rclone.conf"
        config.write_text(_build_config(place))
        options = ("--config", config, "--http-proxy", detour.url, "--ca-cert", certificate.authority_path)
        yield Rclone(place, program, folder / "local", options)


def _build_config(place: Place) -> str:
    access_token, refresh_token = place.issue(1)
    place.world.grants.expire(access_token)
    ended = datetime.now(UTC) - timedelta(hours=1)
    token = {
        "access_token": access_token,
        "token_type": "bearer",
        "refresh_token": refresh_token,
        "expiry": ended.isoformat(),
    }
    lines = {
        "type": "dropbox",
        "client_id": SANDBOX_CLIENT.client_id,
        "client_secret": SANDBOX_CLIENT.client_secret,
        "token": json.dumps(token),
    }
    return "[db]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
