"""Uploads in parts on a fresh account: the requests, and a look at the rows behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app.core.clock import now
from app.models import UploadSession
from tests.app.drive import Drive, read_error, read_json
from tests.servers.api import Caller

PART_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Multipart:
    """The five requests of an upload in parts, and its row."""

    drive: Drive
    part_size: int = PART_BYTES

    def start(self, name: str, *, size: int | None = None, overwrite: str | None = None) -> dict[str, Any]:
        body = {"name": name, "parent_id": "root"} | ({} if size is None else {"size": size})
        params = {} if overwrite is None else {"overwrite": overwrite}
        started = read_json(self.drive.client.post(self.drive.url("multipart"), params=params, json=body), status=201)
        assert started["part_size"] == self.part_size
        return started

    def put(self, started: dict[str, Any], number: int, content: Any) -> httpx.Response:
        return self.drive.client.put(started["href"], params={"part_number": str(number)}, content=content)

    def complete(self, started: dict[str, Any]) -> httpx.Response:
        return self.drive.client.post(f"{started['href']}/complete")

    def is_gone(self, started: dict[str, Any]) -> None:
        """Asserts that nothing can be done with it any more."""
        missing = (404, "not_found")
        assert read_error(self.drive.client.get(started["href"])) == missing
        assert read_error(self.put(started, 1, b"x")) == missing
        assert read_error(self.complete(started)) == missing
        assert read_error(self.drive.client.delete(started["href"])) == missing

    def claimed(self, seconds: float) -> dict[str, datetime]:
        """A claim that ends in so many seconds."""
        return {"claimed_until": now() + timedelta(seconds=seconds)}

    def set(self, started: dict[str, Any], **values: Any) -> None:
        """Changes the row, as another process or a crash would have left it."""

        async def change() -> None:
            async with self.drive.caller.api.state.db.writing() as session:
                await session.execute(update(UploadSession).where(UploadSession.id == started["id"]).values(**values))

        self.drive.caller.api.run(change())

    def get(self, started: dict[str, Any]) -> UploadSession:
        """The row."""

        async def load() -> UploadSession | None:
            async with self.drive.caller.api.state.db.reading() as session:
                return await session.get(UploadSession, started["id"])

        row = self.drive.caller.api.run(load())
        assert row is not None
        return row


@pytest.fixture
def drive(caller: Caller, client: httpx.Client) -> Drive:
    return Drive(caller, client)


@pytest.fixture
def multipart(drive: Drive) -> Multipart:
    return Multipart(drive)
