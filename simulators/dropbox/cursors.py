"""Positions that clients hand back: opaque, unforgeable, and good for one purpose and one user."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from simulators.core.users import User
from simulators.dropbox.errors import BadRequestError
from simulators.dropbox.state import State

SIGNATURE_BYTES = 12


def write_cursor(state: State, kind: str, user: User, position: dict[str, Any]) -> str:
    """A cursor that only `read_cursor` of the same kind and user understands."""
    data = json.dumps({"kind": kind, "user": user.number, **position}, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_sign(state, data) + data).rstrip(b"=").decode()


def read_cursor(state: State, kind: str, cursor: str, *, user: User | None) -> dict[str, Any]:
    """The position; BadRequestError for whatever was not made here. Without a user, for anybody's."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        data = raw[SIGNATURE_BYTES:]
        position = json.loads(data) if hmac.compare_digest(raw[:SIGNATURE_BYTES], _sign(state, data)) else {}
    except (binascii.Error, ValueError):
        position = {}
    if position.get("kind") != kind or (user is not None and position["user"] != user.number):
        raise BadRequestError(f'Invalid "cursor" parameter: {cursor[:20]!r}…')
    return dict(position)


def _sign(state: State, data: bytes) -> bytes:
    return hmac.new(state.secret, data, hashlib.sha256).digest()[:SIGNATURE_BYTES]
