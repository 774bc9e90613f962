"""Removing whole trees by descriptor: no link is followed, any depth is reached with two open folders."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from connectors.local.threads import Stop
from connectors.local.tree import HOLD, READ_FOLDER

REFILLS_MAX = 100
"""How often a folder may be found filled again by somebody else before the deletion gives up."""


@dataclass(slots=True)
class _Level:
    """A folder on the way down: who it is, its name in the one above, the folders in it that are still there."""

    identity: tuple[int, int]
    name: bytes
    pending: list[bytes]


def delete_tree(folder: int, name: bytes, stop: Stop) -> None:
    """Deletes the folder `name` and all in it; links go, what they lead to stays. FileNotFoundError for no such folder.

    On the way up each folder must be the one it was on the way down; a folder moved away meanwhile ends the deletion.
    """
    held = os.open(name, READ_FOLDER, dir_fd=folder)
    refills = 0
    try:
        levels = [
            _Level(_identify(folder), b"", []),
            _Level(_identify(held), name, _delete_files(held, stop)),
        ]
        while len(levels) > 1 or levels[0].pending:
            stop.check()
            level = levels[-1]
            if level.pending:
                held = _go_down(held, level.pending.pop(), levels, stop)
                continue
            held = _replace(held, os.open(b"..", HOLD, dir_fd=held))
            levels.pop()
            if _identify(held) != levels[-1].identity:
                raise OSError(errno.ESTALE, "moved while it was deleted")
            try:
                os.rmdir(level.name, dir_fd=held)
            except FileNotFoundError:
                pass  # somebody else was quicker
            except OSError as error:
                refills += 1
                if error.errno != errno.ENOTEMPTY or refills > REFILLS_MAX:
                    raise
                levels[-1].pending.append(level.name)
    finally:
        os.close(held)


def _go_down(held: int, name: bytes, levels: list[_Level], stop: Stop) -> int:
    try:
        inner = os.open(name, READ_FOLDER, dir_fd=held)
    except (FileNotFoundError, NotADirectoryError):
        return held  # gone, or something else now: the folder above will be found not empty
    held = _replace(held, inner)
    levels.append(_Level(_identify(held), name, _delete_files(held, stop)))
    return held


def _replace(held: int, other: int) -> int:
    os.close(held)
    return other


def _identify(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino


def _delete_files(folder: int, stop: Stop) -> list[bytes]:
    """Deletes all but folders, whose names are returned."""
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            stop.check()
            try:
                if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                    folders.append(os.fsencode(entry.name))
                else:
                    os.unlink(entry.name, dir_fd=folder)
            except (FileNotFoundError, IsADirectoryError):
                continue
    return folders
