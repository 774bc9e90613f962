"""Accounts on storages in memory, beside those on folders, and the transfers between them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.core.settings import Settings
from app.core.state import build_registry_from
from app.models import Task, TransferFile
from connectors.core.resources import RawId, Ref
from connectors.core.service import AccountContext, Registry, Service
from tests.app.drive import Drive, read_json, wait_until
from tests.app.tasks.conftest import Tasks
from tests.app.transfers.vault import MANIFEST, Vault
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.postgres import create_database

VAULTS: dict[str, Vault] = {}


def serve_vaults(settings: Settings) -> Iterator[Api]:
    """A server that offers vaults beside folders."""

    def build(context: AccountContext) -> Vault:
        return VAULTS[context.credentials["token"]]

    service = Service(manifest=MANIFEST, build=build)
    with running_api(settings, registry=Registry([*build_registry_from(settings), service])) as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    given = {}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    yield from serve_vaults(build_settings(tmp_path_factory.mktemp("api"), **given))


@dataclass(frozen=True)
class Account:
    """An account on a vault."""

    drive: Drive
    vault: Vault

    @property
    def id(self) -> int:
        return self.drive.caller.account_id

    @property
    def tasks(self) -> Tasks:
        return Tasks(self.drive)

    def href(self, raw_id: RawId) -> str:
        """The public address of a file or folder."""
        ref = Ref(self.vault.nodes[raw_id].kind, raw_id)
        return self.drive.url(f"{ref.kind}s/{self.drive.caller.api.state.ids.encode(self.id, ref)}")

    def copy(self, raw_id: RawId, target: Account, **body: Any) -> httpx.Response:
        """Copies to another account and waits."""
        return self.drive.client.post(f"{self.href(raw_id)}/copy", json={"account": target.id, **body})

    def move(self, raw_id: RawId, target: Account, **body: Any) -> httpx.Response:
        """Moves to another account and waits."""
        return self.drive.client.patch(self.href(raw_id), json={"account": target.id, **body})

    def load(self) -> tuple[Task, list[TransferFile]]:
        """The account's newest task and its rows."""

        async def load() -> tuple[Task, list[TransferFile]]:
            async with self.drive.caller.api.state.db.reading() as session:
                newest = select(Task).where(Task.account_id == self.id).order_by(Task.created_at.desc()).limit(1)
                task = (await session.scalars(newest)).one()
                rows = select(TransferFile).where(TransferFile.task_id == task.id).order_by(TransferFile.id)
                return task, list(await session.scalars(rows))

        return self.drive.caller.api.run(load())

    def load_ended(self) -> tuple[Task, list[TransferFile]]:
        """The same, when it has tidied up."""
        wait_until(lambda: self.load()[0].due_at is None)
        return self.load()


OpenAccount = Callable[..., Account]


@pytest.fixture
def open_account(caller: Caller, client: httpx.Client) -> Iterator[OpenAccount]:
    opened: list[str] = []

    def open_vault(**able: Any) -> Account:
        vault = Vault(**able)
        VAULTS[vault.token] = vault
        opened.append(vault.token)
        body = {"account": vault.token, "service": MANIFEST.service, "token": vault.token}
        account_id = read_json(client.post("/v1/accounts", json=body), status=201)["id"]
        return Account(Drive(replace(caller, account_id=account_id), client), vault)

    yield open_vault
    for token in opened:
        del VAULTS[token]


@pytest.fixture
def source(open_account: OpenAccount) -> Account:
    return open_account()


@pytest.fixture
def target(open_account: OpenAccount) -> Account:
    return open_account()
