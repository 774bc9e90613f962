"""What a user may do with a file, as Drive spells it out beside each one."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.gdrive.records import DriveFile, rank


@dataclass(frozen=True, slots=True)
class Standing:
    """A user's role with a file, and where the file stands."""

    file: DriveFile
    role: str | None
    is_trashed: bool

    @property
    def can_read(self) -> bool:
        return self.role is not None

    @property
    def can_write(self) -> bool:
        return rank(self.role) >= rank("writer")

    @property
    def is_master(self) -> bool:
        """Owns it; in a shared drive: runs the drive."""
        return self.role in {"owner", "organizer"}

    @property
    def can_trash(self) -> bool:
        return not self.file.is_root and (self.is_master or self.role == "fileOrganizer")

    @property
    def can_share(self) -> bool:
        if self.file.is_root and self.file.drive_id is None:
            return False
        if self.file.drive_id is not None:
            return self.role in {"organizer", "fileOrganizer", "writer"} and (
                not self.file.is_folder or self.role != "writer"
            )
        return self.role == "owner" or (self.can_write and self.file.writers_can_share)

    @property
    def can_copy(self) -> bool:
        is_open = self.can_write or (self.can_read and not self.file.needs_writer_to_copy)
        return is_open and not self.file.is_folder

    @property
    def can_download(self) -> bool:
        return self.can_write or (self.can_read and not self.file.needs_writer_to_copy)


def build_capabilities(standing: Standing) -> dict[str, bool]:
    file = standing.file
    writes, is_folder, moves = standing.can_write, file.is_folder, standing.can_trash
    capabilities = {
        "canAcceptOwnership": False,
        "canAddChildren": writes and is_folder,
        "canAddFolderFromAnotherDrive": False,
        "canAddMyDriveParent": False,
        "canChangeCopyRequiresWriterPermission": writes,
        "canChangeViewersCanCopyContent": writes,
        "canComment": rank(standing.role) >= rank("commenter") and not is_folder,
        "canCopy": standing.can_copy,
        "canDelete": standing.is_master and not file.is_root,
        "canDownload": standing.can_download and not is_folder,
        "canEdit": writes,
        "canListChildren": standing.can_read and is_folder,
        "canModifyContent": writes,
        "canModifyContentRestriction": writes and not is_folder,
        "canMoveItemOutOfDrive": moves and not is_folder,
        "canMoveItemWithinDrive": writes and not file.is_root,
        "canReadRevisions": writes and not is_folder,
        "canRemoveChildren": writes and is_folder,
        "canRename": writes and not file.is_root,
        "canShare": standing.can_share,
        "canTrash": standing.can_trash,
        "canUntrash": standing.can_trash,
    }
    if file.drive_id is not None:
        del capabilities["canAddMyDriveParent"], capabilities["canAcceptOwnership"]
        capabilities |= {
            "canDeleteChildren": standing.role == "organizer" and is_folder,
            "canMoveChildrenOutOfDrive": standing.role == "organizer" and is_folder,
            "canMoveChildrenWithinDrive": writes and is_folder,
            "canReadDrive": standing.can_read,
            "canTrashChildren": rank(standing.role) >= rank("fileOrganizer") and is_folder,
        }
    else:
        capabilities |= {
            "canMoveChildrenWithinDrive": writes and is_folder,
            "canRemoveMyDriveParent": writes and not file.is_root,
        }
    return capabilities


def build_drive_capabilities(role: str | None) -> dict[str, bool]:
    """The same for a shared drive."""
    runs, writes, reads = role == "organizer", rank(role) >= rank("writer"), role is not None
    return {
        "canAddChildren": writes,
        "canChangeCopyRequiresWriterPermissionRestriction": runs,
        "canChangeDomainUsersOnlyRestriction": runs,
        "canChangeDriveBackground": runs,
        "canChangeDriveMembersOnlyRestriction": runs,
        "canChangeSharingFoldersRequiresOrganizerPermissionRestriction": runs,
        "canComment": rank(role) >= rank("commenter"),
        "canCopy": reads,
        "canDeleteChildren": runs,
        "canDeleteDrive": runs,
        "canDownload": reads,
        "canEdit": writes,
        "canListChildren": reads,
        "canManageMembers": runs,
        "canReadRevisions": writes,
        "canRename": writes,
        "canRenameDrive": runs,
        "canResetDriveRestrictions": runs,
        "canShare": writes,
        "canTrashChildren": rank(role) >= rank("fileOrganizer"),
    }
