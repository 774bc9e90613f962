"""Stores one file in parts: what the target has is written down part by part, so that nothing is sent twice."""

from __future__ import annotations

import asyncio

import structlog
from msgspec import structs

from app.core.clock import now
from app.core.errors import ApiError
from app.transfers.hashing import Hashing
from app.transfers.jobs import NAMES_RACED_MAX, FileJob, Job, build_race_error
from app.transfers.repository import TransferRepository
from app.transfers.sessions import abort_strays, open_state, seal_state
from app.transfers.sources import Reading, SourceChangedError, check_version
from app.transfers.trying import Tries
from connectors.core.bytesource import ByteSource, BytesSource, StreamSource
from connectors.core.crew import Crew
from connectors.core.cutter import Cutter
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import ByteRange, File, Part, UploadSession

ABORT_SECONDS_MAX = 20.0
LOOKED_AGAIN_SECONDS = (0.5, 1.0, 2.0)
"""After which times it is looked again for a file that the target may still be making for whoever asked before."""

_GONE_KINDS = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_PARTS})

log = structlog.get_logger("app.transfers")


class SessionGoneError(Exception):
    """The target no longer knows the upload, or misses a part of it: all parts have to be sent anew."""


class PartsUpload:
    """One run of the upload of one file; `_stored` are the parts that the target has, with their digests."""

    def __init__(self, job: FileJob, *, streams: asyncio.Semaphore) -> None:
        self._job = job
        self._streams = streams
        self._stored: dict[int, tuple[Part, str]] = {}
        self._was_told = job.row.state == "finishing"  # by an earlier try, to make the file

    async def run(self) -> File:
        """Sends the parts that are missing and makes the file of them."""
        job = self._job
        session = await self._open_session()
        async with job.run.state.db.reading(is_newest=True) as db_session:
            rows = await TransferRepository(db_session).list_parts(
                job.row.id, limit=job.target.manifest.limits.upload_parts_max
            )
        self._stored = {row.number: (Part(row.number, row.size_bytes, row.receipt), row.sha256) for row in rows}
        if job.row.state != "finishing":
            if job.source.ranges_parallel_max > 1 and session.size_bytes is not None:
                await self._send_ranges(session, session.size_bytes)
            else:
                await self._send_stream(session)
            if not job.source.is_checked_on_open:
                await check_version(job.source, job.version)
            await job.save(state="finishing", epoch=job.run.task.epoch)
        return await self._finish(session)

    async def _open_session(self) -> UploadSession:
        job, row = self._job, self._job.row
        if row.sealed_state is not None:
            return build_session(job)
        await abort_begun(job)
        for _ in range(NAMES_RACED_MAX):
            name = await job.choose_name()
            # Whoever finds this without a state looks for an upload that was started and never written down.
            await job.save(state="started", epoch=job.run.task.epoch, target_name=name, intended_at=now())
            try:
                session = await job.target.start_upload(
                    job.parent, name, size_bytes=row.size_bytes, on_conflict=job.on_conflict
                )
            except ConnectorError as error:
                if not job.must_rename(error):
                    raise
            else:
                await self._note_session(session)
                return session
        raise build_race_error()

    async def _note_session(self, session: UploadSession) -> None:
        job = self._job
        sealed = seal_state(job.run.state, job.target_account_id, session.state)
        try:
            await job.save(sealed_state=sealed, part_size_bytes=session.part_size_bytes)
        except BaseException:
            # Who is stopped at that moment may have written it down all the same: then it is the next run's.
            if not await _is_written_down(job, sealed):
                await _abort_quietly(job, session)
            raise

    async def _send_ranges(self, session: UploadSession, size_bytes: int) -> None:
        """Reads and sends several parts at the same time."""
        target = self._job.target
        allowed = target.manifest.limits.upload_parts_parallel_max if target.capabilities.upload_parts_parallel else 1
        async with Crew(min(self._job.source.ranges_parallel_max, allowed)) as crew:
            for number, first in enumerate(range(0, size_bytes, session.part_size_bytes), 1):
                if number not in self._stored:
                    await crew.wait_for_slot()
                    last = min(size_bytes, first + session.part_size_bytes) - 1
                    crew.start(self._send_range(session, number, ByteRange(first, last)))

    async def _send_range(self, session: UploadSession, number: int, byte_range: ByteRange) -> None:
        first, last = byte_range.start or 0, byte_range.end or 0
        tries = Tries()
        while True:
            try:
                async with self._streams, Reading(self._job.source, self._job.version, byte_range) as reading:
                    hashing = Hashing()
                    chunks = self._job.count(hashing.watch(reading.chunks))
                    source = StreamSource(chunks, size_bytes=last - first + 1)
                    await self._put(session, number, source, reading, hashing)
                    return
            except ConnectorError as error:
                await tries.wait_or_raise(error)

    async def _send_stream(self, session: UploadSession) -> None:
        """Reads from front to back, from the first missing part on if the source can, and sends part after part."""
        job, size_bytes = self._job, session.size_bytes
        number = next(number for number in range(1, len(self._stored) + 2) if number not in self._stored)
        skipped_bytes = (number - 1) * session.part_size_bytes
        if size_bytes is not None and skipped_bytes >= size_bytes:
            return
        if not job.source.can_range:
            number, skipped_bytes = 1, 0
        byte_range = ByteRange(skipped_bytes) if skipped_bytes else None
        async with self._streams, Reading(job.source, job.version, byte_range) as reading:
            left_bytes = None if size_bytes is None else size_bytes - skipped_bytes
            cutter = Cutter(StreamSource(reading.chunks, size_bytes=left_bytes, size_bytes_max=job.size_bytes_max))
            try:
                while await cutter.has_more():
                    if number in self._stored:
                        await self._read_over(session, number, cutter)
                    else:
                        await self._send_piece(session, number, cutter, reading)
                    number += 1
            except ConnectorError:
                reading.raise_own()
                raise
            finally:
                await cutter.aclose()

    async def _read_over(self, session: UploadSession, number: int, cutter: Cutter) -> None:
        hashing = Hashing()
        async for _ in hashing.watch(cutter.read(session.part_size_bytes)):
            pass
        if hashing.finish()["sha256"] != self._stored[number][1]:
            raise SourceChangedError

    async def _send_piece(self, session: UploadSession, number: int, cutter: Cutter, reading: Reading) -> None:
        hashing = Hashing()
        source: ByteSource
        if session.size_bytes is None:  # how much is left is known only once it has been read
            source = BytesSource(await cutter.cut(session.part_size_bytes))
            async for chunk in self._job.count(hashing.watch(source.open())):
                del chunk
        else:
            first = (number - 1) * session.part_size_bytes
            size_bytes = min(session.part_size_bytes, session.size_bytes - first)
            source = StreamSource(self._job.count(hashing.watch(cutter.read(size_bytes))), size_bytes=size_bytes)
        await self._put(session, number, source, reading, hashing)

    async def _put(
        self, session: UploadSession, number: int, source: ByteSource, reading: Reading, hashing: Hashing
    ) -> None:
        """Sends one part; it counts once it is written down."""
        job = self._job
        try:
            previous, _ = self._stored.get(number - 1, (None, ""))
            part = await job.target.put_part(session, number, source, previous=previous)
            digest = hashing.finish()["sha256"]
            async with job.run.writing() as db_session:
                await TransferRepository(db_session).save_part(
                    job.row.id,
                    number,
                    size_bytes=part.size_bytes,
                    receipt=part.receipt,
                    sha256=digest,
                    created_at=now(),
                )
        except BaseException as error:
            job.run.progress.bytes_done -= hashing.size_bytes
            reading.raise_own()
            if isinstance(error, ConnectorError) and error.kind in _GONE_KINDS:
                raise SessionGoneError from error
            raise
        self._stored[number] = (part, digest)
        job.row.parts_count += 1

    async def _finish(self, session: UploadSession) -> File:
        job = self._job
        parts = [part for _, (part, _) in sorted(self._stored.items())]
        try:
            return await job.target.finish_upload(structs.replace(session, was_finishing=self._was_told), parts)
        except ConnectorError as error:
            if error.kind in _GONE_KINDS or error.is_replay:
                found = await self._find_finished(is_worth_waiting=self._was_told or error.is_replay)
                if found is not None:
                    return found
            if job.must_rename(error) or error.kind in _GONE_KINDS:
                raise SessionGoneError from error
            raise

    async def _find_finished(self, *, is_worth_waiting: bool) -> File | None:
        """The file, if an earlier try has made it, or does so in a moment: its upload is gone before it is seen."""
        for seconds in (*LOOKED_AGAIN_SECONDS, None) if is_worth_waiting else (None,):
            found = await self._job.find_stored()
            if isinstance(found, File):
                return found
            if seconds is not None:
                await asyncio.sleep(seconds)
        return None


def build_session(job: Job) -> UploadSession:
    """The upload in parts that is written down."""
    row = job.row
    if row.sealed_state is None or row.part_size_bytes is None or row.target_name is None:
        raise AssertionError("the row has no upload in parts")
    return UploadSession(
        parent=job.parent,
        name=row.target_name,
        on_conflict=job.on_conflict,
        part_size_bytes=row.part_size_bytes,
        size_bytes=row.size_bytes,
        state=open_state(job.run.state, job.target_account_id, row.sealed_state),
    )


async def abort_begun(job: Job) -> None:
    """Frees what the target holds of an upload that will not be finished, also if nobody wrote down what that is."""
    row = job.row
    if row.sealed_state is not None:
        await job.target.abort_upload(build_session(job))
    elif row.intended_at is not None and row.target_name is not None:
        state, account_id = job.run.state, job.target_account_id
        async with state.db.reading(is_newest=True) as session:
            sealed = await TransferRepository(session).list_known_states(account_id, row.target_name)
        known = [open_state(state, account_id, each) for each in sealed]
        await abort_strays(job.target, job.parent, row.target_name, intended_at=row.intended_at, known=known)
    if row.intended_at is not None:
        await job.save(sealed_state=None, part_size_bytes=None, intended_at=None)


async def _is_written_down(job: FileJob, sealed: str) -> bool:
    """True also when nobody can tell: what is not aborted is found again by its intent."""
    try:
        async with job.run.state.db.reading(is_newest=True) as session:
            row = await TransferRepository(session).get_file(job.row.id)
    except (ApiError, AssertionError):
        return True
    return row.sealed_state == sealed


async def _abort_quietly(job: FileJob, session: UploadSession) -> None:
    """Aborts what could not be written down; if that fails, too, the intent still leads to it."""
    try:
        async with asyncio.timeout(ABORT_SECONDS_MAX):
            await job.target.abort_upload(session)
    except Exception as error:  # noqa: BLE001 - the reason for aborting is what the caller must see
        log.warning("upload not aborted", error=str(error))
