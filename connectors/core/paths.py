"""Raw ids that are paths: how they are spelled and read, how odd names are shown, how taken names make free ones.

For storages that know places and no ids. A name is bytes, as the storage spells it, since not all are valid text.
"""

from __future__ import annotations

import os
from urllib.parse import quote_from_bytes, unquote_to_bytes

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId

Parts = tuple[bytes, ...]
"""A path inside an account, name by name; () is the root."""

HIDDEN_PREFIX = ".kloudless-"
"""Names that begin so (in any case) are the connectors' own: never shown, never accepted."""

RAW_ID_CHARACTERS_MAX = 64 * 1024
_BYTES_PREFIX = "bytes:"
_HIDDEN = HIDDEN_PREFIX.encode()
_REFUSED = frozenset({b"", b".", b".."})


def read_raw_id(raw_id: str) -> Parts:
    """The path a raw id stands for; not_found for anything that `write_raw_id` would not have spelled so."""
    missing = ConnectorError(ErrorKind.NOT_FOUND, "there is nothing with this id")
    if len(raw_id) > RAW_ID_CHARACTERS_MAX:
        raise missing
    if raw_id == "/":
        return ()
    if raw_id.startswith(_BYTES_PREFIX):
        parts = split_path(unquote_to_bytes(raw_id.removeprefix(_BYTES_PREFIX)))
    else:
        parts = split_path(encode_name(raw_id))
    if parts is None or write_raw_id(parts) != raw_id:
        raise missing
    return parts


def write_raw_id(parts: Parts) -> RawId:
    """The path as text; percent-encoded behind "bytes:" when a name is not valid UTF-8."""
    path = b"/" + b"/".join(parts)
    try:
        return RawId(path.decode())
    except UnicodeDecodeError:
        return RawId(_BYTES_PREFIX + quote_from_bytes(path))


def read_path(path: str) -> Parts:
    """The names of an absolute path like "/a/b.txt"; invalid_name for any other form."""
    parts = () if path == "/" else split_path(encode_name(path))
    if parts is None:
        raise ConnectorError(ErrorKind.INVALID_NAME, 'a path begins with "/" and has no empty, "." or ".." names')
    return parts


def split_path(path: bytes | None) -> Parts | None:
    """The names of a path that begins with "/"; None when one of them could not be somebody's file or folder."""
    if path is None or not path.startswith(b"/"):
        return None
    parts = tuple(path[1:].split(b"/"))
    if any(part in _REFUSED or b"\0" in part or is_hidden(part) for part in parts):
        return None
    return parts


def read_name(name: str, *, name_bytes_max: int) -> bytes:
    """A name to be given to a file or folder, checked; invalid_name says what is wrong with it."""
    encoded = encode_name(name)
    if encoded is None:
        raise ConnectorError(ErrorKind.INVALID_NAME, "the name is not valid unicode text")
    if encoded in _REFUSED or b"/" in encoded or b"\0" in encoded:
        raise ConnectorError(ErrorKind.INVALID_NAME, 'a name is not empty, "." or "..", and has no "/" and no NUL')
    if len(encoded) > name_bytes_max:
        raise ConnectorError(ErrorKind.INVALID_NAME, f"a name has at most {name_bytes_max} bytes")
    if is_hidden(encoded):
        raise ConnectorError(ErrorKind.INVALID_NAME, f'names that begin with "{HIDDEN_PREFIX}" are reserved')
    return encoded


def show(name: bytes) -> str:
    """The name for people: what is not valid UTF-8 becomes U+FFFD."""
    return name.decode("utf-8", "replace")


def is_hidden(name: bytes) -> bool:
    """True for the connectors' own files; in any case, since some storages do not tell cases apart."""
    return name[: len(_HIDDEN)].lower() == _HIDDEN


def number_name(name: bytes, number: int, *, is_folder: bool, name_bytes_max: int) -> bytes:
    """Makes "a (1).txt" of "a.txt", and "b.c (1)" of a folder "b.c"; a stem that gets too long is shortened."""
    stem, extension = (name, b"") if is_folder else os.path.splitext(name)  # noqa: PTH122 - bytes
    suffix = b" (%d)" % number + extension
    room = name_bytes_max - len(suffix)
    if room <= 0:  # nearly all of the name is its extension
        stem, suffix = name, b" (%d)" % number
        room = name_bytes_max - len(suffix)
    if len(stem) > room:
        stem = stem[:room].decode("utf-8", "ignore").encode()
    return stem + suffix


def encode_name(text: str) -> bytes | None:
    """The text as storages spell it; None for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None
