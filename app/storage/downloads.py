"""A file's bytes as a reply: opened when the server is ready to send, closed when the client has them or leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Send

from app.core.errors import ApiError, ErrorCode
from app.core.http.streams import StreamReply
from app.storage.ranges import format_date, is_range_fresh, is_unmodified, parse_range, quote_etag
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import ByteRange, Download, File, RawId, Ref, VersionId

CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})
DEFAULT_MEDIA_TYPE = "application/octet-stream"
DEFAULT_NAME = "file"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a reply's bytes come from: `open` gives them or a range of them, `get_facts` what is known without them."""

    open: Callable[[ByteRange | None], AbstractAsyncContextManager[Download]]
    get_facts: Callable[[], Awaitable[File | Download]]
    has_ranges: bool


def build_file_source(connector: Connector, file: RawId) -> Source:
    """The bytes that a file has now."""

    async def get_facts() -> File:
        found = await connector.get(Ref("file", file))
        if not isinstance(found, File):
            raise AssertionError("a file's reference gave a folder")  # noqa: TRY004 - the connector's promise
        return found

    def open_it(byte_range: ByteRange | None) -> AbstractAsyncContextManager[Download]:
        if byte_range is not None and connector.capabilities.open_export:
            return _open_part(connector, file, byte_range)
        return connector.open_download(file, byte_range=byte_range)

    return Source(open_it, get_facts, connector.capabilities.download_range)


@asynccontextmanager
async def _open_part(connector: Connector, file: RawId, byte_range: ByteRange) -> AsyncIterator[Download]:
    """A part of a file; all of a document that is exported, since a range may be ignored (RFC 9110 14.2)."""
    async with AsyncExitStack() as stack:
        try:
            download = await stack.enter_async_context(connector.open_download(file, byte_range=byte_range))
        except ConnectorError as error:
            if error.kind is not ErrorKind.UNSUPPORTED:
                raise
            download = await stack.enter_async_context(connector.open_download(file))
        yield download


def build_export_source(connector: Connector, file: RawId, export_format: str) -> Source:
    """A document of the storage's own in one of its formats. ApiError 400 where the storage has no such documents."""
    if not connector.capabilities.open_export:
        text = f"{connector.manifest.title} has no documents of its own to be exported; leave out export_format."
        raise ApiError(ErrorCode.INVALID_PARAMETERS, text)

    async def get_facts() -> Download:
        async with connector.open_export(file, export_format) as download:
            return download

    return Source(lambda _: connector.open_export(file, export_format), get_facts, has_ranges=False)


def build_version_source(connector: Connector, file: RawId, version: VersionId) -> Source:
    """The bytes that a file had once."""

    async def get_facts() -> Download:
        async with connector.open_version(file, version) as download:
            return download

    return Source(
        lambda byte_range: connector.open_version(file, version, byte_range=byte_range),
        get_facts,
        connector.capabilities.download_range,
    )


def build_headers(
    *, name: str, media_type: str | None, length_bytes: int | None, etag: str | None, modified_at: datetime | None
) -> dict[str, str]:
    """Headers of a file's bytes. They never run in the API's origin; JSON goes out as plain bytes, because the Python
    client parses whatever is called JSON and fails on arrays (contract 4.3).
    """
    if media_type is None or media_type.partition(";")[0].strip().lower() == "application/json":
        media_type = DEFAULT_MEDIA_TYPE
    ascii_name = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    quoted_name = quote(name, safe="", errors="replace")
    headers = {
        "Content-Type": "".join(c for c in media_type if " " <= c <= "~"),
        "Content-Disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quoted_name}",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "sandbox",
    }
    if length_bytes is not None:
        headers["Content-Length"] = str(length_bytes)
    if etag is not None:
        headers["ETag"] = quote_etag(etag)
    if modified_at is not None:
        headers["Last-Modified"] = format_date(modified_at)
    return headers


async def build_head_reply(
    source: Source, request_headers: Headers, *, extra_headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to HEAD: the headers of a whole download. `extra_headers` are added, whatever is answered."""
    facts = await source.get_facts()
    if isinstance(facts, File) and facts.export_formats:  # what comes has another name and type
        async with source.open(None) as download:
            facts = download
    headers = _build_headers_of(source, facts, facts.size_bytes, extra_headers)
    if is_unmodified(request_headers, facts):
        return _build_unmodified_reply(headers, extra_headers)
    reply = Response(headers=headers)
    if facts.size_bytes is None:
        del reply.headers["content-length"]  # that of this reply, which has no body, and not of the file
    return reply


def _build_headers_of(
    source: Source, facts: File | Download, length_bytes: int | None, extra_headers: Mapping[str, str] | None
) -> dict[str, str]:
    headers = build_headers(
        name=facts.name or DEFAULT_NAME,
        media_type=facts.media_type,
        length_bytes=length_bytes,
        etag=facts.etag,
        modified_at=facts.modified_at,
    )
    if not source.has_ranges or (isinstance(facts, Download) and not facts.has_ranges):
        headers["Accept-Ranges"] = "none"
    return headers | dict(extra_headers or {})


def _build_unmodified_reply(headers: dict[str, str], extra_headers: Mapping[str, str] | None) -> Response:
    kept = {"ETag", "Last-Modified", "Cache-Control", *(extra_headers or {})}
    return Response(status_code=304, headers={name: value for name, value in headers.items() if name in kept})


class DownloadReply(StreamReply):
    """Streams bytes. Starlette's watch for a client that leaves cancels the stream, which closes the source."""

    def __init__(
        self, source: Source, request_headers: Headers, *, extra_headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._source = source
        self._request_headers = request_headers
        self._extra_headers = extra_headers

    async def stream_response(self, send: Send) -> None:
        headers = self._request_headers
        byte_range = parse_range(headers) if self._source.has_ranges else None
        if byte_range is not None and not CONDITIONS.isdisjoint(headers):
            # They come before the range, which need not even fit the version that is there (RFC 9110 13.2.2).
            facts = await self._source.get_facts()
            if is_unmodified(headers, facts) or not is_range_fresh(headers, facts):
                byte_range = None
        async with self._source.open(byte_range) as download:
            await self._send(download, send)
        # Only now: with the last message the reply is over, and this task is cancelled whatever it is doing.
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, download: Download, send: Send) -> None:
        headers = _build_headers_of(self._source, download, download.length_bytes, self._extra_headers)
        status = 200
        if is_unmodified(self._request_headers, download):
            reply = _build_unmodified_reply(headers, self._extra_headers)
            await send({"type": "http.response.start", "status": 304, "headers": reply.raw_headers})
            return
        if download.content_range is not None:
            first, last = download.content_range
            total = "*" if download.size_bytes is None else download.size_bytes
            headers["Content-Range"] = f"bytes {first}-{last}/{total}"
            status = 206
        raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        # What breaks before the first byte is still answered as an error; and head and byte leave together.
        beginning = await anext(download.chunks, b"")
        await send({"type": "http.response.start", "status": status, "headers": raw_headers})
        if beginning:
            await send({"type": "http.response.body", "body": beginning, "more_body": True})
        async for chunk in download.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            # Once the client has left, sending waits for nothing: a source that is always ready would hold all up.
            await asyncio.sleep(0)
