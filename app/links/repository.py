"""All queries on links."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import case, delete, func, literal, or_, select, update

from app.core.db import Repository, UtcDateTime
from app.links.schemas import Ordering
from app.models import Account, Link


class LinkRepository(Repository):
    """Reads and writes within one session."""

    async def find(self, link_id: str, *, account_id: int) -> Link | None:
        return await self._session.scalar(select(Link).where(Link.id == link_id, Link.account_id == account_id))

    async def find_by_token(self, token_hash: str) -> Link | None:
        return await self._session.scalar(select(Link).where(Link.token_hash == token_hash))

    async def list_page(
        self, account_ids: Collection[int], *, is_active: bool | None, ordering: Ordering, offset: int, limit: int
    ) -> tuple[list[Link], int]:
        query = select(Link).where(Link.account_id.in_(account_ids))
        if is_active is not None:
            query = query.where(Link.is_active == is_active)
        total = await self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        column = Link.created_at if ordering.removeprefix("-") == "created" else Link.modified_at
        order = (column.desc(), Link.id.desc()) if ordering.startswith("-") else (column, Link.id)
        return list(await self._session.scalars(query.order_by(*order).offset(offset).limit(limit))), total

    async def lock_account(self, account_id: int) -> bool:
        """Keeps the account from being deleted until this transaction ends; False if it is deleted already."""
        query = select(Account.id).where(Account.id == account_id, Account.deleted_at.is_(None)).with_for_update()
        return await self._writer.scalar(query) is not None

    async def count(self, account_id: int) -> int:
        return await self._session.scalar(select(func.count(Link.id)).where(Link.account_id == account_id)) or 0

    def add(self, link: Link) -> None:
        self._writer.add(link)

    async def delete(self, link_id: str, *, account_id: int) -> bool:
        query = delete(Link).where(Link.id == link_id, Link.account_id == account_id).returning(Link.id)
        return await self._writer.scalar(query) is not None

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Deletes some of the links that had expired before that moment; returns how many."""
        expired = select(Link.id).where(Link.expires_at < before).order_by(Link.expires_at).limit(limit)
        return len(list(await self._writer.scalars(delete(Link).where(Link.id.in_(expired)).returning(Link.id))))

    async def take_attempt(self, link_id: str, *, now: datetime, since_min: datetime, attempts_max: int) -> bool:
        """Counts one more try of the password before it is made; False when there were enough since `since_min`."""
        is_over = or_(Link.attempts_since.is_(None), Link.attempts_since <= since_min)
        taken = await self._writer.scalar(
            update(Link)
            .where(Link.id == link_id, or_(is_over, Link.attempts_count < attempts_max))
            .values(
                attempts_count=case((is_over, 1), else_=Link.attempts_count + 1),
                attempts_since=case((is_over, literal(now, UtcDateTime())), else_=Link.attempts_since),
            )
            .returning(Link.id)
            .execution_options(synchronize_session=False)
        )
        return taken is not None

    async def return_attempt(self, link_id: str) -> None:
        """Takes one try back, as if it had not been made."""
        await self._writer.execute(
            update(Link)
            .where(Link.id == link_id, Link.attempts_count > 0)
            .values(attempts_count=Link.attempts_count - 1)
            .execution_options(synchronize_session=False)
        )

    async def list_sealed(self, *, after_id: str, limit: int) -> list[Link]:
        query = select(Link).where(Link.id > after_id).order_by(Link.id).limit(limit).with_for_update()
        return list(await self._session.scalars(query))
