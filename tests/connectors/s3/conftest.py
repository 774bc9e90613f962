"""Accounts on real stores, and an independent client to look into each."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from connectors.core.bytesource import BytesSource
from connectors.core.connector import Connector
from connectors.core.paging import walk
from connectors.core.resources import File, OnConflict, RawId, Resource
from tests.connectors.s3.accounts import build_keys, open_account
from tests.servers.moto import SHARED_MOTO
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS
from tests.servers.shared import Shared

LEARNED: dict[str, dict[str, Any]] = {}
"""What probing found out about each server of this process."""


@dataclass(frozen=True, slots=True)
class Store:
    """An account on a new folder of a bucket, and boto3's client, whose keys are told from that folder on."""

    connector: Connector
    client: Any
    bucket: str
    prefix: str

    def put(self, key: str, data: bytes = b"bytes", **arguments: Any) -> None:
        """Stores an object as others would."""
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data, **arguments)

    def head(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)
        return found

    def read(self, key: str) -> bytes:
        found: bytes = self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()
        return found

    def tags(self, key: str) -> dict[str, str]:
        found = self.client.get_object_tagging(Bucket=self.bucket, Key=self.prefix + key)
        return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}

    def set_tags(self, key: str, tags: dict[str, str]) -> None:
        tagging = {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
        self.client.put_object_tagging(Bucket=self.bucket, Key=self.prefix + key, Tagging=tagging)

    def list_keys(self) -> list[str]:
        """All keys, markers too."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        return [entry["Key"][len(self.prefix) :] for page in pages for entry in page.get("Contents", ())]

    def uploads(self) -> list[str]:
        """The keys of uploads in parts that are neither completed nor aborted."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.prefix)
        return [upload["Key"] for upload in found.get("Uploads", ())]

    async def upload(self, name: str, data: bytes = b"bytes", *, parent: str = "/") -> File:
        """Stores a file through the connector."""
        return await self.connector.upload(RawId(parent), name, BytesSource(data), on_conflict=OnConflict.FAIL)

    async def download(self, file: Resource) -> bytes:
        async with self.connector.open_download(file.raw_id) as download:
            return b"".join([chunk async for chunk in download.chunks])

    async def list_folder(self, folder: str = "/", *, limit: int = 1000) -> list[Resource]:
        pages = walk(lambda cursor: self.connector.list_folder(RawId(folder), cursor=cursor, limit=limit))
        return [resource async for resource in pages]

    async def list_recursive(self, folder: str = "/", *, limit: int = 1000) -> list[Resource]:
        pages = walk(lambda cursor: self.connector.list_recursive(RawId(folder), cursor=cursor, limit=limit))
        return [resource async for resource in pages]


@pytest.fixture(scope="session")
def seaweedfs_client() -> Iterator[Any]:
    with SHARED_SEAWEEDFS.get().client() as client:
        yield client


@pytest.fixture(scope="session")
def moto_client() -> Iterator[Any]:
    with SHARED_MOTO.get().client() as client:
        yield client


@pytest_asyncio.fixture
async def seaweedfs(seaweedfs_client: Any) -> AsyncIterator[Store]:
    """A store that knows directories, and obeys conditions everywhere."""
    async for store in open_store(SHARED_SEAWEEDFS, seaweedfs_client):
        yield store


@pytest_asyncio.fixture
async def moto(moto_client: Any) -> AsyncIterator[Store]:
    """A store that keeps keys exactly, and has no condition for copies."""
    async for store in open_store(SHARED_MOTO, moto_client):
        yield store


@pytest.fixture(params=["seaweedfs", "moto"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each of them."""
    found: Store = request.getfixturevalue(request.param)
    return found


async def open_store(shared: Shared[S3Server], client: Any) -> AsyncIterator[Store]:
    server = shared.get()
    prefix = f"own-{uuid.uuid4().hex[:12]}/"
    credentials = {**build_keys(server), "endpoint": server.url, "bucket": server.bucket, "prefix": prefix}
    if server.url not in LEARNED:
        async with open_account(credentials, learned={}) as connector:
            LEARNED[server.url] = (await connector.probe()).learned
    async with open_account(credentials, learned=LEARNED[server.url]) as connector:
        yield Store(connector, client, server.bucket, prefix)
