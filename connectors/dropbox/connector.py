"""The operations, in the interface's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from connectors.core.bytesource import ByteSource, StreamSource
from connectors.core.clock import Clock
from connectors.core.connector import Connector
from connectors.core.raw import RawCall, RawReply
from connectors.core.resources import (
    ByteRange,
    ChangePage,
    Download,
    File,
    Folder,
    Identity,
    OnConflict,
    Page,
    Part,
    Permission,
    PermissionChange,
    Probe,
    Property,
    Quota,
    RawId,
    Ref,
    Resource,
    UploadSession,
    VersionId,
    VersionPage,
)
from connectors.core.sharing import LinkChange, SharedLink, Thumbnail
from connectors.dropbox.api import Api
from connectors.dropbox.changing import Changer
from connectors.dropbox.downloads import open_export, open_file
from connectors.dropbox.links import Links
from connectors.dropbox.manifest import MANIFEST, PART_BYTES
from connectors.dropbox.mapping import build_quota, read_version
from connectors.dropbox.permissions import Permissions
from connectors.dropbox.properties import Properties, TemplateMemory
from connectors.dropbox.reading import Reader
from connectors.dropbox.thumbnails import get_thumbnail
from connectors.dropbox.trash import list_trash, restore
from connectors.dropbox.uploads import Uploader
from connectors.dropbox.versions import list_versions, restore_version

ROOT_LEARNED = "root_namespace_id"
"""Where what is learned about an account says in which namespace its paths begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a connector is not alone with."""

    account_key: str
    clock: Clock
    templates: TemplateMemory


class DropboxConnector(Connector):
    """One account, with the team's space around it if the account has one."""

    manifest = MANIFEST

    def __init__(self, api: Api, surroundings: Surroundings) -> None:
        self._api = api
        self._reader = Reader(api)
        self._changer = Changer(self._reader)
        self._uploader = Uploader(self._reader, self)
        self._links = Links(self._reader)
        self._permissions = Permissions(self._reader, surroundings.clock)
        self._properties = Properties(self._reader, surroundings.templates, surroundings.account_key)

    async def probe(self) -> Probe:
        root = (await self._api.get_account()).root_info
        is_team = root.root_namespace_id != root.home_namespace_id
        return Probe(learned={ROOT_LEARNED: root.root_namespace_id} if is_team else {})

    async def get_identity(self) -> Identity:
        person = await self._api.get_account()
        return Identity(person.account_id, person.email)

    async def get(self, ref: Ref) -> Resource:
        return await self._reader.get(ref.raw_id, ref.kind)

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await self._reader.list_folder(folder, cursor, limit, is_recursive=False)

    def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        return open_file(self._reader, file, byte_range=byte_range, if_match=if_match)

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        return await self._uploader.store(parent, name, source, on_conflict)

    async def replace(self, file: RawId, source: ByteSource) -> File:
        return await self._uploader.replace(file, source)

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        return await self._changer.create_folder(parent, name)

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        return await self._changer.move(ref, name, parent)

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        await self._changer.delete(ref, is_recursive=is_recursive, is_permanent=is_permanent)

    async def get_by_path(self, path: str) -> Resource:
        return await self._reader.get_by_path(path)

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        copied = await self._changer.copy(ref, parent, name, on_conflict)
        if copied is not None:
            return copied
        async with self.open_download(ref.raw_id) as download:
            source = StreamSource(download.chunks, size_bytes=download.length_bytes)
            return await self.upload(parent, name or download.name or "", source, on_conflict=on_conflict)

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        return await self._reader.search(query, folder or self.manifest.root.raw_id, cursor, limit)

    async def get_quota(self) -> Quota:
        return build_quota(await self._api.get_space())

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        await self._reader.get_folder_path(parent)
        session = UploadSession(
            parent=parent, name=name, on_conflict=on_conflict, part_size_bytes=PART_BYTES, size_bytes=size_bytes
        )
        return await self._uploader.start(session)

    async def put_part(
        self,
        session: UploadSession,
        number: int,
        source: ByteSource,
        *,
        previous: Part | None = None,  # noqa: ARG002 - parts go side by side here
    ) -> Part:
        return await self._uploader.put_part(session, number, source)

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        return await self._uploader.finish(session, parts)

    async def abort_upload(self, session: UploadSession) -> None:
        """Dropbox has no call for it, and forgets an upload by itself after a week."""

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await self._reader.list_folder(folder, cursor, limit, is_recursive=True)

    async def list_changes(self, *, cursor: str | None = None, limit: int = 1000) -> ChangePage:
        return await self._reader.list_changes(cursor, limit)

    async def list_versions(self, file: RawId, *, cursor: str | None = None, limit: int = 1000) -> VersionPage:
        return await list_versions(self._reader, file, cursor, limit)

    def open_version(
        self, file: RawId, version: VersionId, *, byte_range: ByteRange | None = None
    ) -> AbstractAsyncContextManager[Download]:
        return open_file(self._reader, file, rev=read_version(version), byte_range=byte_range)

    async def restore_version(self, file: RawId, version: VersionId) -> File:
        return await restore_version(self._reader, file, version)

    def open_export(self, file: RawId, export_format: str) -> AbstractAsyncContextManager[Download]:
        return open_export(self._reader, file, export_format)

    async def list_trash(self, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await list_trash(self._reader, cursor, limit)

    async def restore(self, ref: Ref) -> Resource:
        return await restore(self._reader, ref.raw_id)

    async def get_thumbnail(
        self, file: RawId, *, size_px: int, image_format: Literal["png", "jpeg"]
    ) -> Thumbnail | None:
        return await get_thumbnail(self._reader, file, size_px=size_px, image_format=image_format)

    async def list_links(self, ref: Ref) -> list[SharedLink]:
        return await self._links.list_all(ref)

    async def create_link(self, ref: Ref, wish: LinkChange) -> SharedLink:
        return await self._links.create(ref, wish)

    async def update_link(self, ref: Ref, link: str, change: LinkChange) -> SharedLink:
        return await self._links.update(ref, link, change)

    async def delete_link(self, ref: Ref, link: str) -> None:
        await self._links.delete(ref, link)

    async def list_permissions(self, ref: Ref) -> list[Permission]:
        return await self._permissions.read(ref)

    async def set_permissions(
        self, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
    ) -> list[Permission]:
        return await self._permissions.change(ref, changes, is_replacing=is_replacing)

    async def list_properties(self, file: RawId) -> list[Property]:
        return await self._properties.list_all(file)

    async def update_properties(
        self, file: RawId, changes: Mapping[str, str | None], *, is_replacing: bool = False
    ) -> list[Property]:
        return await self._properties.update(file, changes, is_replacing=is_replacing)

    def call_raw(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        return self._api.pass_on(call)
