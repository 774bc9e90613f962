"""Bytes on their way out: one version from beginning to end, or just the range that was asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import httpx

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import ByteRange, Download
from connectors.s3.api import is_partial, quote_etag, read_etag, read_head
from connectors.s3.keys import Place
from connectors.s3.storage import Storage

OFFSET_MAX = 2**63 - 1  # larger numbers are read in different ways
MD5 = re.compile(r"[0-9a-f]{32}")
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")


@asynccontextmanager
async def open_object(
    storage: Storage,
    raw_id: str,
    *,
    byte_range: ByteRange | None = None,
    if_match: str | None = None,
    version_id: str | None = None,
) -> AsyncIterator[Download]:
    """Opens a file's bytes, or those of one of its versions."""
    place = storage.layout.read(raw_id)
    if not place.key or place.key.endswith("/") or not place.can_be_sent:
        place, _ = await storage.get_file(raw_id)
    if not place.can_be_sent:
        text = "a segment of its key is '.' or '..', which no URL can hold, so its bytes cannot be had; rename it first"
        raise ConnectorError(ErrorKind.UNSUPPORTED, text)
    headers = {}
    if if_match is not None:
        headers["If-Match"] = quote_etag(_check_etag(if_match))
    if byte_range is not None:
        headers["Range"] = (await _limit(storage, place, byte_range, version_id)).header
    opening, reply = await _open(storage, place, headers, byte_range, version_id)
    try:
        download = _read_reply(place, reply, byte_range, if_match)
        is_doubtful = version_id is None and not storage.dialect.reads_if_match
        yield replace(download, chunks=_read_same(storage, place, download)) if is_doubtful else download
    finally:
        await opening.__aexit__(None, None, None)


async def _open(
    storage: Storage, place: Place, headers: dict[str, str], byte_range: ByteRange | None, version_id: str | None
) -> tuple[AbstractAsyncContextManager[httpx.Response], httpx.Response]:
    """The answer, and what ends it. A store that does not know ranges from the end is asked in other numbers."""
    opening = storage.api.get_object(place, headers, version_id=version_id)
    try:
        return opening, await opening.__aenter__()
    except ConnectorError as error:
        if error.kind is not ErrorKind.RANGE_INVALID or byte_range is None:
            raise
        if error.size_bytes is None:
            error.size_bytes = (await storage.api.head_object(place, version_id=version_id)).entry.size_bytes
        touched = byte_range.resolve(error.size_bytes)
        if touched is None or byte_range.start is not None:
            raise
    opening = storage.api.get_object(place, {**headers, "Range": ByteRange(*touched).header}, version_id=version_id)
    return opening, await opening.__aenter__()


async def _read_same(storage: Storage, place: Place, download: Download) -> AsyncIterator[bytes]:
    """The bytes, and unavailable when the file is another at their end than at their beginning.

    The last of them wait for the answer: whoever has as many as were announced takes them for good.
    """
    last, digest = b"", _choose_digest(storage, download)
    async for chunk in download.chunks:
        if last:
            yield last
        last = chunk
        if digest is not None:
            digest.update(chunk)
    head = await storage.find_head(place)
    is_same = head is not None and head.entry.etag == download.etag
    if not is_same or (digest is not None and digest.hexdigest() != download.etag):
        raise ConnectorError(ErrorKind.UNAVAILABLE, "the file was replaced while it was read; read it again")
    if last:
        yield last


def _choose_digest(storage: Storage, download: Download) -> hashlib._Hash | None:
    """What the bytes of a whole file are compared with, where its etag says what they are."""
    is_hash = storage.dialect.hashes_etags and MD5.fullmatch(download.etag or "") is not None
    return hashlib.md5(usedforsecurity=False) if is_hash and download.content_range is None else None


def _read_reply(place: Place, reply: httpx.Response, byte_range: ByteRange | None, if_match: str | None) -> Download:
    """What came; precondition_failed and range_invalid also where the store did not care about the condition."""
    etag = read_etag(reply.headers)
    if if_match is not None and etag != if_match:
        raise _other_version()
    size_bytes, content_range = _read_sizes(reply, byte_range)
    first, last = content_range or (0, (size_bytes or 0) - 1)
    length_bytes = None if size_bytes is None else last - first + 1
    head = read_head(place, reply.headers) if "content-length" in reply.headers else None
    if head and length_bytes not in {head.entry.size_bytes, None}:
        raise ConnectorError(ErrorKind.UNEXPECTED, "the store contradicts itself about the length of what it sends")
    return Download(
        _count(reply.aiter_raw(), length_bytes),
        size_bytes,
        content_range=content_range,
        media_type=reply.headers.get("content-type"),
        etag=etag,
        modified_at=head.entry.modified_at if head else None,
        name=place.name,
    )


def _read_sizes(reply: httpx.Response, byte_range: ByteRange | None) -> tuple[int | None, tuple[int, int] | None]:
    """The size of the whole file, and the range that came."""
    if not is_partial(reply):
        length = reply.headers.get("content-length")
        size_bytes = int(length) if length is not None else None
        return size_bytes, None if byte_range is None else _take_whole(byte_range, size_bytes)
    told = CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
    if told is None or byte_range is None:
        raise ConnectorError(ErrorKind.UNEXPECTED, "the store answered with a part of the file without saying which")
    first, last, size_bytes = (int(number) for number in told.groups())
    if byte_range.resolve(size_bytes) != (first, last):
        raise ConnectorError(
            ErrorKind.UNEXPECTED, "the store answered with another part of the file than was asked for"
        )
    return size_bytes, (first, last)


def _take_whole(byte_range: ByteRange, size_bytes: int | None) -> tuple[int, int]:
    """The range, when the whole file came and is what the range asked for."""
    if size_bytes is not None and byte_range.resolve(size_bytes) is None:
        raise ConnectorError(ErrorKind.RANGE_INVALID, "the range touches no byte of the file", size_bytes=size_bytes)
    if size_bytes is None or byte_range.resolve(size_bytes) != (0, size_bytes - 1):
        raise ConnectorError(ErrorKind.UNEXPECTED, "the store answered with the whole file instead of a part of it")
    return 0, size_bytes - 1


async def _count(chunks: AsyncIterator[bytes], length_bytes: int | None) -> AsyncIterator[bytes]:
    """The bytes, and unavailable when they end before they should."""
    seen_bytes = 0
    async for chunk in chunks:
        seen_bytes += len(chunk)
        yield chunk
    if length_bytes is not None and seen_bytes != length_bytes:
        text = f"the store sent {seen_bytes} bytes of the {length_bytes} that it announced"
        raise ConnectorError(ErrorKind.UNAVAILABLE, text)


async def _limit(storage: Storage, place: Place, byte_range: ByteRange, version_id: str | None) -> ByteRange:
    """The range in numbers that every store reads alike; range_invalid for one that cannot touch a byte."""
    start, end = byte_range.start, byte_range.end
    is_empty = start is None and not end
    if is_empty or (start is not None and start > OFFSET_MAX):
        head = await storage.api.head_object(place, version_id=version_id)
        text = "the range touches no byte of the file"
        raise ConnectorError(ErrorKind.RANGE_INVALID, text, size_bytes=head.entry.size_bytes)
    return ByteRange(start, None if end is None else min(end, OFFSET_MAX))


def _check_etag(etag: str) -> str:
    if not etag.isascii() or not etag.isprintable() or '"' in etag:
        raise _other_version()  # no store gives out such an etag
    return etag


def _other_version() -> ConnectorError:
    return ConnectorError(ErrorKind.PRECONDITION_FAILED, "the file has another etag now")
