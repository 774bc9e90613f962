"""Renames that never replace anything unseen."""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress

_RENAME_NOREPLACE = 1
_NOT_OFFERED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_libc = ctypes.CDLL(None, use_errno=True)
_renameat2 = getattr(_libc, "renameat2", None)  # glibc 2.28 and newer


def rename_exclusive(source_folder: int, source: bytes, target_folder: int, target: bytes, *, is_folder: bool) -> None:
    """Renames; FileExistsError, and nothing changed, when the name is taken, also by others at the same moment.

    One step where the kernel and the file system offer it. Elsewhere a file has both names for a moment, and a folder
    takes the place of an empty one made for it.
    """
    failed = _rename_noreplace(source_folder, source, target_folder, target)
    if failed in _NOT_OFFERED:
        if is_folder:
            _rename_folder(source_folder, source, target_folder, target)
        else:
            os.link(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
            os.unlink(source, dir_fd=source_folder)
    elif failed:
        raise OSError(failed, os.strerror(failed))


def _rename_noreplace(source_folder: int, source: bytes, target_folder: int, target: bytes) -> int:
    """0, or the error's number."""
    if _renameat2 is None:
        return errno.ENOSYS
    if _renameat2(source_folder, source, target_folder, target, _RENAME_NOREPLACE) == 0:
        return 0
    return ctypes.get_errno()


def _rename_folder(source_folder: int, source: bytes, target_folder: int, target: bytes) -> None:
    os.mkdir(target, dir_fd=target_folder)
    try:
        os.rename(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder)
    except OSError:
        with suppress(OSError):
            os.rmdir(target, dir_fd=target_folder)
        raise
