"""The rules for developers, applications and API keys. A developer sees only its own applications."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from app.applications.belongings import copy_belongings
from app.applications.repository import ApplicationRepository
from app.applications.schemas import ApplicationCreate, ApplicationUpdate
from app.core.clock import now
from app.core.db import WriteSession
from app.core.errors import ApiError, ErrorCode
from app.core.http.credentials import Credentials
from app.core.state import State
from app.core.tokens import generate_token, hash_token
from app.models import ApiKey, Application, Developer, DeveloperToken, TrustedDomain

KEYS_MAX = 100
COPIED_FIELDS = ("name", "description", "logo_url", "implicit_grant_enabled", "recent_enabled", "events_grant_enabled")
_FIELD_OF = {"active": "is_active"}


@dataclass(frozen=True, slots=True)
class DeveloperCaller:
    """A developer, known by its Meta token."""

    developer_id: int


async def authenticate_developer(
    state: State, credentials: Credentials, *, before_look_up: Callable[[], None] = lambda: None
) -> DeveloperCaller:
    """Who shows this Meta token; ApiError 401 if nobody.

    `before_look_up` is called when the token is not remembered, and may raise instead.
    """
    if credentials.scheme == "apikey":
        raise ApiError(ErrorCode.UNAUTHORIZED, "This needs a developer's Meta token: 'Bearer <token>'.")
    token_hash = hash_token(credentials.secret)

    async def load() -> int | None:
        async with state.db.reading() as session:
            return await ApplicationRepository(session).find_developer_id_by_token(token_hash)

    developer_id = await state.cache.get(f"developer_token:{token_hash}", load, before_load=before_look_up)
    if developer_id is None:
        raise ApiError(ErrorCode.UNAUTHORIZED, "The Meta token is wrong or revoked.")
    return DeveloperCaller(developer_id)


async def find_application_id_by_key(
    state: State, key: str, *, before_look_up: Callable[[], None] = lambda: None
) -> str | None:
    """Which application owns this API key; None for a wrong or revoked one. `before_look_up` is as above."""
    key_hash = hash_token(key)

    async def load() -> str | None:
        async with state.db.reading() as session:
            return await ApplicationRepository(session).find_application_id_by_key(key_hash)

    return await state.cache.get(f"api_key:{key_hash}", load, before_load=before_look_up)


async def create_developer(session: WriteSession, *, name: str) -> tuple[int, str]:
    """A new developer and its Meta token, which is shown this once."""
    developer_id = await ApplicationRepository(session).add_developer(Developer(name=name))
    return developer_id, add_developer_token(session, developer_id=developer_id)


def add_developer_token(session: WriteSession, *, developer_id: int) -> str:
    """A further Meta token of a developer, which is shown this once."""
    token = generate_token()
    ApplicationRepository(session).add(DeveloperToken(developer_id=developer_id, token_hash=hash_token(token)))
    return token


async def create_application(
    state: State,
    session: WriteSession,
    *,
    developer_id: int,
    create: ApplicationCreate,
    application_id: str | None = None,
) -> tuple[Application, str]:
    """A new application and its first API key; ApiError 404 for a developer that does not exist."""
    repository = ApplicationRepository(session)
    if await repository.find_developer(developer_id) is None:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such developer.")
    moment = now()
    application = Application(
        id=application_id or secrets.token_urlsafe(24),
        developer_id=developer_id,
        description="",
        is_active=True,
        implicit_grant_enabled=False,
        recent_enabled=False,
        events_grant_enabled=False,
        created_at=moment,
        modified_at=moment,
    )
    source = None
    if create.source is not None:
        source = await repository.find(create.source, developer_id=developer_id)
        if source is None:
            raise ApiError(ErrorCode.INVALID_PARAMETERS, "source is not one of your applications.")
        for field in COPIED_FIELDS:
            setattr(application, field, getattr(source, field))
    _apply(application, create)
    repository.add(application)
    await session.flush()
    if source is not None:
        await copy_belongings(state, repository, source_id=source.id, target_id=application.id)
    _, key = _add_key(state, repository, application.id)
    return application, key


def _apply(application: Application, update: ApplicationUpdate) -> None:
    for field in update.model_fields_set - {"source"}:
        value = getattr(update, field)
        if value is not None or field == "logo_url":
            setattr(application, _FIELD_OF.get(field, field), value)


async def list_applications(state: State, *, limit: int) -> list[Application]:
    """All applications of all developers, oldest first; for the operator."""
    async with state.db.reading() as session:
        rows, _ = await ApplicationRepository(session).list_page(
            developer_id=None, is_active=None, offset=0, limit=limit
        )
    return rows


async def find_application(state: State, application_id: str) -> Application | None:
    """An application whoever owns it; for the operator."""
    async with state.db.reading() as session:
        return await ApplicationRepository(session).find(application_id)


async def update_application(
    state: State, *, caller: DeveloperCaller, application_id: str, update: ApplicationUpdate
) -> Application:
    """Changes what was given."""
    async with state.db.writing() as session:
        repository = ApplicationRepository(session)
        application = await repository.get(application_id, developer_id=caller.developer_id)
        _apply(application, update)
        application.modified_at = now()
        for key in (await repository.list_keys(application_id))[0]:
            session.note_change(f"api_key:{key.key_hash}")
        session.note_change(f"application:{application_id}")
    return application


async def delete_application(state: State, *, caller: DeveloperCaller, application_id: str) -> None:
    """Deletes an application: its keys stop working at once, its accounts cannot be reached any more."""
    async with state.db.writing() as session:
        repository = ApplicationRepository(session)
        application = await repository.get(application_id, developer_id=caller.developer_id)
        for key_hash in await repository.mark_deleted(application, at=now()):
            session.note_change(f"api_key:{key_hash}")
        session.note_change(f"application:{application_id}")


def _add_key(state: State, repository: ApplicationRepository, application_id: str) -> tuple[ApiKey, str]:
    key = generate_token()
    key_hash = hash_token(key)
    moment = now()
    row = ApiKey(
        application_id=application_id,
        key_hash=key_hash,
        sealed_key=state.keys.seal(key.encode(), purpose=f"api_key:{key_hash}"),
        created_at=moment,
        modified_at=moment,
    )
    repository.add(row)
    return row, key


async def create_key(state: State, *, developer_id: int | None, application_id: str) -> tuple[ApiKey, str]:
    """A further API key of an application."""
    async with state.db.writing() as session:
        repository = ApplicationRepository(session)
        await repository.get(application_id, developer_id=developer_id)
        _, total = await repository.list_keys(application_id, limit=1)
        if total >= KEYS_MAX:
            raise ApiError(ErrorCode.REQUEST_FAILED, f"An application has at most {KEYS_MAX} keys; delete one first.")
        return _add_key(state, repository, application_id)


async def list_keys(
    state: State, *, developer_id: int | None, application_id: str, offset: int = 0, limit: int = KEYS_MAX
) -> tuple[list[tuple[ApiKey, str]], int]:
    """An application's keys, oldest first, and how many there are."""
    async with state.db.reading() as session:
        repository = ApplicationRepository(session)
        await repository.get(application_id, developer_id=developer_id)
        rows, total = await repository.list_keys(application_id, offset=offset, limit=limit)
    return [(row, open_key(state, row)) for row in rows], total


def open_key(state: State, row: ApiKey) -> str:
    """The key itself."""
    return state.keys.open(row.sealed_key, purpose=f"api_key:{row.key_hash}").decode()


async def delete_key(state: State, *, developer_id: int | None, application_id: str, key: str) -> None:
    """Revokes a key at once, in all processes."""
    async with state.db.writing() as session:
        repository = ApplicationRepository(session)
        await repository.get(application_id, developer_id=developer_id)
        deleted = await repository.delete_keys(application_id, hash_token(key))
        if not deleted:
            raise ApiError(ErrorCode.NOT_FOUND, "The application has no such key.")
        session.note_change(f"api_key:{deleted[0]}")


async def find_live_application(state: State, application_id: str) -> Application | None:
    """The application, unless it is deleted or switched off."""
    async with state.db.reading() as session:
        application = await ApplicationRepository(session).find(application_id)
    return application if application is not None and application.is_active else None


async def is_application_live(state: State, application_id: str) -> bool:
    """False once the application is deleted or switched off; bearer tokens die with it."""

    async def load() -> bool | None:
        return True if await find_live_application(state, application_id) is not None else None

    return await state.cache.get(f"application:{application_id}", load) is True


def add_trusted_host(session: WriteSession, *, application_id: str, host: str) -> None:
    """Lets pages of this host receive the application's tokens."""
    ApplicationRepository(session).add(TrustedDomain(application_id=application_id, host=host))


async def reseal_keys(state: State, *, batch_count: int = 200) -> int:
    """Seals every stored API key with the newest sealing key; returns how many were sealed anew. Safe to repeat."""
    after_id, resealed_count = 0, 0
    while True:
        async with state.db.writing() as session:
            rows = await ApplicationRepository(session).list_sealed_keys(after_id=after_id, limit=batch_count)
            for row in rows:
                if not state.keys.is_current(row.sealed_key):
                    row.sealed_key = state.keys.seal(open_key(state, row).encode(), purpose=f"api_key:{row.key_hash}")
                    resealed_count += 1
        if not rows:
            return resealed_count
        after_id = rows[-1].id
