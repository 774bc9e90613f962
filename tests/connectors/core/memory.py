"""A storage in memory behind the interface, with raw ids, pages, parts, and faults on request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from connectors.core.bytesource import ByteSource
from connectors.core.call import Intent, Repeat, SendWork, Work
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Capabilities, Manifest
from connectors.core.resources import (
    ByteRange,
    Download,
    File,
    Folder,
    Identity,
    Kind,
    OnConflict,
    Page,
    Parent,
    Part,
    RawId,
    Ref,
    Resource,
    UploadSession,
)
from tests.connectors.core.fakes import build_manifest

ResultT = TypeVar("ResultT")
ROOT = RawId("/")


@dataclass
class Node:
    kind: Kind
    name: str
    parent: RawId
    data: bytes = b""
    modified_at: datetime | None = None


def build_resource(raw_id: RawId, node: Node) -> Resource:
    if node.kind == "folder":
        return Folder(raw_id=raw_id, name=node.name, parent=Parent(node.parent))
    return File(
        raw_id=raw_id,
        name=node.name,
        parent=Parent(node.parent),
        size_bytes=len(node.data),
        modified_at=node.modified_at,
    )


async def run_directly(work: Work[ResultT]) -> ResultT:
    return await work.run()


class MemoryConnector(Connector):
    """Knows nothing but the eight operations every connector has, and parts. `calls` says what was asked of it."""

    manifest = build_manifest()

    def __init__(self, *, manifest: Manifest | None = None, send: SendWork = run_directly) -> None:
        if manifest is not None:
            self.__dict__["manifest"] = manifest
        self._send = send
        self._ids = (RawId(str(number)) for number in count(1))
        self.nodes: dict[RawId, Node] = {ROOT: Node("folder", "", ROOT)}
        self.calls: list[tuple[str, Any]] = []
        self.faults: dict[str, list[BaseException]] = {}
        self.parts: dict[int, bytes] = {}
        self.previous: dict[int, Part | None] = {}  # what came with each part
        self.finished: UploadSession | None = None  # the last one
        self.aborted_count = 0
        self.part_bytes = 4
        self.page_items = 2

    @property
    def capabilities(self) -> Capabilities:
        return self.manifest.capabilities

    def add(self, path: str, data: bytes | None = None) -> RawId:
        """Puts a file, or a folder if there is no data, below folders that are made as needed."""
        *folders, name = path.strip("/").split("/")
        parent = ROOT
        for folder in folders:
            parent = self._find(parent, folder) or self._store(Node("folder", folder, parent))
        return self._store(Node("folder" if data is None else "file", name, parent, data or b""))

    def tree(self) -> dict[str, bytes | None]:
        """All paths with their data; None for folders."""
        return {
            self._path(raw_id): node.data if node.kind == "file" else None
            for raw_id, node in self.nodes.items()
            if raw_id != ROOT
        }

    async def get_identity(self) -> Identity:
        return Identity("me", "Me")

    async def get(self, ref: Ref) -> Resource:
        return await self._do("get", ref.raw_id, Repeat.SAFE, lambda: self._resource(ref.raw_id))

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        def read() -> Page:
            self._node(folder)
            last, count = int(cursor or 0), min(limit, self.page_items)
            inside = [raw_id for raw_id, node in self.nodes.items() if node.parent == folder and raw_id != ROOT]
            raw_ids = [raw_id for raw_id in inside if int(raw_id) > last]
            page = [self._resource(raw_id) for raw_id in raw_ids[:count]]
            return Page(page, raw_ids[count - 1] if len(raw_ids) > count else None)

        return await self._do("list_folder", (folder, limit), Repeat.SAFE, read)

    @asynccontextmanager
    async def open_download(
        self,
        file: RawId,
        *,
        byte_range: ByteRange | None = None,  # noqa: ARG002 - not declared, so never given
        if_match: str | None = None,  # noqa: ARG002 - as byte_range
    ) -> AsyncIterator[Download]:
        data = await self._do("open_download", file, Repeat.SAFE, lambda: self._node(file).data)

        async def read() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 3):
                self._fail("read")
                yield data[start : start + 3]

        yield Download(read(), size_bytes=len(data))
        self._fail("close")

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        data = b"".join([chunk async for chunk in source.open()])

        def store() -> Resource:
            existing = self._find(parent, name)
            if existing is not None and on_conflict is OnConflict.REPLACE:
                self._node(existing).data = data
                return self._resource(existing)
            if existing is not None and on_conflict is OnConflict.FAIL:
                raise ConnectorError(ErrorKind.ALREADY_EXISTS)
            free = name if existing is None else f"{name} (1)"
            return self._resource(self._store(Node("file", free, parent, data)))

        repeat = Repeat.IDEMPOTENT if on_conflict is OnConflict.REPLACE else Repeat.UNSAFE
        file = await self._do("upload", name, repeat, store)
        assert isinstance(file, File)
        return file

    async def replace(self, file: RawId, source: ByteSource) -> File:
        node = self._node(file)
        return await self.upload(node.parent, node.name, source, on_conflict=OnConflict.REPLACE)

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        def create() -> Resource:
            existing = self._find(parent, name)
            if existing is not None:
                conflict = Ref(self._node(existing).kind, existing) if self.says_conflict else None
                raise ConnectorError(ErrorKind.ALREADY_EXISTS, conflict=conflict)
            return self._resource(self._store(Node("folder", name, parent)))

        folder = await self._do("create_folder", name, Repeat.IDEMPOTENT, create)
        assert isinstance(folder, Folder)
        return folder

    says_conflict = True

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        def change() -> Resource:
            node = self._node(ref.raw_id)
            node.name, node.parent = name or node.name, parent or node.parent
            return self._resource(ref.raw_id)

        return await self._do("update", ref.raw_id, Repeat.IDEMPOTENT, change)

    async def delete(
        self,
        ref: Ref,
        *,
        is_recursive: bool = False,
        is_permanent: bool = False,  # noqa: ARG002 - there is no trash
    ) -> None:
        assert not is_recursive

        def remove() -> None:
            self._node(ref.raw_id)
            if any(node.parent == ref.raw_id for node in self.nodes.values()):
                raise ConnectorError(ErrorKind.FOLDER_NOT_EMPTY)
            del self.nodes[ref.raw_id]

        await self._do("delete", ref.raw_id, Repeat.IDEMPOTENT, remove)

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        session = UploadSession(
            parent=parent, name=name, on_conflict=on_conflict, part_size_bytes=self.part_bytes, size_bytes=size_bytes
        )
        return await self._do("start_upload", name, Repeat.UNSAFE, lambda: session)

    async def put_part(
        self,
        session: UploadSession,  # noqa: ARG002 - there is only one
        number: int,
        source: ByteSource,
        *,
        previous: Part | None = None,
    ) -> Part:
        self.previous[number] = previous
        self.calls.append(("put_part started", number))
        data = b"".join([chunk async for chunk in source.open()])

        def store() -> Part:
            self.parts[number] = data
            return Part(number, len(data), f"receipt-{number}")

        return await self._do("put_part", number, Repeat.IDEMPOTENT, store)

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        def store() -> Resource:
            self.finished = session
            data = b"".join(self.parts[part.number] for part in parts)
            return self._resource(self._store(Node("file", session.name, session.parent, data)))

        file = await self._do("finish_upload", [part.number for part in parts], Repeat.UNSAFE, store)
        assert isinstance(file, File)
        return file

    async def abort_upload(self, session: UploadSession) -> None:
        self.aborted_count += 1
        await self._do("abort_upload", session.name, Repeat.IDEMPOTENT, self.parts.clear)

    async def _do(self, operation: str, about: object, repeat: Repeat, action: Callable[[], ResultT]) -> ResultT:
        self.calls.append((operation, about))

        async def run() -> ResultT:
            self._fail(operation)
            return action()

        call: Callable[[], Awaitable[ResultT]] = run
        return await self._send(Work(run=call, intent=Intent(operation=operation, repeat=repeat)))

    def _fail(self, operation: str) -> None:
        if self.faults.get(operation):
            raise self.faults[operation].pop(0)

    def _store(self, node: Node) -> RawId:
        raw_id = next(self._ids)
        self.nodes[raw_id] = node
        return raw_id

    def _find(self, parent: RawId, name: str) -> RawId | None:
        found = (raw_id for raw_id, node in self.nodes.items() if (node.parent, node.name) == (parent, name))
        return next(found, None)

    def _node(self, raw_id: RawId) -> Node:
        if raw_id not in self.nodes:
            raise ConnectorError(ErrorKind.NOT_FOUND)
        return self.nodes[raw_id]

    def _resource(self, raw_id: RawId) -> Resource:
        return build_resource(raw_id, self._node(raw_id))

    def _path(self, raw_id: RawId) -> str:
        node = self.nodes[raw_id]
        return ("" if node.parent == ROOT else self._path(node.parent)) + "/" + node.name
