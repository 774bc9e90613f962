"""Bytes on their way out: what they are comes with them, in a header."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from connectors.core.checked import give_checked
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.exports import match_format
from connectors.core.media_types import read_media_type
from connectors.core.moments import read_moment
from connectors.core.resources import ByteRange, Download
from connectors.dropbox.errors import read_reason
from connectors.dropbox.hashing import ContentHash
from connectors.dropbox.mapping import read_raw_id
from connectors.dropbox.payloads import Entry, ExportMetadata
from connectors.dropbox.reading import Reader

EXPORTED = "unsupported_file"
"""Dropbox's word for what is exported, not downloaded."""

OFFSET_MAX = 2**53 - 1
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")


@asynccontextmanager
async def open_file(
    reader: Reader, raw_id: str, *, rev: str | None = None, byte_range: ByteRange | None, if_match: str | None = None
) -> AsyncIterator[Download]:
    """Opens a file's bytes, or those of one of its revisions. What came is compared with what was wanted."""
    asked = read_raw_id(raw_id)
    if not asked:
        raise ConnectorError(ErrorKind.WRONG_TYPE, "this is the root folder")
    path = asked if rev is None else f"rev:{rev}"
    headers = {}
    if byte_range is not None:
        headers["Range"] = (await _limit(reader, path, byte_range)).header
    async with AsyncExitStack() as stack:
        exported = None
        try:
            reply, entry = await stack.enter_async_context(reader.api.download(path, headers))
        except ConnectorError as error:
            if error.kind is ErrorKind.RANGE_INVALID and error.size_bytes is None:
                error.size_bytes = (await reader.api.get_metadata(path)).size
            if not read_reason(error).endswith(EXPORTED):
                raise
            if byte_range is not None:
                raise error.restated(message="documents that Dropbox exports come whole") from error
            reply, exported = await stack.enter_async_context(reader.api.export(path))
            entry = reader.api.read(exported.file_metadata)
        if if_match is not None and entry.rev != if_match:
            raise ConnectorError(ErrorKind.PRECONDITION_FAILED, "the file has another etag now")
        if entry.id != asked:
            raise ConnectorError(ErrorKind.NOT_FOUND, "the file has no such version")
        if exported is None:
            yield _build_download(reply, entry, byte_range)
        else:
            yield _build_export(reply, entry, exported.export_metadata)


@asynccontextmanager
async def open_export(reader: Reader, raw_id: str, export_format: str) -> AsyncIterator[Download]:
    """Opens a document that Dropbox exports, in one of the formats that it has for this one."""
    there = await reader.look(raw_id, "file")
    offered = {ending: read_media_type(f"document.{ending}") for ending in there.export_formats}
    chosen = match_format(export_format, offered)
    is_usual = there.export_info is not None and chosen == there.export_info.export_as  # it may not be named
    async with reader.api.export(raw_id, export_format=None if is_usual else chosen) as (reply, exported):
        yield _build_export(reply, reader.api.read(exported.file_metadata), exported.export_metadata)


async def _limit(reader: Reader, path: str, byte_range: ByteRange) -> ByteRange:
    """A range that is counted from the end, or cannot be, in numbers that need no thinking."""
    if byte_range.start is not None and byte_range.start <= OFFSET_MAX:
        return ByteRange(byte_range.start, None if byte_range.end is None else min(byte_range.end, OFFSET_MAX))
    entry = await reader.api.get_metadata(path)
    if not entry.is_file:
        raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a folder, not a file")
    touched = byte_range.resolve(entry.size or 0)
    if touched is None:
        raise ConnectorError(ErrorKind.RANGE_INVALID, "the range touches no byte of the file", size_bytes=entry.size)
    return ByteRange(*touched)


def _build_download(reply: httpx.Response, entry: Entry, byte_range: ByteRange | None) -> Download:
    size_bytes, content_range = entry.size or 0, None
    if byte_range is not None:
        told = CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
        first, last = (int(told[1]), int(told[2])) if told else (0, size_bytes - 1)
        if byte_range.resolve(size_bytes) != (first, last):
            raise ConnectorError(ErrorKind.UNEXPECTED, "Dropbox answered with another part of the file than was asked")
        content_range = (first, last)
    length_bytes = size_bytes if content_range is None else content_range[1] - content_range[0] + 1
    is_checked = length_bytes == size_bytes and entry.content_hash is not None
    checksum = ContentHash(entry.content_hash or "") if is_checked else None
    return Download(
        give_checked(reply.aiter_raw(), length_bytes=length_bytes, checksum=checksum),
        size_bytes,
        content_range=content_range,
        etag=entry.rev,
        modified_at=read_moment(entry.server_modified),
        name=entry.name,
    )


def _build_export(reply: httpx.Response, entry: Entry, told: ExportMetadata) -> Download:
    """What Dropbox made of a document of its own."""
    return Download(
        give_checked(reply.aiter_raw(), length_bytes=told.size),
        told.size,
        media_type=read_media_type(told.name),
        etag=entry.rev,
        modified_at=read_moment(entry.server_modified),
        name=told.name,
        has_ranges=False,
    )
