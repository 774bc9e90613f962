"""Uploads in parts that a storage holds for us: their secret states at rest, and those that a crash left behind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from app.core.clock import now
from app.core.state import State
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId, UploadSession

CLOCKS_APART_SECONDS_MAX = 10.0
"""How far a storage's clock may be from ours, and how coarse its times are."""

log = structlog.get_logger("app.transfers")


def seal_state(state: State, account_id: int, value: dict[str, Any]) -> str:
    """The connector's state of an upload, as it is stored."""
    return state.keys.seal(msgspec.json.encode(value), purpose=_purpose(account_id))


def open_state(state: State, account_id: int, sealed: str) -> dict[str, Any]:
    """The same as the connector needs it."""
    return msgspec.json.decode(state.keys.open(sealed, purpose=_purpose(account_id)), type=dict[str, Any])


def _purpose(account_id: int) -> str:
    return f"upload_state:{account_id}"


async def abort_strays(
    connector: Connector, parent: RawId, name: str, *, intended_at: datetime, known: Iterable[dict[str, Any]]
) -> int:
    """Aborts uploads that were started since `intended_at` and that no row knows: their starter died before it could
    write them down. How many there were. Nothing where the storage cannot tell.
    """
    if not connector.capabilities.list_uploads:
        return 0
    try:
        listed = await connector.list_uploads(parent, name)
    except ConnectorError as error:
        if error.kind not in {ErrorKind.PERMISSION_DENIED, ErrorKind.UNSUPPORTED}:
            raise
        log.warning("stray uploads cannot be looked for", error=str(error))
        return 0
    apart = timedelta(seconds=CLOCKS_APART_SECONDS_MAX)
    known_states = list(known)
    strays = [
        session
        for session in listed
        if _as_stored(session.state) not in known_states and _is_between(session, intended_at - apart, now() + apart)
    ]
    for session in strays:
        await connector.abort_upload(session)
    if strays:
        log.info("stray uploads aborted", count=len(strays))
    return len(strays)


def _as_stored(value: dict[str, Any]) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(value), type=dict[str, Any])


def _is_between(session: UploadSession, first: datetime, last: datetime) -> bool:
    return session.started_at is not None and first <= session.started_at <= last
