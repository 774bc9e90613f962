"""Writing files: hidden while they grow, on the disk for good before they are seen, and then seen whole."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from connectors.core.paths import HIDDEN_PREFIX
from connectors.core.resources import OnConflict
from connectors.local.deleting import delete_tree
from connectors.local.names import number_name
from connectors.local.renames import rename_exclusive
from connectors.local.threads import Stop
from connectors.local.tree import read_names

UPLOAD_PREFIX = f"{HIDDEN_PREFIX}upload-".encode()
PARTS_PREFIX = f"{HIDDEN_PREFIX}parts-".encode()

RENAME_TRIES_MAX = 1000
"""How many names like "a (1).txt" are tried."""

LEFTOVER_SECONDS_MIN = 60
"""An unfinished file younger than this is never swept: its writer may not have locked it yet."""

LEFTOVER_SECONDS_MAX = 24 * 3600
"""Where the file system has no locks, an unfinished file untouched for so long is a leftover."""

PARTS_SECONDS_MAX = 60 * 24 * 3600
"""An upload in parts that nobody touched for so long is forgotten."""

SWEEP_ITEMS_MAX = 100
"""How many leftovers one listing looks at."""

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE_BITS = 0o777


@dataclass(frozen=True, slots=True)
class Published:
    """What became visible."""

    wanted_name: bytes
    name: bytes
    status: os.stat_result
    is_replacement: bool = False  # there was a file of this name before

    def seen_as(self, name: bytes) -> Published:
        """The same under the name that leads to it where that is another: through a link."""
        return replace(self, name=name) if self.name == self.wanted_name else self


class HiddenFile:
    """A file that grows under a hidden name, locked while its writer lives."""

    def __init__(self, folder: int, *, mode: int = 0o666) -> None:
        """Takes over the folder's descriptor, also when this fails."""
        self._folder = folder
        self._name: bytes | None = None
        try:
            name = UPLOAD_PREFIX + secrets.token_hex(16).encode()
            self.descriptor = os.open(name, CREATE, mode, dir_fd=folder)
        except BaseException:
            os.close(folder)
            raise
        self._name = name
        self.size_bytes = 0
        lock(self.descriptor)

    def append(self, data: bytes) -> None:
        """Puts all of it behind what is there. Zeros become a hole: a sparse file stays sparse."""
        if not _is_zeros(data):
            write_all(self.descriptor, data, self.size_bytes)
        self.size_bytes += len(data)

    def publish(self, name: bytes, on_conflict: OnConflict, *, is_there: bool = False) -> Published:
        """Makes the file visible, complete and safe from power loss.

        With `is_there` only in the place of a file: FileNotFoundError if that is gone meanwhile.
        """
        if self._name is None:
            raise AssertionError("published twice")
        if is_there:
            os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        if os.fstat(self.descriptor).st_size < self.size_bytes:  # the end is a hole
            os.ftruncate(self.descriptor, self.size_bytes)
        published = publish_file(self.descriptor, self._folder, self._name, name, on_conflict)
        self._name = None
        return published

    def close(self) -> None:
        """Ends the writing; what was not published is gone. Does nothing the second time."""
        folder, self._folder = self._folder, -1
        if folder < 0:
            return
        if self._name is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=folder)
        os.close(self.descriptor)
        os.close(folder)


def _is_zeros(data: bytes) -> bool:
    """Looks closely only at what begins and ends with zero."""
    return bool(data) and not data[0] and not data[-1] and data == bytes(len(data))


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Writes all of it there, in as many steps as the system wants."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def publish_file(descriptor: int, folder: int, hidden: bytes, name: bytes, on_conflict: OnConflict) -> Published:
    """Gives an open hidden file its name at once, its bytes safely on the disk; FileExistsError when that is taken.

    A file that takes another's place takes over its rights.
    """
    replaced = find_replaceable(folder, name) if on_conflict is OnConflict.REPLACE else None
    if replaced is not None:
        with suppress(PermissionError):
            os.fchown(descriptor, replaced.st_uid, replaced.st_gid)
        os.fchmod(descriptor, replaced.st_mode & _MODE_BITS)
    now_ns = time.time_ns()  # finer than the kernel's own stamps: two writes never share an etag
    os.utime(descriptor, ns=(now_ns, now_ns))
    os.fsync(descriptor)
    if on_conflict is not OnConflict.REPLACE:
        stored = publish(folder, hidden, name, on_conflict, is_folder=False)
        return Published(name, stored, os.fstat(descriptor))
    replaced = find_replaceable(folder, name)
    try:
        os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    except IsADirectoryError:  # made since the check
        raise FileExistsError from None
    os.fsync(folder)
    return Published(name, name, os.fstat(descriptor), is_replacement=replaced is not None)


def publish(folder: int, hidden: bytes, name: bytes, on_conflict: OnConflict, *, is_folder: bool) -> bytes:
    """Gives something hidden a name that is free, at once and for good; FileExistsError when there is none."""
    for candidate in _candidates(name, on_conflict, is_folder=is_folder):
        try:
            rename_exclusive(folder, hidden, folder, candidate, is_folder=is_folder)
        except FileExistsError:
            continue
        os.fsync(folder)
        return candidate
    raise FileExistsError


def check_free(folder: int, name: bytes, on_conflict: OnConflict) -> None:
    """FileExistsError when it is certain already that the name cannot be had; asked before any byte is read."""
    if on_conflict is OnConflict.FAIL:
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
            raise FileExistsError
    elif on_conflict is OnConflict.REPLACE:
        find_replaceable(folder, name)


def find_replaceable(folder: int, name: bytes) -> os.stat_result | None:
    """The file of that name, None when the name is free; FileExistsError when anything but a file has it."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError
    return status


def _candidates(name: bytes, on_conflict: OnConflict, *, is_folder: bool) -> Iterator[bytes]:
    yield name
    if on_conflict is OnConflict.RENAME:
        for number in range(1, RENAME_TRIES_MAX + 1):
            yield number_name(name, number, is_folder=is_folder)


def lock(descriptor: int) -> None:
    """Marks the file or folder as somebody's, until the descriptor closes or the process dies."""
    with suppress(OSError):  # a file system without locks: its leftovers are told by their age
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: int, hidden_names: Iterable[bytes]) -> None:
    """Removes what killed writers left in a folder. What cannot be removed is left alone."""
    for name in islice(hidden_names, SWEEP_ITEMS_MAX):
        with suppress(OSError):
            if _is_leftover(folder, name):
                _remove(folder, name)


def remove_leftovers(folder: int) -> bool:
    """True when nothing but leftovers of dead writers was in the folder; they are gone then."""
    names = read_names(folder)
    if not names or not all(_is_leftover(folder, name, seconds_min=0) for name in names):
        return False
    for name in names:
        _remove(folder, name)
    return True


def _is_leftover(folder: int, name: bytes, *, seconds_min: float = LEFTOVER_SECONDS_MIN) -> bool:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    age_seconds = time.time() - status.st_mtime
    if name.startswith(PARTS_PREFIX):
        return age_seconds > PARTS_SECONDS_MAX
    if not name.startswith(UPLOAD_PREFIX) or age_seconds < seconds_min:
        return False
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return False
    flags = os.O_RDONLY | os.O_DIRECTORY if is_folder else os.O_RDWR
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return age_seconds > LEFTOVER_SECONDS_MAX
    else:
        return True
    finally:
        os.close(descriptor)


def _remove(folder: int, name: bytes) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        delete_tree(folder, name, Stop())
