"""What a Drive consists of: files, their revisions and permissions, shared drives, changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulators.core.contents import Content

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
NATIVE_PREFIX = "application/vnd.google-apps."

ROLES = ("reader", "commenter", "writer", "fileOrganizer", "organizer", "owner")
"""From the weakest to the strongest."""


def rank(role: str | None) -> int:
    """How much a role allows; 0 is nothing."""
    return 0 if role is None else ROLES.index(role) + 1


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Blob:
    """Bytes with their checksums; they are removed when nothing has them any more."""

    content: Content
    md5: str
    sha1: str
    sha256: str

    @property
    def size_bytes(self) -> int:
        return self.content.size_bytes


@dataclass(slots=True, kw_only=True)
class Permission:
    """Who may do what with a file and all below it: `kind` is user, group, domain or anyone."""

    id: str
    kind: str
    role: str
    email: str | None = None
    domain: str | None = None
    allows_discovery: bool = False
    expires_at: datetime | None = None
    is_pending_owner: bool = False
    created_at: datetime
    created_by: int | None = None


@dataclass(slots=True, kw_only=True)
class Revision:
    id: str
    blob: Blob
    mime_type: str
    modified_at: datetime
    modified_by: int
    filename: str | None = None
    is_kept: bool = False
    is_published: bool = False
    is_published_again: bool = False
    is_published_outside: bool = False


@dataclass(slots=True, kw_only=True)
class DriveFile:
    """A file, folder, shortcut or document. Of `owner` and `drive_id` exactly one is set."""

    id: str
    name: str
    mime_type: str
    parent_id: str | None
    owner: int | None
    drive_id: str | None
    created_at: datetime
    modified_at: datetime
    modified_by: int
    client_id: str = ""
    space: str = "drive"
    is_root: bool = False
    version: int = 1
    description: str | None = None
    folder_color: str | None = None
    original_filename: str | None = None
    indexable_text: str = ""
    is_trashed: bool = False
    trashed_at: datetime | None = None
    trashed_by: int | None = None
    target_id: str | None = None
    target_mime_type: str | None = None
    needs_writer_to_copy: bool = False
    writers_can_share: bool = True
    inherits: bool = True
    thumbnail: bytes | None = None
    properties: dict[str, str] = field(default_factory=dict)
    app_properties: dict[str, dict[str, str]] = field(default_factory=dict)
    content_restrictions: list[dict[str, Any]] = field(default_factory=list)
    starred_by: set[int] = field(default_factory=set)
    viewed_at: dict[int, datetime] = field(default_factory=dict)
    modified_at_by: dict[int, datetime] = field(default_factory=dict)
    permissions: dict[str, Permission] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)

    @property
    def is_folder(self) -> bool:
        return self.mime_type == FOLDER

    @property
    def is_native(self) -> bool:
        """A document of the provider's own: it has no bytes to download, only exports."""
        return self.mime_type.startswith(NATIVE_PREFIX) and self.mime_type not in {FOLDER, SHORTCUT}

    @property
    def blob(self) -> Blob | None:
        """The newest bytes; for a document what its exports are made of."""
        return self.revisions[-1].blob if self.revisions else None


@dataclass(slots=True, kw_only=True)
class SharedDrive:
    """A drive that belongs to a team; its root folder has the same id and carries the members as permissions."""

    id: str
    created_at: datetime
    color: str = "#0f9d58"
    theme: str = "abacus"
    hidden_by: set[int] = field(default_factory=set)
    restrictions: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something happened to a file or a shared drive; `audience` could see it before or can see it now."""

    number: int
    at: datetime
    file_id: str | None
    drive_id: str | None
    audience: frozenset[int]
    state: str = "update"
    aspects: frozenset[str] = frozenset()
