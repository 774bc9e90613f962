"""The operations, in the interface's order: each is one work in a thread, bytes move in threads chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from typing import Protocol, TypeVar

from connectors.core.bytesource import ByteSource
from connectors.core.call import Intent, Repeat, SendWork, Work
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.media_types import read_media_type
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
from connectors.core.uploads import choose_part_bytes
from connectors.local import operations, uploads
from connectors.local.downloads import OpenFile, choose_range, read_chunks
from connectors.local.listing import Walk, list_page
from connectors.local.manifest import MANIFEST
from connectors.local.mapping import Mapper, build_etag, read_time
from connectors.local.names import Parts, read_name, read_path, read_raw_id, show
from connectors.local.roots import Settings, find_grant
from connectors.local.threads import Stop, Threads
from connectors.local.tree import Tree
from connectors.local.writes import HiddenFile, Published, check_free

WRITE_BYTES = 1024 * 1024
"""Chunks are gathered to this size before they are written."""

ResultT = TypeVar("ResultT")


class _Writer(Protocol):
    size_bytes: int

    def append(self, data: bytes) -> None: ...

    def close(self) -> None: ...


WriterT = TypeVar("WriterT", bound=_Writer)


class LocalConnector(Connector):
    """One account's folder."""

    manifest = MANIFEST

    def __init__(
        self,
        *,
        settings: Settings,
        application_id: str,
        credentials: Mapping[str, str],
        send: SendWork,
        threads: Threads,
        include_raw: bool = False,
    ) -> None:
        self._settings = settings
        self._application_id = application_id
        self._credentials = credentials
        self._send = send
        self._threads = threads
        self._include_raw = include_raw

    async def get_identity(self) -> Identity:
        grant = self._tree().grant
        await self._quick("get_identity", lambda tree, mapper: operations.get(tree, mapper, self.manifest.root))
        return Identity(key=grant.key, label=grant.key)

    async def get(self, ref: Ref) -> Resource:
        return await self._quick("get", lambda tree, mapper: operations.get(tree, mapper, ref))

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        parts = read_raw_id(folder)
        return await self._quick("list_folder", lambda tree, mapper: list_page(tree, mapper, parts, cursor, limit))

    def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AbstractAsyncContextManager[Download]:
        return self._open_download(file, byte_range, if_match)

    @asynccontextmanager
    async def _open_download(
        self, file: RawId, byte_range: ByteRange | None, if_match: str | None
    ) -> AsyncIterator[Download]:
        parts, tree = read_raw_id(file), self._tree()

        async def run() -> OpenFile:
            return await self._threads.acquire(partial(_open_file, tree, parts), OpenFile.close)

        opened = await self._run("open_download", run)
        try:
            content_range = choose_range(opened, byte_range, if_match)
            first, last = content_range or (0, opened.status.st_size - 1)
            opened.advise(first, last + 1 - first)
            async with aclosing(read_chunks(self._threads, opened, first, last + 1)) as chunks:
                yield Download(
                    chunks,
                    opened.status.st_size,
                    content_range=content_range,
                    media_type=read_media_type(show(parts[-1])),
                    etag=build_etag(opened.status),
                    modified_at=read_time(opened.status.st_mtime_ns),
                    name=show(parts[-1]),
                )
        finally:
            await self._threads.release(opened.close)

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        above = read_raw_id(parent)
        encoded = read_name(name, parent=above)
        return await self._write("upload", above, encoded, source, on_conflict=on_conflict)

    async def replace(self, file: RawId, source: ByteSource) -> File:
        parts = read_raw_id(file)
        if not parts:
            raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a folder, not a file")
        return await self._write(
            "replace", parts[:-1], parts[-1], source, on_conflict=OnConflict.REPLACE, is_there=True
        )

    async def _write(
        self,
        operation: str,
        above: Parts,
        name: bytes,
        source: ByteSource,
        *,
        on_conflict: OnConflict,
        is_there: bool = False,
    ) -> File:
        tree, mapper = self._tree(), self._mapper()
        target = _Target(tree, above, name, on_conflict, is_there)

        async def run() -> File:
            async with self._fill(target.open, source) as hidden:
                published = await self._threads.run(target.publish, hidden)
                return mapper.build_file((*above, published.name), published.status, published.is_replacement)

        return await self._run(operation, run, Repeat.UNSAFE, source)

    @asynccontextmanager
    async def _fill(self, open_writer: Callable[[], WriterT], source: ByteSource) -> AsyncIterator[WriterT]:
        """Opens a writer and writes all of the source; whatever happens, the writer is closed."""
        writer = await self._threads.acquire(open_writer, lambda opened: opened.close())
        try:
            async with aclosing(_gather(source)) as batches:
                async for batch in batches:
                    await self._threads.run(writer.append, batch)
            if source.size_bytes is not None and writer.size_bytes != source.size_bytes:
                words = f"{writer.size_bytes} bytes came, {source.size_bytes} were declared"
                raise ConnectorError(ErrorKind.SOURCE_FAILED, words)
            yield writer
        finally:
            await self._threads.release(writer.close)

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        folder = await self._quick(
            "create_folder",
            lambda tree, mapper: operations.create_folder(tree, mapper, parent, name),
            Repeat.IDEMPOTENT,
        )
        if not isinstance(folder, Folder):
            raise AssertionError("a folder was made")  # noqa: TRY004 - not a caller's type error
        return folder

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        return await self._quick(
            "update", lambda tree, mapper: operations.update(tree, mapper, ref, name, parent), Repeat.UNSAFE
        )

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:  # noqa: ARG002 - no trash
        if is_recursive and ref.kind == "folder":
            await self._long("delete", lambda tree, _, stop: operations.delete_all(tree, ref, stop), Repeat.IDEMPOTENT)
        else:
            await self._quick("delete", lambda tree, _: operations.delete(tree, ref), Repeat.IDEMPOTENT)

    async def get_by_path(self, path: str) -> Resource:
        is_folder = path.endswith("/")
        parts = read_path(path.removesuffix("/") or "/")
        return await self._quick(
            "get_by_path", lambda tree, mapper: operations.get_by_path(tree, mapper, parts, is_folder=is_folder)
        )

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        return await self._long(
            "copy",
            lambda tree, mapper, stop: operations.copy(tree, mapper, ref, parent, name, on_conflict, stop),
            Repeat.UNSAFE,
        )

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        parts = read_raw_id(folder or self.manifest.root.raw_id)
        return await self._long(
            "search",
            lambda tree, mapper, stop: Walk(tree, mapper, parts, cursor, limit, query).run(stop),
            Repeat.SAFE,
        )

    async def get_quota(self) -> Quota:
        return await self._quick("get_quota", lambda tree, _: operations.get_quota(tree))

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        above = read_raw_id(parent)
        encoded = read_name(name, parent=above)
        part_size_bytes = choose_part_bytes(self.manifest.limits, size_bytes)

        tree = self._tree()

        def start() -> UploadSession:
            with operations.naming(tree, (*above, encoded)):
                state = uploads.start(tree, above, encoded, on_conflict, size_bytes)
            return UploadSession(
                parent=parent,
                name=name,
                on_conflict=on_conflict,
                part_size_bytes=part_size_bytes,
                size_bytes=size_bytes,
                state=state,
            )

        async def run() -> UploadSession:
            return await self._threads.acquire(start, partial(uploads.abort, tree))

        return await self._run("start_upload", run, Repeat.UNSAFE)

    async def put_part(
        self,
        session: UploadSession,
        number: int,
        source: ByteSource,
        *,
        previous: Part | None = None,  # noqa: ARG002 - parts go side by side here
    ) -> Part:
        tree = self._tree()

        async def run() -> Part:
            async with self._fill(lambda: uploads.PartWriter(tree, session, number), source) as writer:
                return await self._threads.run(writer.finish)

        return await self._run("put_part", run, Repeat.IDEMPOTENT, source)

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        above = read_raw_id(session.parent)
        encoded = read_name(session.name, parent=above)

        def finish(tree: Tree, mapper: Mapper) -> File:
            with operations.naming(tree, (*above, encoded)):
                published = uploads.finish(tree, session, parts)
            stored = published.seen_as(encoded)
            return mapper.build_file((*above, stored.name), stored.status, stored.is_replacement)

        return await self._quick("finish_upload", finish, Repeat.UNSAFE)

    async def abort_upload(self, session: UploadSession) -> None:
        await self._quick("abort_upload", lambda tree, _: uploads.abort(tree, session), Repeat.IDEMPOTENT)

    async def list_uploads(self, parent: RawId, name: str) -> list[UploadSession]:
        above = read_raw_id(parent)
        encoded = read_name(name, parent=above)

        def find(tree: Tree, _: Mapper) -> list[UploadSession]:
            return [
                UploadSession(
                    parent=parent,
                    name=name,
                    on_conflict=OnConflict.FAIL,
                    part_size_bytes=self.manifest.limits.upload_part_bytes_default,
                    state=started.state,
                    started_at=started.at,
                )
                for started in uploads.find_started(tree, above, encoded)
            ]

        return await self._quick("list_uploads", find)

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        parts = read_raw_id(folder)
        return await self._long(
            "list_recursive",
            lambda tree, mapper, stop: Walk(tree, mapper, parts, cursor, limit).run(stop),
            Repeat.SAFE,
        )

    def _tree(self) -> Tree:
        return Tree(find_grant(self._settings, self._application_id, self._credentials))

    def _mapper(self) -> Mapper:
        return Mapper(self._tree().grant.key.rsplit("/", 1)[-1], include_raw=self._include_raw)

    async def _quick(
        self, operation: str, function: Callable[[Tree, Mapper], ResultT], repeat: Repeat = Repeat.SAFE
    ) -> ResultT:
        """One work of bounded size."""
        call = partial(function, self._tree(), self._mapper())
        return await self._run(operation, lambda: self._threads.run(call), repeat)

    async def _long(self, operation: str, function: Callable[[Tree, Mapper, Stop], ResultT], repeat: Repeat) -> ResultT:
        """One work that may take minutes and stops when nobody waits for it."""
        call = partial(function, self._tree(), self._mapper())
        return await self._run(operation, lambda: self._threads.run_long(call), repeat)

    async def _run(
        self,
        operation: str,
        run: Callable[[], Awaitable[ResultT]],
        repeat: Repeat = Repeat.SAFE,
        source: ByteSource | None = None,
    ) -> ResultT:
        is_body_replayable = source is None or source.is_replayable
        intent = Intent(operation=operation, repeat=repeat, is_body_replayable=is_body_replayable)
        return await self._send(Work(run=run, intent=intent))


def _open_file(tree: Tree, parts: Parts) -> OpenFile:
    with tree.find(parts) as found:
        descriptor = found.open_file()
    try:
        return OpenFile(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


class _Target:
    """Where a file is to be written; one with links resolved."""

    def __init__(self, tree: Tree, above: Parts, name: bytes, on_conflict: OnConflict, is_there: bool) -> None:
        self._tree = tree
        self._above = above
        self._name = name
        self._real_name = name
        self._on_conflict = on_conflict
        self._is_there = is_there

    def open(self) -> HiddenFile:
        """A hidden file beside the place; already_exists or not_found where that is certain already."""
        parts = (*self._above, self._name)
        if self._is_there:
            with self._tree.find(parts) as found:
                operations.check_kind(found, "file")
        with (
            self._tree.open_place(self._above, self._name, self._on_conflict) as (folder, self._real_name),
            operations.naming(self._tree, parts),
        ):
            check_free(folder.descriptor, self._real_name, self._on_conflict)
            return HiddenFile(os.dup(folder.descriptor))

    def publish(self, hidden: HiddenFile) -> Published:
        """Makes it visible."""
        with operations.naming(self._tree, (*self._above, self._name)):
            published = hidden.publish(self._real_name, self._on_conflict, is_there=self._is_there)
        return published.seen_as(self._name)


async def _gather(source: ByteSource) -> AsyncGenerator[bytes, None]:
    """The source's bytes in pieces worth a write; source_failed when its reader fails."""
    chunks = source.open()
    batch: list[bytes] = []
    batch_bytes = 0
    try:
        async for chunk in chunks:
            batch.append(chunk)
            batch_bytes += len(chunk)
            if batch_bytes >= WRITE_BYTES:
                yield b"".join(batch)
                batch, batch_bytes = [], 0
    except (ConnectorError, AssertionError):
        raise
    except Exception as error:
        raise ConnectorError(ErrorKind.SOURCE_FAILED, "the bytes to store could not be read") from error
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    if batch:
        yield b"".join(batch)
