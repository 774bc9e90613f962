"""The one error of every connector, and the kinds it comes in.

    ConnectorError
        kind         what happened, from the short list below
        is_temporary is waiting worth it? decided by the kind alone, in one table

A connector turns its provider's replies into kinds; the app turns kinds into public statuses and codes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.core.resources import Ref


class ErrorKind(StrEnum):
    """What happened, in words that no provider owns."""

    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    FOLDER_NOT_EMPTY = "folder_not_empty"
    WRONG_TYPE = "wrong_type"  # a file where a folder was asked for, or the reverse
    INVALID_NAME = "invalid_name"
    INVALID_TARGET = "invalid_target"  # a folder moved into itself, a parent that is no folder
    PERMISSION_DENIED = "permission_denied"
    GRANT_REVOKED = "grant_revoked"  # the account must be reconnected
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a kind, not a secret; never leaves the layers
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    TOO_LARGE = "too_large"
    PRECONDITION_FAILED = "precondition_failed"
    NOT_MODIFIED = "not_modified"
    RANGE_INVALID = "range_invalid"
    FORMAT_INVALID = "format_invalid"  # a document is not exported as that, or a file not at all
    CURSOR_INVALID = "cursor_invalid"
    CURSOR_RESET = "cursor_reset"  # the changes since then are not known any more; everything must be listed again
    INVALID_PARTS = "invalid_parts"  # an upload's parts are missing, too short or too long
    SOURCE_FAILED = "source_failed"  # the bytes to store ended early, ran over, or their reader failed
    ADDRESS_REFUSED = "address_refused"  # the address guard does not allow this host
    UNSUPPORTED = "unsupported"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed_out"
    UNEXPECTED = "unexpected"


TEMPORARY_KINDS = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE, ErrorKind.TIMED_OUT})


class ConnectorError(Exception):
    """A provider call failed; `message` is plain words that may be shown to an application's developer.

    - `maybe_applied`: the request may have taken effect although no good answer came.
    - `is_replay`: this is the answer to a repeat after such a doubt, so that not_found after a repeated delete, or
      already_exists after a repeated create_folder, means done.
    - `is_persistent`: temporary, retried and still failing; an outer caller reschedules instead of retrying.
    - `retry_after_seconds`: what the provider asked for, None when it gave no hint.
    - `conflict`: the resource that is in the way, when known.
    - `size_bytes`: the whole size, with range_invalid.
    - `final_kind`: what it is once nobody tries again, when the kind only says that another try may tell more.
    - `context`: connector, operation, account, reference, upstream status and request id; never a secret.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str = "",
        *,
        retry_after_seconds: float | None = None,
        maybe_applied: bool = False,
        status: int | None = None,
        conflict: Ref | None = None,
        size_bytes: int | None = None,
    ) -> None:
        super().__init__(message or kind.value)
        self.kind = kind
        self.message = message or kind.value.replace("_", " ")
        self.retry_after_seconds = retry_after_seconds
        self.maybe_applied = maybe_applied
        self.status = status
        self.conflict = conflict
        self.size_bytes = size_bytes
        self.is_persistent = False
        self.is_replay = False
        self.final_kind: ErrorKind | None = None
        self.context: dict[str, str] = {}

    @property
    def is_temporary(self) -> bool:
        """True when the same call may succeed later without anybody doing anything."""
        return self.kind in TEMPORARY_KINDS and not self.is_persistent

    def restated(self, kind: ErrorKind | None = None, message: str = "") -> ConnectorError:
        """The same facts in a new error: as another kind, in other words, or to be raised in more than one task."""
        error = ConnectorError(
            kind or self.kind,
            message or self.message,
            retry_after_seconds=self.retry_after_seconds,
            maybe_applied=self.maybe_applied,
            status=self.status,
            conflict=self.conflict,
            size_bytes=self.size_bytes,
        )
        error.is_persistent = self.is_persistent
        error.is_replay = self.is_replay
        error.context = dict(self.context)
        return error

    def __str__(self) -> str:
        where = " ".join(f"{name}={value}" for name, value in self.context.items())
        return f"{self.kind}: {self.message}" + (f" ({where})" if where else "")
