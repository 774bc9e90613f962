"""A server that may reach this machine, and an account in a bucket of a real store, perhaps behind a toxic proxy."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from app.models import Account, UploadSession
from tests.servers.accounts import LOOPBACK
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.postgres import create_database
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS
from tests.servers.toxic import ToxicProxy, running_toxic_proxy


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    given = {}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    settings = build_settings(tmp_path_factory.mktemp("api"), allowed_networks=[LOOPBACK], **given)
    with running_api(settings) as running:
        yield running


@dataclass(frozen=True)
class Leaving:
    """An account that is about to be deleted, and its store, asked past us."""

    caller: Caller
    client: httpx.Client
    store: S3Server
    prefix: str
    proxy: ToxicProxy

    def start_upload(self) -> int:
        """An upload in parts, with one part; its number."""
        body = {"name": "a.bin", "parent_id": "root"}
        started = self.client.post(f"{self.caller.storage_url}/multipart", json=body).json()
        assert self.client.put(started["href"], params={"part_number": 1}, content=b"part").status_code == 200
        return int(started["id"])

    def list_multiparts(self) -> list[str]:
        """The uploads in parts that the store has not forgotten."""
        with self.store.client() as client:
            reply = client.list_multipart_uploads(Bucket=self.store.bucket, Prefix=self.prefix)
        return [upload["Key"] for upload in reply.get("Uploads", ())]

    def read_secrets(self) -> str | None:
        """The account's sealed credentials."""

        async def load() -> str | None:
            async with self.caller.api.state.db.reading() as session:
                return (await session.get_one(Account, self.caller.account_id)).sealed_credentials

        return self.caller.api.run(load())

    def read_upload(self, upload_id: int) -> str | None:
        """The state of an upload's row."""

        async def load() -> str | None:
            async with self.caller.api.state.db.reading() as session:
                return await session.scalar(select(UploadSession.state).where(UploadSession.id == upload_id))

        return self.caller.api.run(load())


@pytest.fixture
def leaving(api: Api) -> Iterator[Leaving]:
    store, prefix = SHARED_SEAWEEDFS.get(), secrets.token_hex(8)
    address = urlsplit(store.url)
    with running_toxic_proxy(address.hostname or "", address.port or 0, random=Random(1)) as proxy:

        def build(_api: Api, _name: str) -> dict[str, Any]:
            return {
                "service": "s3_compatible",
                "endpoint": f"http://127.0.0.1:{proxy.port}",
                "access_key_id": store.access_key_id,
                "secret_access_key": store.secret_access_key,
                "bucket": store.bucket,
                "prefix": prefix,
            }

        caller = api.create_caller(build)
        with caller.client() as client:
            yield Leaving(caller, client, store, prefix, proxy)
