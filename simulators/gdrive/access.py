"""Who may do what: permissions as they come down from the folders above."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from simulators.core.users import User, Users
from simulators.gdrive.records import DriveFile, Permission, rank

DEPTH_MAX = 1000


@dataclass(frozen=True, slots=True)
class Granted:
    """A permission as it applies to a file: its own, or that of a folder above (`inherited_from`)."""

    permission: Permission
    role: str
    inherited_from: str | None


class Tree(Protocol):
    """Where files are found."""

    @property
    def users(self) -> Users: ...

    def find(self, file_id: str) -> DriveFile | None: ...

    def now(self) -> datetime: ...


def list_ancestors(tree: Tree, file: DriveFile) -> Iterator[DriveFile]:
    """The folders above, the nearest first."""
    parent = tree.find(file.parent_id) if file.parent_id else None
    for _ in range(DEPTH_MAX):
        if parent is None:
            return
        yield parent
        parent = tree.find(parent.parent_id) if parent.parent_id else None


def list_granted(tree: Tree, file: DriveFile) -> list[Granted]:
    """All permissions that apply, each once in its strongest form; who owns a folder writes in it, and owns no more."""
    found: dict[str, Granted] = {}
    now = tree.now()
    place: DriveFile | None = file
    for ancestor in [file, *list_ancestors(tree, file)]:
        if place is not None and not place.inherits and ancestor is not file:
            break
        for permission in ancestor.permissions.values():
            if permission.expires_at is not None and permission.expires_at <= now:
                continue
            is_own = ancestor is file
            role = "writer" if permission.role == "owner" and not is_own else permission.role
            known = found.get(permission.id)
            if known is None or rank(role) > rank(known.role):
                found[permission.id] = Granted(permission, role, None if is_own else ancestor.id)
        place = ancestor
    return list(found.values())


def applies(permission: Permission, user: User) -> bool:
    """Does it name this user, the user's domain, or everybody?"""
    email = (permission.email or "").casefold()
    if permission.kind == "group":
        return user.team is not None and email == build_group_email(user.team)
    if permission.kind == "user":
        return email == user.email.casefold()
    if permission.kind == "domain":
        return user.email.casefold().endswith("@" + (permission.domain or "").casefold())
    return True


def build_group_email(team: str) -> str:
    """The address of the group that all members of a team are in."""
    return "-".join(team.casefold().split()) + "@groups.example.com"


def get_role(tree: Tree, file: DriveFile, user: User) -> str | None:
    """The strongest role that the user has; None if the file is out of sight."""
    roles = [granted.role for granted in list_granted(tree, file) if applies(granted.permission, user)]
    return max(roles, key=rank, default=None)


def is_listed(tree: Tree, file: DriveFile, user: User) -> bool:
    """Would a search of this user find it? Who only has the link has to open it first."""
    for granted in list_granted(tree, file):
        if applies(granted.permission, user):
            is_known = granted.permission.kind in {"user", "group"} or granted.permission.allows_discovery
            if is_known or user.number in file.viewed_at:
                return True
    return False


def list_audience(tree: Tree, file: DriveFile) -> frozenset[int]:
    """The users who see it among their own things."""
    return frozenset(user.number for user in tree.users if is_listed(tree, file, user))


def is_trashed(tree: Tree, file: DriveFile) -> bool:
    """In the trash itself, or below a folder that is."""
    return file.is_trashed or any(folder.is_trashed for folder in list_ancestors(tree, file))


def get_public_role(tree: Tree, file: DriveFile) -> str | None:
    """The role of whoever has the link; None if that lets nobody in."""
    roles = [granted.role for granted in list_granted(tree, file) if granted.permission.kind == "anyone"]
    return max(roles, key=rank, default=None)
