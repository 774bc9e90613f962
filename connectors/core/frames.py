"""Where a walk through a tree stands, and its spelling as a cursor, so that nothing is kept between two replies."""

from __future__ import annotations

import base64
import zlib
from hashlib import blake2b

import msgspec

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId

CURSOR_CHARACTERS_MAX = 16_384
"""Longest cursor that is given out or read."""

CURSOR_CHARACTERS_AIM = 4096
"""What a walk stays below where it can: many proxies take no longer request line than twice this."""

DEPTH_MAX = 100
"""How deep folders are entered below the one that a walk begins at."""

_FRAMES_MAX = DEPTH_MAX + 2  # one for the beginning, and one that will be found too deep
_STATE_BYTES_MAX = 2**20
_SCOPE_BYTES = 8
_VERSION = b"\x01"
_State = list[tuple[bytes, bytes | None, bool, list[bytes]]]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class Frame(msgspec.Struct):
    """One folder on the way down: how far its pages were read, and which of its folders are still to be entered."""

    folder: RawId
    cursor: str | None = None  # of its next page
    is_read: bool = False  # at least one of its pages was; without `cursor` all of them
    pending: list[RawId] = []  # the next one last

    @property
    def has_pages(self) -> bool:
        """True while there is a page to read."""
        return not self.is_read or self.cursor is not None


def build_scope(*parts: str) -> bytes:
    """Stands for what a cursor belongs to: the kind of listing, and what was asked."""
    return blake2b(_encode([_pack(part) for part in parts]), digest_size=_SCOPE_BYTES).digest()


def count_characters(frames: list[Frame]) -> int:
    """How long the cursor would be."""
    plain = _encode(_build_state(frames))
    if len(plain) > _STATE_BYTES_MAX:
        return len(plain)  # too long in any case
    return -(-(len(_VERSION) + _SCOPE_BYTES + len(zlib.compress(plain))) // 3) * 4


def write_cursor(scope: bytes, frames: list[Frame]) -> str:
    """The place as text. unsupported when it cannot be said in so few characters."""
    if count_characters(frames) > CURSOR_CHARACTERS_MAX:
        text = "the folders lie too deep, or have too long names, to remember the place; list folders below this one"
        raise ConnectorError(ErrorKind.UNSUPPORTED, text)
    return base64.urlsafe_b64encode(_VERSION + scope + zlib.compress(_encode(_build_state(frames)))).decode()


def read_cursor(scope: bytes, cursor: str) -> list[Frame]:
    """The place that a cursor names. cursor_invalid for one that was not made for this scope."""
    head = _VERSION + scope
    frames: list[Frame] = []
    if len(cursor) <= CURSOR_CHARACTERS_MAX:
        try:
            data = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
            if data.startswith(head):
                frames = _read_state(data.removeprefix(head))
        except (ValueError, zlib.error, msgspec.DecodeError):
            frames = []
    if not 1 <= len(frames) <= _FRAMES_MAX:
        raise ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a listing like this")
    return frames


def _build_state(frames: list[Frame]) -> _State:
    return [
        (
            _pack(frame.folder),
            None if frame.cursor is None else _pack(frame.cursor),
            frame.is_read,
            [_pack(raw_id) for raw_id in frame.pending],
        )
        for frame in frames
    ]


def _read_state(zipped: bytes) -> list[Frame]:
    unzip = zlib.decompressobj()
    plain = unzip.decompress(zipped, _STATE_BYTES_MAX)
    if not unzip.eof or unzip.unused_data:
        return []
    return [
        Frame(
            RawId(_unpack(folder)),
            None if cursor is None else _unpack(cursor),
            is_read,
            [RawId(_unpack(raw_id)) for raw_id in pending],
        )
        for folder, cursor, is_read, pending in _decode(plain)
    ]


def _pack(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # an id may hold half a character


def _unpack(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
