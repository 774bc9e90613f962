"""All queries on journeys and authorization codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update

from app.core.db import Repository
from app.models import Account, AuthorizationCode, Consent, Journey


class ConnectRepository(Repository):
    """Reads and writes within one session."""

    def add(self, row: Journey | Consent | AuthorizationCode) -> None:
        self._writer.add(row)

    async def find(self, name_hash: str, *, now: datetime) -> Journey | None:
        """One that goes on."""
        return await self._session.scalar(
            select(Journey).where(
                Journey.name_hash == name_hash, Journey.expires_at > now, Journey.finished_at.is_(None)
            )
        )

    async def take_attempt(self, name_hash: str, *, attempts_max: int) -> bool:
        """Counts one more try of credentials before it is made; False when there were enough."""
        query = (
            update(Journey)
            .where(Journey.name_hash == name_hash, Journey.attempts_count < attempts_max)
            .values(attempts_count=Journey.attempts_count + 1)
            .returning(Journey.name_hash)
        )
        return await self._writer.scalar(query) is not None

    async def finish(self, name_hash: str, *, at: datetime) -> bool:
        """Ends a journey; False when it has ended already."""
        query = (
            update(Journey)
            .where(Journey.name_hash == name_hash, Journey.finished_at.is_(None), Journey.expires_at > at)
            .values(finished_at=at)
            .returning(Journey.name_hash)
        )
        return await self._writer.scalar(query) is not None

    async def find_consent(self, state_hash: str, *, now: datetime) -> Consent | None:
        """One whose answer is awaited."""
        return await self._session.scalar(
            select(Consent).where(Consent.state_hash == state_hash, Consent.expires_at > now)
        )

    async def take_consent(self, state_hash: str) -> bool:
        """Ends the waiting for an answer; False when somebody else did."""
        query = delete(Consent).where(Consent.state_hash == state_hash).returning(Consent.state_hash)
        return await self._writer.scalar(query) is not None

    async def take_code(self, code_hash: str, token_hash: str, *, at: datetime) -> bool:
        """Makes a code worth a token; False for one that was worth one already, has expired, or never was."""
        query = (
            update(AuthorizationCode)
            .where(
                AuthorizationCode.code_hash == code_hash,
                AuthorizationCode.token_hash.is_(None),
                AuthorizationCode.expires_at > at,
            )
            .values(token_hash=token_hash)
            .returning(AuthorizationCode.code_hash)
        )
        return await self._writer.scalar(query) is not None

    async def find_code(self, code_hash: str) -> tuple[AuthorizationCode, Account] | None:
        """A code and its live account."""
        row = (
            await self._session.execute(
                select(AuthorizationCode, Account)
                .join(Account, Account.id == AuthorizationCode.account_id)
                .where(AuthorizationCode.code_hash == code_hash, Account.deleted_at.is_(None))
            )
        ).first()
        return None if row is None else (row[0], row[1])

    async def delete_ended(self, *, before: datetime) -> int:
        """Forgets what ended before that; returns how many rows."""
        consents = await self._writer.scalars(
            delete(Consent)
            .where(Consent.journey_hash.in_(select(Journey.name_hash).where(Journey.expires_at < before)))
            .returning(Consent.state_hash)
        )
        journeys = await self._writer.scalars(
            delete(Journey).where(Journey.expires_at < before).returning(Journey.name_hash)
        )
        codes = await self._writer.scalars(
            delete(AuthorizationCode)
            .where(AuthorizationCode.expires_at < before)
            .returning(AuthorizationCode.code_hash)
        )
        return len(list(consents)) + len(list(journeys)) + len(list(codes))
