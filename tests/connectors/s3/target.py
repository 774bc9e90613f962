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
from connectors.core.manifest import Manifest
from connectors.core.resources import PermissionChange
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.s3.manifest import COMPATIBLE_MANIFEST, MANIFEST
from connectors.s3.service import build_compatible_service, build_service
from tests.connectors.behavior.faults import FailingRuntime
from tests.connectors.behavior.target import Target
from tests.connectors.s3.accounts import build_guarded_transport, build_keys
from tests.servers.moto import SHARED_MOTO
from tests.servers.rclone import SHARED_RCLONE_S3
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS
from tests.servers.shared import Shared

SETTLE_SECONDS_MAX = 5.0

COMMON = {"list_versions": False, "list_permissions": False, "set_permissions": False, "list_properties": False}


@dataclass(kw_only=True)
class Store:
    """A server with an account on it. What probing finds out is asked for once per process, as an app would keep it."""

    shared: Shared[S3Server]
    service: str = COMPATIBLE_MANIFEST.service
    keeps_versions: bool = False
    has_own_bucket: bool = False
    shows_buckets: bool = False
    build_runtime: Callable[..., Runtime] = Runtime
    learned: dict[str, Any] = field(default_factory=dict)

    @asynccontextmanager
    async def open(self, _place: Path) -> AsyncIterator[Connector]:
        """Opens an account: on a new bucket, on a new folder of a common one, or above all buckets."""
        server = self.shared.get()
        name = f"test-{uuid.uuid4().hex[:12]}"
        runtime = self.build_runtime(guarded_transport=build_guarded_transport())
        above = self.build_context(server, runtime, {})
        try:
            buckets = self.open_account(server, above)
            if self.has_own_bucket:
                await buckets.create_folder(buckets.manifest.root.raw_id, name)
            place = {} if self.shows_buckets else self.find_place(server, name)
            context = self.build_context(server, runtime, place)
            if not self.learned:
                if self.keeps_versions:
                    make_versioned_bucket(server, place["bucket"])
                self.learned = (await self.open_account(server, context).probe()).learned
            yield self.open_account(server, replace(context, learned=self.learned))
            if self.has_own_bucket or self.shows_buckets:
                await self.remove_buckets(
                    self.open_account(server, replace(above, learned=self.learned)), server.bucket
                )
        finally:
            await runtime.aclose()

    def find_place(self, server: S3Server, name: str) -> dict[str, str]:
        """The part of the store that is this test's alone."""
        if self.has_own_bucket:
            return {"bucket": name}
        return {"bucket": f"{server.bucket}-versions" if self.keeps_versions else server.bucket, "prefix": name}

    def build_context(self, server: S3Server, runtime: Runtime, place: dict[str, str]) -> AccountContext:
        address = {"endpoint": server.url} if self.service == COMPATIBLE_MANIFEST.service else {"style": "path"}
        return AccountContext(
            account_key="1",
            application_id="behavior",
            credentials={**build_keys(server), **address, **place},
            runtime=runtime,
        )

    def open_account(self, server: S3Server, context: AccountContext) -> Connector:
        options = Options(settings={MANIFEST.service: {"endpoint": server.url}})
        return Registry([build_service(options), build_compatible_service(options)]).open(self.service, context)

    async def remove_buckets(self, buckets: Connector, kept_name: str) -> None:
        """Removes all buckets but one; tests in one process run one after the other."""
        for bucket in (await buckets.list_folder(buckets.manifest.root.raw_id)).resources:
            if bucket.name != kept_name:
                await buckets.delete(bucket.ref, is_recursive=True)


def make_versioned_bucket(server: S3Server, name: str) -> None:
    """Makes a bucket that keeps versions, unless it is there."""
    with server.client() as client:
        if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=name)
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


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
    is_strict = store.shared is SHARED_SEAWEEDFS  # the others take any name, and forget who shares a right
    return Target(
        name=name,
        manifest=manifest,
        open=store.open,
        settle_seconds_max=SETTLE_SECONDS_MAX,
        is_repeat=store.build_runtime is FailingRuntime,
        is_dating_uploads=store.shared is not SHARED_MOTO,  # all of its uploads began in 2010
        grantee=PermissionChange(role="writer" if is_strict else "reader", type="anyone"),
        stranger=PermissionChange(role="reader", raw_id="f" * 64) if is_strict else None,
    )


SEAWEEDFS = declare(
    COMPATIBLE_MANIFEST,
    forbidden="\\",
    name_bytes_max=255,
    list_permissions=True,
    set_permissions=True,
    list_properties=True,
)
SEAWEEDFS_VERSIONS = declare(
    COMPATIBLE_MANIFEST,
    forbidden="\\",
    name_bytes_max=240,
    list_versions=True,
    list_permissions=True,
    set_permissions=True,
    list_properties=True,
)
MOTO = declare(
    MANIFEST,
    forbidden="\n",
    create_download_url=False,  # it does not know such signatures while it checks signatures
    create_upload_url=False,
    list_permissions=True,
    set_permissions=True,
    list_properties=True,
)
RCLONE = declare(
    COMPATIBLE_MANIFEST,
    name_bytes_max=255,
    upload_exclusive=False,
    start_upload=False,
    list_uploads=False,
    replace_atomic=False,
)

TARGETS = (
    build_target("seaweedfs", SEAWEEDFS, Store(shared=SHARED_SEAWEEDFS)),
    build_target("seaweedfs, versions", SEAWEEDFS_VERSIONS, Store(shared=SHARED_SEAWEEDFS, keeps_versions=True)),
    build_target("seaweedfs+faults", SEAWEEDFS, Store(shared=SHARED_SEAWEEDFS, build_runtime=FailingRuntime)),
    build_target("moto", MOTO, Store(shared=SHARED_MOTO, service=MANIFEST.service, has_own_bucket=True)),
    build_target("moto, all buckets", MOTO, Store(shared=SHARED_MOTO, service=MANIFEST.service, shows_buckets=True)),
    build_target("rclone", RCLONE, Store(shared=SHARED_RCLONE_S3)),
)
