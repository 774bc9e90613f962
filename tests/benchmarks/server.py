"""The process under test: this server, or the same stack with FastAPI's own way of replying, on the bench connector.

`python -m tests.benchmarks.server` reads its set-up as JSON and prints one line of JSON when it is about to serve.
"""

from __future__ import annotations

import asyncio
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
import msgspec
from msgspec import Struct
from sqlalchemy import insert, select

from app.accounts.service import connect_account
from app.applications.schemas import ApplicationCreate
from app.applications.service import create_application, create_developer
from app.core.db import Database
from app.core.ids import IdCodec
from app.core.keys import KeyRing
from app.core.logging import set_up_logging
from app.core.migrating import migrate
from app.core.settings import Settings
from app.core.state import State, build_state
from app.main import build_app
from app.models import Account
from app.server import build_server, open_socket
from connectors.core.resources import Kind, RawId, Ref
from connectors.core.service import Options, Registry
from connectors.registry import build_registry
from tests.benchmarks import reference
from tests.benchmarks.connector import MANIFEST, build_service
from tests.benchmarks.measuring import MALLOC, build_environment
from tests.benchmarks.origin import Origin
from tests.benchmarks.pages import BUCKET
from tests.servers.ports import find_free_port
from tests.servers.s3 import S3Server

START_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 20.0
PLENTY = 10**6
POLL_SECONDS = 0.05
ROWS_COUNT = 2000  # written at once
S3_CREDENTIALS = {"access_key_id": "AKBENCH", "secret_access_key": "made up", "bucket": BUCKET, "style": "path"}


class SetUp(Struct, kw_only=True):
    """What to serve, and from where."""

    kind: Literal["server", "reference"] = "server"
    folder: str
    keys_file: str
    ca_file: str
    origins: list[str]  # one account on each
    s3_endpoint: str
    s3_credentials: dict[str, str]
    accounts_count: int = 0  # so many more, all on the first origin
    database_url: str | None = None
    api_key: str | None = None  # of an application that another server on the same database has set up


class Ready(Struct, kw_only=True):
    """How to reach it."""

    port: int
    api_key: str
    account_ids: list[int]
    s3_account_id: int
    crowd_ids: tuple[int, int]  # of the further accounts, the first and the last


@dataclass(frozen=True, slots=True)
class BenchServer:
    """A running server with accounts on the origin."""

    process_id: int
    ready: Ready
    ids: IdCodec

    @property
    def port(self) -> int:
        return self.ready.port

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"APIKey {self.ready.api_key}"}

    @property
    def account_id(self) -> int:
        return self.ready.account_ids[0]

    @property
    def storage(self) -> str:
        """The first account's storage, as a path."""
        return storage_of(self.account_id)

    def build_target(self, kind: Kind, raw_id: str, *, account_id: int | None = None, ending: str = "") -> str:
        """The path of a file or folder of an account, the first one if none is named."""
        number = account_id or self.account_id
        return f"{storage_of(number)}/{kind}s/{self.ids.encode(number, Ref(kind, RawId(raw_id)))}{ending}"


def storage_of(account_id: int | str) -> str:
    """An account's storage, as a path."""
    return f"/v1/accounts/{account_id}/storage"


@contextmanager
def running_server(
    origin: Origin,
    *,
    kind: Literal["server", "reference"] = "server",
    other_origins: tuple[str, ...] = (),
    accounts_count: int = 0,
    database_url: str | None = None,
    api_key: str | None = None,
    s3: S3Server | None = None,
) -> Iterator[BenchServer]:
    """Runs one server on a database of its own, or on a given one, until the block ends.

    Its S3 account is on the origin, unless another store is given.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=origin.folder))
    set_up = SetUp(
        kind=kind,
        folder=str(folder),
        keys_file=str(origin.folder / "keys"),
        ca_file=str(origin.ca_path),
        origins=[origin.url, *other_origins],
        s3_endpoint=s3.url if s3 else origin.url,
        s3_credentials={**S3_CREDENTIALS, **(_build_credentials(s3) if s3 else {})},
        accounts_count=accounts_count,
        database_url=database_url,
        api_key=api_key,
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.server"],
            cwd=Path(__file__).parents[2],
            env=build_environment(**MALLOC),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(set_up) + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {(folder / 'log').read_text()[-2000:]}")
        ids = IdCodec(KeyRing.from_file(Path(set_up.keys_file)).id_key)
        server = BenchServer(process.pid, msgspec.json.decode(line, type=Ready), ids)
        _wait_until_ready(server)
        yield server
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _build_credentials(s3: S3Server) -> dict[str, str]:
    keys = {"access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key}
    return {**keys, "bucket": s3.bucket, "region": s3.region}


def _wait_until_ready(server: BenchServer) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}", headers=server.headers, trust_env=False, timeout=60
    ) as client:
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


def main(set_up: SetUp) -> None:
    """Sets up database, application and accounts, says how to reach them, and serves until it is ended."""
    settings = Settings(
        data_dir=Path(set_up.folder),
        port=find_free_port(),
        provider_ca_file=Path(set_up.ca_file),
        keys_file=Path(set_up.keys_file),
        database_url=set_up.database_url,
        connectors={"s3": {"endpoint": set_up.s3_endpoint}},
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
    registry = Registry([*build_registry(Options(settings=settings.connectors)), build_service()])
    ready = asyncio.run(_prepare(settings, registry, set_up))
    if set_up.kind == "server":
        app = build_app(settings, registry=registry)
    else:
        app = reference.build_app(settings, registry, set_up.origins[0])
    listener = open_socket(settings)
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    with listener:
        build_server(app, settings).run(sockets=[listener])


async def _prepare(settings: Settings, registry: Registry, set_up: SetUp) -> Ready:
    state = build_state(settings, registry=registry)
    try:
        if set_up.api_key is not None:
            return await _find_accounts(state, settings.port, set_up.api_key)
        async with state.db.writing() as session:
            developer_id, _ = await create_developer(session, name="Bench")
            application, api_key = await create_application(
                state, session, developer_id=developer_id, create=ApplicationCreate(name="Bench")
            )
        ids = [
            await _connect(state, application.id, MANIFEST.service, {"token": "made up", "origin": url})
            for url in set_up.origins
        ]
        s3_account_id = await _connect(state, application.id, "s3", set_up.s3_credentials)
        crowd = await _add_crowd(state.db, ids[0], set_up.accounts_count)
        return Ready(port=settings.port, api_key=api_key, account_ids=ids, s3_account_id=s3_account_id, crowd_ids=crowd)
    finally:
        await state.aclose()


async def _connect(state: State, application_id: str, service: str, credentials: dict[str, str]) -> int:
    row, _ = await connect_account(state, application_id=application_id, service=service, credentials=credentials)
    return row.id


async def _add_crowd(db: Database, like_id: int, count: int) -> tuple[int, int]:
    """Copies of an account, under other identities; the numbers of the first and the last."""
    async with db.reading() as session:
        account = await session.get(Account, like_id)
        assert account is not None
        row = {name: getattr(account, name) for name in Account.__table__.columns.keys() if name != "id"}  # noqa: SIM118 - not a dictionary
    first_id = last_id = like_id
    for first in range(0, count, ROWS_COUNT):
        numbers = range(first, min(first + ROWS_COUNT, count))
        async with db.writing() as session:
            rows = [row | {"identity_key": f"crowd {number}"} for number in numbers]
            ids = list(await session.scalars(insert(Account).returning(Account.id), rows))
        first_id, last_id = (min(ids) if first == 0 else first_id), max(ids)
    return first_id, last_id


async def _find_accounts(state: State, port: int, api_key: str) -> Ready:
    async with state.db.reading() as session:
        rows = (await session.execute(select(Account.id, Account.service).order_by(Account.id))).all()
    ids = [number for number, service in rows if service == MANIFEST.service]
    (s3_account_id,) = [number for number, service in rows if service == "s3"]
    return Ready(port=port, api_key=api_key, account_ids=ids, s3_account_id=s3_account_id, crowd_ids=(ids[0], ids[0]))


if __name__ == "__main__":
    main(msgspec.json.decode(sys.stdin.readline(), type=SetUp))
