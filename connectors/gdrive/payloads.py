"""Drive's JSON as types: only the properties that are read. https://developers.google.com/drive/api/reference/rest/v3"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from connectors.core.moments import Moment

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
NATIVE_PREFIX = "application/vnd.google-apps."

FILE_FIELDS = (
    "id,name,mimeType,parents,size,createdTime,modifiedTime,md5Checksum,sha1Checksum,sha256Checksum,headRevisionId,"
    "trashed,owners(permissionId),lastModifyingUser(permissionId),driveId,capabilities(canAddChildren,canReadRevisions),"
    "shortcutDetails(targetId,targetMimeType)"
)
TRASH_FIELDS = FILE_FIELDS.replace("capabilities(", "explicitlyTrashed,capabilities(canUntrash,")
PROPERTY_FIELDS = "id,mimeType,trashed,properties,appProperties"
THUMBNAIL_FIELDS = "id,mimeType,trashed,driveId,thumbnailLink"
LINK_FIELDS = "id,mimeType,trashed,driveId,webViewLink,copyRequiresWriterPermission"
PERMISSION_FIELDS = "id,type,role,emailAddress,displayName,domain,permissionDetails(inherited)"
REVISION_FIELDS = "id,mimeType,size,modifiedTime,md5Checksum,lastModifyingUser(permissionId)"


Id = Annotated[str, Meta(min_length=1)]


class User(Struct, frozen=True, rename="camel"):
    permission_id: str | None = None
    email_address: str | None = None
    display_name: str | None = None


class Rights(Struct, frozen=True, rename="camel"):
    can_add_children: bool = True
    can_read_revisions: bool = False
    can_untrash: bool = False


class ShortcutDetails(Struct, frozen=True, rename="camel"):
    target_id: str | None = None
    target_mime_type: str | None = None


class DriveFile(Struct, frozen=True, rename="camel", kw_only=True):
    """A file, folder, shortcut or document of Drive's own. `raw` is all of it, where that was asked for."""

    id: Id
    mime_type: str
    name: str = ""
    parents: tuple[str, ...] = ()
    size: str | None = None
    created_time: Moment | None = None
    modified_time: Moment | None = None
    md5_checksum: str | None = None
    sha1_checksum: str | None = None
    sha256_checksum: str | None = None
    head_revision_id: str | None = None
    trashed: bool = False  # itself, or with a folder above
    explicitly_trashed: bool = False
    owners: tuple[User, ...] = ()
    last_modifying_user: User | None = None
    drive_id: str | None = None
    capabilities: Rights = Rights()
    shortcut_details: ShortcutDetails | None = None
    properties: dict[str, str] = {}
    app_properties: dict[str, str] = {}
    thumbnail_link: str | None = None
    web_view_link: str | None = None
    copy_requires_writer_permission: bool = False
    raw: dict[str, Any] | None = None

    @property
    def is_folder(self) -> bool:
        return self.mime_type == FOLDER

    @property
    def is_native(self) -> bool:
        """A document of Drive's own, which has no bytes until it is exported."""
        return self.mime_type.startswith(NATIVE_PREFIX) and self.mime_type not in {FOLDER, SHORTCUT}

    @property
    def is_shared_drive(self) -> bool:
        """The top of a shared drive."""
        return self.drive_id == self.id


class SharedDrive(Struct, frozen=True, rename="camel"):
    id: Id
    name: str
    created_time: Moment | None = None


class FileList(Struct, frozen=True, rename="camel"):
    files: list[DriveFile] = []
    next_page_token: str | None = None
    incomplete_search: bool = False


class DriveList(Struct, frozen=True, rename="camel"):
    drives: list[SharedDrive] = []
    next_page_token: str | None = None


class Revision(Struct, frozen=True, rename="camel"):
    id: str
    mime_type: str | None = None
    size: str | None = None
    modified_time: Moment | None = None
    md5_checksum: str | None = None
    last_modifying_user: User | None = None


class RevisionList(Struct, frozen=True, rename="camel"):
    revisions: list[Revision] = []
    next_page_token: str | None = None


class GrantDetail(Struct, frozen=True, rename="camel"):
    inherited: bool = False


class Grant(Struct, frozen=True, rename="camel"):
    """A permission. https://developers.google.com/drive/api/guides/ref-roles"""

    id: str
    type: str
    role: str
    email_address: str | None = None
    display_name: str | None = None
    domain: str | None = None
    permission_details: tuple[GrantDetail, ...] = ()

    @property
    def is_own(self) -> bool:
        """Of the file itself, not of a folder above it alone."""
        return not self.permission_details or not all(detail.inherited for detail in self.permission_details)


class GrantList(Struct, frozen=True, rename="camel"):
    permissions: list[Grant] = []
    next_page_token: str | None = None


class FileChange(Struct, frozen=True, rename="camel"):
    file_id: str | None = None
    drive_id: str | None = None
    change_type: str = "file"
    removed: bool = False
    file: DriveFile | None = None
    drive: SharedDrive | None = None


class ChangeList(Struct, frozen=True, rename="camel"):
    changes: list[FileChange] = []
    next_page_token: str | None = None
    new_start_page_token: str | None = None


class StartToken(Struct, frozen=True, rename="camel"):
    start_page_token: str


class Channel(Struct, frozen=True, rename="camel"):
    """A subscription to changes; `expiration` is in milliseconds."""

    id: str
    resource_id: str
    expiration: str | None = None


class IdList(Struct, frozen=True, rename="camel"):
    ids: list[str]


class StorageQuota(Struct, frozen=True, rename="camel"):
    limit: str | None = None
    usage: str | None = None


class About(Struct, frozen=True, rename="camel"):
    user: User | None = None
    storage_quota: StorageQuota | None = None


class Detail(Struct, frozen=True, rename="camel"):
    reason: str = ""
    message: str = ""
    location: str = ""


class Failure(Struct, frozen=True, rename="camel"):
    errors: list[Detail] = []
    message: str = ""


class Refusal(Struct, frozen=True, rename="camel"):
    error: Failure
