"""The rules for accounts: importing, changing, deleting, and the tokens that open them."""

from __future__ import annotations

import hmac
from contextlib import suppress
from functools import partial

from sqlalchemy.exc import IntegrityError

from app.accounts.callers import find_service
from app.accounts.clients import find_client
from app.accounts.credentials import (
    check_credentials,
    collect_credentials,
    inherit_refresh_token,
    open_credentials,
    replace_credentials,
    seal_credentials,
)
from app.accounts.listing import COUNT
from app.accounts.renewing import keep_credentials
from app.accounts.repository import AccountFilter, AccountRepository
from app.accounts.rows import AccountRow, build_row
from app.accounts.schemas import AccountImport, AccountUpdate
from app.accounts.scopes import parse_scopes
from app.accounts.trying import Tried, try_credentials
from app.core.clock import now
from app.core.db import WriteSession
from app.core.errors import ApiError, ErrorCode
from app.core.keys import KeysError
from app.core.state import State
from app.core.tokens import generate_token, hash_token
from app.models import Account, BearerToken
from app.tasks.service import cancel_all
from connectors.core.connector import Connector
from connectors.core.manifest import OAuth2
from connectors.core.oauth_settings import CLIENT_ID
from connectors.core.resources import Identity, Probe

DEFAULT_PERMISSION = "default"
UNKNOWN_IDENTITY = "unverified:"


async def connect_account(
    state: State,
    *,
    application_id: str,
    service: str,
    credentials: dict[str, str],
    label: str | None = None,
    is_verified: bool = True,
    update: AccountUpdate | None = None,
) -> tuple[AccountRow, bool]:
    """Tries the credentials and saves the account; the same identity again revives it under its id.

    Returns the row and whether it is new. With `is_verified` False nothing is tried: the account is marked so until
    its first good call. No transaction is open while the provider is asked.
    """
    manifest = find_service(state, service).manifest
    check_credentials(manifest, credentials)
    if isinstance(manifest.auth, OAuth2) and CLIENT_ID not in credentials:
        client = await find_client(state, application_id, service)
        credentials = credentials | ({} if client is None else {CLIENT_ID: client.client_id})
    probe = Probe()
    if is_verified:
        tried = await try_credentials(state, application_id=application_id, service=service, credentials=credentials)
        identity, probe, credentials = tried.identity, tried.probe, tried.credentials
    else:
        # Keyed, because what is guessed from a bare hash of a password can be tried against a stolen backup.
        digest = hmac.digest(state.keys.id_key, repr(sorted(credentials.items())).encode(), "sha256")
        identity = Identity(key=f"{UNKNOWN_IDENTITY}{digest.hex()}", label=label or service)
    save = partial(
        _save_account,
        state,
        application_id=application_id,
        service=service,
        identity=identity,
        probe=probe,
        credentials=credentials,
        label=label or identity.label,
        is_verified=is_verified,
        update=update,
    )
    try:
        return await save()
    except IntegrityError:  # another request connected the same identity at the same moment: now it is found
        return await save()


async def _save_account(
    state: State,
    *,
    application_id: str,
    service: str,
    identity: Identity,
    probe: Probe,
    credentials: dict[str, str],
    label: str,
    is_verified: bool,
    update: AccountUpdate | None,
) -> tuple[AccountRow, bool]:
    async with state.db.writing() as session:
        repository = AccountRepository(session)
        account = await repository.find_by_identity(application_id, service, identity.key)
        is_new = account is None or account.deleted_at is not None
        moment = now()
        if account is None:
            account = Account(
                application_id=application_id,
                service=service,
                identity_key=identity.key,
                is_admin=False,
                custom_properties={},
                created_at=moment,
            )
        account.label = label
        if account.sealed_credentials is not None and isinstance(find_service(state, service).manifest.auth, OAuth2):
            with suppress(KeysError):  # connecting again helps also when the older ones do not open any more
                credentials = inherit_refresh_token(open_credentials(state, build_row(account)), credentials)
        keep_credentials(state, account, credentials)
        account.is_active = account.is_enabled = True
        account.is_verified = is_verified
        account.scope = f"{service}:normal.storage.{DEFAULT_PERMISSION}:kloudless"
        _keep_probe(account, probe)
        account.modified_at = moment
        account.deleted_at = None
        if update is not None:
            apply_update(account, update)
        await repository.add(account)
        session.note_change(f"account:{account.id}")
        session.note_change(COUNT.format(application_id=application_id))
        row = build_row(account)
    return row, is_new


def apply_update(account: Account, update: AccountUpdate) -> None:
    """Changes the plain fields that were given."""
    if update.account is not None:
        account.label = update.account
    if update.active is not None:
        account.is_active = update.active
    if update.enabled is not None:
        account.is_enabled = update.enabled
    if update.custom_properties is not None:
        account.custom_properties = update.custom_properties
    if "token_expiry" in update.model_fields_set:
        account.token_expires_at = update.token_expiry
    if "refresh_token_expiry" in update.model_fields_set:
        account.refresh_token_expires_at = update.refresh_token_expiry


async def import_account(
    state: State, *, application_id: str, body: AccountImport, is_validated: bool
) -> tuple[AccountRow, bool]:
    """Connects an account from the credentials in a request; 403 for services only an operator may add."""
    service = state.registry.find(body.service)
    if service is None:
        offered = ", ".join(sorted(entry.manifest.service for entry in state.registry))
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{body.service!r} is not offered here; offered: {offered}.")
    if service.manifest.added_by_operator_only:
        raise ApiError(
            ErrorCode.FORBIDDEN,
            f"Accounts of {body.service!r} are added by the operator: kloudless account add {body.service} --help",
        )
    return await connect_account(
        state,
        application_id=application_id,
        service=body.service,
        credentials=collect_credentials(service.manifest, body),
        label=body.account,
        is_verified=is_validated,
        update=body,
    )


async def update_account(state: State, *, row: AccountRow, body: AccountUpdate) -> AccountRow:
    """Changes what was given; changed credentials are tried first and must belong to the same identity."""
    if body.service is not None and body.service != row.service:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "The service of an account cannot be changed; import a new one.")
    manifest = find_service(state, row.service).manifest
    current = open_credentials(state, row)
    credentials = replace_credentials(current, collect_credentials(manifest, body))
    tried: Tried | None = None
    if credentials != current:
        if manifest.added_by_operator_only:
            raise ApiError(ErrorCode.FORBIDDEN, "The credentials of this account are the operator's to change.")
        check_credentials(manifest, credentials)
        tried = await try_credentials(
            state, application_id=row.application_id, service=row.service, credentials=credentials
        )
    async with state.db.writing() as session:
        account = await get_account(session, row.id)
        apply_update(account, body)
        if tried is not None:
            if not await _adopt_identity(session, account, tried.identity):
                raise ApiError(
                    ErrorCode.INVALID_PARAMETERS, "These credentials belong to another user; import them instead."
                )
            keep_credentials(state, account, tried.credentials)
            account.is_verified = True
            _keep_probe(account, tried.probe)
        account.modified_at = now()
        session.note_change(f"account:{row.id}")
        return build_row(account)


async def list_accounts(state: State, *, application_id: str | None, limit: int) -> list[AccountRow]:
    """Live accounts of one application or all; for the operator."""
    async with state.db.reading() as session:
        rows = await AccountRepository(session).list_page(
            AccountFilter(), application_id=application_id, offset=0, limit=limit
        )
    return [build_row(row) for row in rows]


async def get_account(session: WriteSession, account_id: int) -> Account:
    """The live account; ApiError 404."""
    account = await AccountRepository(session).find(account_id)
    if account is None:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such account.")
    return account


async def verify_account(state: State, row: AccountRow, connector: Connector) -> AccountRow:
    """Asks the provider who the account is and what can be done there, and notes it; returns the row as it is then."""
    identity, probe = await connector.get_identity(), await connector.probe()
    async with state.db.writing() as session:
        account = await get_account(session, row.id)
        account.is_verified = True
        _keep_probe(account, probe)
        await _adopt_identity(session, account, identity)
        session.note_change(f"account:{row.id}")
        return build_row(account)


def _keep_probe(account: Account, probe: Probe) -> None:
    account.storage_region = probe.region
    account.learned = probe.learned


async def _adopt_identity(session: WriteSession, account: Account, identity: Identity) -> bool:
    """Whether the account is this identity's; one imported untried becomes so, unless another account is already."""
    if account.identity_key.startswith(UNKNOWN_IDENTITY) and not await AccountRepository(session).find_by_identity(
        account.application_id, account.service, identity.key
    ):
        account.identity_key = identity.key
    return account.identity_key == identity.key


async def close_account(state: State, *, account_id: int) -> None:
    """Lets nobody begin anything more with an account, and tells its tasks to end. ApiError 404."""
    async with state.db.writing() as session:
        account = await get_account(session, account_id)
        account.is_enabled = False
        await cancel_all(session, account_id=account_id)
        session.note_change(f"account:{account_id}")


async def purge_account(state: State, *, account_id: int) -> None:
    """Purges the secrets of an account, and ends its tokens; the id is never given to another one. ApiError 404."""
    async with state.db.writing() as session:
        account = await get_account(session, account_id)
        for token_hash in await AccountRepository(session).mark_deleted(account, at=now()):
            session.note_change(f"token:{token_hash}")
        await cancel_all(session, account_id=account_id)
        session.note_change(f"account:{account_id}")
        session.note_change(COUNT.format(application_id=account.application_id))


async def list_orphan_ids(state: State, *, limit: int) -> list[int]:
    """Accounts that outlived their application."""
    async with state.db.reading(is_newest=True) as session:
        return await AccountRepository(session).list_orphan_ids(limit=limit)


async def create_token(state: State, *, row: AccountRow, scope: str | None = None) -> tuple[str, str]:
    """A new bearer token and its scope; the token is shown this once. ApiError 400 for what is no scope."""
    try:
        parse_scopes(scope or "")
    except ValueError as error:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"scope: {error}.") from None
    token = generate_token()
    granted = scope or row.scope
    async with state.db.writing() as session:
        await get_account(session, row.id)
        add_token(session, token, account_id=row.id, scope=granted)
    return token, granted


def add_token(session: WriteSession, token: str, *, account_id: int, scope: str) -> None:
    """Lets a bearer token open an account."""
    AccountRepository(session).add_token(
        BearerToken(account_id=account_id, token_hash=hash_token(token), scope=scope, created_at=now())
    )


async def revoke_token(state: State, *, token_hash: str) -> None:
    """Ends one bearer token at once, in all processes; one that is gone is no error."""
    async with state.db.writing() as session:
        await drop_token(session, token_hash)


async def drop_token(session: WriteSession, token_hash: str) -> None:
    """As above, within a transaction."""
    await AccountRepository(session).delete_token(token_hash)
    session.note_change(f"token:{token_hash}")


async def reseal_credentials(state: State, *, batch_count: int = 200) -> int:
    """Seals all stored credentials with the newest key; returns how many were sealed anew. Safe to repeat."""
    after_id, resealed_count = 0, 0
    while True:
        async with state.db.writing() as session:
            accounts = await AccountRepository(session).list_sealed(after_id=after_id, limit=batch_count)
            for account in accounts:
                if account.sealed_credentials and not state.keys.is_current(account.sealed_credentials):
                    account.sealed_credentials = seal_credentials(
                        state,
                        open_credentials(state, build_row(account)),
                        application_id=account.application_id,
                        service=account.service,
                    )
                    session.note_change(f"account:{account.id}")
                    resealed_count += 1
        if not accounts:
            return resealed_count
        after_id = accounts[-1].id
