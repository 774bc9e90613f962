"""Names and paths: what a raw id stands for on the disk, which names are accepted, how odd ones are shown."""

from __future__ import annotations

import os
from urllib.parse import quote_from_bytes, unquote_to_bytes

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId
from connectors.local.manifest import HIDDEN_PREFIX, MANIFEST

Parts = tuple[bytes, ...]
"""A path inside an account's folder, name by name, as the disk spells them; () is the folder itself."""

NAME_BYTES_MAX = 255
PATH_BYTES_MAX = MANIFEST.limits.path_bytes_max or 4096
RAW_ID_CHARACTERS_MAX = 64 * 1024
_BYTES_PREFIX = "bytes:"
_HIDDEN = HIDDEN_PREFIX.encode()
_REFUSED = frozenset({b"", b".", b".."})


def read_raw_id(raw_id: str) -> Parts:
    """The path a raw id stands for; not_found for anything that this connector would not have spelled so."""
    missing = ConnectorError(ErrorKind.NOT_FOUND, "there is nothing with this id")
    if len(raw_id) > RAW_ID_CHARACTERS_MAX:
        raise missing
    if raw_id == "/":
        return ()
    if raw_id.startswith(_BYTES_PREFIX):
        parts = split_path(unquote_to_bytes(raw_id.removeprefix(_BYTES_PREFIX)))
    else:
        parts = split_path(_encode(raw_id))
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
    parts = () if path == "/" else split_path(_encode(path))
    if parts is None:
        raise ConnectorError(ErrorKind.INVALID_NAME, 'a path begins with "/" and has no empty, "." or ".." names')
    return parts


def read_name(name: str, *, parent: Parts = ()) -> bytes:
    """A name to be given to a file or folder in `parent`, checked; invalid_name says what is wrong with it."""
    encoded = _encode(name)
    if encoded is None:
        raise ConnectorError(ErrorKind.INVALID_NAME, "the name is not valid unicode text")
    if encoded in _REFUSED or b"/" in encoded or b"\0" in encoded:
        raise ConnectorError(ErrorKind.INVALID_NAME, 'a name is not empty, "." or "..", and has no "/" and no NUL')
    if len(encoded) > NAME_BYTES_MAX:
        raise ConnectorError(ErrorKind.INVALID_NAME, f"a name has at most {NAME_BYTES_MAX} bytes")
    if is_hidden(encoded):
        raise ConnectorError(ErrorKind.INVALID_NAME, f'names that begin with "{HIDDEN_PREFIX}" are reserved')
    if len(b"/".join((*parent, encoded))) >= PATH_BYTES_MAX:
        raise ConnectorError(ErrorKind.INVALID_NAME, f"a path has at most {PATH_BYTES_MAX} bytes")
    return encoded


def show(name: bytes) -> str:
    """The name for people: what is not valid UTF-8 becomes U+FFFD."""
    return name.decode("utf-8", "replace")


def is_hidden(name: bytes) -> bool:
    """True for the connector's own files; in any case, since some disks do not tell cases apart."""
    return name[: len(_HIDDEN)].lower() == _HIDDEN


def number_name(name: bytes, number: int, *, is_folder: bool) -> bytes:
    """Makes "a (1).txt" of "a.txt", and "b.c (1)" of a folder "b.c"; a stem that gets too long is shortened."""
    stem, extension = (name, b"") if is_folder else os.path.splitext(name)  # noqa: PTH122 - bytes
    suffix = b" (%d)" % number + extension
    room = NAME_BYTES_MAX - len(suffix)
    if room <= 0:  # nearly all of the name is its extension
        stem, suffix = name, b" (%d)" % number
        room = NAME_BYTES_MAX - len(suffix)
    if len(stem) > room:
        stem = stem[:room].decode("utf-8", "ignore").encode()
    return stem + suffix


def _encode(text: str) -> bytes | None:
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None


def split_path(path: bytes | None) -> Parts | None:
    """The names of a path that begins with "/"; None when one of them could not be somebody's file or folder."""
    if path is None or not path.startswith(b"/"):
        return None
    parts = tuple(path[1:].split(b"/"))
    if any(part in _REFUSED or b"\0" in part or is_hidden(part) for part in parts):
        return None
    return parts
