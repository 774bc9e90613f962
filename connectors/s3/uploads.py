"""Uploads in parts: begun, fed, completed, given up. Nothing is seen of one before it is complete."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.core.bytesource import ByteSource, BytesSource, CheckedSource
from connectors.core.cleanup import giving_up
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, Part, Ref, UploadSession
from connectors.core.uploads import choose_part_bytes
from connectors.s3.keys import Place, split_name
from connectors.s3.parts_api import Receipt
from connectors.s3.payloads import Head
from connectors.s3.storage import Storage
from connectors.s3.writing import (
    Target,
    already_exists,
    build_headers,
    describe,
    explain_conflict,
    find_free,
    put_file,
)

PART_BUFFERED_BYTES_MAX = 128 * 2**20  # of a part whose size nobody says, which no store takes
PENDING_DAYS_MAX = 7  # how long an upload that nobody finishes keeps its name from others that may take another


async def start(storage: Storage, target: Target, *, size_bytes: int | None, on_conflict: OnConflict) -> UploadSession:
    """Begins an upload to a target. With RENAME names that other uploads are on their way to are not free."""
    if on_conflict is OnConflict.RENAME:
        target = await _avoid_pending(storage, target)
    part_size_bytes = choose_part_bytes(storage.limits, size_bytes)
    upload_id = await create_upload(storage, target.place, build_headers(target.name))
    return UploadSession(
        parent=storage.layout.write(target.folder),
        name=target.wanted_name,
        on_conflict=on_conflict,
        part_size_bytes=part_size_bytes,
        size_bytes=size_bytes,
        state=_build_state(target.place, target.name, upload_id),
    )


async def put_part(storage: Storage, session: UploadSession, number: int, source: ByteSource) -> Part:
    """Stores one part."""
    place, upload_id = _read_state(session)
    checked = CheckedSource(source)
    sized: ByteSource = checked if checked.size_bytes is not None else await _buffer_part(checked, session)
    try:
        etag = await storage.parts.put(place, upload_id, number, sized)
    except ConnectorError as error:
        raise await _explain_lost(storage, place, upload_id, error) from error
    return Part(number=number, size_bytes=checked.seen_bytes, receipt=etag)


async def finish(storage: Storage, session: UploadSession, parts: list[Part]) -> File:
    """Makes the file; already_exists when the name was taken since the upload began, unless it may be replaced."""
    place, upload_id = _read_state(session)
    receipts = [Receipt(part.number, part.receipt or "") for part in parts]
    target, taken = await _look_again(storage, session)
    size_bytes = sum(part.size_bytes for part in parts)
    if target.replaced is not None and _is_made_of(target.replaced, receipts, size_bytes):  # it was finished before
        await abort(storage, session)
        return storage.mapper.build_file(place, target.replaced.entry)
    if taken is not None:
        raise already_exists(taken)
    if not parts:
        file = await put_file(storage, target, CheckedSource(BytesSource(b"")))
        await abort(storage, session)
        return file
    if_absent = target.must_be_absent and storage.dialect.complete_if_absent
    try:
        completed = await storage.parts.complete(place, upload_id, receipts, if_absent=if_absent)
    except ConnectorError as error:
        head = await storage.find_head(place) if error.is_replay else None
        if head is None or not _is_made_of(head, receipts, size_bytes):
            known = await explain_conflict(storage, target, error) if if_absent else error
            raise await _explain_lost(storage, place, upload_id, known) from error
        return await describe(storage, target, size_bytes=size_bytes, etag=None)
    return await describe(storage, target, size_bytes=size_bytes, etag=completed.etag)


async def abort(storage: Storage, session: UploadSession) -> None:
    """Frees what an upload holds; one that is gone is no error."""
    place, upload_id = _read_state(session)
    try:
        await storage.parts.abort(place, upload_id)
    except ConnectorError as error:
        if (await _explain_lost(storage, place, upload_id, error)).kind is not ErrorKind.NOT_FOUND:
            raise


async def list_started(storage: Storage, folder: Place, name: str) -> list[UploadSession]:
    """The uploads that would make a file of this name; none in a folder that is not there."""
    if folder.is_above_buckets:
        return []
    place = folder.file(name)
    try:
        uploads = await storage.parts.list_uploads(place)
    except ConnectorError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            return []
        raise
    return [
        UploadSession(
            parent=storage.layout.write(folder),
            name=name,
            on_conflict=OnConflict.FAIL,
            part_size_bytes=storage.limits.upload_part_bytes_default,
            state=_build_state(place, name, upload.upload_id),
            started_at=upload.started_at,
        )
        for upload in uploads
        if upload.key == place.key
    ]


async def create_upload(storage: Storage, place: Place, headers: dict[str, str]) -> str:
    """A new upload's id. Cancelled in between, it is given up again, since nobody else knows of it."""
    creating = asyncio.ensure_future(storage.parts.create(place, headers))
    try:
        return await asyncio.shield(creating)
    except asyncio.CancelledError:
        async with giving_up():
            await storage.parts.abort(place, await creating)
        raise


async def _avoid_pending(storage: Storage, target: Target) -> Target:
    """A target that no other upload is on its way to, as far as the store tells."""
    stem, _ = split_name(target.wanted_name, is_folder=False)
    try:
        uploads = await storage.parts.list_uploads(target.folder.file(stem))
    except ConnectorError as error:
        if error.kind in {ErrorKind.PERMISSION_DENIED, ErrorKind.UNSUPPORTED}:
            return target
        raise
    since = datetime.now(UTC) - timedelta(days=PENDING_DAYS_MAX)
    keys = {upload.key for upload in uploads if upload.started_at is None or upload.started_at > since}
    if target.place.key not in keys:
        return target
    return await find_free(storage, target, frozenset(key[len(target.folder.key) :] for key in keys))


async def _buffer_part(source: CheckedSource, session: UploadSession) -> BytesSource:
    if session.part_size_bytes > PART_BUFFERED_BYTES_MAX:
        text = f"parts of more than {PART_BUFFERED_BYTES_MAX} bytes need their size said beforehand"
        raise ConnectorError(ErrorKind.UNSUPPORTED, text)
    data = bytearray()
    async for chunk in source.open():
        data += chunk
        if len(data) > session.part_size_bytes:
            text = f"a part of this upload has at most {session.part_size_bytes} bytes"
            raise ConnectorError(ErrorKind.INVALID_PARTS, text)
    return BytesSource(bytes(data))


async def _look_again(storage: Storage, session: UploadSession) -> tuple[Target, Ref | None]:
    """Where the upload goes, as things stand now; and what stands in its way."""
    folder, name = storage.layout.read(session.parent), str(session.state["name"])
    replaced, taken = await storage.find_taken(folder, name)
    target = Target(folder=folder, name=name, wanted_name=session.name, is_folder=False, replaced=replaced)
    may_replace = session.on_conflict is OnConflict.REPLACE and taken is not None and taken.kind == "file"
    return target, None if may_replace else taken


def _is_made_of(head: Head, receipts: list[Receipt], size_bytes: int) -> bool:
    """True when an object is these parts: its etag is made of theirs."""
    if not receipts or head.entry.size_bytes != size_bytes:
        return False
    try:
        joined = b"".join(bytes.fromhex(receipt.etag) for receipt in receipts)
    except ValueError:  # encrypted by a key of the owner's: etags say nothing then
        return False
    return head.entry.etag == f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(receipts)}"


async def _explain_lost(storage: Storage, place: Place, upload_id: str, error: ConnectorError) -> ConnectorError:
    """The error, or not_found when the reason is that the upload is gone: some stores only say that they failed."""
    if error.kind is not ErrorKind.UNAVAILABLE:
        return error
    try:
        await storage.parts.check(place, upload_id)
    except ConnectorError as reason:
        if reason.kind is ErrorKind.NOT_FOUND:
            return reason
    return error


def _build_state(place: Place, name: str, upload_id: str) -> dict[str, Any]:
    return {"key": place.key, "bucket": place.bucket, "name": name, "id": upload_id}


def _read_state(session: UploadSession) -> tuple[Place, str]:
    state = session.state
    return Place(str(state["bucket"]), str(state["key"])), str(state["id"])
