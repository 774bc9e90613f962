"""Files, people and permissions as a user of the API sees them: each property made only if it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from simulators.core.users import User
from simulators.gdrive import access, pictures
from simulators.gdrive.capabilities import Standing, build_capabilities
from simulators.gdrive.exports import EXPORTS, get_extension
from simulators.gdrive.matching import find_sharing
from simulators.gdrive.records import SHORTCUT, DriveFile, Permission, Revision
from simulators.gdrive.store import Store, build_permission_id, count_quota


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, through which application, at which address."""

    store: Store
    user: User
    client_id: str
    origin: str

    def show_file(self, file: DriveFile, wanted: frozenset[str] | None = None) -> dict[str, Any]:
        """The properties of a file that are wanted; None is all."""
        look = _Look(self, file)
        shown = {}
        for name, show in FILE_PROPERTIES.items():
            value = show(look) if wanted is None or name in wanted else None
            if value is not None:
                shown[name] = value
        return shown

    def show_user(self, number: int | None) -> dict[str, Any] | None:
        user = self.store.users.find(number) if number is not None else None
        if user is None:
            return None
        return {
            "kind": "drive#user",
            "displayName": user.name,
            "me": user.number == self.user.number,
            "permissionId": build_permission_id(user.email),
            "emailAddress": user.email,
            "photoLink": f"{self.origin}/photos/{user.number}",
        }

    def show_permission(self, granted: access.Granted, file: DriveFile) -> dict[str, Any]:
        permission = granted.permission
        shown: dict[str, Any] = {
            "kind": "drive#permission",
            "id": permission.id,
            "type": permission.kind,
            "role": granted.role,
        }
        if permission.kind in {"user", "group"}:
            shown |= {
                "emailAddress": permission.email,
                "displayName": self._find_name(permission),
                "deleted": False,
                "pendingOwner": permission.is_pending_owner,
            }
        else:
            shown["allowFileDiscovery"] = permission.allows_discovery
        if permission.kind == "domain":
            shown |= {"domain": permission.domain, "displayName": permission.domain}
        if permission.expires_at is not None:
            shown["expirationTime"] = write_time(permission.expires_at)
        shown["permissionDetails"] = [_show_detail(granted, file)]
        return shown

    def show_revision(self, file: DriveFile, revision: Revision) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "kind": "drive#revision",
            "id": revision.id,
            "mimeType": revision.mime_type,
            "modifiedTime": write_time(revision.modified_at),
            "lastModifyingUser": self.show_user(revision.modified_by),
        }
        if file.is_native:
            links = {
                kind: f"{self.origin}/export/{file.id}?{urlencode({'revision': revision.id, 'mimeType': kind})}"
                for kind in EXPORTS.get(file.mime_type, {})
            }
            return shown | {
                "published": revision.is_published,
                "publishAuto": revision.is_published_again,
                "publishedOutsideDomain": revision.is_published_outside,
                "exportLinks": links,
            }
        return shown | {
            "size": str(revision.blob.size_bytes),
            "md5Checksum": revision.blob.md5,
            "originalFilename": revision.filename or file.name,
            "keepForever": revision.is_kept,
        }

    def _find_name(self, permission: Permission) -> str:
        user = self.store.users.find_by_email(permission.email or "")
        return user.name if user else (permission.email or "").partition("@")[0]


class _Look:
    """One file under a viewer's eyes."""

    def __init__(self, viewer: Viewer, file: DriveFile) -> None:
        self.viewer = viewer
        self.file = file
        self.store = viewer.store
        self.user = viewer.user
        self.standing = Standing(
            file, access.get_role(viewer.store, file, viewer.user), access.is_trashed(viewer.store, file)
        )

    def show_parents(self) -> list[str] | None:
        """Only a folder that the viewer sees, too."""
        parent = self.store.find(self.file.parent_id) if self.file.parent_id else None
        if parent is None or access.get_role(self.store, parent, self.user) is None:
            return None
        return [parent.id]

    def show_permissions(self) -> list[dict[str, Any]] | None:
        if self.file.drive_id is not None or not self.standing.can_share:
            return None
        granted = access.list_granted(self.store, self.file)
        return [self.viewer.show_permission(one, self.file) for one in granted]

    def show_view_link(self) -> str:
        return f"{self.viewer.origin}/file/d/{self.file.id}/view?usp=drivesdk"

    def show_content_link(self) -> str | None:
        if not self.has_bytes:
            return None
        return f"{self.viewer.origin}/uc?{urlencode({'id': self.file.id, 'export': 'download'})}"

    def show_export_links(self) -> dict[str, str] | None:
        if not self.file.is_native:
            return None
        base = f"{self.viewer.origin}/export/{self.file.id}"
        return {kind: f"{base}?mimeType={quote(kind, safe='')}" for kind in EXPORTS.get(self.file.mime_type, {})}

    def show_thumbnail_link(self) -> str | None:
        if not pictures.has_thumbnail(self.file) or not self.standing.can_download:
            return None
        return f"{self.viewer.origin}/thumbnails/{self.file.id}/{self.file.version}=s220"

    @property
    def has_bytes(self) -> bool:
        return self.file.blob is not None and not self.file.is_native

    @property
    def own(self) -> bool:
        """Things of My Drive have an owner; those of shared drives lack all that comes of it."""
        return self.file.drive_id is None


def write_time(moment: datetime | None) -> str | None:
    """RFC 3339 with milliseconds, in UTC."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def get_full_extension(name: str) -> str:
    """`tar.gz` of `a.tar.gz`."""
    parts = name.lstrip(".").split(".")[1:]
    kept: list[str] = []
    for part in reversed(parts):
        if not part or len(part) > 5 or not part.isalnum():  # noqa: PLR2004 - longer ones are words
            break
        kept.insert(0, part)
    return ".".join(kept[-2:])


def _show_detail(granted: access.Granted, file: DriveFile) -> dict[str, Any]:
    """Where from is told in shared drives only."""
    is_member = file.drive_id is not None and (file.is_root or granted.inherited_from == file.drive_id)
    detail = {
        "permissionType": "member" if is_member else "file",
        "role": granted.role,
        "inherited": granted.inherited_from is not None,
    }
    is_told = file.drive_id is not None and granted.inherited_from is not None
    return detail | ({"inheritedFrom": granted.inherited_from} if is_told else {})


def _show_shortcut(look: _Look) -> dict[str, str] | None:
    if look.file.mime_type != SHORTCUT or look.file.target_id is None:
        return None
    return {"targetId": look.file.target_id, "targetMimeType": look.file.target_mime_type or ""}


def _show_image(look: _Look) -> dict[str, Any] | None:
    size = pictures.find_size(look.file)
    return None if size is None else {"width": size[0], "height": size[1], "rotation": 0}


def _show_icon(look: _Look) -> str:
    return f"{look.viewer.origin}/icons/16/type/{quote(look.file.mime_type, safe='')}"


def _is_shared(look: _Look) -> bool | None:
    if not look.own:
        return None
    return any(granted.role != "owner" for granted in access.list_granted(look.store, look.file))


FILE_PROPERTIES: dict[str, Callable[[_Look], Any]] = {
    "kind": lambda _: "drive#file",
    "id": lambda look: look.file.id,
    "name": lambda look: look.file.name,
    "mimeType": lambda look: look.file.mime_type,
    "description": lambda look: look.file.description,
    "starred": lambda look: look.user.number in look.file.starred_by,
    "trashed": lambda look: look.standing.is_trashed,
    "explicitlyTrashed": lambda look: look.file.is_trashed,
    "trashingUser": lambda look: None if look.own else look.viewer.show_user(look.file.trashed_by),
    "trashedTime": lambda look: None if look.own else write_time(look.file.trashed_at),
    "parents": _Look.show_parents,
    "properties": lambda look: dict(look.file.properties) or None,
    "appProperties": lambda look: dict(look.file.app_properties.get(look.viewer.client_id, {})) or None,
    "spaces": lambda look: [look.file.space],
    "version": lambda look: str(look.file.version),
    "webContentLink": _Look.show_content_link,
    "webViewLink": _Look.show_view_link,
    "iconLink": _show_icon,
    "hasThumbnail": lambda look: pictures.has_thumbnail(look.file),
    "thumbnailLink": _Look.show_thumbnail_link,
    "thumbnailVersion": lambda look: str(look.file.version if pictures.has_thumbnail(look.file) else 0),
    "viewedByMe": lambda look: look.user.number in look.file.viewed_at,
    "viewedByMeTime": lambda look: write_time(look.file.viewed_at.get(look.user.number)),
    "createdTime": lambda look: write_time(look.file.created_at),
    "modifiedTime": lambda look: write_time(look.file.modified_at),
    "modifiedByMe": lambda look: look.user.number in look.file.modified_at_by,
    "modifiedByMeTime": lambda look: write_time(look.file.modified_at_by.get(look.user.number)),
    "lastModifyingUser": lambda look: look.viewer.show_user(look.file.modified_by),
    "sharedWithMeTime": lambda look: write_time(find_sharing(look.file, look.user)),
    "sharingUser": lambda look: look.viewer.show_user(look.file.owner if find_sharing(look.file, look.user) else None),
    "owners": lambda look: [look.viewer.show_user(look.file.owner)] if look.own else None,
    "driveId": lambda look: look.file.drive_id,
    "teamDriveId": lambda look: look.file.drive_id,
    "ownedByMe": lambda look: look.file.owner == look.user.number if look.own else None,
    "capabilities": lambda look: build_capabilities(look.standing),
    "viewersCanCopyContent": lambda look: not look.file.needs_writer_to_copy,
    "copyRequiresWriterPermission": lambda look: look.file.needs_writer_to_copy,
    "writersCanShare": lambda look: look.file.writers_can_share if look.own else None,
    "permissions": _Look.show_permissions,
    "permissionIds": lambda look: [one.permission.id for one in access.list_granted(look.store, look.file)],
    "hasAugmentedPermissions": lambda look: None if look.own else bool(look.file.permissions),
    "folderColorRgb": lambda look: (look.file.folder_color or "#8f8f8f") if look.file.is_folder else None,
    "originalFilename": lambda look: (look.file.original_filename or look.file.name) if look.has_bytes else None,
    "fullFileExtension": lambda look: get_full_extension(look.file.name) if look.has_bytes else None,
    "fileExtension": lambda look: get_extension(look.file.name) if look.has_bytes else None,
    "md5Checksum": lambda look: look.file.blob.md5 if look.has_bytes and look.file.blob else None,
    "sha1Checksum": lambda look: look.file.blob.sha1 if look.has_bytes and look.file.blob else None,
    "sha256Checksum": lambda look: look.file.blob.sha256 if look.has_bytes and look.file.blob else None,
    "size": lambda look: str(look.file.blob.size_bytes) if look.has_bytes and look.file.blob else None,
    "quotaBytesUsed": lambda look: str(count_quota(look.file)),
    "headRevisionId": lambda look: look.file.revisions[-1].id if look.has_bytes else None,
    "contentRestrictions": lambda look: look.file.content_restrictions or None,
    "imageMediaMetadata": _show_image,
    "isAppAuthorized": lambda look: look.file.client_id == look.viewer.client_id,
    "exportLinks": _Look.show_export_links,
    "shortcutDetails": _show_shortcut,
    "shared": _is_shared,
    "linkShareMetadata": lambda _: {"securityUpdateEligible": False, "securityUpdateEnabled": True},
    "inheritedPermissionsDisabled": lambda look: not look.file.inherits if look.file.is_folder else None,
}
