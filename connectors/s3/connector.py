"""The operations, in the interface's order: each finds its place in the store; the work is done in files by subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property

import msgspec

from connectors.core.bytesource import ByteSource, CheckedSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Capabilities
from connectors.core.raw import RawCall, RawReply
from connectors.core.resources import (
    ByteRange,
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
    RawId,
    Ref,
    Resource,
    SignedUrl,
    UploadSession,
    VersionId,
    VersionPage,
)
from connectors.core.uploads import upload_in_parts
from connectors.s3 import deleting, links, listing, moving, permissions, properties, uploads, versions, walking, writing
from connectors.s3.connecting import get_identity
from connectors.s3.copying import Source, copy_file
from connectors.s3.dialect import Dialect, build_capabilities, build_limits
from connectors.s3.downloads import open_object
from connectors.s3.keys import Place
from connectors.s3.manifest import COMPATIBLE_MANIFEST, MANIFEST
from connectors.s3.probing import probe
from connectors.s3.sources import buffer_small, close
from connectors.s3.storage import Storage, together
from connectors.s3.writing import Target

PUT_BYTES_MAX = 32 * 2**20
"""What is sent in one call when it can be sent again; more goes in parts, side by side."""


class S3Connector(Connector):
    """One account at AWS's own store. `build` makes what operations need when the first of them needs it."""

    manifest = MANIFEST

    def __init__(self, build: Callable[[], Storage], dialect: Dialect) -> None:
        self._build = build
        self._capabilities = build_capabilities(type(self).manifest.capabilities, dialect)
        limits = build_limits(type(self).manifest.limits, dialect)
        self.__dict__["manifest"] = msgspec.structs.replace(type(self).manifest, limits=limits)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def probe(self) -> Probe:
        return await probe(self._storage)

    async def get_identity(self) -> Identity:
        return await get_identity(self._storage)

    async def get(self, ref: Ref) -> Resource:
        if ref.kind == "file":
            place, head = await self._storage.get_file(ref.raw_id)
            return self._storage.mapper.build_file(place, head.entry)
        place = await self._storage.get_folder(ref.raw_id)
        await self._storage.check_folder(place)
        return self._storage.mapper.build_folder(place)

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await listing.list_folder(self._storage, await self._storage.get_folder(folder), cursor, limit)

    def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        return open_object(self._storage, file, byte_range=byte_range, if_match=if_match)

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        storage = self._storage
        target = await writing.choose(storage, await storage.get_folder(parent), name, on_conflict)
        return await self._store(target, source, on_conflict)

    async def replace(self, file: RawId, source: ByteSource) -> File:
        place, head = await self._storage.get_file(file)
        folder = self._storage.layout.parent(place, is_folder=False)
        if folder is None:
            raise AssertionError("a file stands in a folder")
        target = Target(folder=folder, name=place.name, wanted_name=place.name, is_folder=False, replaced=head)
        return await self._store(target, source, OnConflict.REPLACE)

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        return await writing.create_folder(self._storage, await self._storage.get_folder(parent), name)

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        storage = self._storage
        if ref.kind == "file":
            place, head = await storage.get_file(ref.raw_id)
            target = await self._choose_move(place, name, parent, is_folder=False)
            if target is None:
                return storage.mapper.build_file(place, head.entry)
            return await moving.move_file(storage, Source(place=place, entry=head.entry), target)
        place = await storage.get_folder(ref.raw_id)
        await storage.check_folder(place)
        target = await self._choose_move(place, name, parent, is_folder=True)
        if target is None:
            return storage.mapper.build_folder(place)
        return await moving.move_folder(storage, place, target)

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        storage = self._storage
        if ref.kind == "file":
            await deleting.delete_file(storage, ref.raw_id, is_permanent=is_permanent)
            return
        place = await storage.get_folder(ref.raw_id)
        if is_recursive:
            await deleting.delete_folder(storage, place, is_permanent=is_permanent)
        else:
            await deleting.delete_empty_folder(storage, place)

    async def get_by_path(self, path: str) -> Resource:
        storage = self._storage
        folder = storage.layout.read(path if path.endswith("/") else f"{path}/")
        if path.endswith("/") or folder.is_bucket:
            await storage.check_folder(folder)
            return storage.mapper.build_folder(folder)
        file = storage.layout.read(path)
        head, has_folder = await together(storage.find_file(file), storage.has_folder(folder))
        if head is not None:
            return storage.mapper.build_file(file, head.entry)
        if not has_folder:
            raise ConnectorError(ErrorKind.NOT_FOUND, "nothing stands at this path")
        return storage.mapper.build_folder(folder)

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        storage = self._storage
        if ref.kind == "file":
            place, head = await storage.get_file(ref.raw_id)
            target = await writing.choose(storage, await storage.get_folder(parent), name or place.name, on_conflict)
            if target.place == place:
                return storage.mapper.build_file(place, head.entry)
            source = Source(place=place, entry=head.entry)
            return await writing.write_under_free_name(
                storage, target, on_conflict, lambda free: copy_file(storage, source, free)
            )
        place = await storage.get_folder(ref.raw_id)
        await storage.check_folder(place)
        folder = await storage.get_folder(parent)
        self._refuse_above_buckets(folder)
        moving.check_not_inside(place, folder)
        target = await writing.choose(storage, folder, name or place.folder_name, on_conflict, is_folder=True)
        return await writing.write_under_free_name(
            storage, target, on_conflict, lambda free: moving.copy_folder(storage, place, free)
        )

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        storage = self._storage
        target = await writing.choose(storage, await storage.get_folder(parent), name, on_conflict)
        return await uploads.start(storage, target, size_bytes=size_bytes, on_conflict=on_conflict)

    async def put_part(
        self,
        session: UploadSession,
        number: int,
        source: ByteSource,
        *,
        previous: Part | None = None,  # noqa: ARG002 - parts go side by side here
    ) -> Part:
        return await uploads.put_part(self._storage, session, number, source)

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        return await uploads.finish(self._storage, session, parts)

    async def abort_upload(self, session: UploadSession) -> None:
        await uploads.abort(self._storage, session)

    async def list_uploads(self, parent: RawId, name: str) -> list[UploadSession]:
        return await uploads.list_started(self._storage, await self._storage.get_folder(parent), name)

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await walking.list_recursive(self._storage, await self._storage.get_folder(folder), cursor, limit)

    async def list_versions(self, file: RawId, *, cursor: str | None = None, limit: int = 1000) -> VersionPage:
        return await versions.list_versions(self._storage, file, cursor, limit)

    def open_version(
        self, file: RawId, version: VersionId, *, byte_range: ByteRange | None = None
    ) -> AbstractAsyncContextManager[Download]:
        return versions.open_version(self._storage, file, version, byte_range)

    async def restore_version(self, file: RawId, version: VersionId) -> File:
        return await versions.restore_version(self._storage, file, version)

    async def list_permissions(self, ref: Ref) -> list[Permission]:
        return await permissions.list_permissions(self._storage, ref)

    async def set_permissions(
        self, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
    ) -> list[Permission]:
        return await permissions.set_permissions(self._storage, ref, changes, is_replacing=is_replacing)

    async def list_properties(self, file: RawId) -> list[Property]:
        return await properties.list_properties(self._storage, file)

    async def update_properties(
        self, file: RawId, changes: Mapping[str, str | None], *, is_replacing: bool = False
    ) -> list[Property]:
        return await properties.update_properties(self._storage, file, changes, is_replacing=is_replacing)

    async def create_download_url(self, file: RawId, *, seconds: int, version: VersionId | None = None) -> SignedUrl:
        return await links.create_download_url(self._storage, file, seconds=seconds, version_id=version)

    async def create_upload_url(self, parent: RawId, name: str, *, seconds: int) -> SignedUrl:
        folder = await self._storage.get_folder(parent)
        return await links.create_upload_url(self._storage, folder, name, seconds=seconds)

    @cached_property
    def _storage(self) -> Storage:
        return self._build()

    async def _store(self, target: Target, source: ByteSource, on_conflict: OnConflict) -> File:
        """Stores bytes: in one call if they are few and can be sent again, else in parts."""
        storage = self._storage
        body, chunks = await buffer_small(CheckedSource(source), storage.limits.upload_part_bytes_default)
        try:
            size_bytes = body.size_bytes
            if body.is_replayable and size_bytes is not None and size_bytes <= PUT_BYTES_MAX:
                return await writing.write_under_free_name(
                    storage, target, on_conflict, lambda free: writing.put_file(storage, free, CheckedSource(body))
                )
            session = await uploads.start(storage, target, size_bytes=size_bytes, on_conflict=on_conflict)
            return await upload_in_parts(
                self, session.parent, session.name, body, on_conflict=on_conflict, session=session
            )
        finally:
            await close(chunks)

    def call_raw(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        return self._storage.api.client.pass_on(call)

    async def _choose_move(
        self, place: Place, name: str | None, parent: RawId | None, *, is_folder: bool
    ) -> Target | None:
        """Where something moves to; None when it stays where it is."""
        storage = self._storage
        current = storage.layout.parent(place, is_folder=is_folder)
        if current is None or (is_folder and place.is_bucket):
            raise ConnectorError(ErrorKind.UNSUPPORTED, "buckets cannot be renamed or moved; copy what they hold")
        folder = current if parent is None else await storage.get_folder(parent)
        self._refuse_above_buckets(folder)
        new_name = (place.folder_name if is_folder else place.name) if name is None else name
        if not new_name:
            raise ConnectorError(ErrorKind.INVALID_NAME, "it has no name of its own; give it one")
        if (folder.folder(new_name) if is_folder else folder.file(new_name)) == place:
            return None
        if is_folder:
            moving.check_not_inside(place, folder)
        return await writing.choose(storage, folder, new_name, OnConflict.FAIL, is_folder=is_folder)

    def _refuse_above_buckets(self, folder: Place) -> None:
        if folder.is_above_buckets:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "folders at the top are buckets; create one and copy into it")


class S3CompatibleConnector(S3Connector):
    """One account at any other store that speaks the protocol."""

    manifest = COMPATIBLE_MANIFEST
