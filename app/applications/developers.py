"""The rules for what a developer says about itself."""

from __future__ import annotations

from app.applications.repository import ApplicationRepository
from app.applications.schemas import DeveloperUpdate
from app.core.clock import now
from app.core.db import AnySession
from app.core.errors import ApiError, ErrorCode
from app.core.state import State
from app.models import Developer


async def get_developer(state: State, developer_id: int) -> Developer:
    """A developer; ApiError 404."""
    async with state.db.reading() as session:
        return await _get(session, developer_id)


async def update_developer(state: State, developer_id: int, update: DeveloperUpdate) -> Developer:
    """Changes what was given."""
    async with state.db.writing() as session:
        developer = await _get(session, developer_id)
        for field in update.model_fields_set:
            value = getattr(update, field)
            if value is not None:
                setattr(developer, field, value)
        developer.modified_at = now()
    return developer


async def _get(session: AnySession, developer_id: int) -> Developer:
    developer = await ApplicationRepository(session).find_developer(developer_id)
    if developer is None:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such developer.")
    return developer
