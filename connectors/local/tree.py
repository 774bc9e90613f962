"""Safe descent: from an account's folder to what a path names, held by directory descriptors, never outside."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Kind, OnConflict
from connectors.local.names import Parts
from connectors.local.roots import Grant

LINK_STEPS_MAX = 200
"""How many links, and ".." inside links, one path may lead through."""

HOLD = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HERE = b"."


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a path names, held in place while its context lasts."""

    folder: int  # the folder that really holds it
    name: bytes  # its name there; "." for the account's folder itself
    real: Parts  # its path without links
    status: os.stat_result

    def open_file(self) -> int:
        """Opens the file for reading; wrong_type for a folder."""
        if self.kind == "folder":
            raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a folder, not a file")
        opened = os.open(self.name, READ_FILE, dir_fd=self.folder)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise _special()
        return opened

    def open_folder(self) -> int:
        """Opens the folder for listing and for changes in it; wrong_type for a file."""
        if self.kind == "file":
            raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a file, not a folder")
        return os.open(self.name, READ_FOLDER, dir_fd=self.folder)

    @property
    def kind(self) -> Kind:
        """File or folder; permission_denied for anything else."""
        return read_kind(self.status)


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """A folder, open for listing and for changes in it."""

    descriptor: int
    real: Parts


class Tree:
    """What an account sees."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant

    @contextmanager
    def find(self, parts: Parts, *, follow: bool = True) -> Iterator[Found]:
        """Holds what stands at the path.

        - Links are followed by hand and only inside the account's folder; with `follow` False the last name is taken as
          it is. permission_denied for a link that leaves, not_found for one that leads nowhere.
        - What is swapped for a link meanwhile is not_found, never followed unseen.
        """
        with self.grant.open() as top:
            steps = 0
            while True:
                held, reached = _walk(top, parts, follow=follow)
                try:
                    if isinstance(reached, Found):
                        yield reached
                        return
                finally:
                    os.close(held)
                parts = self._follow(parts, *reached)
                steps += 1
                if steps > LINK_STEPS_MAX:
                    raise OSError(errno.ELOOP, "too many links")

    @contextmanager
    def open_folder(self, parts: Parts) -> Iterator[OpenFolder]:
        """Opens the folder at the path; wrong_type for a file."""
        with self.find(parts) as found:
            descriptor = found.open_folder()
            try:
                yield OpenFolder(descriptor, found.real)
            finally:
                os.close(descriptor)

    @contextmanager
    def open_target(self, parts: Parts) -> Iterator[OpenFolder]:
        """Opens the folder that something is to be put into; invalid_target for a file."""
        with self.find(parts) as found:
            if found.kind == "file":
                raise ConnectorError(ErrorKind.INVALID_TARGET, "the parent is a file, not a folder")
            descriptor = found.open_folder()
            try:
                yield OpenFolder(descriptor, found.real)
            finally:
                os.close(descriptor)

    @contextmanager
    def open_place(self, parent: Parts, name: bytes, on_conflict: OnConflict) -> Iterator[tuple[OpenFolder, bytes]]:
        """Opens the folder that a file is to be written into, and says under which name.

        A file that is replaced through a link is written where it really is; the link stays.
        """
        with self.open_target(parent) as folder:
            real = None
            if on_conflict is OnConflict.REPLACE and _is_link(folder.descriptor, name):
                real = self._find_linked_file((*parent, name))
            if real is None:
                yield folder, name
                return
            with self.open_target(real[:-1]) as real_folder:
                yield real_folder, real[-1]

    def _find_linked_file(self, parts: Parts) -> Parts | None:
        """The real path of the file that a link leads to; None when it leads to no file, or where it may not."""
        try:
            with self.find(parts) as found:
                return found.real if found.kind == "file" else None
        except (OSError, ConnectorError):
            return None

    def _follow(self, parts: Parts, index: int, target: bytes) -> Parts:
        """The path with the link, or "..", at `index` replaced by what it stands for; before it there are no links."""
        before, after = parts[:index], parts[index + 1 :]
        if target == b"..":
            if not before:
                raise _outside()
            return before[:-1] + after
        if target.startswith(b"/"):
            top = self.grant.real_path().rstrip(b"/")
            if target != top and not target.startswith(top + b"/"):
                raise _outside()
            before, target = (), target[len(top) :]
        return (*before, *(part for part in target.split(b"/") if part not in {b"", _HERE}), *after)


def _walk(top: int, parts: Parts, *, follow: bool) -> tuple[int, Found | tuple[int, bytes]]:
    """Goes down to the end, or to an index whose name stands for a target. What is held is the caller's to close."""
    held = os.dup(top)
    try:
        for index, part in enumerate(parts):
            if part == b"..":
                return held, (index, part)
            if index == len(parts) - 1:
                status = os.stat(part, dir_fd=held, follow_symlinks=False)
                if follow and stat.S_ISLNK(status.st_mode):
                    return held, (index, os.readlink(part, dir_fd=held))
                return held, Found(held, part, parts, status)
            try:
                inner = os.open(part, HOLD, dir_fd=held)
            except OSError as error:
                if error.errno not in {errno.ENOTDIR, errno.ELOOP} or not _is_link(held, part):
                    raise
                return held, (index, os.readlink(part, dir_fd=held))
            os.close(held)
            held = inner
        return held, Found(held, _HERE, (), os.fstat(held))
    except BaseException:
        os.close(held)
        raise


def read_names(folder: int) -> list[bytes]:
    """All names in an open folder, in no order."""
    os.lseek(folder, 0, os.SEEK_SET)
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # as os.fsencode, but quicker
    return [name.encode(encoding, errors) for name in os.listdir(folder)]


def _is_link(folder: int, name: bytes) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def read_kind(status: os.stat_result) -> Kind:
    """File or folder; permission_denied for devices, pipes, sockets and links that were not followed."""
    if stat.S_ISREG(status.st_mode):
        return "file"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    raise _special()


def _special() -> ConnectorError:
    return ConnectorError(ErrorKind.PERMISSION_DENIED, "this is neither a file nor a folder")


def _outside() -> ConnectorError:
    return ConnectorError(ErrorKind.PERMISSION_DENIED, "the link leads outside the account's folder")
