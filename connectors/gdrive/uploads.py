"""Bytes on their way in: small ones with their metadata, larger ones in chunks, uploads in parts; checked at the end.

https://developers.google.com/drive/api/guides/manage-uploads
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, NoReturn

from connectors.core.bytesource import ByteSource, CheckedSource
from connectors.core.cleanup import giving_up
from connectors.core.cutter import Cutter
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.media_types import read_media_type
from connectors.core.resources import OnConflict, Part, RawId, UploadSession
from connectors.core.uploads import choose_part_bytes, read_part
from connectors.gdrive.drive import Drive, Target, already_exists
from connectors.gdrive.manifest import CHUNK_BYTES_MULTIPLE, MANIFEST
from connectors.gdrive.mapping import read_hashes
from connectors.gdrive.payloads import SHORTCUT, DriveFile
from connectors.gdrive.receipts import read_receipt

SMALL_BYTES_MAX = 5 * 2**20  # in one request
CHUNK_BYTES = 8 * 2**20  # in memory, so that each can be sent again
DIGESTS = ("sha256", "md5")
"""What bytes are compared by; Drive tells at least one of them of every file that has bytes."""

UNKNOWN_TYPE = "application/octet-stream"


class Digests:
    """Checksums of bytes that pass by, made in a thread; `file` is whose bytes they are, where that is known before."""

    def __init__(self, file: DriveFile | None = None) -> None:
        self._file = file
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in DIGESTS}

    async def update(self, data: bytes) -> None:
        await asyncio.to_thread(self._update, data)

    def matches(self, file: DriveFile) -> bool:
        """False when Drive tells another checksum of the file."""
        told = read_hashes(file) or {}
        return all(told.get(name, made.hexdigest()) == made.hexdigest() for name, made in self._hashes.items())

    def is_right(self) -> bool:
        return self._file is not None and self.matches(self._file)

    def _update(self, data: bytes) -> None:
        for made in self._hashes.values():
            made.update(data)


async def store(drive: Drive, target: Target, source: ByteSource) -> DriveFile:
    """Stores all of a source; other bytes than were sent are an error, and do not stay."""
    if target.replaced is not None:
        check_replaceable(target.replaced)
    digests, cutter = Digests(), Cutter(CheckedSource(source))
    try:
        first = b"" if (source.size_bytes or 0) > SMALL_BYTES_MAX else await cutter.cut(SMALL_BYTES_MAX)
        await digests.update(first)
        if await cutter.has_more() or target.replaced is not None:  # sent twice in one request it is two revisions
            file = await _store_chunks(drive, target, first, cutter, digests)
        else:
            file = await _store_small(drive, target, first)
    finally:
        await cutter.aclose()
    if not digests.matches(file):
        await _take_back(drive, file, is_new=target.replaced is None)
    return file


async def start(
    drive: Drive, target: Target, name: str, *, size_bytes: int | None, on_conflict: OnConflict
) -> UploadSession:
    """Begins an upload in parts. Its size is not told to Drive, which would end it by itself with the last byte."""
    if target.replaced is not None:
        check_replaceable(target.replaced)
    replaced_id = target.replaced.id if target.replaced else None
    return UploadSession(
        parent=RawId(target.parent),
        name=name,
        on_conflict=on_conflict,
        part_size_bytes=choose_part_bytes(MANIFEST.limits, size_bytes),
        size_bytes=size_bytes,
        state={"url": await _begin(drive, target), "name": target.name, "replaced_id": replaced_id},
    )


async def put_part(
    drive: Drive, session: UploadSession, number: int, source: ByteSource, previous: Part | None
) -> Part:
    """Sends a part's whole multiples of 256 KiB; what is left, of the last part only, waits in the receipt.

    So nothing is complete before the upload is finished. A part that is there already is not sent again.
    """
    before = read_receipt(previous)
    data = await read_part(source, bytes_max=session.part_size_bytes)
    start_at, kept_bytes = (number - 1) * session.part_size_bytes, len(data) - len(data) % CHUNK_BYTES_MULTIPLE
    url = str(session.state["url"])
    have_bytes = await drive.api.put_bytes(url, b"", 0, None)
    if isinstance(have_bytes, DriveFile):
        raise ConnectorError(ErrorKind.INVALID_PARTS, "the upload is finished already")
    if kept_bytes and have_bytes < start_at:
        raise ConnectorError(ErrorKind.INVALID_PARTS, "Google Drive misses bytes of the parts before this one")
    await _send(drive, url, data[:kept_bytes], start_at, max(start_at, have_bytes))
    receipt = await before.go_on(data, tail=data[kept_bytes:])
    return Part(number=number, size_bytes=len(data), receipt=receipt.write())


async def finish(drive: Drive, session: UploadSession, parts: list[Part]) -> tuple[DriveFile, bool]:
    """The file, and whether it took another's place; already_exists when the name was taken since it was begun.

    Other bytes than were sent are an error, and do not stay.
    """
    receipt = read_receipt(parts[-1] if parts else None)
    total_bytes, tail, checksum = sum(part.size_bytes for part in parts), receipt.tail, receipt.finish()
    url, replaced_id = str(session.state["url"]), session.state["replaced_id"]
    have = await drive.api.put_bytes(url, b"", 0, None)
    if isinstance(have, DriveFile):  # finished before; what is there now may be somebody's newer bytes
        if not _is_of(have, checksum):
            raise ConnectorError(ErrorKind.UNEXPECTED, "the upload was finished before, and has other bytes now")
        return have, replaced_id is not None
    if have != total_bytes - len(tail):
        raise ConnectorError(ErrorKind.INVALID_PARTS, "parts are missing, or were sent again in another size")
    if replaced_id is not None:
        await drive.get_file(str(replaced_id))
        beside = []
    else:
        await drive.check_parent(session.parent)
        beside = await drive.find_named(session.parent, [str(session.state["name"])])
        if beside and (session.on_conflict is not OnConflict.REPLACE or any(file.is_folder for file in beside)):
            raise already_exists(beside[0])
    file = await drive.api.put_bytes(url, tail, total_bytes - len(tail), total_bytes)
    if not isinstance(file, DriveFile):
        raise ConnectorError(ErrorKind.INVALID_PARTS, "Google Drive misses bytes of this upload")
    if not _is_of(file, checksum):
        await _take_back(drive, file, is_new=replaced_id is None)
    for older in beside[:1]:
        await drive.trash(older.id)
    return file, replaced_id is not None or bool(beside)


def check_replaceable(file: DriveFile) -> None:
    """Refuses what has no bytes of its own: unsupported."""
    if file.is_native or file.mime_type == SHORTCUT:
        text = "documents of Google's own and shortcuts have no bytes that could be replaced"
        raise ConnectorError(ErrorKind.UNSUPPORTED, text)


async def _store_small(drive: Drive, target: Target, data: bytes) -> DriveFile:
    body, kind = _describe(target)
    return await drive.create(lambda file_id: drive.api.create_file_with({"id": file_id, **body}, data, kind))


async def _store_chunks(drive: Drive, target: Target, first: bytes, cutter: Cutter, digests: Digests) -> DriveFile:
    url = await _begin(drive, target)
    try:
        chunk, start_at = first, 0
        while await cutter.has_more():
            if chunk:
                start_at = await _send(drive, url, chunk, start_at, start_at)
            chunk = await cutter.cut(CHUNK_BYTES)
            await digests.update(chunk)
        file = await drive.api.put_bytes(url, chunk, start_at, start_at + len(chunk))
    except BaseException:
        async with giving_up():
            await drive.api.cancel_upload(url)
        raise
    if not isinstance(file, DriveFile):
        raise ConnectorError(ErrorKind.UNAVAILABLE, "Google Drive lost a part of the upload")
    return file


async def _begin(drive: Drive, target: Target) -> str:
    if target.replaced is not None:
        return await drive.api.start_upload(target.replaced.id, {}, target.replaced.mime_type)
    body, kind = _describe(target)
    return await drive.api.start_upload(None, body, kind)


async def _send(drive: Drive, url: str, data: bytes, data_at: int, start_at: int) -> int:
    """Sends what of the data comes from `start_at` on, and again what Drive did not take; where it ends."""
    end_at = data_at + len(data)
    while start_at < end_at:
        have_bytes = await drive.api.put_bytes(url, data[start_at - data_at :], start_at, None)
        if isinstance(have_bytes, DriveFile) or not start_at < have_bytes <= end_at:
            raise ConnectorError(ErrorKind.UNAVAILABLE, "Google Drive does not go on with the upload")
        start_at = have_bytes
    return end_at


def _is_of(file: DriveFile, checksum: str | None) -> bool:
    """False when Drive tells another SHA-256 of the file than this."""
    return checksum is None or (read_hashes(file) or {}).get("sha256", checksum) == checksum


async def _take_back(drive: Drive, file: DriveFile, *, is_new: bool) -> NoReturn:
    """Removes a new file, or the new bytes of an old one, because they are not those that were sent."""
    async with giving_up():
        if is_new:
            await drive.api.delete_file(file.id)
        elif file.head_revision_id is not None:
            await drive.api.delete_revision(file.id, file.head_revision_id)
    raise ConnectorError(ErrorKind.UNEXPECTED, "Google Drive stored other bytes than were sent; they were removed")


def _describe(target: Target) -> tuple[dict[str, Any], str]:
    """A new file's metadata and media type."""
    kind = read_media_type(target.name)
    told = {} if kind is None else {"mimeType": kind}  # else Drive looks at the bytes
    return {"name": target.name, "parents": [target.parent], **told}, kind or UNKNOWN_TYPE
