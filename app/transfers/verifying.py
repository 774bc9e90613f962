"""Whether what the target holds is what the source gave: by size, by a hash that both know, else by reading it back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from app.transfers.hashing import Hashing
from app.transfers.jobs import FileJob
from app.transfers.repository import TransferRepository
from app.transfers.sources import Reading, SourceChangedError, check_version
from connectors.core.bytesource import StreamSource
from connectors.core.cutter import Cutter
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, RawId, Ref

HASHES_PREFERRED = ("sha256", "sha1", "md5")

_CHANGED = frozenset({ErrorKind.PRECONDITION_FAILED, ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE})
_REFUSED = frozenset({ErrorKind.UNSUPPORTED, ErrorKind.PERMISSION_DENIED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a stored file compares, and why if it is not verified."""

    outcome: Literal["verified", "stored_differs", "unverifiable"]
    reason: str | None = None


VERIFIED = Verdict("verified")
COPY_CHANGED = Verdict("unverifiable", "somebody changed the copy before it could be compared")


async def judge(job: FileJob, stored: File | None, *, streams: asyncio.Semaphore) -> Verdict:
    """Compares the file that was stored. `stored` is what the target just said of it, None if that was long ago."""
    row = job.row
    try:
        file = stored or await _get_stored(job)
        if row.size_bytes is not None and file.size_bytes not in {None, row.size_bytes}:
            return Verdict("stored_differs", f"it has {file.size_bytes} bytes there instead of {row.size_bytes}")
        told = _compare(row.digests, row.hashes, "its own storage tells another {}")
        if told is not None and told.outcome != "verified":
            return told
        verdict = _compare(row.hashes | row.digests, file.hashes or {}, "its {} is another there")
        return verdict or await _read_back(job, file, streams)
    except SourceChangedError:
        return Verdict("unverifiable", "the source changed before the copy could be compared with it")
    except ConnectorError as error:
        if error.kind in _CHANGED:
            return COPY_CHANGED
        if error.kind in _REFUSED:
            return Verdict("unverifiable", error.message)
        raise


async def _get_stored(job: FileJob) -> File:
    if job.row.target_raw_id is None:
        raise AssertionError("only what is stored is verified")
    file = await job.target.get(Ref("file", RawId(job.row.target_raw_id)))
    if not isinstance(file, File):
        raise AssertionError("a file's reference gave a folder")  # noqa: TRY004 - the connector's promise
    return file


def _compare(ours: Mapping[str, str], theirs: Mapping[str, str], words: str) -> Verdict | None:
    """By the best hash that both know; None if there is none."""
    shared = ours.keys() & theirs.keys()
    for name in (*HASHES_PREFERRED, *sorted(shared)):
        if name in shared:
            is_same = ours[name].lower() == theirs[name].lower()
            return VERIFIED if is_same else Verdict("stored_differs", words.format(name))
    return None


async def _read_back(job: FileJob, file: File, streams: asyncio.Semaphore) -> Verdict:
    if not file.is_downloadable:
        return Verdict("unverifiable", "the target tells no hash of it and does not let it be downloaded")
    expected = await _list_expected(job, streams)
    if_match = file.etag if job.target.capabilities.download_if_match else None
    async with (
        streams,
        job.target.open_download(file.raw_id, if_match=if_match) as download,
        aclosing(Cutter(StreamSource(download.chunks))) as cutter,
    ):
        for size_bytes, digest in expected:
            hashing = Hashing()
            async with aclosing(hashing.watch(cutter.read(size_bytes))) as chunks:
                async for _ in chunks:
                    pass
            if hashing.finish()["sha256"] != digest:
                return Verdict("stored_differs", "its bytes are others when they are read back")
        if await cutter.has_more():
            return Verdict("stored_differs", "it has more bytes when it is read back")
    return VERIFIED


async def _list_expected(job: FileJob, streams: asyncio.Semaphore) -> list[tuple[int, str]]:
    """Sizes and digests of what was sent, in order. Where no digest outlived a crash, the source is read again.

    SourceChangedError when that is another version by now.
    """
    row = job.row
    if row.parts_count:
        async with job.run.state.db.reading(is_newest=True) as session:
            parts = await TransferRepository(session).list_parts(
                row.id, limit=job.target.manifest.limits.upload_parts_max
            )
        if parts:
            return [(part.size_bytes, part.sha256) for part in parts]
    if "sha256" in row.digests and row.size_bytes is not None:
        return [(row.size_bytes, row.digests["sha256"])]
    hashing = Hashing()
    async with streams, Reading(job.source, job.version) as reading:
        try:
            async with aclosing(hashing.watch(reading.chunks)) as chunks:
                async for _ in chunks:
                    pass
        except ConnectorError:
            reading.raise_own()
            raise
    if not job.source.is_checked_on_open:
        await check_version(job.source, job.version)
    return [(hashing.size_bytes, hashing.finish()["sha256"])]
