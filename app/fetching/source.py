"""A URL as the source of a file: one version of it, gone on with after a broken connection where its server allows."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus

import httpx

from app.core.errors import ApiError, ErrorCode
from app.fetching.client import UrlClient
from app.transfers.sources import SourceChangedError, Version
from connectors.core.errors import TEMPORARY_KINDS, ConnectorError
from connectors.core.resources import ByteRange

RESUMES_MAX = 5
"""How often one pass over the bytes goes on after a broken connection."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-\d{1,19}/(?:\d{1,19}|\*)", re.ASCII)


class UrlSource:
    """What stands at a URL. `get_version` keeps its reply open: the first pass from the beginning reads that one."""

    ranges_parallel_max = 1
    is_checked_on_open = True

    def __init__(self, client: UrlClient, url: str) -> None:
        self._client = client
        self._url = url
        self._first: httpx.Response | None = None
        self._open_replies = AsyncExitStack()
        self.can_range = False

    async def aclose(self) -> None:
        """Closes what is open."""
        self._first = None
        await self._open_replies.aclose()

    async def get_version(self) -> Version:
        await self.aclose()
        reply = await self._open_replies.enter_async_context(self._client.get(self._url, {}))
        self._first = reply
        version = _read_version(reply)
        self.can_range = (
            reply.headers.get("accept-ranges", "").strip().lower() == "bytes" and _name(version) is not None
        )
        return version

    def open(self, version: Version, byte_range: ByteRange | None) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._open(version, 0 if byte_range is None else byte_range.start or 0)

    @asynccontextmanager
    async def _open(self, version: Version, start: int) -> AsyncIterator[AsyncIterator[bytes]]:
        try:
            async with aclosing(self._read(version, start)) as chunks:
                yield chunks
        finally:
            await self.aclose()

    async def _read(self, version: Version, start: int) -> AsyncGenerator[bytes, None]:
        position, resumes = start, 0
        while True:
            try:
                async with aclosing(self._read_once(version, position)) as chunks:
                    async for chunk in chunks:
                        position += len(chunk)
                        yield chunk
            except ConnectorError as error:
                resumes += 1
                is_hopeless = error.kind not in TEMPORARY_KINDS or resumes > RESUMES_MAX
                if is_hopeless or not self.can_range:
                    raise
            else:
                return

    async def _read_once(self, version: Version, position: int) -> AsyncGenerator[bytes, None]:
        first, self._first = self._first, None
        if first is not None and position == 0:
            _check_same(first, version, position)
            async for chunk in first.aiter_raw():
                yield chunk
            return
        await self.aclose()
        headers = {}
        if position:
            headers = {"Range": f"bytes={position}-", "If-Range": _name(version) or ""}
        async with self._client.get(self._url, headers) as reply:
            _check_same(reply, version, position)
            async for chunk in reply.aiter_raw():
                yield chunk


def _read_version(reply: httpx.Response) -> Version:
    length = reply.headers.get("content-length", "")
    return Version(
        size_bytes=int(length) if re.fullmatch(r"\d{1,18}", length, re.ASCII) else None,
        etag=reply.headers.get("etag") or None,
        modified_at=_read_date(reply.headers.get("last-modified", "")),
    )


def _read_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def _name(version: Version) -> str | None:
    """What an If-Range header can name this version by (RFC 9110 13.1.5): no weak etag; None if there is nothing."""
    if version.etag is not None:
        return None if version.etag.startswith("W/") else version.etag
    return None if version.modified_at is None else format_datetime(version.modified_at, usegmt=True)


def _check_same(reply: httpx.Response, version: Version, position: int) -> None:
    if position == 0:
        if not _read_version(reply).is_same(version):
            raise SourceChangedError
        return
    if reply.status_code != HTTPStatus.PARTIAL_CONTENT:  # the whole of another version, or the range is past its end
        raise SourceChangedError
    found = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
    if found is None or int(found[1]) != position:
        raise ApiError(ErrorCode.REQUEST_FAILED, "The URL's server sent another part than it was asked for.")
