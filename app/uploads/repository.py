"""All queries on uploads in parts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.core.db import Repository
from app.models import Account, UploadPart, UploadSession


class UploadRepository(Repository):
    """Reads and writes within one session. Claims are compare-and-set: who gets a row back holds it."""

    async def find(self, upload_id: int, *, account_id: int) -> UploadSession | None:
        return await self._session.scalar(
            select(UploadSession).where(UploadSession.id == upload_id, UploadSession.account_id == account_id)
        )

    async def add(self, row: UploadSession) -> None:
        self._writer.add(row)
        await self._writer.flush()

    async def save_part(self, part: UploadPart) -> bool:
        """Notes a stored part; False if the upload is not open any more."""
        is_open = await self._writer.scalar(
            update(UploadSession)
            .where(UploadSession.id == part.upload_session_id, UploadSession.state == "open")
            .values(state="open")
            .returning(UploadSession.id)
        )
        if is_open is None:
            return False
        insert = sqlite.insert if self._writer.get_bind().dialect.name == "sqlite" else postgresql.insert
        values = {"size_bytes": part.size_bytes, "receipt": part.receipt, "created_at": part.created_at}
        await self._writer.execute(
            insert(UploadPart)
            .values(upload_session_id=part.upload_session_id, number=part.number, **values)
            .on_conflict_do_update(index_elements=["upload_session_id", "number"], set_=values)
        )
        return True

    async def is_turn_of(self, upload_id: int, number: int) -> bool:
        """Whether the part before this one is stored, or nothing more can be."""
        before = select(UploadPart.number).where(
            UploadPart.upload_session_id == upload_id, UploadPart.number == number - 1
        )
        is_open = select(UploadSession.id).where(UploadSession.id == upload_id, UploadSession.state == "open")
        return bool(await self._session.scalar(select(or_(before.exists(), ~is_open.exists()))))

    async def find_part(self, upload_id: int, number: int) -> UploadPart | None:
        return await self._session.get(UploadPart, (upload_id, number))

    async def list_parts(self, upload_id: int, *, limit: int) -> list[UploadPart]:
        return list(
            await self._session.scalars(
                select(UploadPart)
                .where(UploadPart.upload_session_id == upload_id)
                .order_by(UploadPart.number)
                .limit(limit)
            )
        )

    async def claim(self, upload_id: int, *, now: datetime, until: datetime) -> int | None:
        """Takes an open upload, or one whose claim has ended; the claim's epoch, None if it is not to be had."""
        return await self._writer.scalar(
            update(UploadSession)
            .where(
                UploadSession.id == upload_id,
                or_(
                    UploadSession.state == "open",
                    and_(UploadSession.state == "finishing", UploadSession.claimed_until < now),
                ),
            )
            .values(state="finishing", epoch=UploadSession.epoch + 1, claimed_until=until)
            .returning(UploadSession.epoch)
        )

    async def settle(self, upload_id: int, *, epoch: int, state: str, result_raw_id: str | None = None) -> bool:
        """Ends a claim in `state`; False if somebody else has it by now."""
        row = await self._writer.scalar(
            update(UploadSession)
            .where(UploadSession.id == upload_id, UploadSession.state == "finishing", UploadSession.epoch == epoch)
            .values(state=state, claimed_until=None, result_raw_id=result_raw_id)
            .returning(UploadSession.id)
        )
        return row is not None

    async def delete_parts(self, upload_id: int) -> None:
        await self._writer.execute(delete(UploadPart).where(UploadPart.upload_session_id == upload_id))

    async def list_unfinished(self, account_id: int, *, limit: int) -> list[UploadSession]:
        """The uploads of an account that go on."""
        query = select(UploadSession).where(
            UploadSession.account_id == account_id, UploadSession.state.in_(("open", "finishing"))
        )
        return list(await self._session.scalars(query.order_by(UploadSession.id).limit(limit)))

    async def list_expired(self, *, now: datetime, after_id: int, limit: int) -> list[UploadSession]:
        """Uploads that go on although their time, or their account, has ended."""
        return list(
            await self._session.scalars(
                select(UploadSession)
                .join(Account, Account.id == UploadSession.account_id)
                .where(
                    UploadSession.id > after_id,
                    UploadSession.state.in_(("open", "finishing")),
                    or_(UploadSession.expires_at < now, Account.deleted_at.is_not(None)),
                )
                .order_by(UploadSession.id)
                .limit(limit)
            )
        )

    async def delete_ended(self, *, before: datetime, limit: int) -> int:
        """Deletes some of the uploads that ended and whose time was over before that moment; returns how many."""
        ended = (
            select(UploadSession.id)
            .where(UploadSession.state.in_(("finished", "aborted")), UploadSession.expires_at < before)
            .order_by(UploadSession.id)
            .limit(limit)
        )
        query = delete(UploadSession).where(UploadSession.id.in_(ended)).returning(UploadSession.id)
        return len(list(await self._writer.scalars(query)))

    async def list_sealed(self, *, after_id: int, limit: int) -> list[UploadSession]:
        return list(
            await self._session.scalars(
                select(UploadSession)
                .where(UploadSession.id > after_id)
                .order_by(UploadSession.id)
                .limit(limit)
                .with_for_update()
            )
        )
