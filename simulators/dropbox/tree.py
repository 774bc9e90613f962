"""Namespaces and what is in them: folders, files and their versions. Knows no user's view and no JSON."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from simulators.core.contents import Content


class AccessLevel(StrEnum):
    """What a member may do, the strongest first."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"
    VIEWER_NO_COMMENT = "viewer_no_comment"

    @property
    def can_write(self) -> bool:
        """Owners and editors may."""
        return self in {AccessLevel.OWNER, AccessLevel.EDITOR}


class NamespaceKind(StrEnum):
    """Why a namespace exists."""

    HOME = "home"
    TEAM_ROOT = "team_root"
    TEAM_FOLDER = "team_folder"
    SHARED_FOLDER = "shared_folder"


@dataclass(slots=True, eq=False, kw_only=True)
class Version:
    """One revision of a file; `path` is where in its namespace it was written, in small letters."""

    rev: str
    content: Content
    content_hash: str
    client_modified: datetime
    server_modified: datetime
    file_id: str
    name: str
    path: str
    author_number: int | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class File:
    """A file that exists, with all its versions, the newest last."""

    resource_id: str
    name: str
    parent: Folder
    versions: list[Version]
    properties: dict[str, dict[str, str]] = field(default_factory=dict)
    members: dict[int, AccessLevel] = field(default_factory=dict)
    invitees: dict[str, AccessLevel] = field(default_factory=dict)
    invited_at: dict[int, datetime] = field(default_factory=dict)

    @property
    def version(self) -> Version:
        """What is downloaded."""
        return self.versions[-1]

    @property
    def namespace(self) -> Namespace:
        """Where it is."""
        return self.parent.home


@dataclass(slots=True, eq=False, kw_only=True)
class Folder:
    """A folder that exists. One that mounts a namespace shows that one's root in its place.

    `parent` is the folder that holds it, never one that mounts that folder; None for the root of a namespace.
    """

    resource_id: str
    name: str
    parent: Folder | None
    home: Namespace
    created_at: datetime
    own_children: dict[str, Resource] = field(default_factory=dict)
    mount: Namespace | None = None
    properties: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def namespace(self) -> Namespace:
        """Where the folder itself is."""
        return self.home

    @property
    def inner(self) -> Folder:
        """The folder that holds the children: itself, or the root of what it mounts."""
        return self.mount.root if self.mount else self

    @property
    def children(self) -> dict[str, Resource]:
        """What is in it, by name in small letters."""
        return self.inner.own_children


Resource = File | Folder


@dataclass(slots=True, kw_only=True)
class Trail:
    """What was ever at a path: all versions of files, and when the last thing there was deleted (None: it is there)."""

    name: str
    is_folder: bool
    versions: list[Version] = field(default_factory=list)
    deleted_at: datetime | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Namespace:
    """A tree that one or several users have in theirs. `mounts` are the folders at which each of them finds it."""

    namespace_id: str
    kind: NamespaceKind
    name: str
    owner_number: int | None
    created_at: datetime
    root: Folder = field(init=False)
    members: dict[int, AccessLevel] = field(default_factory=dict)
    invitees: dict[str, AccessLevel] = field(default_factory=dict)
    mounts: dict[int, Folder] = field(default_factory=dict)
    trails: dict[str, Trail] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = Folder(resource_id=invent_id(), name=self.name, parent=None, home=self, created_at=self.created_at)


def invent_id() -> str:
    """An id of a file or a folder: the same as long as it exists, wherever it moves."""
    return f"id:{secrets.token_urlsafe(16)}"


def read_parts(path: str) -> list[str]:
    """The names of a path."""
    return [part for part in path.split("/") if part]


def build_inner_path(resource: Resource) -> str:
    """A resource's path in its namespace, in small letters; "" for the root."""
    parts: list[str] = []
    here = resource
    while here.parent is not None:
        parts.append(here.name.lower())
        here = here.parent
    return "".join(f"/{part}" for part in reversed(parts))


def walk(folder: Folder) -> Iterator[Resource]:
    """All below a folder, parents first, mounted namespaces included."""
    for child in list(folder.children.values()):
        yield child
        if isinstance(child, Folder):
            yield from walk(child)
