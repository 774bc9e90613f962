"""What users find in a Drive that was just set up: files, a folder that is shared, a shared drive, documents."""

from __future__ import annotations

from datetime import datetime

from simulators.core.samples import SampleFile
from simulators.core.users import User
from simulators.core.world import SANDBOX_CLIENT
from simulators.gdrive.drive import Drive
from simulators.gdrive.exports import DOCUMENT, SPREADSHEET
from simulators.gdrive.records import FOLDER, SHORTCUT, DriveFile, Permission, Revision
from simulators.gdrive.store import build_permission_id

TEAM_DRIVE = "Team space"
MINUTES = "Minutes"
INVENTORY = "Inventory"
MINUTES_TEXT = "Minutes of the first meeting\nWe agreed to meet again.\n"
INVENTORY_TEXT = "what,amount\nchairs,12\nlamps,3\n"


def seed_drive(drive: Drive, samples: list[SampleFile]) -> None:
    """From now on whoever comes finds the samples; what belongs to several is there at once."""

    def fill(user: User, root: DriveFile) -> None:
        for sample in samples:
            _place(drive, user, root, sample)
        add_sample(drive, user, root, MINUTES, DOCUMENT, drive.store.now(), data=MINUTES_TEXT.encode())
        add_sample(drive, user, root, INVENTORY, SPREADSHEET, drive.store.now(), data=INVENTORY_TEXT.encode())

    drive.store.on_new_root = fill
    users = list(drive.store.users)
    if len(users) > 1:
        _share(drive, users[0], users[1])
    team = next((user for user in users if user.team is not None), None)
    if team is not None:
        _add_team_drive(drive, team)


def _place(drive: Drive, user: User, root: DriveFile, sample: SampleFile) -> None:
    folder = root
    for name in sample.path[:-1]:
        known = [child for child in drive.store.list_children(folder.id) if child.name == name]
        folder = known[0] if known else add_sample(drive, user, folder, name, FOLDER, sample.modified_at)
    file = add_sample(drive, user, folder, sample.path[-1], sample.media_type, sample.modified_at, data=sample.data)
    file.viewed_at[user.number] = sample.modified_at


def add_sample(
    drive: Drive,
    user: User,
    parent: DriveFile,
    name: str,
    mime_type: str,
    moment: datetime,
    *,
    data: bytes | None = None,
) -> DriveFile:
    file = DriveFile(
        id=drive.store.invent_id(),
        name=name,
        mime_type=mime_type,
        parent_id=parent.id,
        owner=None,
        drive_id=parent.drive_id,
        created_at=moment,
        modified_at=moment,
        modified_by=user.number,
        client_id=SANDBOX_CLIENT.client_id,
    )
    if parent.drive_id is None:
        drive.store.own(file, user)
    if data is not None:
        revision_id = "1" if file.is_native else "0B" + drive.store.invent_id()
        file.revisions.append(
            Revision(
                id=revision_id,
                blob=drive.keep_blob(data),
                mime_type=mime_type,
                modified_at=moment,
                modified_by=user.number,
                filename=name,
            )
        )
    drive.store.add(file)
    return file


def _share(drive: Drive, owner: User, guest: User) -> None:
    """The owner's documents, read by the guest, who has a shortcut to them."""
    documents = next(child for child in drive.store.list_children(drive.store.get_root(owner).id) if child.is_folder)
    permission_id = build_permission_id(guest.email)
    with drive.store.changing(documents, "permissions", is_deep=True):
        documents.permissions[permission_id] = Permission(
            id=permission_id,
            kind="user",
            role="reader",
            email=guest.email,
            created_at=drive.store.now(),
            created_by=owner.number,
        )
    shortcut = add_sample(
        drive,
        guest,
        drive.store.get_root(guest),
        f"{documents.name} of {owner.given_name}",
        SHORTCUT,
        drive.store.now(),
    )
    shortcut.target_id, shortcut.target_mime_type = documents.id, documents.mime_type


def _add_team_drive(drive: Drive, user: User) -> None:
    shared = drive.store.add_drive("0A" + drive.store.invent_id()[1:16] + "PVA", TEAM_DRIVE, user)
    root = drive.store.get(shared.id)
    for member in drive.store.users.list_team(user.team):
        if member is not user:
            permission_id = build_permission_id(member.email)
            root.permissions[permission_id] = Permission(
                id=permission_id, kind="user", role="writer", email=member.email, created_at=drive.store.now()
            )
    folder = add_sample(drive, user, root, "Handbook", FOLDER, drive.store.now())
    add_sample(drive, user, folder, "Rules.txt", "text/plain", drive.store.now(), data=b"Be kind.\n")
