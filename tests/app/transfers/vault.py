"""A storage in memory that can do as much or as little as a test wants, and fails exactly where it is told to."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from connectors.core.bytesource import ByteSource
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.fence import pass_fence
from connectors.core.manifest import Capabilities, Field, Keys, Limits, Manifest
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

ROOT = RawId("root")
PART_BYTES = 1000
CHUNK_BYTES = 250
ABLE = Capabilities(
    start_upload=True,
    list_uploads=True,
    download_if_match=True,
    upload_exclusive=True,
    upload_parts_parallel=True,
)
MANIFEST = Manifest(
    service="vault",
    title="Vault",
    category="file_store",
    auth=Keys(fields=(Field(name="token", label="Token", help="Which one."),), token_field="token"),
    capabilities=ABLE,
    limits=Limits(
        upload_part_bytes_min=1,
        upload_part_bytes_default=PART_BYTES,
        name_bytes_max=100,
        name_characters_forbidden="/\0*",
        page_items_max=3,
    ),
    root=Ref("folder", ROOT),
)

Action = Callable[[], object] | BaseException
READS = frozenset({"get", "list_folder", "open_download", "read", "list_uploads"})


@dataclass
class Node:
    """A file or folder."""

    kind: Kind
    name: str
    parent: RawId
    data: bytes = b""
    version: int = 0


@dataclass
class Upload:
    """An upload in parts."""

    parent: RawId
    name: str
    on_conflict: OnConflict
    started_at: datetime
    parts: dict[int, bytes] = field(default_factory=dict)


class Vault(Connector):
    """`calls` counts what was asked of it, `stored` how often each name was stored, `parts` how often each part was.

    `before` and `after` hold actions for an operation's next calls: what is raised after an operation was done is an
    answer that got lost. `rewrite` is what the storage makes of the bytes it is given.
    """

    manifest = MANIFEST

    def __init__(self, *, hash_names: tuple[str, ...] = (), has_etags: bool = True, **capabilities: bool) -> None:
        able = msgspec.structs.replace(ABLE, **capabilities)
        self.__dict__["manifest"] = msgspec.structs.replace(MANIFEST, capabilities=able)
        self.token = secrets.token_hex(8)
        self.hash_names = hash_names
        self.has_etags = has_etags
        self._ids = count(1)
        self.nodes: dict[RawId, Node] = {ROOT: Node("folder", "vault", ROOT)}
        self.uploads: dict[str, Upload] = {}
        self.calls: Counter[str] = Counter()
        self.stored: Counter[str] = Counter()
        self.parts: Counter[tuple[str, int]] = Counter()
        self.before: dict[str, list[Action]] = {}
        self.after: dict[str, list[Action]] = {}
        self.rewrite: Callable[[bytes], bytes] = bytes
        self.downloadable = True
        self.on_moment: Callable[[], Awaitable[None]] = _do_nothing  # before and after whatever it does

    # ---- what tests do

    def put(self, path: str, data: bytes | None = None) -> RawId:
        """Makes or replaces a file, or makes a folder if there are no bytes; folders above are made as needed."""
        *above, name = path.strip("/").split("/")
        parent = ROOT
        for folder in above:
            parent = self.find(parent, folder) or self._add(Node("folder", folder, parent))
        found = self.find(parent, name)
        if found is None:
            return self._add(Node("folder" if data is None else "file", name, parent, data or b""))
        self.nodes[found].data, self.nodes[found].version = data or b"", self.nodes[found].version + 1
        return found

    def tree(self) -> dict[str, bytes | None]:
        """All paths; None for folders."""
        return {
            self.path(raw_id): node.data if node.kind == "file" else None
            for raw_id, node in self.nodes.items()
            if raw_id != ROOT
        }

    def path(self, raw_id: RawId) -> str:
        """Where something stands."""
        node = self.nodes[raw_id]
        return node.name if node.parent == ROOT else f"{self.path(node.parent)}/{node.name}"

    def find(self, parent: RawId, name: str) -> RawId | None:
        """What stands under a name in a folder."""
        found = (raw_id for raw_id, node in self.nodes.items() if (node.parent, node.name) == (parent, name))
        return next((raw_id for raw_id in found if raw_id != ROOT), None)

    # ---- the interface

    async def get_identity(self) -> Identity:
        return Identity(self.token, self.token)

    async def get(self, ref: Ref) -> Resource:
        await self._begin("get")
        resource = self._resource(ref.raw_id)
        if resource.ref.kind != ref.kind:
            raise ConnectorError(ErrorKind.WRONG_TYPE)
        return resource

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        await self._begin("list_folder")
        self._node(folder)
        inside = {f"{node.name}/{raw_id}": raw_id for raw_id, node in self.nodes.items() if node.parent == folder}
        keys = sorted(key for key, raw_id in inside.items() if raw_id != ROOT and (cursor is None or key > cursor))
        page = [self._resource(inside[key]) for key in keys[:limit]]
        return Page(page, keys[limit - 1] if len(keys) > limit else None)

    @asynccontextmanager
    async def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AsyncIterator[Download]:
        await self._begin("open_download")
        node = self._node(file)
        if if_match is not None and if_match != self._etag(node):
            raise ConnectorError(ErrorKind.PRECONDITION_FAILED)
        data, content_range = node.data, None
        if byte_range is not None:
            content_range = byte_range.resolve(len(data))
            if content_range is None:
                raise ConnectorError(ErrorKind.RANGE_INVALID, size_bytes=len(data))
            data = data[content_range[0] : content_range[1] + 1]

        async def read() -> AsyncIterator[bytes]:
            for start in range(0, len(data), CHUNK_BYTES):
                await self._begin("read")
                yield data[start : start + CHUNK_BYTES]

        yield Download(
            read(),
            size_bytes=len(node.data),
            content_range=content_range,
            etag=self._etag(node),
            modified_at=read_modified_at(node),
        )

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        await self._begin("upload")
        if on_conflict is OnConflict.FAIL:
            self._check_free(parent, name)
        data = b"".join([chunk async for chunk in source.open()])
        file = self._store(parent, name, data, on_conflict)
        await self._end("upload")
        return file

    async def replace(self, file: RawId, source: ByteSource) -> File:
        node = self._node(file)
        return await self.upload(node.parent, node.name, source, on_conflict=OnConflict.REPLACE)

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        await self._begin("create_folder")
        self._node(parent)
        self._check_free(parent, name)
        folder = self._resource(self._add(Node("folder", name, parent)))
        self.stored[name] += 1
        await self._end("create_folder")
        assert isinstance(folder, Folder)
        return folder

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        node = self._node(ref.raw_id)
        node.name, node.parent = name or node.name, parent or node.parent
        return self._resource(ref.raw_id)

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:  # noqa: ARG002 - no trash
        await self._begin("delete")
        self._node(ref.raw_id)
        if any(node.parent == ref.raw_id for node in self.nodes.values()):
            raise ConnectorError(ErrorKind.FOLDER_NOT_EMPTY)
        del self.nodes[ref.raw_id]
        await self._end("delete")

    async def start_upload(
        self, parent: RawId, name: str, *, size_bytes: int | None, on_conflict: OnConflict
    ) -> UploadSession:
        await self._begin("start_upload")
        self._node(parent)
        if on_conflict is OnConflict.FAIL:
            self._check_free(parent, name)
        upload_id = secrets.token_hex(8)
        self.uploads[upload_id] = Upload(parent, name, on_conflict, datetime.now(UTC))
        await self._end("start_upload")
        return self._session(upload_id, size_bytes)

    async def put_part(
        self,
        session: UploadSession,
        number: int,
        source: ByteSource,
        *,
        previous: Part | None = None,  # noqa: ARG002 - that it is there is checked by the engine
    ) -> Part:
        await self._begin("put_part")
        upload = self._upload(session)
        data = b"".join([chunk async for chunk in source.open()])
        upload.parts[number] = data
        self.parts[session.name, number] += 1
        await self._end("put_part")
        return Part(number, len(data), secrets.token_hex(4))

    async def finish_upload(self, session: UploadSession, parts: list[Part]) -> File:
        await self._begin("finish_upload")
        upload = self._upload(session)
        if [part.number for part in parts] != sorted(upload.parts):
            raise ConnectorError(ErrorKind.INVALID_PARTS)
        data = b"".join(upload.parts[part.number] for part in parts)
        file = self._store(upload.parent, upload.name, data, upload.on_conflict)
        del self.uploads[session.state["id"]]
        await self._end("finish_upload")
        return file

    async def abort_upload(self, session: UploadSession) -> None:
        await self._begin("abort_upload")
        self.uploads.pop(session.state["id"], None)
        await self._end("abort_upload")

    async def list_uploads(self, parent: RawId, name: str) -> list[UploadSession]:
        await self._begin("list_uploads")
        return [
            msgspec.structs.replace(self._session(upload_id, None), started_at=upload.started_at)
            for upload_id, upload in self.uploads.items()
            if (upload.parent, upload.name) == (parent, name)
        ]

    # ---- inside

    async def _begin(self, operation: str) -> None:
        await self.on_moment()
        if operation not in READS:
            await pass_fence()
        self.calls[operation] += 1
        _act(self.before.get(operation))

    async def _end(self, operation: str) -> None:
        await self.on_moment()
        _act(self.after.get(operation))

    def _add(self, node: Node) -> RawId:
        raw_id = RawId(f"id-{next(self._ids)}")
        self.nodes[raw_id] = node
        return raw_id

    def _store(self, parent: RawId, name: str, data: bytes, on_conflict: OnConflict) -> File:
        self._node(parent)
        found = self.find(parent, name)
        if on_conflict is OnConflict.FAIL and self.capabilities.upload_exclusive:
            self._check_free(parent, name)
        if found is None:
            found = self._add(Node("file", name, parent))
        else:
            self.nodes[found].version += 1
        self.nodes[found].data = self.rewrite(data)
        self.stored[name] += 1
        file = self._resource(found)
        assert isinstance(file, File)
        return file

    def _check_free(self, parent: RawId, name: str) -> None:
        found = self.find(parent, name)
        if found is not None:
            raise ConnectorError(ErrorKind.ALREADY_EXISTS, conflict=Ref(self.nodes[found].kind, found))

    def _node(self, raw_id: RawId) -> Node:
        if raw_id not in self.nodes:
            raise ConnectorError(ErrorKind.NOT_FOUND)
        return self.nodes[raw_id]

    def _upload(self, session: UploadSession) -> Upload:
        upload = self.uploads.get(session.state["id"])
        if upload is None:
            raise ConnectorError(ErrorKind.NOT_FOUND)
        return upload

    def _session(self, upload_id: str, size_bytes: int | None) -> UploadSession:
        upload = self.uploads[upload_id]
        state: dict[str, Any] = {"id": upload_id}
        return UploadSession(
            parent=upload.parent,
            name=upload.name,
            on_conflict=upload.on_conflict,
            part_size_bytes=PART_BYTES,
            size_bytes=size_bytes,
            state=state,
        )

    def _etag(self, node: Node) -> str | None:
        return f"{node.version}-{hashlib.sha256(node.data).hexdigest()[:8]}" if self.has_etags else None

    def _resource(self, raw_id: RawId) -> Resource:
        node = self._node(raw_id)
        parent = None if raw_id == ROOT else Parent(node.parent)
        if node.kind == "folder":
            return Folder(raw_id=raw_id, name=node.name, parent=parent)
        hashes = {name: hashlib.new(name, node.data).hexdigest() for name in self.hash_names}
        return File(
            raw_id=raw_id,
            name=node.name,
            parent=parent,
            size_bytes=len(node.data),
            etag=self._etag(node),
            modified_at=read_modified_at(node),
            hashes=hashes or None,
            is_downloadable=self.downloadable,
        )


def read_modified_at(node: Node) -> datetime:
    """Later with each version."""
    return datetime.fromtimestamp(1_700_000_000 + node.version, UTC)


async def _do_nothing() -> None:
    pass


def _act(actions: list[Action] | None) -> None:
    action = actions.pop(0) if actions else None
    if isinstance(action, BaseException):
        raise action
    if action is not None:
        action()
