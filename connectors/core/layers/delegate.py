"""The delegation that every operation-side layer needs, written once."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, TypeVar

from connectors.core.bytesource import ByteSource
from connectors.core.connector import Connector
from connectors.core.manifest import Capabilities
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
    SignedUrl,
    UploadSession,
    VersionId,
    VersionPage,
)
from connectors.core.sharing import LinkChange, SharedLink, Subscription, Thumbnail

ResultT = TypeVar("ResultT")
StreamT = TypeVar("StreamT", Download, RawReply)


class DelegatingConnector(Connector):
    """Passes every operation on to the connector inside; `_run` and `_open` see each one on its way."""

    def __init__(self, inner: Connector) -> None:
        self._inner = inner
        self.__dict__["manifest"] = inner.manifest  # a class variable of real connectors; here it is the inner one's

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    async def _run(self, operation: str, reference: str, call: Awaitable[ResultT]) -> ResultT:  # noqa: ARG002 - for those who override it
        return await call

    def _open(
        self,
        operation: str,  # noqa: ARG002 - for those who override it
        reference: str,  # noqa: ARG002 - for those who override it
        stream: AbstractAsyncContextManager[StreamT],
    ) -> AbstractAsyncContextManager[StreamT]:
        return stream

    async def probe(self) -> Probe:
        return await self._run("probe", "", self._inner.probe())

    async def get_identity(self) -> Identity:
        return await self._run("get_identity", "", self._inner.get_identity())

    async def get(self, ref: Ref) -> Resource:
        return await self._run("get", ref.raw_id, self._inner.get(ref))

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await self._run("list_folder", folder, self._inner.list_folder(folder, cursor=cursor, limit=limit))

    def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        download = self._inner.open_download(file, byte_range=byte_range, if_match=if_match)
        return self._open("open_download", file, download)

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        return await self._run("upload", parent, self._inner.upload(parent, name, source, on_conflict=on_conflict))

    async def replace(self, file: RawId, source: ByteSource) -> File:
        return await self._run("replace", file, self._inner.replace(file, source))

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        return await self._run("create_folder", parent, self._inner.create_folder(parent, name))

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        return await self._run("update", ref.raw_id, self._inner.update(ref, name=name, parent=parent))

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        call = self._inner.delete(ref, is_recursive=is_recursive, is_permanent=is_permanent)
        return await self._run("delete", ref.raw_id, call)

    async def get_by_path(self, path: str) -> Resource:
        return await self._run("get_by_path", path, self._inner.get_by_path(path))

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        call = self._inner.copy(ref, parent=parent, name=name, on_conflict=on_conflict)
        return await self._run("copy", ref.raw_id, call)

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        call = self._inner.search(query, folder=folder, cursor=cursor, limit=limit)
        return await self._run("search", folder or "", call)

    async def get_quota(self) -> Quota:
        return await self._run("get_quota", "", self._inner.get_quota())

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        call = self._inner.start_upload(parent, name, size_bytes=size_bytes, on_conflict=on_conflict)
        return await self._run("start_upload", parent, call)

    async def put_part(
        self, session: UploadSession, number: int, source: ByteSource, *, previous: Part | None = None
    ) -> Part:
        call = self._inner.put_part(session, number, source, previous=previous)
        return await self._run("put_part", session.parent, call)

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        return await self._run("finish_upload", session.parent, self._inner.finish_upload(session, parts))

    async def abort_upload(self, session: UploadSession) -> None:
        return await self._run("abort_upload", session.parent, self._inner.abort_upload(session))

    async def list_uploads(self, parent: RawId, name: str) -> list[UploadSession]:
        return await self._run("list_uploads", parent, self._inner.list_uploads(parent, name))

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        call = self._inner.list_recursive(folder, cursor=cursor, limit=limit)
        return await self._run("list_recursive", folder, call)

    async def list_recent(self, *, after: datetime | None = None, limit: int = 1000) -> Page:
        return await self._run("list_recent", "", self._inner.list_recent(after=after, limit=limit))

    async def list_changes(self, *, cursor: str | None = None, limit: int = 1000) -> ChangePage:
        return await self._run("list_changes", "", self._inner.list_changes(cursor=cursor, limit=limit))

    async def list_versions(self, file: RawId, *, cursor: str | None = None, limit: int = 1000) -> VersionPage:
        return await self._run("list_versions", file, self._inner.list_versions(file, cursor=cursor, limit=limit))

    def open_version(
        self, file: RawId, version: VersionId, *, byte_range: ByteRange | None = None
    ) -> AbstractAsyncContextManager[Download]:
        return self._open("open_version", file, self._inner.open_version(file, version, byte_range=byte_range))

    async def restore_version(self, file: RawId, version: VersionId) -> File:
        return await self._run("restore_version", file, self._inner.restore_version(file, version))

    def open_export(self, file: RawId, export_format: str) -> AbstractAsyncContextManager[Download]:
        return self._open("open_export", file, self._inner.open_export(file, export_format))

    async def list_trash(self, *, cursor: str | None = None, limit: int = 1000) -> Page:
        return await self._run("list_trash", "", self._inner.list_trash(cursor=cursor, limit=limit))

    async def restore(self, ref: Ref) -> Resource:
        return await self._run("restore", ref.raw_id, self._inner.restore(ref))

    async def get_thumbnail(
        self, file: RawId, *, size_px: int, image_format: Literal["png", "jpeg"]
    ) -> Thumbnail | None:
        call = self._inner.get_thumbnail(file, size_px=size_px, image_format=image_format)
        return await self._run("get_thumbnail", file, call)

    async def list_links(self, ref: Ref) -> list[SharedLink]:
        return await self._run("list_links", ref.raw_id, self._inner.list_links(ref))

    async def create_link(self, ref: Ref, wish: LinkChange) -> SharedLink:
        return await self._run("create_link", ref.raw_id, self._inner.create_link(ref, wish))

    async def update_link(self, ref: Ref, link: str, change: LinkChange) -> SharedLink:
        return await self._run("update_link", ref.raw_id, self._inner.update_link(ref, link, change))

    async def delete_link(self, ref: Ref, link: str) -> None:
        return await self._run("delete_link", ref.raw_id, self._inner.delete_link(ref, link))

    async def subscribe(self, *, url: str, secret: str, seconds: int) -> Subscription:
        return await self._run("subscribe", "", self._inner.subscribe(url=url, secret=secret, seconds=seconds))

    async def renew_subscription(
        self, subscription: Subscription, *, url: str, secret: str, seconds: int
    ) -> Subscription:
        call = self._inner.renew_subscription(subscription, url=url, secret=secret, seconds=seconds)
        return await self._run("renew_subscription", "", call)

    async def unsubscribe(self, subscription: Subscription) -> None:
        return await self._run("unsubscribe", "", self._inner.unsubscribe(subscription))

    async def list_permissions(self, ref: Ref) -> list[Permission]:
        return await self._run("list_permissions", ref.raw_id, self._inner.list_permissions(ref))

    async def set_permissions(
        self, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool
    ) -> list[Permission]:
        call = self._inner.set_permissions(ref, changes, is_replacing=is_replacing)
        return await self._run("set_permissions", ref.raw_id, call)

    async def list_properties(self, file: RawId) -> list[Property]:
        return await self._run("list_properties", file, self._inner.list_properties(file))

    async def update_properties(
        self, file: RawId, changes: Mapping[str, str | None], *, is_replacing: bool = False
    ) -> list[Property]:
        call = self._inner.update_properties(file, changes, is_replacing=is_replacing)
        return await self._run("update_properties", file, call)

    async def create_download_url(self, file: RawId, *, seconds: int, version: VersionId | None = None) -> SignedUrl:
        call = self._inner.create_download_url(file, seconds=seconds, version=version)
        return await self._run("create_download_url", file, call)

    async def create_upload_url(self, parent: RawId, name: str, *, seconds: int) -> SignedUrl:
        call = self._inner.create_upload_url(parent, name, seconds=seconds)
        return await self._run("create_upload_url", parent, call)

    def call_raw(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        return self._open("call_raw", "", self._inner.call_raw(call))
