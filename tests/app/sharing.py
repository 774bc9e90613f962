"""A storage in memory that offers all that can be offered: versions, a trash, permissions, properties, addresses."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
import msgspec
from msgspec import UNSET

from connectors.core.bytesource import ByteSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.exports import match_format
from connectors.core.manifest import Capabilities, Field, Keys, Limits
from connectors.core.resources import (
    ByteRange,
    Download,
    File,
    Identity,
    OnConflict,
    Page,
    Permission,
    PermissionChange,
    Property,
    Quota,
    RawId,
    Ref,
    Resource,
    SignedUrl,
    Version,
    VersionId,
    VersionPage,
)
from connectors.core.service import AccountContext, Service
from connectors.core.sharing import LinkChange, SharedLink, Thumbnail
from tests.app.drive import Drive
from tests.connectors.core.fakes import build_manifest
from tests.connectors.core.memory import MemoryConnector, Node, build_resource
from tests.servers.api import Caller

DOCUMENT_ENDING = ".minutes"
EXPORTS = {"html": "text/html", "epub": "application/epub+zip"}
"""What the storage's own documents are exported as."""

START = datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)
OWNER = Permission(
    raw_id="owner-1", type="user", role="owner", email="olga@example.com", name="Olga Owner", raw_role="FULL_CONTROL"
)
UNKNOWN_EMAIL = "unknown@example.com"
MANIFEST = msgspec.structs.replace(
    build_manifest(
        capabilities=Capabilities(
            get_quota=True,
            start_upload=True,
            list_versions=True,
            open_export=True,
            list_trash=True,
            restore=True,
            restore_folder=True,
            get_thumbnail=True,
            list_links=True,
            create_link=True,
            link_password=True,
            link_expiry=True,
            link_without_download=True,
            delete_to_trash=True,
            list_permissions=True,
            set_permissions=True,
            list_properties=True,
            create_download_url=True,
            create_upload_url=True,
        ),
        limits=Limits(
            page_items_max=2,
            properties_max=3,
            property_key_characters_max=20,
            property_value_characters_max=50,
            signed_url_seconds_max=7200,
        ),
    ),
    service="sharing",
    title="Sharing store",
    auth=Keys(fields=(Field(name="store", label="Store", help="Which one."),), token_field="store"),
)


@dataclass
class History:
    """All versions of one file, oldest first."""

    versions: list[tuple[Version, bytes]] = field(default_factory=list)


class SharingConnector(MemoryConnector):
    """One store. `signed` lists the addresses that were made for downloads: which file, how many seconds."""

    manifest = MANIFEST

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.histories: dict[RawId, History] = {}
        self.trash: dict[RawId, Node] = {}
        self.thumbnails: dict[RawId, Thumbnail] = {}
        self.links: dict[RawId, list[SharedLink]] = {}
        self.permissions: dict[RawId, list[Permission]] = {}
        self.properties: dict[RawId, dict[str, Property]] = {}
        self.signed: list[tuple[str, int]] = []
        self.signed_prefix = "https://signed.example"
        self.signed_headers: dict[str, str] = {}

    async def get_identity(self) -> Identity:
        return Identity(self._name, self._name)

    async def get_quota(self) -> Quota:
        return Quota(None, 1, None)

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        file = await super().upload(parent, name, source, on_conflict=on_conflict)
        self._keep(file.raw_id)
        return file

    @asynccontextmanager
    async def open_download(
        self,
        file: RawId,
        *,
        byte_range: ByteRange | None = None,
        if_match: str | None = None,  # noqa: ARG002 - not declared, so never given
    ) -> AsyncIterator[Download]:
        self._fail("open_download")
        node = self._node(file)
        if node.name.endswith(DOCUMENT_ENDING):
            if byte_range is not None:
                raise ConnectorError(ErrorKind.UNSUPPORTED, "documents come whole")
            async with self.open_export(file, next(iter(EXPORTS))) as download:
                yield download
        else:
            yield self._build_download(node.data, byte_range, name=node.name)

    async def list_versions(self, file: RawId, *, cursor: str | None = None, limit: int = 1000) -> VersionPage:
        self._fail("list_versions")
        self._node(file)
        newest_first = [version for version, _ in reversed(self.histories[file].versions)]
        start, end = int(cursor or 0), int(cursor or 0) + min(limit, self.page_items)
        return VersionPage(newest_first[start:end], str(end) if end < len(newest_first) else None)

    @asynccontextmanager
    async def open_version(
        self, file: RawId, version: VersionId, *, byte_range: ByteRange | None = None
    ) -> AsyncIterator[Download]:
        yield self._build_download(self._find_version(file, version), byte_range, name=self._node(file).name)

    @asynccontextmanager
    async def open_export(self, file: RawId, export_format: str) -> AsyncIterator[Download]:
        self._fail("open_export")
        node = self._node(file)
        formats = EXPORTS if node.name.endswith(DOCUMENT_ENDING) else {}
        ending = match_format(export_format, formats)
        download = self._build_download(node.data, None, name=f"{node.name}.{ending}")
        yield replace(download, size_bytes=None, media_type=formats[ending], has_ranges=False)

    async def restore_version(self, file: RawId, version: VersionId) -> File:
        self._node(file).data = self._find_version(file, version)
        self._keep(file)
        restored = self._resource(file)
        assert isinstance(restored, File)
        return restored

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        node = self._node(ref.raw_id)
        await super().delete(ref, is_recursive=is_recursive)
        if not is_permanent:
            self.trash[ref.raw_id] = node

    async def list_trash(self, *, cursor: str | None = None, limit: int = 1000) -> Page:
        self._fail("list_trash")
        gone = list(self.trash)
        start, end = int(cursor or 0), int(cursor or 0) + min(limit, self.page_items)
        page: list[Resource] = [_describe(raw_id, self.trash[raw_id]) for raw_id in gone[start:end]]
        return Page(page, str(end) if end < len(gone) else None)

    async def restore(self, ref: Ref) -> Resource:
        self._fail("restore")
        if ref.raw_id in self.trash:
            self.nodes[ref.raw_id] = self.trash.pop(ref.raw_id)
        return self._resource(ref.raw_id)

    async def get_thumbnail(
        self,
        file: RawId,
        *,
        size_px: int,  # noqa: ARG002 - as it pleases
        image_format: Literal["png", "jpeg"],  # noqa: ARG002 - as it pleases
    ) -> Thumbnail | None:
        self._fail("get_thumbnail")
        self._node(file)
        return self.thumbnails.get(file)

    async def list_links(self, ref: Ref) -> list[SharedLink]:
        self._fail("list_links")
        self._node(ref.raw_id)
        return self.links.get(ref.raw_id, [])

    async def create_link(self, ref: Ref, wish: LinkChange) -> SharedLink:
        """As many to a thing as are asked for."""
        self._fail("create_link")
        self._node(ref.raw_id)
        links = self.links.setdefault(ref.raw_id, [])
        raw_id = f"{ref.raw_id.strip('/')}:{len(links)} ?"
        links.append(change_link(SharedLink(raw_id=raw_id, ref=ref, url=f"https://store.example/{raw_id}"), wish))
        return links[-1]

    async def update_link(self, ref: Ref, link: str, change: LinkChange) -> SharedLink:
        links, index = self._find_link(ref, link)
        links[index] = change_link(links[index], change)
        return links[index]

    async def delete_link(self, ref: Ref, link: str) -> None:
        links, index = self._find_link(ref, link)
        del links[index]

    async def list_permissions(self, ref: Ref) -> list[Permission]:
        self._fail("list_permissions")
        self._node(ref.raw_id)
        return [OWNER, *self.permissions.get(ref.raw_id, [])]

    async def set_permissions(
        self, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
    ) -> list[Permission]:
        self._fail("set_permissions")
        self._node(ref.raw_id)
        kept = {} if is_replacing else {entry.raw_id: entry for entry in self.permissions.get(ref.raw_id, [])}
        for change in changes:
            if change.email == UNKNOWN_EMAIL:
                raise ConnectorError(ErrorKind.NOT_FOUND, "nobody has this address")
            raw_id = change.raw_id or change.email or change.type
            if raw_id in {OWNER.raw_id, OWNER.email}:
                continue
            kept[raw_id] = Permission(
                raw_id=raw_id, type=change.type, role=change.role, email=change.email, raw_role=change.role.upper()
            )
        self.permissions[ref.raw_id] = list(kept.values())
        return await self.list_permissions(ref)

    async def list_properties(self, file: RawId) -> list[Property]:
        self._fail("list_properties")
        self._node(file)
        return sorted(self.properties.get(file, {}).values(), key=lambda entry: entry.key)

    async def update_properties(
        self, file: RawId, changes: Mapping[str, str | None], *, is_replacing: bool = False
    ) -> list[Property]:
        self._fail("update_properties")
        self._node(file)
        kept = {} if is_replacing else dict(self.properties.get(file, {}))
        for key, value in changes.items():
            kept.pop(key, None)
            if value is not None:
                kept[key] = Property(key=key, value=value, modified_at=START)
        self.properties[file] = kept
        return await self.list_properties(file)

    async def create_download_url(self, file: RawId, *, seconds: int, version: VersionId | None = None) -> SignedUrl:
        self._fail("create_download_url")
        self._node(file)
        assert version is None
        self.signed.append((file, seconds))
        url = f"{self.signed_prefix}/{file}?seconds={seconds}&signature=s%2Fi%3Dg"
        return SignedUrl(url=url, expires_at=START + timedelta(seconds=seconds), headers=self.signed_headers)

    async def create_upload_url(self, parent: RawId, name: str, *, seconds: int) -> SignedUrl:
        self._fail("create_upload_url")
        self._node(parent)
        return SignedUrl(
            url=f"{self.signed_prefix}{parent}{name}",
            expires_at=START + timedelta(seconds=seconds),
            method="PUT",
            headers={"x-store": "yes"},
        )

    def add_version(self, file: RawId, data: bytes) -> None:
        """Gives the file new bytes."""
        self._node(file).data = data
        self._keep(file)

    def _keep(self, file: RawId) -> None:
        history = self.histories.setdefault(file, History())
        history.versions = [(msgspec.structs.replace(old, is_current=False), data) for old, data in history.versions]
        number, data = len(history.versions) + 1, self._node(file).data
        version = Version(
            raw_id=VersionId(f"v{number}"),
            size_bytes=len(data),
            modified_at=START + timedelta(hours=number),
            etag=_hash(data),
            modifier_id="olga",
            is_current=True,
        )
        history.versions.append((version, data))

    def _find_link(self, ref: Ref, link: str) -> tuple[list[SharedLink], int]:
        self._node(ref.raw_id)
        links = self.links.get(ref.raw_id, [])
        for index, found in enumerate(links):
            if found.raw_id == link:
                return links, index
        raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such link")

    def _find_version(self, file: RawId, version: VersionId) -> bytes:
        self._node(file)
        for found, data in self.histories[file].versions:
            if found.raw_id == version:
                return data
        raise ConnectorError(ErrorKind.NOT_FOUND, "this version is not kept")

    def _build_download(self, data: bytes, byte_range: ByteRange | None, *, name: str) -> Download:
        chosen = None if byte_range is None else byte_range.resolve(len(data))
        if byte_range is not None and chosen is None:
            raise ConnectorError(ErrorKind.RANGE_INVALID, size_bytes=len(data))
        first, last = chosen or (0, len(data) - 1)

        async def read() -> AsyncIterator[bytes]:
            yield data[first : last + 1]

        return Download(
            read(),
            size_bytes=len(data),
            content_range=chosen,
            media_type="text/plain",
            etag=_hash(data),
            modified_at=START,
            name=name,
        )

    def _resource(self, raw_id: RawId) -> Resource:
        return _describe(raw_id, self._node(raw_id))


def _describe(raw_id: RawId, node: Node) -> Resource:
    resource = build_resource(raw_id, node)
    if not isinstance(resource, File):
        return resource
    media_type = "image/png" if resource.name.endswith(".png") else "text/plain"
    formats = tuple(EXPORTS) if resource.name.endswith(DOCUMENT_ENDING) else ()
    return msgspec.structs.replace(
        resource, etag=_hash(node.data), modified_at=START, media_type=media_type, export_formats=formats
    )


def change_link(link: SharedLink, change: LinkChange) -> SharedLink:
    """The link as it is wished."""
    wishes = msgspec.structs.asdict(change)
    password = wishes.pop("password")
    wishes["has_password"] = UNSET if password is UNSET else password is not None
    return msgspec.structs.replace(link, **{name: value for name, value in wishes.items() if value is not UNSET})


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class SharingDrive(Drive):
    """One account at such a storage, and the storage behind it."""

    store: SharingConnector


_STORES: dict[str, SharingConnector] = {}


def _build(context: AccountContext) -> SharingConnector:
    name = context.credentials["store"]
    return _STORES.setdefault(name, SharingConnector(name))


SERVICE = Service(manifest=MANIFEST, build=_build)


def connect_sharing(caller: Caller, client: httpx.Client) -> SharingDrive:
    """Gives the application an account at an empty store."""
    name = f"store-{caller.application_id}"
    account = client.post("/v1/accounts", json={"account": name, "service": MANIFEST.service, "token": name})
    assert account.status_code == 201, account.text
    number = account.json()["id"]
    token = client.post(f"/v1/accounts/{number}/tokens").json()["access_token"]
    return SharingDrive(replace(caller, account_id=number, bearer_token=token), client, _STORES[name])
