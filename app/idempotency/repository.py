"""All queries on requests with an Idempotency-Key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.core.db import Repository
from app.models import IdempotentRequest


class IdempotencyRepository(Repository):
    """Reads and writes within one session. Claims are compare-and-set: who gets a number back holds the row."""

    async def claim(self, *, now: datetime, **values: Any) -> int | None:
        """Notes a request under its `name_hash`; the row's number, None if another one stands there and is not over."""
        insert = sqlite.insert if self._writer.get_bind().dialect.name == "sqlite" else postgresql.insert
        return await self._writer.scalar(
            insert(IdempotentRequest)
            .values(**values)
            .on_conflict_do_update(
                index_elements=["name_hash"],
                set_=values,
                where=(IdempotentRequest.expires_at <= now) & (IdempotentRequest.claimed_until <= now),
            )
            .returning(IdempotentRequest.id)
        )

    async def find(self, name_hash: str) -> IdempotentRequest | None:
        return await self._session.scalar(select(IdempotentRequest).where(IdempotentRequest.name_hash == name_hash))

    async def prolong(self, number: int, *, request_id: str, until: datetime) -> None:
        """Keeps a claim from ending."""
        await self._change(number, request_id, claimed_until=until)

    async def settle(self, number: int, *, request_id: str, state: str, sealed_reply: str | None) -> None:
        """Ends a claim; changes nothing if the row is another request's by now."""
        await self._change(number, request_id, state=state, sealed_reply=sealed_reply)

    async def _change(self, number: int, request_id: str, **values: Any) -> None:
        await self._writer.execute(
            update(IdempotentRequest)
            .where(
                IdempotentRequest.id == number,
                IdempotentRequest.request_id == request_id,
                IdempotentRequest.state == "running",
            )
            .values(**values)
        )

    async def delete(self, number: int, *, request_id: str) -> None:
        """Forgets a claimed request, as if it had never come."""
        await self._writer.execute(
            delete(IdempotentRequest).where(IdempotentRequest.id == number, IdempotentRequest.request_id == request_id)
        )

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Forgets requests whose time is over; returns how many."""
        expired = (
            select(IdempotentRequest.id)
            .where(IdempotentRequest.expires_at <= now, IdempotentRequest.claimed_until <= now)
            .limit(limit)
        )
        deleted = await self._writer.scalars(
            delete(IdempotentRequest).where(IdempotentRequest.id.in_(expired)).returning(IdempotentRequest.id)
        )
        return len(list(deleted))

    async def list_sealed(self, *, after_id: int, limit: int) -> list[IdempotentRequest]:
        return list(
            await self._session.scalars(
                select(IdempotentRequest)
                .where(IdempotentRequest.id > after_id, IdempotentRequest.sealed_reply.is_not(None))
                .order_by(IdempotentRequest.id)
                .limit(limit)
                .with_for_update()
            )
        )
