"""Where a listing goes on: after which path, and under which number its answers may still be kept."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, replace
from hashlib import blake2b

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import Parts, split_path

_VERSION = b"\x01"
_SCOPE_BYTES = 8
_WALK_BYTES = 8
_FLAGS = (b"\x00", b"\x01")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands. `last` is the path of what came last, from the folder on; () at the beginning."""

    walk: bytes
    last: Parts = ()
    is_folder: bool = False  # what came last

    def after(self, last: Parts, *, is_folder: bool = False) -> Place:
        """The place right after a path."""
        return replace(self, last=last, is_folder=is_folder)


def write_cursor(kind: str, folder: Parts, place: Place) -> str:
    """The place as text, good for this kind of listing of this folder only."""
    head = _VERSION + _build_scope(kind, folder) + place.walk + _FLAGS[place.is_folder]
    return base64.urlsafe_b64encode(head + b"/".join(place.last)).decode()


def read_cursor(kind: str, folder: Parts, cursor: str | None) -> Place:
    """The place that a cursor names; a new walk when there is none. cursor_invalid for one from elsewhere."""
    if cursor is None:
        return Place(secrets.token_bytes(_WALK_BYTES))
    head = _VERSION + _build_scope(kind, folder)
    try:
        data = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    walk, rest = data[len(head) : len(head) + _WALK_BYTES], data[len(head) + _WALK_BYTES :]
    last = split_path(b"/" + rest[1:]) if data.startswith(head) and rest[:1] in _FLAGS else None
    if last is None:
        raise ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a listing like this")
    return Place(walk, last, rest[:1] == _FLAGS[True])


def _build_scope(kind: str, folder: Parts) -> bytes:
    return blake2b(b"\0".join([kind.encode(), *folder]), digest_size=_SCOPE_BYTES).digest()
