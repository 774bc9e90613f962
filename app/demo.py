"""A ready developer, application and account of every service that can show itself, for `kloudless serve --demo`."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import msgspec
from msgspec import Struct
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError

from app.accounts.callers import find_token_caller
from app.accounts.service import connect_account, create_token
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
from connectors.core.service import Options

APPLICATION_ID = Options().demo_application_id
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


def allow_this_machine(settings: Settings) -> Settings:
    """Lets accounts lead to servers on this machine, unless the operator said what is allowed; for trying out."""
    if settings.allowed_networks:
        return settings
    return settings.model_copy(update={"allowed_networks": list(THIS_MACHINE)})


def show_metrics(settings: Settings, demo: Demo) -> Settings:
    """Lets the demo's own token see the metrics, unless the operator set another."""
    if settings.metrics_token is not None:
        return settings
    return settings.model_copy(update={"metrics_token": SecretStr(demo.metrics_token)})


async def prepare_demo(state: State) -> Demo:
    """Makes what is missing and keeps what works; writes demo.json (mode 0600) and returns what it holds."""
    known = _read(state.settings.demo_file)
    developer_id, developer_token = await _prepare_application(state, known)
    keys, _ = await list_keys(state, developer_id=None, application_id=APPLICATION_ID, limit=1)
    api_key = (
        keys[0][1] if keys else (await create_key(state, developer_id=developer_id, application_id=APPLICATION_ID))[1]
    )
    accounts = []
    for service in state.registry:
        if service.demo is None:
            continue
        await asyncio.to_thread(service.demo.prepare)
        row, _ = await connect_account(
            state,
            application_id=APPLICATION_ID,
            service=service.manifest.service,
            credentials=dict(service.demo.credentials),
        )
        token = next((account.bearer_token for account in known.accounts if account.id == row.id), "") if known else ""
        caller = await find_token_caller(state, token) if token else None
        if caller is None or caller.account_id != row.id:
            token, _ = await create_token(state, row=row)
        accounts.append(DemoAccount(row.id, row.service, row.label, token))
    metrics_token = (known.metrics_token if known else "") or generate_token()
    demo = Demo(state.settings.base_url, APPLICATION_ID, api_key, developer_token, tuple(accounts), metrics_token)
    if demo != known:
        _write(state.settings.demo_file, demo)
    return demo


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


def describe_demo(settings: Settings, demo: Demo) -> str:
    """What the first lines on the terminal say, with commands that work when pasted."""
    account = demo.accounts[0]
    storage = f"{demo.base_url}/v1/accounts/{account.id}/storage"
    curl = f"curl -H 'Authorization: APIKey {demo.api_key}'"
    metadata = '{"name": "hello.txt", "parent_id": "root"}'
    return f"""\
Kloudless is ready.  API  {demo.base_url}/v1    Documentation  {demo.base_url}/docs
The demo account {account.id} ({account.account}) serves {settings.demo_path}
Keys for scripts are in {settings.demo_file}
Connect an account of your own at {demo.base_url}/v1/oauth?client_id={demo.application_id}&response_type=token

List the files, store one, read it:
  {curl} {storage}/folders/root/contents
  {curl} -H 'X-Kloudless-Metadata: {metadata}' --data-binary 'Hello, world' '{storage}/files?overwrite=true'
  {curl} '{storage}/path?path=/hello.txt'
"""
