"""All queries on developers, applications and what belongs to them."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sqlalchemy import delete, func, select

from app.core.db import Repository
from app.core.errors import ApiError, ErrorCode
from app.models import ApiKey, Application, Developer, DeveloperToken, RedirectUri, ServiceKey, TrustedDomain

BelongingT = TypeVar("BelongingT", TrustedDomain, RedirectUri, ServiceKey)
"""What an application has lists of, beside its keys."""


class ApplicationRepository(Repository):
    """Reads and writes within one session. Deleted applications are never found."""

    async def find_developer_id_by_token(self, token_hash: str) -> int | None:
        return await self._session.scalar(
            select(DeveloperToken.developer_id).where(
                DeveloperToken.token_hash == token_hash, DeveloperToken.revoked_at.is_(None)
            )
        )

    async def find_application_id_by_key(self, key_hash: str) -> str | None:
        return await self._session.scalar(
            select(ApiKey.application_id)
            .join(Application, Application.id == ApiKey.application_id)
            .where(ApiKey.key_hash == key_hash, Application.deleted_at.is_(None), Application.is_active)
        )

    async def find(self, application_id: str, *, developer_id: int | None = None) -> Application | None:
        query = select(Application).where(Application.id == application_id, Application.deleted_at.is_(None))
        if developer_id is not None:
            query = query.where(Application.developer_id == developer_id)
        return await self._session.scalar(query)

    async def get(self, application_id: str, *, developer_id: int | None) -> Application:
        """The application; ApiError 404 if there is none, or it is somebody else's."""
        application = await self.find(application_id, developer_id=developer_id)
        if application is None:
            raise ApiError(ErrorCode.NOT_FOUND, "There is no such application.")
        return application

    async def list_page(
        self, *, developer_id: int | None, is_active: bool | None, offset: int, limit: int
    ) -> tuple[list[Application], int]:
        query = select(Application).where(Application.deleted_at.is_(None))
        if developer_id is not None:
            query = query.where(Application.developer_id == developer_id)
        if is_active is not None:
            query = query.where(Application.is_active == is_active)
        total = await self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        rows = await self._session.scalars(
            query.order_by(Application.created_at, Application.id).offset(offset).limit(limit)
        )
        return list(rows), total

    async def find_developer(self, developer_id: int) -> Developer | None:
        return await self._session.get(Developer, developer_id)

    async def add_developer(self, developer: Developer) -> int:
        self._writer.add(developer)
        await self._writer.flush()
        return developer.id

    def add(self, row: Application | ApiKey | DeveloperToken | TrustedDomain | RedirectUri | ServiceKey) -> None:
        self._writer.add(row)

    async def list_keys(self, application_id: str, *, offset: int = 0, limit: int = 1000) -> tuple[list[ApiKey], int]:
        query = select(ApiKey).where(ApiKey.application_id == application_id)
        total = await self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        return list(await self._session.scalars(query.order_by(ApiKey.id).offset(offset).limit(limit))), total

    async def delete_keys(self, application_id: str, key_hash: str | None = None) -> list[str]:
        """Deletes one key or all; returns the hashes of those that were there."""
        query = delete(ApiKey).where(ApiKey.application_id == application_id)
        if key_hash is not None:
            query = query.where(ApiKey.key_hash == key_hash)
        return list(await self._writer.scalars(query.returning(ApiKey.key_hash)))

    async def list_sealed_keys(self, *, after_id: int, limit: int) -> list[ApiKey]:
        return list(
            await self._session.scalars(
                select(ApiKey).where(ApiKey.id > after_id).order_by(ApiKey.id).limit(limit).with_for_update()
            )
        )

    async def list_belongings(
        self, kind: type[BelongingT], application_id: str, *, offset: int = 0, limit: int
    ) -> tuple[list[BelongingT], int]:
        """Oldest first, and how many there are."""
        query = select(kind).where(kind.application_id == application_id)
        total = await self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        return list(await self._session.scalars(query.order_by(kind.id).offset(offset).limit(limit))), total

    async def find_belonging(self, kind: type[BelongingT], application_id: str, number: int) -> BelongingT | None:
        return await self._session.scalar(select(kind).where(kind.id == number, kind.application_id == application_id))

    async def find_twin(self, row: BelongingT) -> BelongingT | None:
        """What stands where `row` would have to stand."""
        kind = type(row)
        column = {TrustedDomain: "host", RedirectUri: "uri", ServiceKey: "service"}[kind]
        return await self._session.scalar(
            select(kind).where(kind.application_id == row.application_id, getattr(kind, column) == getattr(row, column))
        )

    async def delete_belonging(self, kind: type[BelongingT], application_id: str, number: int) -> bool:
        query = delete(kind).where(kind.id == number, kind.application_id == application_id).returning(kind.id)
        return await self._writer.scalar(query) is not None

    async def list_sealed_service_keys(self, *, after_id: int, limit: int) -> list[ServiceKey]:
        return list(
            await self._session.scalars(
                select(ServiceKey)
                .where(ServiceKey.id > after_id)
                .order_by(ServiceKey.id)
                .limit(limit)
                .with_for_update()
            )
        )

    async def mark_deleted(self, application: Application, *, at: datetime) -> list[str]:
        """Hides the application for ever and deletes its keys; returns their hashes."""
        application.deleted_at = at
        return await self.delete_keys(application.id)
