"""rclone's Dropbox back end, led to the simulator: its hosts are built in, so it comes through a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.detour import running_detour
from tests.servers.dropbox import Place, running_place
from tests.servers.rclone import find_rclone
from tests.servers.tls import issue_certificate
from tests.simulators.rclone import build_remote, run_rclone

HOSTS = ("api.dropboxapi.com", "content.dropboxapi.com", "notify.dropboxapi.com", "www.dropbox.com")
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
        return run_rclone(self.program, *self.options, *QUICK, *arguments, fails=fails)

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
        config.write_text(build_remote("db", "dropbox", place.world, place.issue(1), {}))
        options = ("--config", config, "--http-proxy", detour.url, "--ca-cert", certificate.authority_path)
        yield Rclone(place, program, folder / "local", options)
