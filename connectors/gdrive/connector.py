"""The operations, in the interface's order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Literal

from connectors.core.bytesource import ByteSource, StreamSource
from connectors.core.call import Repeat
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
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
    Property,
    Quota,
    RawId,
    Ref,
    Resource,
    UploadSession,
    VersionId,
    VersionPage,
)
from connectors.core.sharing import LinkChange, SharedLink, Subscription, Thumbnail
from connectors.gdrive import channels, links, listing, permissions, properties, trash, uploads
from connectors.gdrive.downloads import open_download, open_revision
from connectors.gdrive.drive import Drive, Target, escape
from connectors.gdrive.errors import build_unexpected
from connectors.gdrive.manifest import MANIFEST, ROOT
from connectors.gdrive.mapping import build_quota, build_shared_drive
from connectors.gdrive.payloads import SHORTCUT, DriveFile, Revision
from connectors.gdrive.thumbnails import get_thumbnail

PATH_NAMES_MAX = 100
ANCESTORS_MAX = 200


class GoogleDriveConnector(Connector):
    """One user's My Drive, with the shared drives of which the user is a member in its root."""

    manifest = MANIFEST

    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    async def get_identity(self) -> Identity:
        user = (await self._drive.api.get_about("user(permissionId,emailAddress,displayName)")).user
        if user is None or user.permission_id is None:
            raise ConnectorError(ErrorKind.UNEXPECTED, "Google Drive does not say whose it is")
        return Identity(user.permission_id, user.email_address or user.display_name or user.permission_id)

    async def get(self, ref: Ref) -> Resource:
        return await self._drive.build(await self._drive.get_kind(ref))

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await listing.list_folder(self._drive, folder, cursor, limit)

    def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        return open_download(self._drive, file, byte_range=byte_range, if_match=if_match)

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        return await self._store(await self._drive.choose_target(parent, name, on_conflict), source)

    async def replace(self, file: RawId, source: ByteSource) -> File:
        there = await self._drive.get_file(file)
        return await self._store(Target(parent="", name=there.name, replaced=there), source)

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        target = await self._drive.choose_target(parent, name, OnConflict.FAIL)
        folder = await self._drive.build(await self._drive.create_folder(target))
        if not isinstance(folder, Folder):
            raise build_unexpected()
        return folder

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        drive = self._drive
        there = await drive.get_kind(ref)
        old_parent = there.parents[0] if there.parents else None
        new_parent = await drive.get_root_id() if parent == ROOT else parent or old_parent
        wanted = name or there.name
        if (wanted, new_parent) == (there.name, old_parent):
            return await drive.build(there)
        if new_parent is None:
            text = "it was shared with this account and is in none of its folders; its owner can rename it"
            raise ConnectorError(ErrorKind.PERMISSION_DENIED, text)
        await drive.choose_target(new_parent, wanted, OnConflict.FAIL, mover=there.id)
        body = {} if wanted == there.name else {"name": wanted}
        if new_parent == old_parent:
            return await drive.build(await drive.api.update_file(there.id, body))
        if there.is_folder:
            await self._refuse_below(there, new_parent)
        return await drive.build(await drive.api.update_file(there.id, body, added=new_parent, removed=old_parent))

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        there = await self._drive.get_kind(ref)
        if there.is_shared_drive:
            raise ConnectorError(ErrorKind.PERMISSION_DENIED, "shared drives are deleted at Google only")
        if there.is_folder and not is_recursive:
            query = f"'{there.id}' in parents and trashed = false"
            if (await self._drive.api.list_files(query, limit=1)).files:
                raise ConnectorError(ErrorKind.FOLDER_NOT_EMPTY, "the folder is not empty")
        if is_permanent:
            await self._drive.api.delete_file(there.id)
        else:
            await self._drive.trash(there.id)

    async def get_by_path(self, path: str) -> Resource:
        names = [name for name in path.split("/") if name]
        if len(names) > PATH_NAMES_MAX:
            raise ConnectorError(ErrorKind.INVALID_NAME, f"a path can have {PATH_NAMES_MAX} names")
        place: Resource = await self.get(MANIFEST.root)
        for index, name in enumerate(names):
            wants_folder = index < len(names) - 1 or path.endswith("/")
            found = await self._find(place.raw_id, name, wants_folder=wants_folder)
            if found is None:
                raise ConnectorError(ErrorKind.NOT_FOUND, "nothing stands at this path")
            place = found
        return place

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        drive = self._drive
        there = await drive.get_kind(ref)
        target = await drive.choose_target(parent, name or there.name, on_conflict)
        if target.replaced is not None and target.replaced.id == there.id:
            return await drive.build(there)
        body = {"name": target.name, "parents": [target.parent]}
        if there.is_native or there.mime_type == SHORTCUT:  # their ids cannot be chosen so
            copied = await drive.api.copy_file(there.id, body, Repeat.UNSAFE)
        else:
            copied = await drive.create(
                lambda file_id: drive.api.copy_file(there.id, {"id": file_id, **body}, Repeat.IDEMPOTENT)
            )
        if target.replaced is not None:
            await drive.trash(target.replaced.id)
        return await drive.build(copied, is_replacement=target.replaced is not None)

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        if folder not in {None, ROOT}:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "Google Drive searches everywhere only")
        return await listing.search(self._drive, query, cursor, limit)

    async def get_quota(self) -> Quota:
        return build_quota((await self._drive.api.get_about("storageQuota(limit,usage)")).storage_quota)

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        target = await self._drive.choose_target(parent, name, on_conflict)
        return await uploads.start(self._drive, target, name, size_bytes=size_bytes, on_conflict=on_conflict)

    async def put_part(
        self, session: UploadSession, number: int, source: ByteSource, *, previous: Part | None = None
    ) -> Part:
        return await uploads.put_part(self._drive, session, number, source, previous)

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        file, is_replacement = await uploads.finish(self._drive, session, parts)
        return await self._build_file(file, is_replacement=is_replacement)

    async def abort_upload(self, session: UploadSession) -> None:
        await self._drive.api.cancel_upload(str(session.state["url"]))

    async def list_recent(self, *, after: datetime | None = None, limit: int = 1000) -> Page:
        return await listing.list_recent(self._drive, after, limit)

    async def list_changes(self, *, cursor: str | None = None, limit: int = 1000) -> ChangePage:
        return await listing.list_changes(self._drive, cursor, limit)

    async def list_versions(self, file: RawId, *, cursor: str | None = None, limit: int = 1000) -> VersionPage:
        return await listing.list_versions(self._drive, file, cursor, limit)

    @asynccontextmanager
    async def open_version(
        self, file: RawId, version: VersionId, *, byte_range: ByteRange | None = None
    ) -> AsyncIterator[Download]:
        there = await self._drive.get_file(file)
        revision = await self._get_revision(there, version)
        async with open_revision(self._drive, there, revision, byte_range) as download:
            yield download

    async def restore_version(self, file: RawId, version: VersionId) -> File:
        there = await self._drive.get_file(file)
        revision = await self._get_revision(there, version)
        if revision.id == there.head_revision_id:
            return await self._build_file(there)
        async with open_revision(self._drive, there, revision, None) as download:
            source = StreamSource(download.chunks, size_bytes=download.length_bytes)
            target = Target(parent="", name=there.name, replaced=there)
            return await self._build_file(await uploads.store(self._drive, target, source))

    def open_export(self, file: RawId, export_format: str) -> AbstractAsyncContextManager[Download]:
        return open_download(self._drive, file, export_format=export_format)

    async def list_trash(self, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await trash.list_trash(self._drive, cursor, limit)

    async def restore(self, ref: Ref) -> Resource:
        return await trash.restore(self._drive, ref)

    async def get_thumbnail(
        self,
        file: RawId,
        *,
        size_px: int,
        image_format: Literal["png", "jpeg"],  # noqa: ARG002 - Drive chooses it
    ) -> Thumbnail | None:
        return await get_thumbnail(self._drive, file, size_px)

    async def list_links(self, ref: Ref) -> list[SharedLink]:
        return await links.list_links(self._drive, ref)

    async def create_link(self, ref: Ref, wish: LinkChange) -> SharedLink:
        return await links.create_link(self._drive, ref, wish)

    async def update_link(self, ref: Ref, link: str, change: LinkChange) -> SharedLink:
        return await links.update_link(self._drive, ref, link, change)

    async def delete_link(self, ref: Ref, link: str) -> None:
        await links.delete_link(self._drive, ref, link)

    async def subscribe(self, *, url: str, secret: str, seconds: int) -> Subscription:
        return await channels.subscribe(self._drive, url=url, secret=secret, seconds=seconds)

    async def renew_subscription(
        self, subscription: Subscription, *, url: str, secret: str, seconds: int
    ) -> Subscription:
        return await channels.renew(self._drive, subscription, url=url, secret=secret, seconds=seconds)

    async def unsubscribe(self, subscription: Subscription) -> None:
        await channels.unsubscribe(self._drive, subscription)

    async def list_permissions(self, ref: Ref) -> list[Permission]:
        return await permissions.list_permissions(self._drive, ref)

    async def set_permissions(
        self, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
    ) -> list[Permission]:
        return await permissions.set_permissions(self._drive, ref, changes, is_replacing=is_replacing)

    async def list_properties(self, file: RawId) -> list[Property]:
        return await properties.list_properties(self._drive, file)

    async def update_properties(
        self, file: RawId, changes: Mapping[str, str | None], *, is_replacing: bool = False
    ) -> list[Property]:
        return await properties.update_properties(self._drive, file, changes, is_replacing=is_replacing)

    def call_raw(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        return self._drive.api.pass_on(call)

    async def _store(self, target: Target, source: ByteSource) -> File:
        stored = await uploads.store(self._drive, target, source)
        return await self._build_file(stored, is_replacement=target.replaced is not None)

    async def _build_file(self, file: DriveFile, *, is_replacement: bool = False) -> File:
        built = await self._drive.build(file, is_replacement=is_replacement)
        if not isinstance(built, File):
            raise build_unexpected()
        return built

    async def _find(self, folder: RawId, name: str, *, wants_folder: bool) -> Resource | None:
        """The oldest of that name; in the root shared drives come last."""
        for file in await self._drive.find_named(folder, [name]):
            if file.is_folder or not wants_folder:
                return await self._drive.build(file)
        if folder != ROOT:
            return None
        drives = await self._drive.api.list_drives(limit=100, query=f"name = '{escape(name)}'")
        return next((build_shared_drive(drive) for drive in drives.drives if drive.name == name), None)

    async def _get_revision(self, file: DriveFile, version: VersionId) -> Revision:
        for revision in await listing.read_revisions(self._drive, file):
            if revision.id == version:
                return revision
        raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such version")

    async def _refuse_below(self, folder: DriveFile, parent: str) -> None:
        """invalid_target when the folder's new parent is below it."""
        place: str | None = parent
        for _ in range(ANCESTORS_MAX):
            if place is None or place == self._drive.known.root_id:
                return
            if place == folder.id:
                raise ConnectorError(ErrorKind.INVALID_TARGET, "a folder cannot be moved into itself or below")
            above = (await self._drive.api.get_file(place)).parents
            place = above[0] if above else None
