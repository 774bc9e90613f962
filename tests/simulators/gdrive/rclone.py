"""rclone's Drive back end, led to the simulator: its hosts are built in, so it comes through a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.detour import Detour, running_detour
from tests.servers.gdrive import Place, running_place
from tests.servers.rclone import find_rclone
from tests.servers.tls import issue_certificate
from tests.simulators.rclone import build_remote, run_rclone

HOSTS = ("www.googleapis.com", "oauth2.googleapis.com", "accounts.google.com")
CHUNK = "256k"
QUICK = (
    "--retries=1",
    "--low-level-retries=3",
    "--drive-pacer-min-sleep=1ms",
    "--drive-pacer-burst=1000",
    f"--drive-chunk-size={CHUNK}",
)


@dataclass(frozen=True)
class Rclone:
    """The program with a remote `gd:` that is the first user's Drive, and `team:`, a shared drive, once it is added."""

    place: Place
    program: Path
    config: Path
    authority: Path
    detour: Detour

    def run(self, *arguments: str | Path, fails: bool = False) -> str:
        """Runs a command to its end and returns what it says; it succeeds unless it is to fail."""
        options = ["--config", self.config, "--http-proxy", self.detour.url, "--ca-cert", self.authority]
        command = [self.program, *map(str, options), *QUICK, "--drive-upload-cutoff", CHUNK, *arguments]
        return run_rclone(*command, fails=fails)

    def add_remote(self, name: str, number: int, **options: str) -> None:
        """A user's Drive, signed in with a token that has just ended."""
        lines = {"scope": "drive", **options}
        with self.config.open("a") as file:
            file.write(build_remote(name, "drive", self.place.world, self.place.issue(number), lines))


@contextmanager
def running_rclone_on_drive(folder: Path) -> Iterator[Rclone]:
    program = find_rclone()
    certificate = issue_certificate(folder, *HOSTS)
    with running_place(certificate) as place, running_detour(int(place.url.rpartition(":")[2])) as detour:
        rclone = Rclone(place, program, folder / "rclone.conf", certificate.authority_path, detour)
        rclone.add_remote("gd", 1)
        yield rclone
