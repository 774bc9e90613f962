"""Stores that speak S3: a good one, one that stands for AWS itself, and a poor one; each test has a new place there."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from connectors.core.connector import Connector
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.manifest import Manifest
from connectors.core.service import AccountContext, Options, Registry, Service
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings
from connectors.s3.manifest import COMPATIBLE_MANIFEST, MANIFEST
from connectors.s3.service import build_compatible_service, build_service
from tests.connectors.behavior.faults import FailingRuntime
from tests.connectors.behavior.target import Target
from tests.servers.moto import SHARED_MOTO
from tests.servers.rclone import SHARED_RCLONE_S3
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS
from tests.servers.shared import Shared

LOOPBACK = ("127.0.0.0/8",)
SETTLE_SECONDS_MAX = 5.0

COMMON = {"list_versions": False, "list_permissions": False, "set_permissions": False, "list_properties": False}


@dataclass(kw_only=True)
class Store:
    """A server with an account on it. What probing finds out is asked for once per process, as an app would keep it."""

    shared: Shared[S3Server]
    service: str = COMPATIBLE_MANIFEST.service
    has_own_bucket: bool = False
    shows_buckets: bool = False
    build_runtime: Callable[..., Runtime] = Runtime
    learned: dict[str, Any] = field(default_factory=dict)

    def build_services(self, server: S3Server) -> list[Service]:
        options = Options(settings={MANIFEST.service: {"endpoint": server.url}})
        return [build_service(options), build_compatible_service(options)]

    @asynccontextmanager
    async def open(self, _place: Path) -> AsyncIterator[Connector]:
        """Opens an account: on a new bucket, on a new folder of the common one, or above all buckets."""
        server = self.shared.get()
        name = f"test-{uuid.uuid4().hex[:12]}"
        runtime = self.build_runtime(
            guarded_transport=GuardedTransport(AddressGuard(LOOPBACK), TransportSettings()),
        )
        context = AccountContext(
            account_key="1",
            application_id="behavior",
            credentials=self.build_credentials(server, name),
            runtime=runtime,
            learned=self.learned,
        )
        registry = Registry(self.build_services(server))
        try:
            if self.has_own_bucket:
                make_bucket(server, name)
            if not self.learned:
                self.learned = (await registry.open(self.service, context).probe()).learned
            yield registry.open(self.service, replace(context, learned=self.learned))
        finally:
            await runtime.aclose()
            if self.has_own_bucket or self.shows_buckets:
                remove_buckets(server, {name} if self.has_own_bucket else None)

    def build_credentials(self, server: S3Server, name: str) -> dict[str, str]:
        keys = {"access_key_id": server.access_key_id, "secret_access_key": server.secret_access_key}
        place = {"bucket": name} if self.has_own_bucket else {"bucket": server.bucket, "prefix": name}
        endpoint = {"endpoint": server.url} if self.service == COMPATIBLE_MANIFEST.service else {"style": "path"}
        return {**keys, **endpoint, **({} if self.shows_buckets else place)}


def make_bucket(server: S3Server, name: str) -> None:
    """A bucket that keeps versions."""
    with server.client() as client:
        client.create_bucket(Bucket=name)
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def remove_buckets(server: S3Server, names: set[str] | None) -> None:
    """Removes buckets with all they hold: those named, or all but the common one."""
    with server.client() as client:
        for bucket in client.list_buckets()["Buckets"]:
            name = bucket["Name"]
            if name == server.bucket or (names is not None and name not in names):
                continue
            pages = client.get_paginator("list_object_versions").paginate(Bucket=name)
            for page in pages:
                for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    client.delete_object(Bucket=name, Key=found["Key"], VersionId=found["VersionId"])
            client.delete_bucket(Bucket=name)


def declare(manifest: Manifest, *, forbidden: str = "", name_bytes_max: int | None = None, **offered: bool) -> Manifest:
    """What an account there is expected to be found able to."""
    capabilities = msgspec.structs.replace(manifest.capabilities, **{**COMMON, **offered})
    limits = msgspec.structs.replace(
        manifest.limits,
        name_characters_forbidden=manifest.limits.name_characters_forbidden + forbidden,
        name_bytes_max=name_bytes_max or manifest.limits.name_bytes_max,
    )
    return msgspec.structs.replace(manifest, capabilities=capabilities, limits=limits)


def build_target(name: str, manifest: Manifest, store: Store) -> Target:
    """A store as the suite sees it."""
    return Target(name=name, manifest=manifest, open=store.open, settle_seconds_max=SETTLE_SECONDS_MAX)


SEAWEEDFS = declare(
    COMPATIBLE_MANIFEST,
    forbidden="\\",
    name_bytes_max=255,
    list_permissions=True,
    set_permissions=True,
    list_properties=True,
)
MOTO = declare(
    MANIFEST,
    forbidden="\n",
    list_versions=True,
    list_permissions=True,
    set_permissions=True,
    list_properties=True,
)
MOTO_BUCKETS = msgspec.structs.replace(
    MOTO, capabilities=msgspec.structs.replace(MOTO.capabilities, list_versions=False)
)
RCLONE = declare(COMPATIBLE_MANIFEST, name_bytes_max=255, upload_exclusive=False)

TARGETS = (
    build_target("seaweedfs", SEAWEEDFS, Store(shared=SHARED_SEAWEEDFS)),
    build_target("seaweedfs+faults", SEAWEEDFS, Store(shared=SHARED_SEAWEEDFS, build_runtime=FailingRuntime)),
    build_target("moto", MOTO, Store(shared=SHARED_MOTO, service=MANIFEST.service, has_own_bucket=True)),
    build_target(
        "moto, all buckets", MOTO_BUCKETS, Store(shared=SHARED_MOTO, service=MANIFEST.service, shows_buckets=True)
    ),
    build_target("rclone", RCLONE, Store(shared=SHARED_RCLONE_S3)),
)
