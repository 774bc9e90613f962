"""The rules for those who open a link: whether it is alive, whether they know its password, where its bytes are.

Nothing that a visitor sees names the account, the storage or an id.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.accounts.callers import build_connector, load_row
from app.applications.service import is_application_live
from app.core.errors import ApiError, ErrorCode, build_api_error
from app.core.state import State
from app.core.tokens import hash_token
from app.links.passwords import verify_password
from app.links.repository import LinkRepository
from app.links.schemas import PASSWORD_CHARACTERS_MAX
from app.models import Link
from app.storage.downloads import Source, build_file_source
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import ByteRange, Download, File, RawId

TOKEN_CHARACTERS_MAX = 64
PASSWORD_ATTEMPTS_MAX = 10  # within the window, of all visitors of a link together
PASSWORD_WINDOW_SECONDS = 600
SIGNED_SECONDS = 300

NEUTRAL: dict[ErrorKind, tuple[ErrorCode, str]] = {
    **dict.fromkeys(
        (ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE, ErrorKind.INVALID_NAME, ErrorKind.PERMISSION_DENIED),
        (ErrorCode.NOT_FOUND, "The file is not there any more."),
    ),
    ErrorKind.RANGE_INVALID: (ErrorCode.RANGE_NOT_SATISFIABLE, ErrorCode.RANGE_NOT_SATISFIABLE.when),
    ErrorKind.TIMED_OUT: (ErrorCode.GATEWAY_TIMEOUT, "The file did not arrive in time. Try again later."),
}
NEUTRAL_OTHERWISE = (ErrorCode.SERVICE_NOT_AVAILABLE, "The file cannot be reached right now. Try again later.")

log = structlog.get_logger("app.links")


@dataclass(frozen=True, slots=True)
class Visit:
    """A link that is alive, and the storage behind it."""

    state: State
    link: Link
    connector: Connector

    @property
    def file(self) -> RawId:
        """What the link opens."""
        return RawId(self.link.file_raw_id)


async def open_visit(state: State, token: str, *, now: datetime) -> Visit:
    """The link with this token. ApiError 404 if there is none, or not any more; 403 if it is switched off or over."""
    link = None
    if 0 < len(token) <= TOKEN_CHARACTERS_MAX:
        async with state.db.reading() as session:
            link = await LinkRepository(session).find_by_token(hash_token(token))
    row = None if link is None else await load_row(state, link.account_id)
    if link is None or row is None or not await is_application_live(state, row.application_id):
        raise ApiError(ErrorCode.NOT_FOUND, "There is nothing at this address.")
    if link.expires_at is not None and link.expires_at <= now:
        raise ApiError(ErrorCode.FORBIDDEN, "This link has expired.")
    if not (link.is_active and row.is_active and row.is_enabled):
        raise ApiError(ErrorCode.FORBIDDEN, "This link is switched off.")
    if state.registry.find(row.service) is None:
        raise ApiError(*NEUTRAL_OTHERWISE)
    with neutral_errors():
        return Visit(state, link, build_connector(state, row))


async def try_password(state: State, link: Link, password: str, *, now: datetime) -> bool:
    """Whether this is the link's password. ApiError 429 after too many wrong ones, whoever tried them.

    A try is counted before it is made and given back if it was right: however many come at once, no more are made.
    """
    if link.password_hash is None or not 0 < len(password) <= PASSWORD_CHARACTERS_MAX:
        return link.password_hash is None
    window = timedelta(seconds=PASSWORD_WINDOW_SECONDS)
    async with state.db.writing() as session:
        is_allowed = await LinkRepository(session).take_attempt(
            link.id, now=now, since_min=now - window, attempts_max=PASSWORD_ATTEMPTS_MAX
        )
    if not is_allowed:
        raise await _build_lockout(state, link, now=now)
    try:
        is_right = await verify_password(password, link.password_hash)
    except ApiError:
        await _return_attempt(state, link)
        raise
    if is_right:
        await _return_attempt(state, link)
    return is_right


async def _return_attempt(state: State, link: Link) -> None:
    async with state.db.writing() as session:
        await LinkRepository(session).return_attempt(link.id)


async def _build_lockout(state: State, link: Link, *, now: datetime) -> ApiError:
    async with state.db.reading() as session:
        current = await LinkRepository(session).find_by_token(link.token_hash)
    since = current.attempts_since if current is not None else None
    ends_at = (since or now) + timedelta(seconds=PASSWORD_WINDOW_SECONDS)
    seconds = min(PASSWORD_WINDOW_SECONDS, max(1, math.ceil((ends_at - now).total_seconds())))
    return ApiError(
        ErrorCode.TOO_MANY_REQUESTS,
        "Too many wrong passwords were tried. Wait a few minutes, then try again.",
        headers={"Retry-After": str(seconds)},
    )


async def get_file(visit: Visit) -> File:
    """The file behind the link as it is now; ApiError 404 when it is gone."""
    with neutral_errors():
        facts = await build_file_source(visit.connector, visit.file).get_facts()
    if not isinstance(facts, File):
        raise AssertionError("a file gave the facts of a download")  # noqa: TRY004 - a programming error
    return facts


def build_source(visit: Visit) -> Source:
    """The file's bytes; what goes wrong is told in words that give nothing away."""
    source = build_file_source(visit.connector, visit.file)

    @asynccontextmanager
    async def open_neutrally(byte_range: ByteRange | None) -> AsyncIterator[Download]:
        with neutral_errors():
            async with source.open(byte_range) as download:
                yield download

    async def get_facts() -> File:
        return await get_file(visit)

    return Source(open_neutrally, get_facts, source.has_ranges)


async def find_signed_url(visit: Visit, *, is_secure: bool, now: datetime) -> str | None:
    """An address at the storage that gives the bytes, to send a browser to; None where they must come through here.

    - It lives minutes, and no longer than the link.
    - From a page that came by https only https leads on.
    """
    connector, link = visit.connector, visit.link
    if not (visit.state.settings.links_redirect and connector.capabilities.create_download_url):
        return None
    seconds = min(SIGNED_SECONDS, connector.manifest.limits.signed_url_seconds_max)
    if link.expires_at is not None:
        seconds = min(seconds, max(1, math.ceil((link.expires_at - now).total_seconds())))
    with neutral_errors():
        try:
            signed = await connector.create_download_url(visit.file, seconds=seconds)
        except ConnectorError as error:
            if error.kind is ErrorKind.UNSUPPORTED:
                return None
            raise
    is_plain = signed.method == "GET" and not signed.headers
    return signed.url if is_plain and (signed.url.startswith("https://") or not is_secure) else None


@contextmanager
def neutral_errors() -> Iterator[None]:
    """Turns what a storage says into what a visitor may know."""
    try:
        yield
    except ConnectorError as error:
        code, message = NEUTRAL.get(error.kind, NEUTRAL_OTHERWISE)
        if code.status >= ErrorCode.INTERNAL_ERROR.status:
            log.warning("link not served", kind=error.kind.value, **error.context, exc_info=error.__cause__)
        raise ApiError(code, message, headers=_keep_headers(error)) from error


def _keep_headers(error: ConnectorError) -> dict[str, str]:
    headers = dict(build_api_error(error).headers or {})
    return {name: value for name, value in headers.items() if name in {"Retry-After", "Content-Range"}}
