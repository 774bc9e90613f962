"""All queries on requests that callers made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, insert, select

from app.core.db import Repository
from app.models import LoggedRequest


class RequestRepository(Repository):
    """Reads and writes within one session."""

    async def add_all(self, rows: Sequence[dict[str, Any]]) -> None:
        table = cast("Table", LoggedRequest.__table__)  # as the session's objects rows cost twice as much
        await self._writer.execute(insert(table), rows)

    async def list_page(
        self,
        application_id: str,
        *,
        account_id: int | None,
        statuses: range | None,
        since: datetime | None,
        before_id: int | None,
        limit: int,
    ) -> list[LoggedRequest]:
        """The newest first."""
        query = select(LoggedRequest).where(LoggedRequest.application_id == application_id)
        if account_id is not None:
            query = query.where(LoggedRequest.account_id == account_id)
        if statuses is not None:
            query = query.where(LoggedRequest.status >= statuses.start, LoggedRequest.status < statuses.stop)
        if since is not None:
            query = query.where(LoggedRequest.started_at >= since)
        if before_id is not None:
            query = query.where(LoggedRequest.id < before_id)
        return list(await self._session.scalars(query.order_by(LoggedRequest.id.desc()).limit(limit)))

    async def find(self, request_id: str, *, application_id: str, account_id: int | None) -> LoggedRequest | None:
        query = select(LoggedRequest).where(
            LoggedRequest.request_id == request_id, LoggedRequest.application_id == application_id
        )
        if account_id is not None:
            query = query.where(LoggedRequest.account_id == account_id)
        return await self._session.scalar(query)

    async def trim(self, application_id: str, *, rows_max: int) -> None:
        """Forgets all but the newest of an application."""
        oldest_kept = (
            select(LoggedRequest.id)
            .where(LoggedRequest.application_id == application_id)
            .order_by(LoggedRequest.id.desc())
            .offset(rows_max)
            .limit(1)
            .scalar_subquery()
        )
        await self._writer.execute(
            delete(LoggedRequest)
            .where(LoggedRequest.application_id == application_id, LoggedRequest.id <= oldest_kept)
            .execution_options(synchronize_session=False)
        )

    async def delete_old(self, *, before: datetime, limit: int) -> int:
        """Forgets what was asked long ago; returns how many."""
        old = select(LoggedRequest.id).where(LoggedRequest.started_at < before).limit(limit)
        deleted = await self._writer.scalars(
            delete(LoggedRequest).where(LoggedRequest.id.in_(old)).returning(LoggedRequest.id)
        )
        return len(list(deleted))
