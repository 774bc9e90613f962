"""Copies inside the machine: shared blocks where the file system can, else bytes moved by the kernel, else by us."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import OnConflict
from connectors.local.deleting import delete_tree
from connectors.local.names import Parts, is_hidden
from connectors.local.threads import Stop
from connectors.local.tree import READ_FILE, READ_FOLDER, read_names
from connectors.local.writes import CREATE, UPLOAD_PREFIX, HiddenFile, Published, lock, publish, write_all

STEP_BYTES = 16 * 2**20
"""How much is copied before the copy looks whether anybody still waits for it."""

READ_BYTES = 2**20
COPY_ENTRIES_MAX = 1_000_000
COPY_DEPTH_MAX = 1000

_FICLONE = 0x40049409  # from linux/fs.h
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EXDEV, errno.ENOTTY, errno.EPERM, errno.EBADF})


def copy_bytes(source: int, target: int, stop: Stop) -> None:
    """Copies an open file into an empty one, holes as holes; unavailable when it changed meanwhile."""
    before = os.fstat(source)
    if not _clone(source, target):
        os.ftruncate(target, before.st_size)
        for start, end in _walk_data(source, before.st_size):
            _copy_range(source, target, start, end, stop)
    after = os.fstat(source)
    if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, before.st_size):
        raise ConnectorError(ErrorKind.UNAVAILABLE, "the file changed while it was copied")


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def _walk_data(source: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """Where the file has bytes; what lies between is zeros that need no place."""
    end = 0
    while end < size_bytes:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
            end = min(os.lseek(source, start, os.SEEK_HOLE), size_bytes)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            if error.errno != errno.EINVAL:
                raise
            start, end = end, size_bytes  # holes cannot be asked for here
        yield start, end


def _copy_range(source: int, target: int, start: int, end: int, stop: Stop) -> None:
    by_kernel = True
    while start < end:
        stop.check()
        step_bytes = min(STEP_BYTES, end - start)
        copied = 0
        if by_kernel:
            try:
                copied = os.copy_file_range(source, target, step_bytes, start, start)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
            by_kernel = copied > 0
        if not copied:
            data = os.pread(source, min(step_bytes, READ_BYTES), start)
            if not data:
                return  # shorter than it was: the caller compares
            write_all(target, data, start)
            copied = len(data)
        start += copied


def copy_file(source: int, folder: int, name: bytes, on_conflict: OnConflict, stop: Stop) -> Published:
    """Copies an open file into a folder, unseen until it is whole."""
    target = HiddenFile(os.dup(folder), mode=os.fstat(source).st_mode & 0o777)
    try:
        copy_bytes(source, target.descriptor, stop)
        return target.publish(name, on_conflict)
    finally:
        target.close()


def copy_folder(source: int, folder: int, name: bytes, on_conflict: OnConflict, stop: Stop) -> Published:
    """Copies an open folder and all it holds, unseen until it is whole.

    Links are copied as links; devices, pipes and sockets are left out.
    """
    hidden = UPLOAD_PREFIX + secrets.token_hex(16).encode()
    os.mkdir(hidden, dir_fd=folder)
    is_published = False
    target = os.open(hidden, READ_FOLDER, dir_fd=folder)
    try:
        lock(target)
        _copy_entries(source, target, stop)
        stored = publish(folder, hidden, name, on_conflict, is_folder=True)
        is_published = True
        return Published(name, stored, os.fstat(target))
    finally:
        os.close(target)
        if not is_published:
            with suppress(FileNotFoundError):
                delete_tree(folder, hidden, Stop())


def _copy_entries(source: int, target: int, stop: Stop) -> None:
    pending: list[Parts] = [()]
    seen = 0
    while pending:
        parts = pending.pop()
        with _open_below(source, parts) as read, _open_below(target, parts) as write:
            for name in read_names(read):
                stop.check()
                seen += 1
                if seen > COPY_ENTRIES_MAX or len(parts) > COPY_DEPTH_MAX:
                    raise ConnectorError(
                        ErrorKind.TOO_LARGE, "the folder is too large or too deep to be copied at once"
                    )
                if not is_hidden(name) and _copy_entry(read, write, name, stop):
                    pending.append((*parts, name))
            os.fsync(write)


def _copy_entry(read: int, write: int, name: bytes, stop: Stop) -> bool:
    """True for a folder, whose content is still to be copied. What went away meanwhile is left out."""
    try:
        mode = os.stat(name, dir_fd=read, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            os.mkdir(name, dir_fd=write)
            return True
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(name, dir_fd=read), name, dir_fd=write)
        elif stat.S_ISREG(mode):
            source = os.open(name, READ_FILE, dir_fd=read)
            try:
                _copy_new(source, write, name, stop)
            finally:
                os.close(source)
    except FileNotFoundError:
        pass
    return False


def _copy_new(source: int, folder: int, name: bytes, stop: Stop) -> None:
    target = os.open(name, CREATE, os.fstat(source).st_mode & 0o777, dir_fd=folder)
    try:
        copy_bytes(source, target, stop)
        os.fsync(target)
    finally:
        os.close(target)


@contextmanager
def _open_below(top: int, parts: Parts) -> Iterator[int]:
    held = os.dup(top)
    try:
        for part in parts:
            inner = os.open(part, READ_FOLDER, dir_fd=held)
            os.close(held)
            held = inner
        yield held
    finally:
        os.close(held)
