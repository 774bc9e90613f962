"""Who is asking, and which account they may open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from app.accounts.credentials import open_credentials
from app.accounts.renewing import AccountTokens
from app.accounts.repository import look_up_row, look_up_token
from app.accounts.rows import AccountRow
from app.accounts.scopes import is_storage_granted
from app.applications.service import find_application_id_by_key, is_application_live
from app.core.errors import ApiError, ErrorCode
from app.core.http.credentials import read_credentials, read_many_credentials
from app.core.http.limits import LoginWatch, admit_account, admit_application, hold_account
from app.core.http.paths import read_number_segment
from app.core.http.reading import read_header_flag, read_json_header
from app.core.http.replies import get_request_state
from app.core.keys import KeysError
from app.core.state import State, get_state
from app.core.tokens import hash_token
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError
from connectors.core.manifest import Capabilities, OAuth2
from connectors.core.service import AccountContext, Service
from connectors.core.tokens import TokenSource

ACCOUNTS_MAX = 10  # at once
CALLER = "caller"  # in the request's state, once it is known
PICKER_SOURCES = ("file-picker/", "file-explorer/")
HEADERS_NOT_FORWARDED = frozenset(
    {"authorization", "host", "cookie", "connection", "content-length", "transfer-encoding"}
)


@dataclass(frozen=True, slots=True)
class Caller:
    """An application by its API key, or, with `account_id`, one account by its bearer token."""

    application_id: str
    account_id: int | None = None
    token_hash: str | None = None
    scope: str = ""


async def authenticate(request: Request) -> Caller:
    """Who sent this; ApiError 401 for a missing or wrong key or token, 403 where the picker needs it (contract D1)."""
    caller: Caller | None = request.scope["state"].get(CALLER)
    if caller is None:
        caller = request.scope["state"][CALLER] = await _authenticate(request)
        admit(request, caller)
    return caller


def admit(request: Request, caller: Caller) -> None:
    """Counts a request of somebody who is known now. ApiError 429 beyond a limit."""
    state = get_request_state(request)
    state.application_id, state.account_id = caller.application_id, caller.account_id
    admit_application(request, caller.application_id)
    if caller.account_id is not None:
        admit_account(request, caller.account_id)


async def _authenticate(request: Request) -> Caller:
    state = get_state(request)
    credentials = read_credentials(request)
    watch = LoginWatch(request, credentials.secret)
    if credentials.scheme == "apikey":
        application_id = await find_application_id_by_key(state, credentials.secret, before_look_up=watch.check)
        watch.note(is_good=application_id is not None)
        if application_id is None:
            raise ApiError(ErrorCode.UNAUTHORIZED, "The API key is wrong or revoked.")
        return Caller(application_id)
    if credentials.scheme == "bearer":
        caller = await find_token_caller(state, credentials.secret, before_look_up=watch.check)
        watch.note(is_good=caller is not None)
        if caller is not None:
            return caller
    source = request.headers.get("x-kloudless-source", "")
    if source.startswith(PICKER_SOURCES) and "active" in request.query_params:
        raise ApiError(ErrorCode.FORBIDDEN, "The token is wrong or revoked.")
    raise ApiError(ErrorCode.UNAUTHORIZED, "The token is wrong or revoked.")


async def find_token_caller(
    state: State, token: str, *, before_look_up: Callable[[], None] = lambda: None
) -> Caller | None:
    """Whose bearer token this is; None for a wrong one, or one of a dead account or application.

    `before_look_up` is called when the token is not remembered, and may raise instead.
    """
    token_hash = hash_token(token)

    async def load() -> Caller | None:
        found = await look_up_token(state.db, token_hash)
        if found is None:
            return None
        application_id, account_id, scope = found
        return Caller(application_id, account_id, token_hash, scope)

    caller = await state.cache.get(f"token:{token_hash}", load, before_load=before_look_up)
    if caller is None or not await is_application_live(state, caller.application_id):
        return None
    return caller


async def load_row(state: State, account_id: int) -> AccountRow | None:
    """The account's row, remembered for a few seconds."""
    return await state.cache.get(f"account:{account_id}", lambda: look_up_row(state.db, account_id))


async def authorize(request: Request, account_id: str, *, needs_storage: bool = False) -> tuple[Caller, AccountRow]:
    """The caller and the account it names in the path: digits, or `me` for the token's own.

    With `needs_storage` a token's scope must cover the account's files. ApiError 401, 403, 404; 429 beyond a limit.
    """
    caller = await authenticate(request)
    if account_id == "me":
        if caller.account_id is None:
            raise ApiError(ErrorCode.INVALID_PARAMETERS, "'me' needs a bearer token; with an API key name the account.")
        number = caller.account_id
    elif "," in account_id:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "Several accounts at once are not supported here; name one.")
    else:
        number = read_number_segment(account_id)
    if caller.account_id is not None and caller.account_id != number:
        raise ApiError(ErrorCode.FORBIDDEN, "The token belongs to another account.")
    row = await load_row(get_state(request), number)
    if row is None or row.application_id != caller.application_id:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such account.")
    if needs_storage:
        check_scope(caller, row)
    state = get_request_state(request)
    state.account_id, state.service = row.id, row.service
    if caller.account_id is None:
        admit_account(request, row.id)
    hold_account(request, row.id)
    return caller, row


def check_scope(caller: Caller, row: AccountRow) -> None:
    """ApiError 403 for a token whose scope does not cover the account's files."""
    if caller.account_id is not None and not is_storage_granted(caller.scope, row.service):
        raise ApiError(
            ErrorCode.FORBIDDEN,
            f"The token's scope is {caller.scope!r}, which does not cover the account's files; ask for 'storage'.",
        )


async def authorize_many(request: Request, account_ids: str) -> list[tuple[Caller, AccountRow]]:
    """The accounts that a path names by their numbers, separated by commas, and for each who may use it, in order.

    That is the application by its API key, or a bearer token for every account, in any order. A single account is as
    for `authorize`. ApiError 400, 401, 403, 404; 429 beyond a limit.
    """
    names = [name.strip() for name in account_ids.split(",")]
    if len(names) == 1:
        return [await authorize(request, account_ids, needs_storage=True)]
    if len(names) > ACCOUNTS_MAX or len(set(names)) < len(names) or "me" in names:
        raise ApiError(
            ErrorCode.INVALID_PARAMETERS,
            f"Name up to {ACCOUNTS_MAX} different accounts by their numbers; with 'me' there is only one.",
        )
    numbers = [read_number_segment(name) for name in names]
    callers = await _authenticate_many(request, numbers)
    authorized = []
    for number, caller in zip(numbers, callers, strict=True):
        row = await load_row(get_state(request), number)
        if row is None or row.application_id != caller.application_id:
            raise ApiError(ErrorCode.NOT_FOUND, f"There is no account {number}.")
        check_scope(caller, row)
        admit_account(request, number)
        hold_account(request, number)
        authorized.append((caller, row))
    return authorized


async def _authenticate_many(request: Request, numbers: list[int]) -> list[Caller]:
    """Who may open each of the accounts."""
    credentials = read_many_credentials(request)
    if len(credentials) == 1 and credentials[0].scheme == "apikey":
        return [await authenticate(request)] * len(numbers)
    by_account: dict[int | None, Caller] = {}
    for scheme, token in credentials:
        caller = None
        if scheme == "bearer":
            watch = LoginWatch(request, token)
            caller = await find_token_caller(get_state(request), token, before_look_up=watch.check)
            watch.note(is_good=caller is not None)
        if caller is None:
            raise ApiError(ErrorCode.UNAUTHORIZED, "One of the tokens is wrong or revoked.")
        by_account[caller.account_id] = caller
    application_ids = {caller.application_id for caller in by_account.values()}
    if set(by_account) != set(numbers) or len(application_ids) != 1:
        raise ApiError(
            ErrorCode.FORBIDDEN,
            "Send a bearer token for each of the accounts and for no other, all of one application; or its API key.",
        )
    (application_id,) = application_ids
    get_request_state(request).application_id = application_id
    admit_application(request, application_id)
    return [by_account[number] for number in numbers]


def find_service(state: State, name: str) -> Service:
    """The connector's declaration; ApiError 501 when this server does not offer the service (any more)."""
    service = state.registry.find(name)
    if service is None:
        raise ApiError(ErrorCode.NOT_IMPLEMENTED, f"This server does not offer the service {name!r}.")
    return service


def open_connector(request: Request, row: AccountRow) -> Connector:
    """The account's connector, made as this request's headers want. ApiError 403 for a switched-off account."""
    check_switched_on(row)
    if "x-kloudless-as-user" in request.headers and not row.is_admin:
        raise ApiError(
            ErrorCode.FORBIDDEN, "X-Kloudless-As-User needs an account that was connected by an administrator."
        )
    forwarded = read_json_header(request, "x-kloudless-raw-headers") or {}
    if not all(isinstance(value, str) for value in forwarded.values()):
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "X-Kloudless-Raw-Headers must map names to texts.")
    return build_connector(
        get_state(request),
        row,
        include_raw=read_header_flag(request, "x-kloudless-raw-data"),
        extra_headers={name: value for name, value in forwarded.items() if name.lower() not in HEADERS_NOT_FORWARDED},
    )


def build_connector(
    state: State,
    row: AccountRow,
    *,
    tokens: TokenSource | None = None,
    account_key: str | None = None,
    include_raw: bool = False,
    extra_headers: dict[str, str] | None = None,
) -> Connector:
    """The account's connector with its credentials opened, and its access tokens unless others are given.

    What connectors remember of accounts stands under the account's key.
    """
    service, credentials = find_service(state, row.service), open_credentials(state, row)
    if tokens is None and isinstance(service.manifest.auth, OAuth2):
        tokens = AccountTokens(state, row, credentials)
    return state.registry.open(
        row.service,
        AccountContext(
            account_key=account_key or f"account:{row.id}",
            application_id=row.application_id,
            credentials=credentials,
            runtime=state.runtime,
            tokens=tokens,
            learned=row.learned,
            include_raw=include_raw,
            extra_headers=extra_headers or {},
        ),
    )


async def open_account(state: State, account_id: int, *, is_tidying: bool = False) -> Connector:
    """An account's connector for what goes on without a request. ApiError 404 once it is disconnected, 403 if it is
    switched off, unless it is only to free what was begun.
    """
    row = await load_row(state, account_id)
    if row is None:
        raise ApiError(ErrorCode.NOT_FOUND, "The account has been disconnected.")
    if not is_tidying:
        check_switched_on(row)
    return build_connector(state, row)


def check_switched_on(row: AccountRow) -> None:
    """ApiError 403 for an account that is switched off."""
    if not row.is_active or not row.is_enabled:
        raise ApiError(ErrorCode.FORBIDDEN, "The account is switched off; set `active` and `enabled` to use it.")


def find_capabilities(state: State, row: AccountRow, service: Service) -> Capabilities:
    """What this account can do as far as is known without asking its storage; the service's if it cannot be opened."""
    try:
        return build_connector(state, row).capabilities
    except (ConnectorError, KeysError):
        return service.manifest.capabilities
