"""The delegation that every operation-side layer needs, written once."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from connectors.core.bytesource import ByteSource
from connectors.core.connector import Connector
from connectors.core.manifest import Capabilities
from connectors.core.resources import (
    ByteRange,
    Download,
    File,
    Folder,
    Identity,
    OnConflict,
    Page,
    Part,
    Quota,
    RawId,
    Ref,
    Resource,
    UploadSession,
)

ResultT = TypeVar("ResultT")


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
        download: AbstractAsyncContextManager[Download],
    ) -> AbstractAsyncContextManager[Download]:
        return download

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

    async def put_part(self, session: UploadSession, number: int, source: ByteSource) -> Part:
        return await self._run("put_part", session.parent, self._inner.put_part(session, number, source))

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        return await self._run("finish_upload", session.parent, self._inner.finish_upload(session, parts))

    async def abort_upload(self, session: UploadSession) -> None:
        return await self._run("abort_upload", session.parent, self._inner.abort_upload(session))
