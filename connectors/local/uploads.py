"""Uploads in parts: one hidden file of the whole size, each part written at its place, and a table of its parts.

The table makes a part count only when all of it is on the disk: one that is sent again and fails half-way is missing,
not mixed. Both files survive the process; the session's state names them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import OnConflict, Part, UploadSession
from connectors.local.mapping import read_time
from connectors.local.names import Parts, read_raw_id, write_raw_id
from connectors.local.tree import Tree, read_names
from connectors.local.writes import CREATE, PARTS_PREFIX, Published, check_free, publish_file, write_all

_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_RECORD = struct.Struct("<Q8s")  # a part's size, and its receipt
_LOCK = struct.Struct("hhqqixxxx")  # struct flock of 64-bit Linux
_TABLE_SUFFIX = b".table"
_TOKEN = re.compile(r"[0-9a-f]{48}")  # of uploads that can be found by their name


def start(tree: Tree, parent: Parts, name: bytes, on_conflict: OnConflict, size_bytes: int | None) -> dict[str, Any]:
    """Makes the hidden files, with room for all bytes where the size is known; the session's state."""
    with tree.open_place(parent, name, on_conflict) as (folder, real_name):
        check_free(folder.descriptor, real_name, on_conflict)
        token = _build_token(real_name)
        try:
            for hidden in _name_files(token):
                os.close(os.open(hidden, CREATE, 0o666, dir_fd=folder.descriptor))
            if size_bytes:
                _reserve(folder.descriptor, _name_files(token)[0], size_bytes)
        except OSError:
            _remove(folder.descriptor, token)
            raise
        return _build_state(token, (*folder.real, real_name))


@dataclass(frozen=True, slots=True)
class Started:
    """An upload that is neither finished nor aborted: the session's state, and when it was started."""

    state: dict[str, Any]
    at: datetime | None


def find_started(tree: Tree, parent: Parts, name: bytes) -> list[Started]:
    """The uploads of a name, in order of their start; none in a folder that is not there."""
    found: dict[str, Parts] = {}
    for on_conflict in (OnConflict.FAIL, OnConflict.REPLACE):  # a link's file is written where it really is
        try:
            with tree.open_place(parent, name, on_conflict) as (folder, real_name):
                for token in _find_tokens(folder.descriptor, real_name):
                    found[token] = (*folder.real, real_name)
        except (FileNotFoundError, NotADirectoryError):
            continue
    ordered = sorted(found.items(), key=lambda item: _read_started_ns(item[0]))
    return [Started(_build_state(token, target), read_time(_read_started_ns(token))) for token, target in ordered]


def _find_tokens(folder: int, name: bytes) -> set[str]:
    start = PARTS_PREFIX + _digest(name).encode()
    hidden = (each.removesuffix(_TABLE_SUFFIX) for each in read_names(folder) if each.startswith(start))
    return {token for each in hidden if _TOKEN.fullmatch(token := each.removeprefix(PARTS_PREFIX).decode())}


def _build_token(name: bytes) -> str:
    """Tells this upload from all others, and in the hidden files' own names for whom they are and since when."""
    return f"{_digest(name)}{time.time_ns():016x}{secrets.token_hex(8)}"


def _digest(name: bytes) -> str:
    return blake2b(name, digest_size=8).hexdigest()


def _read_started_ns(token: str) -> int:
    return int(token[16:32], 16)


def _build_state(token: str, target: Parts) -> dict[str, Any]:
    return {"token": token, "target": write_raw_id(target)}


def _reserve(folder: int, hidden: bytes, size_bytes: int) -> None:
    data = os.open(hidden, _OPEN, dir_fd=folder)
    try:
        space = os.fstatvfs(data)
        # The system would take all that is free before it says that it is not enough, and others would find no room.
        if size_bytes > space.f_bavail * space.f_frsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.posix_fallocate(data, 0, size_bytes)
    finally:
        os.close(data)


@dataclass(frozen=True, slots=True)
class _OpenUpload:
    """A session's files, open, and where they are to go."""

    folder: int
    name: bytes
    token: str
    data: int
    table: int

    def lock(self, start: int, length_bytes: int) -> bool:
        """False when somebody else holds a part of this range; length 0 is all. Closing the file unlocks."""
        try:
            fcntl.fcntl(self.data, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length_bytes, 0))
        except BlockingIOError:
            return False
        return True

    def read_record(self, number: int) -> tuple[int, bytes] | None:
        """Size and receipt of a part that is on the disk."""
        record = os.pread(self.table, _RECORD.size, number * _RECORD.size)
        if len(record) < _RECORD.size or not any(record):
            return None
        size_bytes, receipt = _RECORD.unpack(record)
        return size_bytes, receipt

    def write_record(self, number: int, record: bytes) -> None:
        """Notes what is known of a part."""
        write_all(self.table, record, number * _RECORD.size)


@contextmanager
def _open(tree: Tree, session: UploadSession) -> Iterator[_OpenUpload]:
    """Opens a session's files; not_found when it is not, or no longer, there."""
    token, target = _read_state(session)
    with tree.open_target(target[:-1]) as folder, ExitStack() as closing:
        opened: list[int] = []
        for hidden in _name_files(token):
            try:
                opened.append(os.open(hidden, _OPEN, dir_fd=folder.descriptor))
            except FileNotFoundError:
                raise _missing() from None
            closing.callback(os.close, opened[-1])
        data, table = opened
        yield _OpenUpload(folder.descriptor, target[-1], token, data, table)


class PartWriter:
    """Writes one part at its place; it counts from `finish` on."""

    def __init__(self, tree: Tree, session: UploadSession, number: int) -> None:
        """Forgets what was known of this part. unavailable while the same part is being stored by somebody else."""
        self._number = number
        self._size_bytes_max = session.part_size_bytes
        self._start = (number - 1) * session.part_size_bytes
        self.size_bytes = 0
        with ExitStack() as closing:
            self._upload = closing.enter_context(_open(tree, session))
            if not self._upload.lock(self._start, session.part_size_bytes):
                raise ConnectorError(ErrorKind.UNAVAILABLE, "the same part is being stored by another request")
            self._upload.write_record(number, bytes(_RECORD.size))
            self._closing = closing.pop_all()

    def append(self, data: bytes) -> None:
        """Writes all of it behind what is there; invalid_parts when the part gets longer than it may be."""
        if self.size_bytes + len(data) > self._size_bytes_max:
            raise ConnectorError(ErrorKind.INVALID_PARTS, f"a part has at most {self._size_bytes_max} bytes")
        write_all(self._upload.data, data, self._start + self.size_bytes)
        self.size_bytes += len(data)

    def finish(self) -> Part:
        """Makes the part count: its bytes are on the disk."""
        os.fdatasync(self._upload.data)
        receipt = secrets.token_bytes(8)
        self._upload.write_record(self._number, _RECORD.pack(self.size_bytes, receipt))
        return Part(self._number, self.size_bytes, receipt.hex())

    def close(self) -> None:
        """Lets others store this part. Does nothing the second time."""
        self._closing.close()


def finish(tree: Tree, session: UploadSession, parts: list[Part]) -> Published:
    """Makes the file of its parts visible.

    invalid_parts, and nothing changed, for a part that is not on the disk as listed. That the list has no gaps and the
    right sizes was checked before.
    """
    with _open(tree, session) as upload:
        if not upload.lock(0, 0):
            raise ConnectorError(ErrorKind.INVALID_PARTS, "a part is still being stored")
        for part in parts:
            if upload.read_record(part.number) != (part.size_bytes, _read_receipt(part)):
                words = f"part {part.number} is missing, or was sent again since; send it again"
                raise ConnectorError(ErrorKind.INVALID_PARTS, words)
        check_free(upload.folder, upload.name, session.on_conflict)
        os.ftruncate(upload.data, sum(part.size_bytes for part in parts))
        hidden, _ = _name_files(upload.token)
        published = publish_file(upload.data, upload.folder, hidden, upload.name, session.on_conflict)
        _remove(upload.folder, upload.token)
        return published


def abort(tree: Tree, session: UploadSession) -> None:
    """Removes the hidden files; what is not there needs no removing."""
    try:
        token, target = _read_state(session)
        with tree.open_target(target[:-1]) as folder:
            _remove(folder.descriptor, token)
    except FileNotFoundError:
        return
    except ConnectorError as error:
        if error.kind not in {ErrorKind.NOT_FOUND, ErrorKind.INVALID_TARGET}:
            raise


def _remove(folder: int, token: str) -> None:
    for hidden in _name_files(token):
        with suppress(FileNotFoundError):
            os.unlink(hidden, dir_fd=folder)


def _name_files(token: str) -> tuple[bytes, bytes]:
    return PARTS_PREFIX + token.encode(), PARTS_PREFIX + token.encode() + _TABLE_SUFFIX


def _read_state(session: UploadSession) -> tuple[str, Parts]:
    token, target = session.state.get("token"), session.state.get("target")
    if not isinstance(token, str) or not token.isalnum() or not token.isascii() or not isinstance(target, str):
        raise _missing()
    parts = read_raw_id(target)
    if not parts:
        raise _missing()
    return token, parts


def _read_receipt(part: Part) -> bytes:
    try:
        return bytes.fromhex(part.receipt or "")
    except ValueError:
        return b""


def _missing() -> ConnectorError:
    return ConnectorError(ErrorKind.NOT_FOUND, "this upload is not, or no longer, there")
