"""Bytes on their way out: those of one revision, or an export of a document; compared with Drive's checksums.

https://developers.google.com/drive/api/guides/manage-downloads
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from connectors.core.checked import give_checked
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.moments import read_moment
from connectors.core.resources import ByteRange, Download
from connectors.gdrive.drive import Drive
from connectors.gdrive.exports import choose_format
from connectors.gdrive.mapping import read_etag, read_number
from connectors.gdrive.payloads import SHORTCUT, DriveFile, Revision
from connectors.gdrive.uploads import Digests

_UNPINNED = frozenset({ErrorKind.NOT_FOUND, ErrorKind.PERMISSION_DENIED})


@asynccontextmanager
async def open_download(
    drive: Drive,
    raw_id: str,
    *,
    byte_range: ByteRange | None = None,
    if_match: str | None = None,
    export_format: str | None = None,
) -> AsyncIterator[Download]:
    """Opens a file, a shortcut's target, or a document's export, in the operator's format unless one is named."""
    file = await drive.get_file(raw_id)
    if file.mime_type == SHORTCUT:
        file = await drive.get_file((file.shortcut_details and file.shortcut_details.target_id) or "")
    async with AsyncExitStack() as stack:
        if file.is_native or export_format is not None:
            if byte_range is not None or if_match is not None:
                text = "documents of Google's own come whole, and without an etag"
                raise ConnectorError(ErrorKind.UNSUPPORTED, text)
            yield await _open_export(drive, stack, file, export_format)
            return
        if if_match is not None and read_etag(file) != if_match:
            raise ConnectorError(ErrorKind.PRECONDITION_FAILED, "the file has changed since")
        wanted = _Wanted(file, read_number(file.size or "0"), byte_range)
        reply = await _open_current(drive, stack, wanted, if_match)
        yield await wanted.build(stack, reply)


@asynccontextmanager
async def open_revision(
    drive: Drive, file: DriveFile, revision: Revision, byte_range: ByteRange | None
) -> AsyncIterator[Download]:
    """Opens the bytes of a revision; unsupported for documents of Drive's own."""
    if revision.size is None or file.is_native:
        raise ConnectorError(ErrorKind.UNSUPPORTED, "Google Drive gives no old bytes of its own documents")
    old = DriveFile(
        id=file.id,
        name=file.name,
        mime_type=revision.mime_type or file.mime_type,
        modified_time=revision.modified_time,
        md5_checksum=revision.md5_checksum,
        head_revision_id=revision.id,
    )
    wanted = _Wanted(old, read_number(revision.size), byte_range)
    async with AsyncExitStack() as stack:
        reply = await stack.enter_async_context(drive.api.open_revision(file.id, revision.id, wanted.headers))
        yield await wanted.build(stack, reply)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file's revision of known size, or a part of it."""

    file: DriveFile
    size_bytes: int
    byte_range: ByteRange | None

    @property
    def part(self) -> tuple[int, int] | None:
        """First and last byte; range_invalid when there is none."""
        if self.byte_range is None:
            return None
        part = self.byte_range.resolve(self.size_bytes)
        if part is None:
            text = f"the range touches none of the file's {self.size_bytes} bytes"
            raise ConnectorError(ErrorKind.RANGE_INVALID, text, size_bytes=self.size_bytes)
        return part

    @property
    def headers(self) -> Mapping[str, str]:
        return {} if self.part is None else {"Range": ByteRange(*self.part).header}

    async def build(self, stack: AsyncExitStack, reply: httpx.Response) -> Download:
        part = self.part
        told = reply.headers.get("content-range")
        if part is not None and (reply.status_code, told) != (
            HTTPStatus.PARTIAL_CONTENT,
            f"bytes {part[0]}-{part[1]}/{self.size_bytes}",
        ):
            raise ConnectorError(ErrorKind.UNAVAILABLE, "the file changed while it was opened, or no part of it came")
        length_bytes = self.size_bytes if part is None else part[1] + 1 - part[0]
        checksum = Digests(self.file) if length_bytes == self.size_bytes else None
        chunks = give_checked(reply.aiter_raw(), length_bytes=length_bytes, checksum=checksum)
        await stack.enter_async_context(aclosing(chunks))
        return Download(
            chunks,
            self.size_bytes,
            content_range=part,
            media_type=self.file.mime_type,
            etag=read_etag(self.file),
            modified_at=read_moment(self.file.modified_time),
            name=self.file.name,
        )


async def _open_current(drive: Drive, stack: AsyncExitStack, wanted: _Wanted, if_match: str | None) -> httpx.Response:
    """The bytes of the revision that was described, by its id where the account may read revisions.

    Others get what is there now: whole files are then compared by checksum, and parts by asking once more.
    """
    file = wanted.file
    if file.head_revision_id is not None and file.capabilities.can_read_revisions:
        try:
            opening = drive.api.open_revision(file.id, file.head_revision_id, wanted.headers)
            return await stack.enter_async_context(opening)
        except ConnectorError as error:
            if error.kind not in _UNPINNED:
                raise
    reply = await stack.enter_async_context(drive.api.open_file(file.id, wanted.headers))
    if if_match is not None and read_etag(await drive.get_file(file.id)) != if_match:
        raise ConnectorError(ErrorKind.PRECONDITION_FAILED, "the file has changed since")
    return reply


async def _open_export(drive: Drive, stack: AsyncExitStack, file: DriveFile, export_format: str | None) -> Download:
    ending, media_type = choose_format(file.mime_type, drive.formats, export_format)
    reply = await stack.enter_async_context(drive.api.open_export(file.id, media_type))
    return Download(
        reply.aiter_raw(),
        None,
        media_type=media_type,
        modified_at=read_moment(file.modified_time),
        name=f"{file.name}.{ending}",
        has_ranges=False,
    )
