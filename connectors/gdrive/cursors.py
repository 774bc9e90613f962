"""Cursors: Drive's page tokens, bound to the question that they belong to."""

from __future__ import annotations

import base64
import binascii

import msgspec

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.frames import build_scope

CURSOR_CHARACTERS_MAX = 16 * 1024
_decode = msgspec.msgpack.Decoder(tuple[bytes, str, str | None]).decode


def write_cursor(scope: tuple[str, ...], phase: str, token: str | None) -> str:
    """The place in an answer of several parts, of which `phase` is one."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode((build_scope(*scope), phase, token))).decode()


def read_cursor(scope: tuple[str, ...], cursor: str) -> tuple[str, str | None]:
    """Phase and token; cursor_invalid for one that was not made for this question."""
    try:
        if len(cursor) <= CURSOR_CHARACTERS_MAX:
            data = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
            found, phase, token = _decode(data)
            if found == build_scope(*scope):
                return phase, token
    except (ValueError, binascii.Error, msgspec.DecodeError):
        pass
    raise ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a listing like this")
