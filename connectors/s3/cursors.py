"""Cursors: where a page ended, bound to what is listed."""

from __future__ import annotations

import base64
from hashlib import blake2b

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.s3.keys import Place

_VERSION = b"\x01"
_SCOPE_BYTES = 8
_SURROGATES = "surrogateescape"


def write_cursor(kind: str, place: Place, position: str) -> str:
    """A cursor for a listing of this kind at this place."""
    data = _VERSION + _scope(kind, place) + position.encode("utf-8", _SURROGATES)
    return base64.urlsafe_b64encode(data).decode()


def read_cursor(cursor: str | None, kind: str, place: Place) -> str | None:
    """Where the page before ended; None at the beginning; cursor_invalid for one from another listing."""
    if cursor is None:
        return None
    head = _VERSION + _scope(kind, place)
    try:
        data = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        text = data.removeprefix(head).decode("utf-8", _SURROGATES)
    except ValueError:
        data, text = b"", ""
    if not data.startswith(head) or not text:
        raise invalid_cursor()
    return text


def invalid_cursor() -> ConnectorError:
    return ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a listing like this")


def _scope(kind: str, place: Place) -> bytes:
    text = f"{kind}\0{place.bucket}\0{place.key}"
    return blake2b(text.encode("utf-8", _SURROGATES), digest_size=_SCOPE_BYTES).digest()
