"""The rules for what belongs to an application: trusted domains, redirect URIs, OAuth clients of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from app.applications.repository import ApplicationRepository, BelongingT
from app.applications.schemas import ServiceKeyCreate, ServiceKeyUpdate
from app.core.clock import now
from app.core.db import AnySession
from app.core.errors import ApiError, ErrorCode
from app.core.state import State
from app.models import RedirectUri, ServiceKey, TrustedDomain
from connectors.core.oauth_settings import OAuthClient

BELONGINGS_MAX = 100
"""How many trusted domains an application may have, and redirect URIs, and service keys."""
SECRET_CHARACTERS_SHOWN = 4
SECRET_CHARACTERS_MIN = 16  # of shorter secrets nothing is shown


@dataclass(frozen=True, slots=True)
class Owner:
    """An application, and the developer it must belong to; for any other developer it is not there (ApiError 404)."""

    application_id: str
    developer_id: int


async def list_belongings(
    state: State, kind: type[BelongingT], owner: Owner, *, offset: int, limit: int
) -> tuple[list[BelongingT], int]:
    """A page, oldest first, and how many there are."""
    async with state.db.reading() as session:
        repository = await _open(session, owner)
        return await repository.list_belongings(kind, owner.application_id, offset=offset, limit=limit)


async def get_belonging(state: State, kind: type[BelongingT], owner: Owner, number: int) -> BelongingT:
    """One of them; ApiError 404."""
    async with state.db.reading() as session:
        repository = await _open(session, owner)
        return await _get(repository, kind, owner, number)


async def delete_belonging(state: State, kind: type[BelongingT], owner: Owner, number: int) -> None:
    """Removes it; ApiError 404."""
    async with state.db.writing() as session:
        repository = await _open(session, owner)
        if not await repository.delete_belonging(kind, owner.application_id, number):
            raise ApiError(ErrorCode.NOT_FOUND)


async def _open(session: AnySession, owner: Owner) -> ApplicationRepository:
    repository = ApplicationRepository(session)
    await repository.get(owner.application_id, developer_id=owner.developer_id)
    return repository


async def _get(repository: ApplicationRepository, kind: type[BelongingT], owner: Owner, number: int) -> BelongingT:
    row = await repository.find_belonging(kind, owner.application_id, number)
    if row is None:
        raise ApiError(ErrorCode.NOT_FOUND)
    return row


async def is_registered(state: State, row: BelongingT) -> bool:
    """True if the application has one like this."""
    async with state.db.reading() as session:
        return await ApplicationRepository(session).find_twin(row) is not None


async def add_trusted_domain(state: State, owner: Owner, *, host: str) -> tuple[TrustedDomain, bool]:
    """Trusts a host, and whether that is new."""
    return await _add(
        state, owner, lambda: TrustedDomain(application_id=owner.application_id, host=host, created_at=now())
    )


async def add_redirect_uri(state: State, owner: Owner, *, uri: str) -> tuple[RedirectUri, bool]:
    """Allows a redirect URI, and whether that is new."""
    return await _add(state, owner, lambda: RedirectUri(application_id=owner.application_id, uri=uri, created_at=now()))


async def add_service_key(state: State, owner: Owner, create: ServiceKeyCreate) -> ServiceKey:
    """Takes an OAuth client of the application's own. ApiError 400 for a service not offered, 409 for a second one."""
    if state.registry.find(create.service) is None:
        offered = ", ".join(sorted(entry.manifest.service for entry in state.registry))
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{create.service!r} is not offered here; offered: {offered}.")

    def build() -> ServiceKey:
        moment = now()
        return ServiceKey(
            application_id=owner.application_id,
            service=create.service,
            client_id=create.client_id,
            sealed_secret=_seal(state, owner.application_id, create.service, create.client_secret),
            created_at=moment,
            modified_at=moment,
        )

    row, is_new = await _add(state, owner, build)
    if not is_new:
        raise ApiError(
            ErrorCode.NAMING_CONFLICT,
            "The application has a key for this service; change or delete that one.",
            conflicting_resource_id=str(row.id),
        )
    return row


async def _add(state: State, owner: Owner, build: Callable[[], BelongingT]) -> tuple[BelongingT, bool]:
    """The row that `build` makes, or the one that is there already, and whether it is new."""
    try:
        return await _add_once(state, owner, build())
    except IntegrityError:  # another request added the same at the same moment: now it is found
        return await _add_once(state, owner, build())


async def _add_once(state: State, owner: Owner, row: BelongingT) -> tuple[BelongingT, bool]:
    async with state.db.writing() as session:
        repository = await _open(session, owner)
        twin = await repository.find_twin(row)
        if twin is not None:
            return twin, False
        _, total = await repository.list_belongings(type(row), row.application_id, limit=1)
        if total >= BELONGINGS_MAX:
            raise ApiError(ErrorCode.REQUEST_FAILED, f"An application has at most {BELONGINGS_MAX}; delete one first.")
        repository.add(row)
        await session.flush()
    return row, True


async def update_service_key(state: State, owner: Owner, number: int, update: ServiceKeyUpdate) -> ServiceKey:
    """Changes what was given. The shown form of the secret, sent back, changes nothing."""
    async with state.db.writing() as session:
        repository = await _open(session, owner)
        row = await _get(repository, ServiceKey, owner, number)
        if update.service not in {None, row.service}:
            raise ApiError(ErrorCode.INVALID_PARAMETERS, "The service of a key cannot be changed; make a new one.")
        if update.client_id is not None:
            row.client_id = update.client_id
        if update.client_secret not in {None, hide_secret(state, row)}:
            row.sealed_secret = _seal(state, row.application_id, row.service, update.client_secret or "")
        row.modified_at = now()
    return row


def hide_secret(state: State, row: ServiceKey) -> str:
    """What is shown of the secret: its end, so that its owner can tell which one it is."""
    secret = open_secret(state, row)
    shown = secret[-SECRET_CHARACTERS_SHOWN:] if len(secret) >= SECRET_CHARACTERS_MIN else ""
    return f"********{shown}"


def open_secret(state: State, row: ServiceKey) -> str:
    """The secret itself."""
    return state.keys.open(row.sealed_secret, purpose=_purpose(row.application_id, row.service)).decode()


async def find_own_client(state: State, application_id: str, service: str) -> OAuthClient | None:
    """The OAuth client that the application has of its own at a service."""
    async with state.db.reading() as session:
        row = await ApplicationRepository(session).find_twin(ServiceKey(application_id=application_id, service=service))
    return None if row is None else OAuthClient(client_id=row.client_id, client_secret=open_secret(state, row))


async def list_own_services(state: State, application_id: str) -> set[str]:
    """The services at which the application has a client of its own."""
    async with state.db.reading() as session:
        rows, _ = await ApplicationRepository(session).list_belongings(ServiceKey, application_id, limit=BELONGINGS_MAX)
    return {row.service for row in rows}


def _seal(state: State, application_id: str, service: str, secret: str) -> str:
    return state.keys.seal(secret.encode(), purpose=_purpose(application_id, service))


def _purpose(application_id: str, service: str) -> str:
    return f"service_key:{application_id}:{service}"


async def copy_belongings(state: State, repository: ApplicationRepository, *, source_id: str, target_id: str) -> None:
    """Gives another application of the same developer all that belongs to the first."""
    moment = now()
    for domain in (await repository.list_belongings(TrustedDomain, source_id, limit=BELONGINGS_MAX))[0]:
        repository.add(TrustedDomain(application_id=target_id, host=domain.host, created_at=moment))
    for redirect in (await repository.list_belongings(RedirectUri, source_id, limit=BELONGINGS_MAX))[0]:
        repository.add(RedirectUri(application_id=target_id, uri=redirect.uri, created_at=moment))
    for key in (await repository.list_belongings(ServiceKey, source_id, limit=BELONGINGS_MAX))[0]:
        repository.add(
            ServiceKey(
                application_id=target_id,
                service=key.service,
                client_id=key.client_id,
                sealed_secret=_seal(state, target_id, key.service, open_secret(state, key)),
                created_at=moment,
                modified_at=moment,
            )
        )


async def reseal_service_keys(state: State, *, batch_count: int = 200) -> int:
    """Seals every stored secret with the newest key; returns how many were sealed anew. Safe to repeat."""
    after_id, resealed_count = 0, 0
    while True:
        async with state.db.writing() as session:
            rows = await ApplicationRepository(session).list_sealed_service_keys(after_id=after_id, limit=batch_count)
            for row in rows:
                if not state.keys.is_current(row.sealed_secret):
                    row.sealed_secret = _seal(state, row.application_id, row.service, open_secret(state, row))
                    resealed_count += 1
        if not rows:
            return resealed_count
        after_id = rows[-1].id
