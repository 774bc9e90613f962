"""What is kept of a request with a key: sealed, prolonged while it runs, in doubt when too much, gone after its day."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from app.core.clock import now
from app.core.db import Database
from app.core.errors import ApiError
from app.core.state import State
from app.idempotency.service import (
    REPLY_BYTES_MAX,
    Claim,
    Owner,
    Reply,
    claim,
    delete_expired,
    forget,
    keep_claim,
    keep_reply,
)
from app.models import IdempotentRequest
from tests.app.drive import read_json
from tests.servers.api import Api, Caller
from tests.servers.ports import find_free_port

KEY = {"Idempotency-Key": "one of a kind"}
REQUEST_ID = "00000000-0000-4000-8000-000000000001"
REPLY = Reply(201, [("content-type", "application/json")], b"{}")


def replace(state: State, **parts: Any) -> State:
    """A state with other parts."""
    return State(**{name: getattr(state, name) for name in State.__slots__} | parts)


async def find(state: State, number: int) -> IdempotentRequest | None:
    async with state.db.reading() as session:
        return await session.get(IdempotentRequest, number)


async def ask(state: State, caller: Caller, key: str = "key") -> Claim | Reply:
    owner = Owner(caller.application_id, None)
    return await claim(state, owner, route="POST /x", key=key, fingerprint="same", request_id=REQUEST_ID)


async def claim_first(state: State, caller: Caller) -> Claim:
    claimed = await ask(state, caller)
    assert isinstance(claimed, Claim)
    return claimed


def test_reply_is_stored_sealed(api: Api, caller: Caller, client: httpx.Client) -> None:
    token = read_json(client.post(f"{caller.account_url}/tokens", headers=KEY), status=201)["access_token"]

    async def read() -> list[Any]:
        async with api.state.db.reading() as session:
            table = IdempotentRequest.__table__
            query = select(table).where(table.c.application_id == caller.application_id)
            return list(await session.execute(query))

    (row,) = api.run(read())
    assert token not in str(row)
    assert KEY["Idempotency-Key"] not in str(row)


def test_repeat_is_told_to_look_first_when_the_reply_was_too_large_to_keep(api: Api, caller: Caller) -> None:
    async def try_it() -> ApiError:
        claimed = await claim_first(api.state, caller)
        await keep_reply(api.state, claimed, Reply(201, [], b"x" * (REPLY_BYTES_MAX + 1)))
        with pytest.raises(ApiError) as caught:
            await ask(api.state, caller)
        return caught.value

    assert "Look first" in api.run(try_it()).message


def test_claim_is_prolonged_while_its_request_runs(api: Api, caller: Caller) -> None:
    async def try_it() -> bool:
        claimed = await claim_first(api.state, caller)
        async with api.state.db.writing() as session:
            long_ago = now() - timedelta(seconds=100)
            await session.execute(
                update(IdempotentRequest).where(IdempotentRequest.id == claimed.number).values(claimed_until=long_ago)
            )
        async with keep_claim(api.state, claimed, every_seconds=0), asyncio.timeout(20):
            while (row := await find(api.state, claimed.number)) and row.claimed_until < now():
                pass
        await keep_reply(api.state, claimed, REPLY)
        return await ask(api.state, caller) == REPLY

    assert api.run(try_it())


def test_late_end_of_an_old_request_changes_nothing_of_a_new_one(api: Api, caller: Caller) -> None:
    async def try_it() -> IdempotentRequest | None:
        claimed = await claim_first(api.state, caller)
        old = Claim(claimed.number, claimed.name_hash, "00000000-0000-4000-8000-000000000002")
        await keep_reply(api.state, old, REPLY)
        await forget(api.state, old)
        return await find(api.state, claimed.number)

    row = api.run(try_it())
    assert row is not None
    assert (row.state, row.sealed_reply) == ("running", None)


def test_outcome_that_cannot_be_stored_is_no_error(api: Api, caller: Caller) -> None:
    """The effect is there: the client gets its reply, and a repeat is told to wait, later to look."""

    async def try_it() -> IdempotentRequest | None:
        claimed = await claim_first(api.state, caller)
        nowhere = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{find_free_port()}/none", seconds_max=1)
        broken = replace(api.state, db=nowhere)
        await keep_reply(broken, claimed, REPLY)
        await forget(broken, claimed)
        await nowhere.aclose()
        return await find(api.state, claimed.number)

    row = api.run(try_it())
    assert row is not None
    assert row.state == "running"


def test_only_requests_whose_day_is_over_are_swept(api: Api, caller: Caller) -> None:
    async def try_it() -> tuple[int, int]:
        for number in range(3):
            await keep_reply(api.state, await claim_key(number), REPLY)
        over = now() - timedelta(seconds=1)
        async with api.state.db.writing() as session:
            mine = IdempotentRequest.application_id == caller.application_id
            first = select(func.min(IdempotentRequest.id)).where(mine).scalar_subquery()
            await session.execute(update(IdempotentRequest).where(mine).values(expires_at=over))
            await session.execute(update(IdempotentRequest).where(mine).values(claimed_until=over))
            await session.execute(
                update(IdempotentRequest).where(IdempotentRequest.id == first).values(expires_at=now() + timedelta(1))
            )
        deleted_count = await delete_expired(api.state)
        async with api.state.db.reading() as session:
            left = await session.scalar(select(func.count()).select_from(IdempotentRequest).where(mine))
        return deleted_count, left or 0

    async def claim_key(number: int) -> Claim:
        claimed = await ask(api.state, caller, key=str(number))
        assert isinstance(claimed, Claim)
        return claimed

    deleted_count, left = api.run(try_it())
    assert deleted_count >= 2
    assert left == 1
