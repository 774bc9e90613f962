"""What an OSError means: one table, and words that never show where on the machine a folder is."""

from __future__ import annotations

import errno

from connectors.core.errors import ConnectorError, ErrorKind

_MEANINGS: dict[int, tuple[ErrorKind, str]] = {
    errno.ENOENT: (ErrorKind.NOT_FOUND, "there is nothing of that name"),
    errno.ENOTDIR: (ErrorKind.NOT_FOUND, "there is no such folder"),
    errno.EEXIST: (ErrorKind.ALREADY_EXISTS, "the name is taken"),
    errno.ENOTEMPTY: (ErrorKind.FOLDER_NOT_EMPTY, "the folder is not empty"),
    errno.EISDIR: (ErrorKind.WRONG_TYPE, "this is a folder, not a file"),
    errno.ENAMETOOLONG: (ErrorKind.INVALID_NAME, "the name is too long"),
    errno.EILSEQ: (ErrorKind.INVALID_NAME, "the disk cannot hold this name"),
    errno.EACCES: (ErrorKind.PERMISSION_DENIED, "the server may not do this here"),
    errno.EPERM: (ErrorKind.PERMISSION_DENIED, "the server may not do this here"),
    errno.EROFS: (ErrorKind.PERMISSION_DENIED, "the disk is read-only"),
    errno.ELOOP: (ErrorKind.PERMISSION_DENIED, "a link may not be followed here"),
    errno.ENOSPC: (ErrorKind.QUOTA_EXCEEDED, "the disk is full"),
    errno.EDQUOT: (ErrorKind.QUOTA_EXCEEDED, "the disk quota is used up"),
    errno.EFBIG: (ErrorKind.TOO_LARGE, "the disk cannot hold a file of this size"),
    errno.EXDEV: (ErrorKind.UNSUPPORTED, "source and target are on different disks; copy instead"),
    errno.ENOTSUP: (ErrorKind.UNSUPPORTED, "the disk cannot do this"),
    errno.ENOSYS: (ErrorKind.UNSUPPORTED, "the system cannot do this"),
    errno.ETIMEDOUT: (ErrorKind.TIMED_OUT, "the disk did not answer in time"),
}
_UNAVAILABLE = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EHOSTDOWN,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENODEV,
        errno.ENOMEM,
        errno.ENOTCONN,
        errno.ENXIO,
        errno.ESTALE,
        errno.ETXTBSY,
    }
)


def classify_exception(error: Exception) -> ConnectorError | None:
    """The kind of a failed system call; None for what is no OSError."""
    if not isinstance(error, OSError):
        return None
    if error.errno in _UNAVAILABLE:
        return ConnectorError(ErrorKind.UNAVAILABLE, "the disk cannot be used now")
    kind, words = _MEANINGS.get(error.errno or 0, (ErrorKind.UNEXPECTED, f"the disk failed with error {error.errno}"))
    return ConnectorError(kind, words)
