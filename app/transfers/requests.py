"""What tasks of this folder were asked for; kept sealed with the task."""

from __future__ import annotations

from msgspec import Struct

from connectors.core.resources import RawId, Ref


class TransferRequest(Struct, frozen=True, kw_only=True):
    """A file or folder to copy, or to move, to another account."""

    source: Ref
    parent: RawId
    name: str | None
    is_move: bool


class CopyRequest(Struct, frozen=True, kw_only=True):
    """A file or folder to copy inside its account."""

    source: Ref
    parent: RawId
    name: str | None


class DeletionRequest(Struct, frozen=True, kw_only=True):
    """A folder to delete with all it holds."""

    folder: Ref
    is_permanent: bool
