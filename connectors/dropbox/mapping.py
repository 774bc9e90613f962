"""From what Dropbox tells of files and folders to ours. No input or output."""

from __future__ import annotations

import re

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.media_types import read_media_type
from connectors.core.moments import read_moment
from connectors.core.resources import File, Folder, Parent, Permission, Quota, RawId, Resource, Role, Version, VersionId
from connectors.dropbox.errors import build_unexpected
from connectors.dropbox.manifest import MANIFEST
from connectors.dropbox.payloads import Entry, Membership, Person, Space

ROOT = MANIFEST.root.raw_id
_RAW_ID = re.compile(r"id:[A-Za-z0-9_-]{1,200}")
_REV = re.compile(r"[0-9a-f]{9,64}")
ROLES: dict[str, Role] = {"owner": "owner", "editor": "writer", "viewer": "reader", "viewer_no_comment": "reader"}
LEVELS: dict[Role, str] = {"writer": "editor", "reader": "viewer"}


def read_raw_id(raw_id: str) -> str:
    """What Dropbox is asked with: the id, or "" for the root; not_found for anything else."""
    if raw_id == ROOT:
        return ""
    if not _RAW_ID.fullmatch(raw_id):
        raise ConnectorError(ErrorKind.NOT_FOUND, "there is nothing with this id")
    return raw_id


def read_version(version: str) -> str:
    """A revision; not_found for what cannot be one."""
    if not _REV.fullmatch(version):
        raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such version")
    return version


def split_path(path: str) -> tuple[str, str]:
    """The path of the folder above, "" for the root, and the name."""
    folder, _, name = path.rpartition("/")
    return folder, name


def name_folder(path: str) -> str:
    """The name of a folder at a path."""
    return split_path(path)[1] or MANIFEST.title


def build_root() -> Folder:
    """The root, of which Dropbox tells nothing."""
    return Folder(raw_id=ROOT, name=MANIFEST.title, ancestors=(), path="/")


def build_resource(entry: Entry, parent_id: RawId | None, *, is_replacement: bool = False) -> Resource:
    """The file or folder, below a parent where that is known."""
    folder_path = split_path(entry.path_display or "")[0]
    if not entry.id:
        raise build_unexpected()
    parent = None if parent_id is None else Parent(parent_id, name_folder(folder_path))
    info = entry.sharing_info
    if not entry.is_file:
        can_write = info is None or not info.read_only
        return Folder(
            raw_id=RawId(entry.id),
            name=entry.name,
            parent=parent,
            path=entry.path_display,
            can_create_folders=can_write,
            can_upload_files=can_write,
            raw=entry.raw,
        )
    return File(
        raw_id=RawId(entry.id),
        name=entry.name,
        parent=parent,
        path=entry.path_display,
        size_bytes=entry.size if entry.is_downloadable else None,  # an export has another
        modified_at=read_moment(entry.server_modified),
        media_type=read_media_type(entry.name),
        etag=entry.rev,
        is_downloadable=entry.is_downloadable or bool(entry.export_formats),
        export_formats=entry.export_formats,
        last_modifier_id=info.modified_by if info else None,
        is_replacement=is_replacement,
        raw=entry.raw,
    )


def build_version(entry: Entry, *, is_current: bool) -> Version:
    """A revision of a file."""
    return Version(
        raw_id=VersionId(entry.rev or ""),
        size_bytes=entry.size if entry.is_downloadable else None,
        modified_at=read_moment(entry.server_modified),
        etag=entry.rev,
        modifier_id=entry.sharing_info.modified_by if entry.sharing_info else None,
        is_current=is_current,
    )


def build_quota(space: Space) -> Quota:
    """One's own limit in a team counts before the team's."""
    allocation = space.allocation
    own_bytes = allocation.user_within_team_space_allocated
    used_bytes = space.used if own_bytes or allocation.used is None else allocation.used
    total_bytes = own_bytes or allocation.allocated
    used_bytes = min(used_bytes, total_bytes)  # who has more than is allowed has no room
    return Quota(total_bytes, used_bytes, total_bytes - used_bytes)


def build_owner(person: Person) -> Permission:
    """Whose folder it is, as long as it is not shared."""
    return Permission(
        raw_id=person.account_id,
        type="user",
        role="owner",
        email=person.email,
        name=person.name.display_name,
        raw_role="owner",
    )


def build_permission(member: Membership) -> Permission | None:
    """What a member may do; None for who has no rights at all, or no name."""
    level = member.access_type.tag
    role = ROLES.get(level)
    if role is None:
        return None
    if member.user is not None:
        user = member.user
        return Permission(
            raw_id=user.account_id, type="user", role=role, email=user.email, name=user.display_name, raw_role=level
        )
    if member.group is not None:
        group = member.group
        return Permission(raw_id=group.group_id, type="group", role=role, name=group.group_name, raw_role=level)
    email = member.invitee.email if member.invitee else ""
    return Permission(raw_id=email, type="user", role=role, email=email, raw_role=level) if email else None
