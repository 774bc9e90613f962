"""The rules for uploads in parts: the rows say what exists, the connector holds the bytes, a claim finishes once."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

import structlog

from app.accounts.callers import build_connector, load_row
from app.core.clock import now
from app.core.errors import ApiError, ErrorCode
from app.core.keys import KeysError
from app.core.state import State
from app.models import UploadPart, UploadSession
from app.storage.opening import Storage
from app.transfers.sessions import open_state, seal_state
from app.uploads.repository import UploadRepository
from app.uploads.schemas import UploadStart
from connectors.core import resources
from connectors.core.bytesource import ByteSource
from connectors.core.connector import Connector
from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, Part, RawId, Ref

CLAIM_SECONDS = 600
BATCH_COUNT = 100
ABORTS_PARALLEL_MAX = 8
ABORTED_COUNT_MAX = 1000  # of an account that is deleted
ABORT_DAYS_MAX = 30
"""How long a storage is asked to abort an upload that is past its time; then it is given up."""
ENDED_UPLOAD_DAYS = 7
"""How long after its time an ended upload is remembered."""

TURN_SECONDS = 1.0
"""How long a part waits for the one before it when that is not to be seen."""
TURN_SECONDS_ELSEWHERE = 10.0
"""The same where it may be on its way to another process."""

log = structlog.get_logger("app.uploads")


async def start(storage: Storage, body: UploadStart, *, is_overwriting: bool) -> UploadSession:
    """Begins an upload at the storage and notes it."""
    parent = storage.present.decode_parent(body.parent_id)
    session = await storage.connector.start_upload(
        parent,
        body.name,
        size_bytes=body.size,
        on_conflict=OnConflict.REPLACE if is_overwriting else OnConflict.RENAME,
    )
    moment = now()
    row = UploadSession(
        account_id=storage.row.id,
        parent_raw_id=session.parent,
        name=session.name,
        on_conflict=session.on_conflict.value,
        size_bytes=session.size_bytes,
        part_size_bytes=session.part_size_bytes,
        sealed_state=seal_state(storage.state, storage.row.id, session.state),
        state="open",
        epoch=0,
        created_at=moment,
        expires_at=moment + timedelta(hours=storage.state.settings.upload_session_hours_max),
    )
    try:
        async with storage.state.db.writing() as db_session:
            await UploadRepository(db_session).add(row)
    except BaseException:
        await storage.connector.abort_upload(session)
        raise
    return row


async def get(storage: Storage, upload_id: int) -> UploadSession:
    """An upload of this account that can still go on; ApiError 404 for any other."""
    async with storage.state.db.reading() as session:
        row = await UploadRepository(session).find(upload_id, account_id=storage.row.id)
    if row is None or row.state == "aborted" or (row.state == "open" and row.expires_at < now()):
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such upload; it may have been aborted or have expired.")
    return row


async def put_part(storage: Storage, row: UploadSession, number: int, source: ByteSource) -> Part:
    """Stores one part. The same number again replaces it."""
    if row.state != "open":
        raise ApiError(ErrorCode.CONFLICT, "The upload is being completed; it takes no more parts.")
    with storage.state.signals.working(_name(row), number):
        previous = None
        if number > 1 and not storage.connector.capabilities.upload_parts_parallel:
            await _wait_for_turn(storage.state, row, number)
            previous = await _find_previous(storage.state, row, number)
        upload = _build_session(storage.state, row)
        part = await storage.connector.put_part(upload, number, source, previous=previous)
        async with storage.state.db.writing() as session:
            is_saved = await UploadRepository(session).save_part(
                UploadPart(
                    upload_session_id=row.id,
                    number=number,
                    size_bytes=part.size_bytes,
                    receipt=part.receipt,
                    created_at=now(),
                )
            )
            session.note_change(_name(row))
    if not is_saved:
        raise ApiError(ErrorCode.CONFLICT, "The upload was completed or aborted meanwhile.")
    return part


async def _wait_for_turn(state: State, row: UploadSession, number: int) -> None:
    """Clients send parts side by side also where a storage wants one after the other: each waits for the one before,
    as long as an earlier one is on its way here, or may be about to come.
    """
    seconds = TURN_SECONDS if state.settings.is_embedded else TURN_SECONDS_ELSEWHERE
    ends_at = monotonic() + seconds
    with state.signals.listening(_name(row)) as bell:
        while not state.signals.is_stopping:
            async with state.db.reading(is_newest=True) as session:
                if await UploadRepository(session).is_turn_of(row.id, number):
                    return
            if min(state.signals.list_at_work(_name(row)), default=number) < number:
                ends_at = monotonic() + seconds
            elif monotonic() > ends_at:
                return
            await bell.wait(TURN_SECONDS)


async def _find_previous(state: State, row: UploadSession, number: int) -> Part:
    """The part before this one. ApiError when it is not there: nothing is wrong with this one, it came too early."""
    async with state.db.reading(is_newest=True) as session:
        part = await UploadRepository(session).find_part(row.id, number - 1)
    if part is not None:
        return _build_part(part)
    raise ApiError(
        ErrorCode.CONFLICT,
        f"Parts go in order here, and part {number - 1} is not stored yet; send part {number} again after it.",
    )


def _name(row: UploadSession) -> str:
    return f"upload:{row.id}"


async def complete(storage: Storage, upload_id: int) -> File:
    """Makes the file of the parts. Repeating it after success gives the file again; a missing part is 400."""
    row = await get(storage, upload_id)
    if row.state == "finished" and row.result_raw_id is not None:
        found = await storage.connector.get(Ref("file", RawId(row.result_raw_id)))
        if isinstance(found, File):
            return found
    epoch = await _claim(storage.state, row)
    try:
        async with storage.state.db.reading() as session:
            rows = await UploadRepository(session).list_parts(
                row.id, limit=storage.connector.manifest.limits.upload_parts_max
            )
        parts = [_build_part(part) for part in rows]
        file = await storage.connector.finish_upload(_build_session(storage.state, row), parts)
    except (ConnectorError, ApiError) as error:
        # What may have been applied stays claimed until the claim ends by itself, so that nobody finishes it twice.
        if not (isinstance(error, ConnectorError) and error.maybe_applied):
            await _settle(storage.state, row, epoch, "open")
        raise
    await _settle(storage.state, row, epoch, "finished", result_raw_id=file.raw_id)
    return file


async def abort(storage: Storage, upload_id: int) -> None:
    """Ends an upload and frees what it held. ApiError 404 if it is finished or gone."""
    row = await get(storage, upload_id)
    if row.state == "finished":
        raise ApiError(ErrorCode.NOT_FOUND, "The upload is finished.")
    await _abort(storage.state, storage.connector, row)


async def abort_all(state: State, *, account_id: int) -> None:
    """Aborts all uploads of an account that is about to be deleted. What cannot be aborted is logged and left."""
    account = await load_row(state, account_id)
    async with state.db.reading(is_newest=True) as session:
        rows = await UploadRepository(session).list_unfinished(account_id, limit=ABORTED_COUNT_MAX)
    if account is None or not rows:
        return
    try:
        connector = build_connector(state, account)
    except (ConnectorError, ApiError, KeysError) as error:
        log.warning("uploads not aborted", account_id=account_id, count=len(rows), error=str(error))
        return

    async def abort_one(row: UploadSession) -> None:
        try:
            await _abort(state, connector, row)
        except (ConnectorError, ApiError) as error:
            log.warning("upload not aborted", upload_id=row.id, account_id=account_id, error=str(error))

    async with Crew(ABORTS_PARALLEL_MAX) as crew:
        for row in rows:
            await crew.wait_for_slot()
            crew.start(abort_one(row))


async def abort_expired(state: State) -> int:
    """Aborts uploads that are past their time, at the storage too, and those of deleted accounts; returns how many.

    What cannot be aborted is tried again the next time, until it is given up.
    """
    after_id, aborted_count = 0, 0
    while True:
        async with state.db.reading() as session:
            rows = await UploadRepository(session).list_expired(now=now(), after_id=after_id, limit=BATCH_COUNT)
        if not rows:
            return aborted_count
        for row in rows:
            aborted_count += await _abort_expired(state, row)
        after_id = rows[-1].id


async def _abort_expired(state: State, row: UploadSession) -> bool:
    is_given_up = row.expires_at < now() - timedelta(days=ABORT_DAYS_MAX)
    try:
        account = await load_row(state, row.account_id)
        if account is None or is_given_up:
            await _settle(state, row, await _claim(state, row), "aborted")
        else:
            await _abort(state, build_connector(state, account), row)
    except (ConnectorError, ApiError, KeysError) as error:
        log.warning("expired upload not aborted", upload_id=row.id, error=str(error))
        return False
    if is_given_up:
        log.warning("upload given up: its storage may still hold parts", upload_id=row.id, account_id=row.account_id)
    return True


async def delete_ended(state: State) -> int:
    """Forgets uploads that ended long ago; returns how many."""
    before = now() - timedelta(days=ENDED_UPLOAD_DAYS)
    return await state.db.delete_in_batches(
        lambda session, limit: UploadRepository(session).delete_ended(before=before, limit=limit),
        batch_count=BATCH_COUNT,
    )


async def _abort(state: State, connector: Connector, row: UploadSession) -> None:
    epoch = await _claim(state, row)
    try:
        await connector.abort_upload(_build_session(state, row))
    except ConnectorError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            await _settle(state, row, epoch, "open")
            raise
    await _settle(state, row, epoch, "aborted")


async def _claim(state: State, row: UploadSession) -> int:
    moment = now()
    async with state.db.writing() as session:
        epoch = await UploadRepository(session).claim(
            row.id, now=moment, until=moment + timedelta(seconds=CLAIM_SECONDS)
        )
    if epoch is None:
        raise ApiError(ErrorCode.CONFLICT, "The upload is being completed or aborted by another request.")
    return epoch


async def _settle(
    state: State, row: UploadSession, epoch: int, new_state: str, *, result_raw_id: str | None = None
) -> None:
    async with state.db.writing() as session:
        repository = UploadRepository(session)
        is_ours = await repository.settle(row.id, epoch=epoch, state=new_state, result_raw_id=result_raw_id)
        if is_ours and new_state != "open":
            await repository.delete_parts(row.id)


async def reseal_states(state: State, *, batch_count: int = 200) -> int:
    """Seals all stored states with the newest key; returns how many were sealed anew. Safe to repeat."""
    after_id, resealed_count = 0, 0
    while True:
        async with state.db.writing() as session:
            rows = await UploadRepository(session).list_sealed(after_id=after_id, limit=batch_count)
            for row in rows:
                if not state.keys.is_current(row.sealed_state):
                    # What an ended upload knew is worth nothing, and its key may be gone.
                    value = _build_session(state, row).state if row.state in {"open", "finishing"} else {}
                    row.sealed_state = seal_state(state, row.account_id, value)
                    resealed_count += 1
        if not rows:
            return resealed_count
        after_id = rows[-1].id


def _build_part(part: UploadPart) -> Part:
    return Part(part.number, part.size_bytes, part.receipt)


def _build_session(state: State, row: UploadSession) -> resources.UploadSession:
    return resources.UploadSession(
        parent=RawId(row.parent_raw_id),
        name=row.name,
        on_conflict=OnConflict(row.on_conflict),
        part_size_bytes=row.part_size_bytes,
        size_bytes=row.size_bytes,
        was_finishing=row.state == "finishing",  # and the claim has ended by itself
        state=open_state(state, row.account_id, row.sealed_state),
    )
