"""The rules for Idempotency-Key: a request is noted before it has any effect, and answered once.

What a repeat is told, by what became of the first request:

    it was answered       the same reply again, also when it says that the task it began has failed
    it runs               409, with a time to wait
    nobody knows          409: the server ended, or a storage did not answer; look first, then use a new key
    it failed, no effect  nothing was kept: the repeat is a first request
    it asked for more     422, whatever became of it: one key stands for one request
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import structlog
from msgspec import Struct

from app.core.clock import now
from app.core.errors import ApiError, ErrorCode
from app.core.state import State
from app.idempotency.repository import IdempotencyRepository
from app.models import IdempotentRequest

KEPT_HOURS = 24
CLAIM_SECONDS = 60.0
PROLONG_SECONDS = 20.0
RETRY_AFTER_SECONDS = 2
REPLY_BYTES_MAX = 256 * 1024
BATCH_COUNT = 1000

log = structlog.get_logger("app.idempotency")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose keys these are: an application's, by its API key, or one bearer token's. Others have the same key for
    other requests.
    """

    application_id: str
    token_hash: str | None


class Reply(Struct, frozen=True, array_like=True):
    """What a request was answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that is being answered, by this process alone."""

    number: int
    name_hash: str
    request_id: str


async def claim(
    state: State, owner: Owner, *, route: str, key: str, fingerprint: str, request_id: str
) -> Claim | Reply:
    """Notes the request, to be answered now, or gives the reply of the first one. ApiError 409, 422."""
    name = "\0".join((owner.application_id, owner.token_hash or "", route, key))
    name_hash = hashlib.sha256(name.encode()).hexdigest()
    moment = now()
    async with state.db.writing() as session:
        repository = IdempotencyRepository(session)
        number = await repository.claim(
            now=moment,
            application_id=owner.application_id,
            name_hash=name_hash,
            fingerprint=fingerprint,
            request_id=request_id,
            state="running",
            claimed_until=moment + timedelta(seconds=CLAIM_SECONDS),
            sealed_reply=None,
            created_at=moment,
            expires_at=moment + timedelta(hours=KEPT_HOURS),
        )
        row = None if number is not None else await repository.find(name_hash)
    if number is not None:
        return Claim(number, name_hash, request_id)
    return _answer_repeat(state, row, fingerprint)


def _answer_repeat(state: State, row: IdempotentRequest | None, fingerprint: str) -> Reply:
    if row is not None and row.fingerprint != fingerprint:
        raise ApiError(
            ErrorCode.IDEMPOTENCY_MISMATCH,
            f"This Idempotency-Key came before with another request ({row.request_id}); every request has its own key.",
        )
    if row is None or (row.state == "running" and row.claimed_until > now()):
        raise ApiError(
            ErrorCode.CONFLICT,
            "The first request with this Idempotency-Key is still running; wait, then repeat it with the same key.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    if row.state != "done" or row.sealed_reply is None:
        raise ApiError(
            ErrorCode.CONFLICT,
            f"Whether the first request with this Idempotency-Key ({row.request_id}) took effect is not known. Look "
            "first; if it did not, repeat it with a new key.",
        )
    return _open(state, row)


@asynccontextmanager
async def keep_claim(state: State, claimed: Claim, *, every_seconds: float = PROLONG_SECONDS) -> AsyncIterator[None]:
    """Prolongs the claim while the block runs. If the process dies, the claim ends by itself."""

    async def prolong() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            try:
                async with state.db.writing() as session:
                    await IdempotencyRepository(session).prolong(
                        claimed.number,
                        request_id=claimed.request_id,
                        until=now() + timedelta(seconds=CLAIM_SECONDS),
                    )
            except ApiError as error:
                log.warning("claim not prolonged", error=error.message)

    prolonging = asyncio.create_task(prolong())
    try:
        yield
    finally:
        prolonging.cancel()
        await asyncio.gather(prolonging, return_exceptions=True)


async def keep_reply(state: State, claimed: Claim, reply: Reply) -> None:
    """Repeats will get this reply."""
    if len(reply.body) > REPLY_BYTES_MAX:
        await keep_doubt(state, claimed)
        return
    sealed = state.keys.seal(msgspec.json.encode(reply), purpose=_purpose(claimed.name_hash))
    await _settle(state, claimed, "done", sealed)


async def keep_doubt(state: State, claimed: Claim) -> None:
    """Repeats will be told to look first."""
    await _settle(state, claimed, "unknown", None)


async def _settle(state: State, claimed: Claim, new_state: str, sealed_reply: str | None) -> None:
    # The effect is there, and the client shall hear of it: a database that is gone now must not turn it into an error.
    try:
        async with state.db.writing() as session:
            await IdempotencyRepository(session).settle(
                claimed.number, request_id=claimed.request_id, state=new_state, sealed_reply=sealed_reply
            )
    except ApiError as error:
        log.warning("outcome of a request not kept", request_id=claimed.request_id, error=error.message)


async def forget(state: State, claimed: Claim) -> None:
    """The request had no effect: the next one with this key is a first one."""
    try:
        async with state.db.writing() as session:
            await IdempotencyRepository(session).delete(claimed.number, request_id=claimed.request_id)
    except ApiError as error:
        log.warning("failed request not forgotten", request_id=claimed.request_id, error=error.message)


async def delete_expired(state: State) -> int:
    """Forgets requests that are older than their replies are kept; returns how many."""
    return await state.db.delete_in_batches(
        lambda session, limit: IdempotencyRepository(session).delete_expired(now=now(), limit=limit),
        batch_count=BATCH_COUNT,
    )


async def reseal_replies(state: State, *, batch_count: int = 200) -> int:
    """Seals all kept replies with the newest key; returns how many were sealed anew. Safe to repeat."""
    after_id, resealed_count = 0, 0
    while True:
        async with state.db.writing() as session:
            rows = await IdempotencyRepository(session).list_sealed(after_id=after_id, limit=batch_count)
            for row in rows:
                if row.sealed_reply is not None and not state.keys.is_current(row.sealed_reply):
                    plain = state.keys.open(row.sealed_reply, purpose=_purpose(row.name_hash))
                    row.sealed_reply = state.keys.seal(plain, purpose=_purpose(row.name_hash))
                    resealed_count += 1
        if not rows:
            return resealed_count
        after_id = rows[-1].id


def _open(state: State, row: IdempotentRequest) -> Reply:
    return msgspec.json.decode(state.keys.open(row.sealed_reply or "", purpose=_purpose(row.name_hash)), type=Reply)


def _purpose(name_hash: str) -> str:
    return f"reply:{name_hash}"
