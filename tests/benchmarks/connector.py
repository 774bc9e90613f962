"""A small real HTTP connector, so that benchmarks measure the whole way: API, layers, transport, mapping."""

# ruff: noqa: ARG002 - the interface's parameters; the origin has one folder and one page
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

import httpx
import msgspec
from msgspec import Struct

from connectors.core.bytesource import ByteSource
from connectors.core.call import INTENT, Intent, Repeat
from connectors.core.connector import Connector
from connectors.core.manifest import Capabilities, Field, Keys, Limits, Manifest
from connectors.core.resources import (
    ByteRange,
    Download,
    File,
    Folder,
    Identity,
    OnConflict,
    Page,
    Parent,
    RawId,
    Ref,
    Resource,
)
from connectors.core.service import AccountContext, Service
from connectors.core.stack import HttpSend
from connectors.core.transport import build_body

MANIFEST = Manifest(
    service="bench",
    title="Benchmark origin",
    category="file_store",
    auth=Keys(
        fields=(
            Field(name="token", label="Token", help="Any text.", is_secret=True),
            Field(name="origin", label="Origin", help="Where its origin listens."),
        ),
        token_field="token",
    ),
    capabilities=Capabilities(upload_size_unknown=False),
    limits=Limits(name_bytes_max=255),
    root=Ref("folder", RawId("top")),
    allowed_hosts=("127.0.0.1",),
)

READ = Intent(operation="read", repeat=Repeat.SAFE)


class Entry(Struct, gc=False, kw_only=True):
    """A file or folder as the origin tells of it; what we do not read is skipped by the decoder."""

    kind: Literal["file", "folder"]
    id: str
    name: str
    parent_id: str
    path: str | None = None
    size: int | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    media_type: str | None = None
    etag: str | None = None
    owner: str | None = None


class Listing(Struct, gc=False):
    """A page of the origin."""

    entries: list[Entry]
    cursor: str | None = None


decode_listing = msgspec.json.Decoder(Listing).decode
decode_entry = msgspec.json.Decoder(Entry).decode


def build_resource(entry: Entry) -> Resource:
    """The origin's entry as our resource."""
    if entry.kind == "folder":
        return Folder(
            raw_id=RawId(entry.id),
            name=entry.name,
            parent=Parent(RawId(entry.parent_id)),
            path=entry.path,
            created_at=entry.created_at,
            modified_at=entry.modified_at,
            owner_id=entry.owner,
        )
    return File(
        raw_id=RawId(entry.id),
        name=entry.name,
        parent=Parent(RawId(entry.parent_id)),
        path=entry.path,
        size_bytes=entry.size,
        created_at=entry.created_at,
        modified_at=entry.modified_at,
        media_type=entry.media_type,
        etag=entry.etag,
        owner_id=entry.owner,
    )


def build_service() -> Service:
    """The service; each account says in its credentials where its origin is."""

    def build(context: AccountContext) -> Connector:
        def sign(request: httpx.Request, _token: str | None) -> None:
            request.headers["Authorization"] = f"Bearer {context.credentials['token']}"

        base_url = context.credentials["origin"]
        return BenchConnector(base_url, context.runtime.build_send(MANIFEST, context.account_key, sign=sign))

    return Service(manifest=MANIFEST, build=build)


class BenchConnector(Connector):
    """Lists, reads and stores; all else is unsupported."""

    manifest = MANIFEST

    def __init__(self, base_url: str, send: HttpSend) -> None:
        self._base_url = base_url
        self._send = send

    async def get_identity(self) -> Identity:
        return Identity(key=self._base_url, label="bench")

    async def get(self, ref: Ref) -> Resource:
        return build_resource(decode_entry(await self.read(f"/entries/{ref.raw_id}")))

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        listing = decode_listing(await self.read(f"/listings/{folder}-{limit}"))
        return Page([build_resource(entry) for entry in listing.entries], listing.cursor)

    @asynccontextmanager
    async def open_download(
        self, file: RawId, *, byte_range: ByteRange | None = None, if_match: str | None = None
    ) -> AsyncIterator[Download]:
        headers = {"Accept-Encoding": "identity"}
        if byte_range is not None:
            headers["Range"] = byte_range.header
        reply = await self._send(self._build_request("GET", f"/files/{file}", headers=headers))
        try:
            content_range = None
            if byte_range is not None:
                first, _, last = reply.headers["content-range"].removeprefix("bytes ").partition("/")[0].partition("-")
                content_range = (int(first), int(last))
            yield Download(
                chunks=reply.aiter_raw(),
                size_bytes=int(reply.headers["content-length"]) if content_range is None else None,
                content_range=content_range,
                media_type=reply.headers.get("content-type"),
                etag=reply.headers.get("etag", "").strip('"') or None,
            )
        finally:
            await reply.aclose()

    async def upload(self, parent: RawId, name: str, source: ByteSource, *, on_conflict: OnConflict) -> File:
        headers, stream = build_body(source)
        intent = Intent(operation="upload", repeat=Repeat.UNSAFE, is_body_replayable=source.is_replayable)
        request = httpx.Request(
            "PUT", f"{self._base_url}/uploads/{name}", headers=headers, stream=stream, extensions={INTENT: intent}
        )
        reply = await self._send(request)
        try:
            stored = build_resource(decode_entry(await reply.aread()))
        finally:
            await reply.aclose()
        if not isinstance(stored, File):
            raise AssertionError("the origin stored something else")  # noqa: TRY004 - the origin's fault, not a type's
        return stored

    async def replace(self, file: RawId, source: ByteSource) -> File:
        return await self.upload(MANIFEST.root.raw_id, file, source, on_conflict=OnConflict.REPLACE)

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        self._refuse("create_folder")

    async def update(self, ref: Ref, *, name: str | None = None, parent: RawId | None = None) -> Resource:
        self._refuse("update")

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        self._refuse("delete")

    async def read(self, path: str) -> bytes:
        """A whole reply of the origin."""
        reply = await self._send(self._build_request("GET", path))
        try:
            return await reply.aread()
        finally:
            await reply.aclose()

    def _build_request(self, method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Request:
        return httpx.Request(method, f"{self._base_url}{path}", headers=headers, extensions={INTENT: READ})
