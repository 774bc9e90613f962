"""The rules of connecting: a journey belongs to one browser and leads to one result; a code is worth one token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from app.accounts.rows import AccountRow
from app.accounts.schemas import AccountUpdate
from app.accounts.service import add_token, connect_account, drop_token
from app.applications.belongings import is_registered
from app.applications.service import find_live_application
from app.connect.repository import ConnectRepository
from app.connect.wishes import ReturnPath, Wishes
from app.core.clock import now
from app.core.errors import ApiError, ErrorCode
from app.core.state import State
from app.core.tokens import generate_token, hash_token
from app.models import Application, AuthorizationCode, Journey, RedirectUri, TrustedDomain
from connectors.core.manifest import Manifest

JOURNEY_SECONDS_MAX = 1800
CODE_SECONDS_MAX = 60
ATTEMPTS_MAX = 20
"""How often credentials may be tried on one journey, so that nobody tries out other people's with it."""
RETENTION_HOURS = 24
"""How long ended journeys and codes are kept: a code that comes a second time ends the token that it became."""

ENDED = "This page has ended: it was used already, or stood open too long. Go back to the application and start again."


@dataclass(frozen=True, slots=True)
class Visit:
    """A journey that goes on, and for which application."""

    journey: Journey
    wishes: Wishes
    application_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an application gets at the end."""

    secret: str = field(repr=False)  # a code or a bearer token, as it wished
    scope: str
    account: AccountRow


async def find_application(state: State, application_id: str, back: ReturnPath) -> Application:
    """The application that asks. ApiError 400 if there is none, or it may not have results where it wants them."""
    application = await find_live_application(state, application_id)
    if application is None:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "The application that sent you here is not known.")
    if not back.is_out_of_band:
        if not await is_registered(state, RedirectUri(application_id=application_id, uri=back.redirect_uri)):
            raise ApiError(
                ErrorCode.INVALID_PARAMETERS,
                "The application wants you to be sent to an address that is not among its redirect URIs.",
            )
    elif back.origin is not None:
        host = back.origin.partition("://")[2]
        if not await is_registered(state, TrustedDomain(application_id=application_id, host=host)):
            raise ApiError(
                ErrorCode.FORBIDDEN,
                f"The page that sent you here, on {host}, is not among the application's trusted domains.",
            )
    return application


async def start(state: State, application_id: str, browser: str, wishes: Wishes) -> str:
    """Begins a journey and returns its name, a secret between us and the browser."""
    name, moment = generate_token(), now()
    async with state.db.writing() as session:
        ConnectRepository(session).add(
            Journey(
                name_hash=hash_token(name),
                browser_hash=hash_token(browser),
                application_id=application_id,
                wishes=msgspec.to_builtins(wishes),
                created_at=moment,
                expires_at=moment + timedelta(seconds=JOURNEY_SECONDS_MAX),
            )
        )
    return name


async def find(state: State, name: str, browser: str | None) -> Visit:
    """The journey of this browser. ApiError 404 when it has ended, or is another browser's."""
    return await find_by_hash(state, hash_token(name), browser)


async def find_by_hash(state: State, name_hash: str, browser: str | None) -> Visit:
    """As above, for those who know the hash of its name only."""
    async with state.db.reading() as session:
        journey = await ConnectRepository(session).find(name_hash, now=now())
        if journey is None or not secrets.compare_digest(journey.browser_hash, hash_token(browser or "")):
            raise ApiError(ErrorCode.NOT_FOUND, ENDED)
    application = await find_live_application(state, journey.application_id)
    if application is None:
        raise ApiError(ErrorCode.NOT_FOUND, ENDED)
    return Visit(journey, msgspec.convert(journey.wishes, Wishes), application.name)


async def cancel(state: State, visit: Visit) -> None:
    """Ends a journey without a result. ApiError 404 when it has ended already."""
    async with state.db.writing() as session:
        await _finish(ConnectRepository(session), visit.journey)


async def connect(state: State, visit: Visit, manifest: Manifest, credentials: dict[str, str]) -> Result:
    """Tries the credentials, saves the account, ends the journey. ConnectorError and ApiError say what is wrong."""
    await take_attempt(state, visit)
    return await grant(state, visit, await save(state, visit, manifest, credentials))


async def take_attempt(state: State, visit: Visit) -> None:
    """Counts one more try. ApiError 403 after too many."""
    async with state.db.writing() as session:
        if not await ConnectRepository(session).take_attempt(visit.journey.name_hash, attempts_max=ATTEMPTS_MAX):
            raise ApiError(ErrorCode.FORBIDDEN, "That was tried too often. Go back to the application and start again.")


async def save(state: State, visit: Visit, manifest: Manifest, credentials: dict[str, str]) -> AccountRow:
    """Tries credentials and saves the account, for a try that is counted already."""
    row, _ = await connect_account(
        state,
        application_id=visit.journey.application_id,
        service=manifest.service,
        credentials=credentials,
        update=AccountUpdate(custom_properties=visit.wishes.custom_properties),
    )
    return row


async def grant(state: State, visit: Visit, row: AccountRow) -> Result:
    """The one result of a journey. ApiError 404 when it has ended already."""
    wishes = visit.wishes
    scope, secret, moment = wishes.scope or row.scope, generate_token(), now()
    async with state.db.writing() as session:
        repository = ConnectRepository(session)
        await _finish(repository, visit.journey)
        if wishes.back.response_type == "code":
            repository.add(
                AuthorizationCode(
                    code_hash=hash_token(secret),
                    account_id=row.id,
                    redirect_uri=wishes.back.redirect_uri,
                    scope=scope,
                    created_at=moment,
                    expires_at=moment + timedelta(seconds=CODE_SECONDS_MAX),
                )
            )
        else:
            add_token(session, secret, account_id=row.id, scope=scope)
    return Result(secret=secret, scope=scope, account=row)


async def _finish(repository: ConnectRepository, journey: Journey) -> None:
    if not await repository.finish(journey.name_hash, at=now()):
        raise ApiError(ErrorCode.NOT_FOUND, ENDED)


async def redeem(state: State, code: str, *, application_id: str, redirect_uri: str) -> tuple[str, str, int] | None:
    """A bearer token for a code, its scope and its account; None unless all is right and the code comes for the first
    time. When it comes again the token that it became is revoked: one of two who had it is a thief (RFC 6749, 4.1.2).
    """
    code_hash, token, moment = hash_token(code), generate_token(), now()
    async with state.db.writing() as session:
        repository = ConnectRepository(session)
        found = await repository.find_code(code_hash)
        if found is None:
            return None
        row, account = found
        if account.application_id != application_id or row.redirect_uri != redirect_uri:
            return None
        if not await repository.take_code(code_hash, hash_token(token), at=moment):
            if row.token_hash is not None:
                await drop_token(session, row.token_hash)
            return None
        add_token(session, token, account_id=account.id, scope=row.scope)
        return token, row.scope, account.id


async def delete_ended(state: State) -> int:
    """Forgets journeys and codes that ended long ago; returns how many."""
    async with state.db.writing() as session:
        return await ConnectRepository(session).delete_ended(before=now() - timedelta(hours=RETENTION_HOURS))
