"""The whole API, served on a free port by a thread of the test process, with local folders to work on."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn

from app.applications.schemas import ApplicationCreate
from app.applications.service import create_application, create_developer
from app.core.keys import KeyRing
from app.core.migrating import migrate
from app.core.settings import Settings
from app.core.state import State
from app.main import build_app
from app.server import build_server, open_sockets
from connectors.core.service import Registry
from tests.servers.loop import CALL_SECONDS_MAX, get_loop
from tests.servers.ports import find_free_port
from tests.servers.secrecy import mark, mark_keys

ResultT = TypeVar("ResultT")

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.02
ROOT = "tests"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the machine's certificates takes longer than most tests


@dataclass(frozen=True)
class Caller:
    """An application with its developer, its key, and one connected account on a new, empty place.

    `folder` is where a local account's files are.
    """

    api: Api
    application_id: str
    api_key: str
    developer_token: str
    account_id: int
    bearer_token: str
    folder: Path

    @property
    def key_header(self) -> dict[str, str]:
        """Asks as the application."""
        return {"Authorization": f"APIKey {self.api_key}"}

    @property
    def bearer_header(self) -> dict[str, str]:
        """Asks as the account."""
        return {"Authorization": f"Bearer {self.bearer_token}"}

    @property
    def developer_header(self) -> dict[str, str]:
        """Asks as the developer."""
        return {"Authorization": f"Bearer {self.developer_token}"}

    @property
    def account_url(self) -> str:
        """The account, as a path."""
        return f"/v1/accounts/{self.account_id}"

    @property
    def storage_url(self) -> str:
        """The account's storage, as a path."""
        return f"{self.account_url}/storage"

    def client(self, headers: dict[str, str] | None = None) -> httpx.Client:
        """A client that asks as the application, unless other headers are given. Close it."""
        return self.api.client(headers or self.key_header)


@dataclass
class Api:
    """A running server."""

    settings: Settings
    state: State
    files: Path
    loop: asyncio.AbstractEventLoop
    base_url: str = field(init=False)

    def __post_init__(self) -> None:
        self.base_url = f"http://127.0.0.1:{self.settings.port}"

    def client(self, headers: dict[str, str] | None = None) -> httpx.Client:
        """A plain client for this server, untouched by the environment."""
        return httpx.Client(
            base_url=self.base_url, headers=headers, trust_env=False, verify=NO_TLS, timeout=CALL_SECONDS_MAX
        )

    def run(self, operation: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Runs a coroutine on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(operation, self.loop).result(CALL_SECONDS_MAX)

    def create_caller(self, build_account: BuildAccount | None = None) -> Caller:
        """A fresh developer, application and account: tests share a server, never these.

        The account is a local one unless `build_account` says what to connect.
        """

        async def create() -> tuple[str, str, str]:
            async with self.state.db.writing() as session:
                developer_id, developer_token = await create_developer(session, name="A developer")
                application, api_key = await create_application(
                    self.state, session, developer_id=developer_id, create=ApplicationCreate(name="An application")
                )
            return application.id, mark(api_key), mark(developer_token)

        application_id, api_key, developer_token = self.run(create())
        nobody = Caller(self, application_id, api_key, developer_token, 0, "", self.files)
        return self.add_account(nobody, build_account)

    def add_account(self, caller: Caller, build_account: BuildAccount | None = None) -> Caller:
        """One more account of the caller's application, in a place of its own."""
        name = secrets.token_hex(8)
        body = (build_account or build_local_account)(self, name)
        with caller.client() as client:
            account = client.post("/v1/accounts", json={"account": name, **body})
            assert account.status_code == 201, account.text
            account_id = account.json()["id"]
            token = mark(client.post(f"/v1/accounts/{account_id}/tokens").json()["access_token"])
        return replace(caller, account_id=account_id, bearer_token=token, folder=self.files / name)


BuildAccount = Callable[[Api, str], dict[str, Any]]
"""Makes a new, empty place of a name, and gives the body that connects it."""


def build_local_account(api: Api, name: str) -> dict[str, Any]:
    """A folder of this machine."""
    (api.files / name).mkdir()
    return {"service": "local", "token": ROOT, "folder": name}


def build_settings(folder: Path, **given: Any) -> Settings:
    """Settings for a test server whose every file is below `folder`."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    values: dict[str, Any] = {
        "data_dir": folder / "data",
        "connectors": {
            "local": {"roots": {ROOT: {"folder": str(files), "applications": ["*"]}}, "allow_api_accounts": True}
        },
        "log_level": "error",
        # No test is slowed down by what another one has asked for; those about limits set their own.
        "application_requests_per_second": 0,
        "account_requests_per_second": 0,
        "failed_logins_per_second": 0,
    }
    return Settings(**({"port": find_free_port()} | values | given))


@contextmanager
def running_api(settings: Settings, *, registry: Registry | None = None) -> Iterator[Api]:
    """Serves until the block ends."""
    mark_keys(KeyRing.from_file(settings.keys_path, create=True).to_text())
    migrate(settings)
    loop = get_loop()

    async def build() -> tuple[State, uvicorn.Server]:
        app = build_app(settings, registry=registry)
        return app.state, build_server(app, settings, on_stop=app.state.signals.stop)

    async def serve() -> None:
        with ExitStack() as stack:
            listeners = [stack.enter_context(listener) for listener in open_sockets(settings)]
            await server.serve(sockets=listeners)

    state, server = asyncio.run_coroutine_threadsafe(build(), loop).result(START_SECONDS_MAX)
    serving = asyncio.run_coroutine_threadsafe(serve(), loop)
    try:
        api = Api(settings, state, settings.data_dir.parent / "files", loop)
        wait_until_ready(api, serving)
        yield api
    finally:
        server.should_exit = True
        serving.result(STOP_SECONDS_MAX)


def wait_until_ready(api: Api, serving: Future[None]) -> None:
    """Returns when the server is ready; raises what stopped it instead."""
    ends_at = time.monotonic() + START_SECONDS_MAX
    with api.client() as client:
        while True:
            if serving.done():
                serving.result()
            with suppress(httpx.ConnectError):
                if client.get("/ready").status_code == httpx.codes.OK:
                    return
            assert time.monotonic() < ends_at, "the server did not start"
            time.sleep(POLL_SECONDS)
