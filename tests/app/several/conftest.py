"""Three accounts of one application, each with a folder and a token of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.app.drive import Drive
from tests.servers.api import ROOT, Caller

ACCOUNTS_COUNT = 3


@dataclass(frozen=True)
class Accounts:
    """The accounts, in the order of their numbers."""

    caller: Caller
    client: httpx.Client
    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    folders: tuple[Path, ...]

    def url(self, path: str, *places: int) -> str:
        """An address below the storages of the accounts at these places; all of them if none are named."""
        numbers = [self.ids[place] for place in places] or self.ids
        return f"/v1/accounts/{','.join(map(str, numbers))}/storage/{path}"

    def drive(self, place: int) -> Drive:
        """One account, asked by the application."""
        api = self.caller.api
        caller = Caller(
            api,
            self.caller.application_id,
            self.caller.api_key,
            self.caller.developer_token,
            self.ids[place],
            self.tokens[place],
            self.folders[place],
        )
        return Drive(caller, self.client)

    @contextmanager
    def bearing(self, *tokens: str, separator: str = ",") -> Iterator[httpx.Client]:
        """A client with these tokens, all of them if none are named."""
        with self.caller.client({"Authorization": f"Bearer {separator.join(tokens or self.tokens)}"}) as client:
            yield client


@pytest.fixture
def accounts(caller: Caller, client: httpx.Client) -> Accounts:
    ids, tokens, folders = [], [], []
    for number in range(ACCOUNTS_COUNT):
        folder = caller.folder / f"account{number}"
        folder.mkdir()
        body = {
            "account": folder.name,
            "service": "local",
            "token": ROOT,
            "folder": f"{caller.folder.name}/{folder.name}",
        }
        account_id = client.post("/v1/accounts", json=body).json()["id"]
        ids.append(account_id)
        tokens.append(client.post(f"/v1/accounts/{account_id}/tokens").json()["access_token"])
        folders.append(folder)
    return Accounts(caller, client, tuple(ids), tuple(tokens), tuple(folders))
