"""A file's bytes as a reply: opened when the server is ready to send, closed when the client has them or leaves."""

from __future__ import annotations

import asyncio
from datetime import datetime
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from app.storage.ranges import format_date, is_range_fresh, is_unmodified, parse_range, quote_etag
from connectors.core.connector import Connector
from connectors.core.resources import Download, File, RawId, Ref

CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})
DEFAULT_MEDIA_TYPE = "application/octet-stream"


def build_headers(
    *, name: str, media_type: str | None, length_bytes: int | None, etag: str | None, modified_at: datetime | None
) -> dict[str, str]:
    """Headers of a file's bytes. They never run in the API's origin; JSON goes out as plain bytes, because the Python
    client parses whatever is called JSON and fails on arrays (contract 4.3).
    """
    if media_type is None or media_type.partition(";")[0].strip().lower() == "application/json":
        media_type = DEFAULT_MEDIA_TYPE
    ascii_name = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    headers = {
        "Content-Type": "".join(c for c in media_type if " " <= c <= "~"),
        "Content-Disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}",
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


def build_head_reply(file: File, request_headers: Headers) -> Response:
    """The answer to HEAD: the headers of a whole download."""
    headers = build_headers(
        name=file.name,
        media_type=file.media_type,
        length_bytes=file.size_bytes,
        etag=file.etag,
        modified_at=file.modified_at,
    )
    if is_unmodified(request_headers, file):
        return _build_unmodified_reply(headers)
    return Response(headers=headers)


def _build_unmodified_reply(headers: dict[str, str]) -> Response:
    kept = {"ETag", "Last-Modified", "Cache-Control"}
    return Response(status_code=304, headers={name: value for name, value in headers.items() if name in kept})


class DownloadReply(StreamingResponse):
    """Streams a file. Starlette's watch for a client that leaves cancels the stream, which closes the source."""

    def __init__(self, connector: Connector, file: RawId, *, name: str, request_headers: Headers) -> None:
        super().__init__(content=())
        self._connector = connector
        self._file = file
        self._name = name
        self._request_headers = request_headers

    async def stream_response(self, send: Send) -> None:
        headers = self._request_headers
        byte_range = parse_range(headers)
        if byte_range is not None and not CONDITIONS.isdisjoint(headers):
            # They come before the range, which need not even fit the version that is there (RFC 9110 13.2.2).
            file = await self._connector.get(Ref("file", self._file))
            if not isinstance(file, File):
                raise AssertionError("a file's reference gave a folder")
            if is_unmodified(headers, file) or not is_range_fresh(headers, file):
                byte_range = None
        async with self._connector.open_download(self._file, byte_range=byte_range) as download:
            await self._send(download, send)
        # Only now: with the last message the reply is over, and this task is cancelled whatever it is doing.
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, download: Download, send: Send) -> None:
        headers = build_headers(
            name=download.name or self._name,
            media_type=download.media_type,
            length_bytes=download.length_bytes,
            etag=download.etag,
            modified_at=download.modified_at,
        )
        status = 200
        if is_unmodified(self._request_headers, download):
            reply = _build_unmodified_reply(headers)
            await send({"type": "http.response.start", "status": 304, "headers": reply.raw_headers})
            return
        if download.content_range is not None:
            first, last = download.content_range
            total = "*" if download.size_bytes is None else download.size_bytes
            headers["Content-Range"] = f"bytes {first}-{last}/{total}"
            status = 206
        raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw_headers})
        async for chunk in download.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            # Once the client has left, sending waits for nothing: a source that is always ready would hold all up.
            await asyncio.sleep(0)
