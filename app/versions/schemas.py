"""What the API gives for the versions of a file."""

from __future__ import annotations

from msgspec import Struct

from app.core.http.replies import ObjectList
from app.storage.schemas import PersonReply, Time


class VersionReply(Struct, kw_only=True, gc=False):
    """The bytes that a file has, or had once."""

    id: str
    file_id: str
    account: int
    size: int | None
    modified: Time | None
    modifier: PersonReply | None
    current: bool
    raw_id: str
    href: str
    type: str = "version"
    api: str = "storage"


class VersionPage(ObjectList[VersionReply], kw_only=True, gc=False):
    """A page of a file's versions."""
