"""A ready developer, application and account of every service that can show itself, for `kloudless serve --demo`."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError

from app.accounts.callers import build_connector, find_token_caller
from app.accounts.rows import build_row
from app.accounts.service import connect_account, create_token, get_account
from app.applications.schemas import ApplicationCreate
from app.applications.service import (
    add_developer_token,
    add_trusted_host,
    authenticate_developer,
    create_application,
    create_developer,
    create_key,
    find_application,
    list_keys,
)
from app.core.errors import ApiError, ErrorCode
from app.core.http.credentials import Credentials
from app.core.settings import Settings
from app.core.state import State
from app.core.tokens import generate_token
from connectors.core.resources import File
from connectors.core.service import Options

APPLICATION_ID = Options().demo_application_id
SAMPLES_MAX = 100
THIS_MACHINE = ("127.0.0.0/8", "::1/128")


class DemoAccount(Struct, frozen=True):
    """A demo account and a token that opens it."""

    id: int
    service: str
    account: str
    bearer_token: str


class Demo(Struct, frozen=True):
    """What demo.json holds."""

    base_url: str
    application_id: str
    api_key: str
    developer_token: str
    accounts: tuple[DemoAccount, ...]
    metrics_token: str = ""
    connectors: dict[str, dict[str, str]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbors:
    """Stand-ins of providers on this machine: by service, what leads a connector there, and what opens an account."""

    connectors: Mapping[str, Mapping[str, str]]
    credentials: Mapping[str, Mapping[str, str]] = field(repr=False)


def allow_this_machine(settings: Settings) -> Settings:
    """Lets accounts lead to servers on this machine, unless the operator said what is allowed; for trying out."""
    if settings.allowed_networks:
        return settings
    return settings.model_copy(update={"allowed_networks": list(THIS_MACHINE)})


def lead_to(settings: Settings, neighbors: Neighbors | None) -> Settings:
    """Sends connectors to the neighbors, except those that the operator told something himself."""
    return settings if neighbors is None else _lead(settings, neighbors.connectors)


@contextmanager
def leading_commands(settings: Settings) -> Iterator[None]:
    """Commands in this folder follow the demo for as long as this goes on, and no longer, however it ends."""
    with settings.demo_file.open("r+b") as file:  # writable, as network file systems want it
        fcntl.flock(file, fcntl.LOCK_EX)  # only commands ask for it besides, and hold it for no time
        yield


def follow_demo(settings: Settings) -> Settings:
    """Sends a command's connectors where the demo that runs in this folder sent its own, and lets them go as far: what
    opens a stand-in of a provider is nothing to show to the provider, nor the reverse.
    """
    try:
        with settings.demo_file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        demo = _read(settings.demo_file)
        return settings if demo is None else _lead(allow_this_machine(settings), demo.connectors)
    except OSError:
        pass  # no demo was ever here
    return settings


def _lead(settings: Settings, connectors: Mapping[str, Mapping[str, str]]) -> Settings:
    return settings.model_copy(update={"connectors": {**connectors, **settings.connectors}})


def show_metrics(settings: Settings, demo: Demo) -> Settings:
    """Lets the demo's own token see the metrics, unless the operator set another."""
    if settings.metrics_token is not None:
        return settings
    return settings.model_copy(update={"metrics_token": SecretStr(demo.metrics_token)})


async def prepare_demo(state: State, neighbors: Neighbors | None = None) -> Demo:
    """Makes what is missing and keeps what works; writes demo.json (mode 0600) and returns what it holds."""
    known = _read(state.settings.demo_file)
    developer_id, developer_token = await _prepare_application(state, known)
    keys, _ = await list_keys(state, developer_id=None, application_id=APPLICATION_ID, limit=1)
    api_key = (
        keys[0][1] if keys else (await create_key(state, developer_id=developer_id, application_id=APPLICATION_ID))[1]
    )
    visited = _list_visited(state, neighbors)
    accounts = []
    for service in state.registry:
        name = service.manifest.service
        if service.demo is not None:
            await asyncio.to_thread(service.demo.prepare)
            accounts.append(await _prepare_account(state, known, name, service.demo.credentials))
        elif neighbors is not None and name in visited:
            accounts.append(await _prepare_account(state, known, name, neighbors.credentials[name]))
    demo = Demo(
        base_url=state.settings.base_url,
        application_id=APPLICATION_ID,
        api_key=api_key,
        developer_token=developer_token,
        accounts=tuple(accounts),
        metrics_token=(known.metrics_token if known else "") or generate_token(),
        connectors=visited,
    )
    if demo != known:
        _write(state.settings.demo_file, demo)
    return demo


def _list_visited(state: State, neighbors: Neighbors | None) -> dict[str, dict[str, str]]:
    """Of the neighbors those to which a connector was led."""
    if neighbors is None:
        return {}
    led = state.settings.connectors
    return {name: dict(told) for name, told in neighbors.connectors.items() if led.get(name) == told}


async def _prepare_account(
    state: State, known: Demo | None, service: str, credentials: Mapping[str, str]
) -> DemoAccount:
    row, _ = await connect_account(state, application_id=APPLICATION_ID, service=service, credentials=dict(credentials))
    token = next((account.bearer_token for account in known.accounts if account.id == row.id), "") if known else ""
    caller = await find_token_caller(state, token) if token else None
    if caller is None or caller.account_id != row.id:
        token, _ = await create_token(state, row=row)
    return DemoAccount(row.id, row.service, row.label, token)


async def find_sample(state: State, demo: Demo) -> str | None:
    """The id of a file of the last account that can be copied; None without neighbors, or where there is none."""
    if not demo.connectors:
        return None
    async with state.db.writing() as session:
        row = build_row(await get_account(session, demo.accounts[-1].id))
    connector = build_connector(state, row)
    page = await connector.list_folder(connector.manifest.root.raw_id, cursor=None, limit=SAMPLES_MAX)
    files = (each for each in page.resources if isinstance(each, File) and each.size_bytes is not None)
    return next((state.ids.encode(row.id, file.ref) for file in files), None)


async def _prepare_application(state: State, known: Demo | None) -> tuple[int, str]:
    application = await find_application(state, APPLICATION_ID)
    if application is None:
        return await _create_application(state)
    if known is not None:
        try:
            caller = await authenticate_developer(state, Credentials("bearer", known.developer_token))
        except ApiError:
            caller = None
        if caller is not None and caller.developer_id == application.developer_id:
            return application.developer_id, known.developer_token
    async with state.db.writing() as session:
        return application.developer_id, add_developer_token(session, developer_id=application.developer_id)


async def _create_application(state: State) -> tuple[int, str]:
    create = ApplicationCreate(
        name="Demo application", implicit_grant_enabled=True, description="Made by the first run."
    )
    try:
        async with state.db.writing() as session:
            developer_id, token = await create_developer(session, name="Demo developer")
            await create_application(
                state, session, developer_id=developer_id, application_id=APPLICATION_ID, create=create
            )
            for name in ("localhost", "127.0.0.1"):
                add_trusted_host(session, application_id=APPLICATION_ID, host=name)
                add_trusted_host(session, application_id=APPLICATION_ID, host=f"{name}:{state.settings.port}")
    except IntegrityError as error:
        raise ApiError(
            ErrorCode.CONFLICT,
            "The demo application was deleted, and ids are not given again: serve without --demo, "
            "or set KLOUDLESS_DATA_DIR to a new folder.",
        ) from error
    return developer_id, token


def _read(path: Path) -> Demo | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Demo)
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: Path, demo: Demo) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".json.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(msgspec.to_builtins(demo), file, indent=2, ensure_ascii=False)
        file.write("\n")
    temporary.replace(path)


def describe_demo(settings: Settings, demo: Demo, sample_id: str | None = None) -> str:
    """What the first lines on the terminal say, with commands that work when pasted."""
    account = demo.accounts[0]
    storage = f"{demo.base_url}/v1/accounts/{account.id}/storage"
    curl = f"curl -H 'Authorization: APIKey {demo.api_key}'"
    metadata = '{"name": "hello.txt", "parent_id": "root"}'
    others = "".join(
        f"The demo account {each.id} ({each.account}) is at the simulated {each.service}, "
        f"{demo.connectors[each.service]['endpoint']}\n"
        for each in demo.accounts
        if each.service in demo.connectors
    )
    copying = ""
    if sample_id is not None:
        *_, target, source = demo.accounts
        copying = (
            f"Copy a file from {source.service} to {target.service}, or to the account that you connected:\n"
            f'  {curl} -H \'Content-Type: application/json\' -d \'{{"account": {target.id}, "parent_id": "root"}}\' '
            f"{demo.base_url}/v1/accounts/{source.id}/storage/files/{sample_id}/copy\n\n"
        )
    return f"""\
Kloudless is ready.  API  {demo.base_url}/v1    Documentation  {demo.base_url}/docs
The demo account {account.id} ({account.account}) serves {settings.demo_path}
{others}Keys for scripts are in {settings.demo_file}
Connect an account of your own at {demo.base_url}/v1/oauth?client_id={demo.application_id}&response_type=token

{copying}List the files, store one, read it:
  {curl} {storage}/folders/root/contents
  {curl} -H 'X-Kloudless-Metadata: {metadata}' --data-binary 'Hello, world' '{storage}/files?overwrite=true'
  {curl} '{storage}/path?path=/hello.txt'
"""
