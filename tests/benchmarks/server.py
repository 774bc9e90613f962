"""The process under test: this server, or the same stack with FastAPI's own way of replying, on the bench connector.

`python -m tests.benchmarks.server KIND FOLDER ORIGIN_URL CA_FILE` prints one line of JSON when it is about to serve.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from app.accounts.service import connect_account, create_token
from app.applications.schemas import ApplicationCreate
from app.applications.service import create_application, create_developer
from app.core.keys import KeyRing
from app.core.logging import set_up_logging
from app.core.migrating import migrate
from app.core.settings import Settings
from app.core.state import build_state
from app.main import build_app
from app.server import build_server, open_socket
from connectors.core.resources import RawId, Ref
from connectors.core.service import Registry
from tests.benchmarks import reference
from tests.benchmarks.connector import MANIFEST, build_service
from tests.benchmarks.measuring import build_environment
from tests.benchmarks.origin import Origin
from tests.servers.ports import find_free_port

Kind = Literal["server", "reference"]

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
PLENTY = 10**6
POLL_SECONDS = 0.05
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20)}
"""As the image and the unit file set them."""


@dataclass(frozen=True, slots=True)
class BenchServer:
    """A running server with one account on the origin."""

    process_id: int
    port: int
    account_id: int
    token: str
    file_ids: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def storage(self) -> str:
        """The account's storage, as a path."""
        return f"/v1/accounts/{self.account_id}/storage"


@contextmanager
def running_server(kind: Kind, origin: Origin, files: list[str]) -> Iterator[BenchServer]:
    """Runs one server on a database of its own until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=origin.folder))
    command = [sys.executable, "-m", "tests.benchmarks.server", kind, str(folder), origin.url, str(origin.ca_path)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *files],
            cwd=Path(__file__).parents[2],
            env=build_environment(**MALLOC),
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {(folder / 'log').read_text()[-2000:]}")
        server = BenchServer(process.pid, **json.loads(line))
        _wait_until_ready(server)
        yield server
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait_until_ready(server: BenchServer) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=server.headers, trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                reply = client.get(f"{server.storage}/folders/root/contents")
            except httpx.TransportError:
                time.sleep(POLL_SECONDS)
                continue
            if reply.status_code == httpx.codes.OK:
                return
            raise RuntimeError(f"the server answers {reply.status_code}: {reply.text}")
    raise RuntimeError("the server did not answer in time")


def main(kind: str, folder: Path, origin_url: str, ca_file: Path, files: list[str]) -> None:
    """Sets up database, application and account, says how to reach them, and serves until it is ended."""
    settings = Settings(
        data_dir=folder,
        port=find_free_port(),
        provider_ca_file=ca_file,
        keys_file=folder.parent / "keys",
        # Counted, and never reached.
        application_requests_per_second=PLENTY,
        application_requests_burst=PLENTY,
        account_requests_per_second=PLENTY,
        account_requests_burst=PLENTY,
        account_requests_parallel_max=PLENTY,
    )
    set_up_logging(level=settings.log_level, log_format=settings.log_format)
    KeyRing.from_file(settings.keys_path, create=True)
    migrate(settings)
    registry = Registry([build_service(origin_url)])
    ready = asyncio.run(_set_up(settings, registry, files))
    if kind == "server":
        app = build_app(settings, registry=registry)
    else:
        app = reference.build_app(settings, registry, origin_url)
    listener = open_socket(settings)
    sys.stdout.write(json.dumps({"port": settings.port, **ready}) + "\n")
    sys.stdout.flush()
    with listener:
        build_server(app, settings).run(sockets=[listener])


async def _set_up(settings: Settings, registry: Registry, files: list[str]) -> dict[str, object]:
    state = build_state(settings, registry=registry)
    try:
        async with state.db.writing() as session:
            developer_id, _ = await create_developer(session, name="Bench")
            application, _ = await create_application(
                state, session, developer_id=developer_id, create=ApplicationCreate(name="Bench")
            )
        row, _ = await connect_account(
            state, application_id=application.id, service=MANIFEST.service, credentials={"token": "made up"}
        )
        token, _ = await create_token(state, row=row)
        file_ids = {file: state.ids.encode(row.id, Ref("file", RawId(file))) for file in files}
        return {"account_id": row.id, "token": token, "file_ids": file_ids}
    finally:
        await state.aclose()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), sys.argv[5:])
