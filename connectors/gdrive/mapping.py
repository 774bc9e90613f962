"""Pure functions between Drive's payloads and resources."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.moments import read_moment
from connectors.core.resources import File, Folder, Parent, Permission, Quota, RawId, Resource, Role, Version, VersionId
from connectors.gdrive.exports import EXPORTS
from connectors.gdrive.manifest import ROOT
from connectors.gdrive.payloads import SHORTCUT, DriveFile, Grant, Revision, SharedDrive, StorageQuota, User

ROLES: dict[str, Role] = {
    "owner": "owner",
    "organizer": "owner",
    "fileOrganizer": "writer",
    "writer": "writer",
    "commenter": "reader",
    "reader": "reader",
}
"""Drive's roles in the contract's words."""

DIGITS_MAX = 18  # below 2^63


def build_resource(file: DriveFile, root_id: str, *, is_replacement: bool = False) -> Resource:
    """A file or folder; `root_id` is the real id of what is called root here."""
    raw_id = RawId(ROOT if file.id == root_id else file.id)
    parent = Parent(RawId(ROOT if file.parents[0] == root_id else file.parents[0])) if file.parents else None
    owner_id = file.owners[0].permission_id if file.owners else None
    modifier_id = _read_user(file.last_modifying_user)
    if file.is_folder:
        can_write = file.capabilities.can_add_children
        return Folder(
            raw_id=raw_id,
            name=file.name,
            parent=parent,
            created_at=read_moment(file.created_time),
            modified_at=read_moment(file.modified_time),
            can_create_folders=can_write,
            can_upload_files=can_write,
            owner_id=owner_id,
            last_modifier_id=modifier_id,
            raw=file.raw,
        )
    return File(
        raw_id=raw_id,
        name=file.name,
        parent=parent,
        size_bytes=_read_size(file),
        created_at=read_moment(file.created_time),
        modified_at=read_moment(file.modified_time),
        media_type=file.mime_type,
        etag=read_etag(file),
        hashes=read_hashes(file),
        is_downloadable=is_downloadable(file),
        owner_id=owner_id,
        last_modifier_id=modifier_id,
        is_replacement=is_replacement,
        export_formats=read_export_formats(file),
        raw=file.raw,
    )


def build_shared_drive(drive: SharedDrive) -> Folder:
    """The top of a shared drive as a folder in the root."""
    return Folder(
        raw_id=RawId(drive.id), name=drive.name, parent=Parent(ROOT), created_at=read_moment(drive.created_time)
    )


def build_version(revision: Revision, *, is_current: bool, is_native: bool) -> Version:
    return Version(
        raw_id=VersionId(revision.id),
        size_bytes=read_number(revision.size) if revision.size is not None and not is_native else None,
        modified_at=read_moment(revision.modified_time),
        etag=None if is_native else revision.id,
        modifier_id=_read_user(revision.last_modifying_user),
        is_current=is_current,
    )


def build_permissions(grants: Sequence[Grant]) -> list[Permission]:
    """Owners first."""
    permissions = [
        Permission(
            raw_id=grant.id,
            type="anyone" if grant.type not in {"user", "group", "domain"} else grant.type,  # type: ignore[arg-type]  # a type of Drive's
            role=ROLES.get(grant.role, "reader"),
            email=grant.email_address,
            name=grant.display_name or grant.domain,
            raw_role=grant.role,
        )
        for grant in grants
    ]
    return sorted(permissions, key=lambda permission: permission.role != "owner")


def build_quota(quota: StorageQuota | None) -> Quota:
    total = read_number(quota.limit) if quota and quota.limit else None
    used = read_number(quota.usage) if quota and quota.usage else None
    return Quota(total, used, None if total is None or used is None else max(0, total - used))


def read_number(text: str) -> int:
    """A number of Drive's, which it tells as a text; unexpected for one that is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise ConnectorError(ErrorKind.UNEXPECTED, "Google Drive tells a number that cannot be read")
    return int(text)


def read_etag(file: DriveFile) -> str | None:
    """The revision of a file's bytes; documents of Drive's own have none that is told."""
    return None if file.is_native else file.head_revision_id or file.md5_checksum


def read_hashes(file: DriveFile) -> dict[str, str] | None:
    """The checksums that Drive tells, by hashlib's names."""
    told = {"md5": file.md5_checksum, "sha1": file.sha1_checksum, "sha256": file.sha256_checksum}
    return {name: value.lower() for name, value in told.items() if value} or None


def read_export_formats(file: DriveFile) -> tuple[str, ...]:
    """The endings of a document's exports, also of one that a shortcut leads to."""
    target = file.shortcut_details
    return tuple(EXPORTS.get(file.mime_type if target is None else target.target_mime_type or "", ()))


def is_downloadable(file: DriveFile) -> bool:
    if file.mime_type == SHORTCUT:
        target = DriveFile(id="", mime_type=(file.shortcut_details and file.shortcut_details.target_mime_type) or "")
        return not target.is_folder and is_downloadable(target)
    return file.mime_type in EXPORTS if file.is_native else bool(file.mime_type)


def _read_size(file: DriveFile) -> int | None:
    """That of the bytes that a download gives: what Drive says of documents is another."""
    return (
        read_number(file.size) if file.size is not None and not file.is_native and file.mime_type != SHORTCUT else None
    )


def _read_user(user: User | None) -> str | None:
    return user.permission_id if user else None
