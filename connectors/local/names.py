"""Names and paths as the disk takes them: the engine's paths with the limits of Linux."""

from __future__ import annotations

from connectors.core import paths
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import Parts, is_hidden, read_path, read_raw_id, show, split_path, write_raw_id
from connectors.local.manifest import MANIFEST

__all__ = [
    "Parts",
    "is_hidden",
    "number_name",
    "read_name",
    "read_path",
    "read_raw_id",
    "show",
    "split_path",
    "write_raw_id",
]

NAME_BYTES_MAX = 255
PATH_BYTES_MAX = MANIFEST.limits.path_bytes_max or 4096


def read_name(name: str, *, parent: Parts = ()) -> bytes:
    """A name to be given to a file or folder in `parent`, checked; invalid_name says what is wrong with it."""
    encoded = paths.read_name(name, name_bytes_max=NAME_BYTES_MAX)
    if len(b"/".join((*parent, encoded))) >= PATH_BYTES_MAX:
        raise ConnectorError(ErrorKind.INVALID_NAME, f"a path has at most {PATH_BYTES_MAX} bytes")
    return encoded


def number_name(name: bytes, number: int, *, is_folder: bool) -> bytes:
    """Makes "a (1).txt" of "a.txt", and "b.c (1)" of a folder "b.c"; a stem that gets too long is shortened."""
    return paths.number_name(name, number, is_folder=is_folder, name_bytes_max=NAME_BYTES_MAX)
