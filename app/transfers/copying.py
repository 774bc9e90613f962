"""Stores one file at the target, in one piece or in parts, so that a crash at any point costs no finished part."""

from __future__ import annotations

import asyncio

import structlog

from app.core.errors import ApiError, ErrorCode
from app.transfers.hashing import Hashing
from app.transfers.jobs import NAMES_RACED_MAX, FileJob, build_race_error
from app.transfers.parts import PartsUpload, SessionGoneError, abort_begun
from app.transfers.sources import Reading, SourceChangedError
from app.transfers.trying import Tries
from app.transfers.verifying import COPY_CHANGED, judge
from connectors.core.bytesource import StreamSource
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, RawId, Ref

RESTARTS_MAX = 3
"""How often a file is begun from its first byte again because it changed meanwhile, or the target forgot its parts."""

log = structlog.get_logger("app.transfers")

WHOLE_HASHES = ("sha256", "md5")
"""What is computed of a file that is sent in one piece: one for ourselves, one that many storages tell."""


class OvertakenError(Exception):
    """What an earlier run had sent arrived late, and took the place of what this one stored."""


async def copy_file(job: FileJob, *, streams: asyncio.Semaphore) -> None:
    """Stores and verifies the file of a row, and writes the verdict down. ConnectorError and ApiError say why not.

    What was stored before is not stored again; where the source changed meanwhile, all of it is.
    """
    tries, may_be_overtaken = Tries(), _may_be_overtaken(job)
    while True:
        try:
            stored = await _store(job, streams)
            verdict = await judge(job, stored, streams=streams)
            if may_be_overtaken and (verdict.outcome == "stored_differs" or verdict is COPY_CHANGED):
                may_be_overtaken = False
                await _take_back(job)
                raise OvertakenError(verdict.reason)  # noqa: TRY301 - one of three reasons to begin anew
            await job.save(forgets_parts=True, outcome=verdict.outcome, reason=verdict.reason)
            job.run.progress.count(verdict.outcome)
        except (SourceChangedError, SessionGoneError, OvertakenError) as error:
            await _begin_anew(job, error)
        except ConnectorError as error:
            await tries.wait_or_raise(error)
        else:
            return


def _may_be_overtaken(job: FileJob) -> bool:
    """True when an earlier run may have had the whole file on its way when it ended, to a storage that takes whatever
    comes last; the others refuse what comes second.
    """
    row = job.row
    was_sent = row.state == "finishing" and row.epoch < job.run.task.epoch
    return was_sent and job.on_conflict is OnConflict.FAIL and not job.target.capabilities.upload_exclusive


async def _take_back(job: FileJob) -> None:
    """Deletes what this task stored, so that the name is free once more."""
    if job.row.target_raw_id is None:
        raise AssertionError("only what is stored is taken back")
    try:
        await job.target.delete(Ref("file", RawId(job.row.target_raw_id)))
    except ConnectorError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise


async def _store(job: FileJob, streams: asyncio.Semaphore) -> File | None:
    """Stores the file; what the target said of it, None if it was stored by an earlier run."""
    row = job.row
    if row.state == "stored":
        return None
    if row.state == "finishing":
        found = await job.find_stored()
        if isinstance(found, File):
            _note_stored(job, found)
            return found
    if row.sealed_state is not None or (row.size_bytes is not None and _needs_parts(job, row.size_bytes)):
        file = await PartsUpload(job, streams=streams).run()
        _note_stored(job, file)
        await job.save()
        return file
    return await _send_whole(job, streams)


def _needs_parts(job: FileJob, size_bytes: int) -> bool:
    limits = job.target.manifest.limits
    return job.target.capabilities.start_upload and size_bytes > limits.upload_part_bytes_default


async def _send_whole(job: FileJob, streams: asyncio.Semaphore) -> File:
    size_bytes, was_sent = job.row.size_bytes, job.row.state == "finishing"
    for _ in range(NAMES_RACED_MAX):
        name = await job.choose_name()
        # Written before the target is told, as what is sent in one piece is finished in the same breath.
        await job.save(state="finishing", epoch=job.run.task.epoch, target_name=name)
        hashing = Hashing(WHOLE_HASHES)
        async with streams, Reading(job.source, job.version) as reading:
            chunks = job.count(hashing.watch(reading.chunks))
            source = StreamSource(chunks, size_bytes=size_bytes, size_bytes_max=job.size_bytes_max)
            try:
                file = await job.target.upload(job.parent, name, source, on_conflict=job.on_conflict)
                _note_stored(job, file, size_bytes=hashing.size_bytes, digests=hashing.finish())
            except BaseException as error:
                job.run.progress.bytes_done -= hashing.size_bytes
                reading.raise_own()
                if not job.must_rename(error):
                    raise
            else:
                return file
        found = await job.find_stored() if was_sent else None
        if isinstance(found, File):  # what an earlier try had sent arrived in this moment
            _note_stored(job, found)
            return found
    raise build_race_error()


def _note_stored(
    job: FileJob, file: File, *, size_bytes: int | None = None, digests: dict[str, str] | None = None
) -> None:
    """What is written with the verdict: a crash before finds the row finishing, and the file in its place."""
    job.note(
        state="stored",
        target_raw_id=file.raw_id,
        target_name=file.name,
        sealed_state=None,
        part_size_bytes=None,
        intended_at=None,
        size_bytes=job.row.size_bytes if size_bytes is None else size_bytes,
        digests=digests or {},
        is_replacement=file.is_replacement,
    )


async def _begin_anew(job: FileJob, error: Exception) -> None:
    row = job.row
    if row.starts >= RESTARTS_MAX:
        raise ApiError(ErrorCode.REQUEST_FAILED, "It did not stay the same for long enough to be copied.") from error
    log.warning("file begun anew", file_id=row.id, state=row.state, reason=repr(error), cause=repr(error.__cause__))
    await abort_begun(job)
    version = await job.source.get_version()
    job.run.progress.bytes_done -= await job.save(
        forgets_parts=True,
        state="waiting",
        target_raw_id=None,
        digests={},
        starts=row.starts + 1,
        size_bytes=version.size_bytes,
        etag=version.etag,
        modified_at=version.modified_at,
        hashes=version.hashes,
    )
