"""All files of all users of a simulated Drive, and the log of what happened to them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from simulators.core.users import User, Users
from simulators.core.world import World
from simulators.gdrive import access
from simulators.gdrive.errors import DriveError
from simulators.gdrive.records import FOLDER, Change, DriveFile, Permission, SharedDrive

FILES_COUNT_MAX = 1_000_000
CHANGES_COUNT_MAX = 1_000_000
QUOTA_BYTES = 15 * 1024**3


def build_permission_id(email: str) -> str:
    """The same digits for the same address, as Drive has for each person."""
    digest = hashlib.sha256(email.casefold().encode()).digest()
    return str(int.from_bytes(digest[:8], "big") % 10**20).zfill(20)


class Store:
    """Knows no HTTP. Everything that changes a file does so within `changing`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.drives: dict[str, SharedDrive] = {}
        self.changes: list[Change] = []
        self.listeners: list[Callable[[list[Change]], None]] = []
        self.on_new_root: Callable[[User, DriveFile], None] | None = None
        self.quota_bytes: dict[int, int] = {}
        self.reserved_ids: set[str] = set()
        self._files: dict[str, DriveFile] = {}
        self._children: dict[str, dict[str, None]] = {}
        self._roots: dict[tuple[int, str], str] = {}
        self._forgotten_count = 0

    @property
    def users(self) -> Users:
        return self.world.users

    def now(self) -> datetime:
        """To the millisecond, which is as fine as Drive tells it."""
        now = self.world.clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    # ------------------------------------------------------------ finding

    def find(self, file_id: str) -> DriveFile | None:
        return self._files.get(file_id)

    def get(self, file_id: str) -> DriveFile:
        file = self._files.get(file_id)
        if file is None:
            raise DriveError.not_found(file_id)
        return file

    def list_all(self) -> Iterable[DriveFile]:
        return list(self._files.values())

    def list_children(self, folder_id: str) -> list[DriveFile]:
        return [self._files[file_id] for file_id in self._children.get(folder_id, ())]

    def walk_below(self, file: DriveFile) -> Iterator[DriveFile]:
        """Everything below, folders before what is in them."""
        waiting = [file]
        while waiting:
            for child in self.list_children(waiting.pop().id):
                yield child
                waiting.append(child)

    def get_root(self, user: User, *, space: str = "drive", client_id: str = "") -> DriveFile:
        """The user's My Drive; or the folder that an application keeps its own data in."""
        key = (user.number, space + client_id)
        if key not in self._roots:
            name, prefix = ("My Drive", "0A") if space == "drive" else ("Application Data", "1app")
            root = self._build_root(prefix + _invent(17), name, user.number, space)
            root.owner = user.number
            self._own(root, user)
            self._roots[key] = root.id
            if space == "drive" and self.on_new_root is not None:
                self.on_new_root(user, root)
        return self._files[self._roots[key]]

    def get_usage(self, user: User) -> tuple[int, int]:
        """Bytes that count against the user's quota: all, and those in the trash."""
        own = [file for file in self._files.values() if file.owner == user.number]
        return sum(map(count_quota, own)), sum(count_quota(file) for file in own if access.is_trashed(self, file))

    def check_quota(self, user: User, more_bytes: int) -> None:
        used = sum(count_quota(file) for file in self._files.values() if file.owner == user.number)
        if used + more_bytes > self.quota_bytes.get(user.number, QUOTA_BYTES):
            raise DriveError.forbidden("storageQuotaExceeded", "The user's Drive storage quota has been exceeded.")

    # ------------------------------------------------------------ changing

    def invent_id(self) -> str:
        return "1" + _invent(32)

    @contextmanager
    def changing(
        self, file: DriveFile, *aspects: str, state: str = "update", is_deep: bool = False
    ) -> Iterator[DriveFile]:
        """Afterwards the file has a new version, and whoever could or can see it a change in the feed.
        With `is_deep` that goes for everything below, too.
        """
        reached = [file, *(self.walk_below(file) if is_deep else ())]
        before = [access.list_audience(self, one) for one in reached]
        yield file
        changes = []
        for one, audience in zip(reached, before, strict=True):
            is_there = one.id in self._files
            after = access.list_audience(self, one) if is_there else frozenset()
            one.version += 1
            known = state if is_there else "remove"
            changes.append(self._append(one.id, one.drive_id, audience | after, known, frozenset(aspects)))
        self._tell(changes)

    def add(self, file: DriveFile) -> None:
        """A new file at its place."""
        if file.id in self._files:
            raise DriveError(409, "fileIdInUse", "A file already exists with the provided ID.")
        if len(self._files) >= FILES_COUNT_MAX:
            raise DriveError.forbidden("activeItemCreationLimitExceeded", "Too many files.")
        self._files[file.id] = file
        self.reserved_ids.discard(file.id)
        self._attach(file)
        self._tell([self._append(file.id, file.drive_id, access.list_audience(self, file), "add")])

    def move(self, file: DriveFile, parent: DriveFile) -> None:
        if parent is file or any(folder is file for folder in access.list_ancestors(self, parent)):
            raise DriveError.bad_request("Bad Request. A folder cannot be moved into itself or below itself.")
        with self.changing(file, "parents", is_deep=True):
            self._detach(file)
            file.parent_id = parent.id
            self._attach(file)
            if file.drive_id != parent.drive_id:
                for one in [file, *self.walk_below(file)]:
                    self._hand_over(one, parent)

    def delete(self, file: DriveFile) -> None:
        """For ever, with everything below that has the same owner; what others own goes to their own My Drive."""
        below = list(self.walk_below(file))
        orphans = [one for one in below if one.owner != file.owner and one.owner is not None]
        rescued = {inner.id for orphan in orphans for inner in [orphan, *self.walk_below(orphan)]}
        for orphan in orphans:
            if orphan.parent_id not in rescued:
                self.move(orphan, self.get_root(self.users.get(orphan.owner or 0)))
        with self.changing(file, state="remove", is_deep=True):
            for one in reversed([file, *self.walk_below(file)]):
                self._detach(one)
                del self._files[one.id]
                self._children.pop(one.id, None)

    def own(self, file: DriveFile, user: User) -> None:
        """From now on it is this user's; whoever owned it remains a writer."""
        for permission in file.permissions.values():
            if permission.role == "owner":
                permission.role = "writer"
        file.owner = user.number
        self._own(file, user)

    def add_drive(self, drive_id: str, name: str, user: User) -> SharedDrive:
        drive = SharedDrive(id=drive_id, created_at=self.now())
        root = self._build_root(drive.id, name, user.number, "drive")
        root.drive_id = drive.id
        root.permissions = {
            build_permission_id(user.email): Permission(
                id=build_permission_id(user.email),
                kind="user",
                role="organizer",
                email=user.email,
                created_at=self.now(),
            )
        }
        self.drives[drive.id] = drive
        self.note_drive(drive)
        return drive

    def delete_drive(self, drive: SharedDrive) -> None:
        root = self._files[drive.id]
        audience = access.list_audience(self, root)
        for file in reversed([root, *self.walk_below(root)]):
            self._files.pop(file.id)
            self._children.pop(file.id, None)
        del self.drives[drive.id]
        self._tell([self._append(None, drive.id, audience, "remove")])

    def note_drive(self, drive: SharedDrive) -> None:
        """The drive itself changed."""
        audience = access.list_audience(self, self._files[drive.id])
        self._tell([self._append(None, drive.id, audience, "update")])

    # ------------------------------------------------------------ feed

    @property
    def next_change_number(self) -> int:
        return self._forgotten_count + len(self.changes) + 1

    def list_changes(self, number: int) -> list[Change]:
        """From this number on."""
        return self.changes[max(0, number - 1 - self._forgotten_count) :]

    def knows_change(self, number: int) -> bool:
        """Does the log reach back that far?"""
        return self._forgotten_count < number <= self.next_change_number

    def forget_changes(self) -> None:
        """Positions that were given out before are no longer known."""
        self._forgotten_count += len(self.changes)
        self.changes.clear()

    # ------------------------------------------------------------ inside

    def _build_root(self, root_id: str, name: str, number: int, space: str) -> DriveFile:
        now = self.now()
        root = DriveFile(
            id=root_id,
            name=name,
            mime_type=FOLDER,
            parent_id=None,
            owner=None,
            drive_id=None,
            created_at=now,
            modified_at=now,
            modified_by=number,
            space=space,
            is_root=True,
        )
        self._files[root.id] = root
        return root

    def _own(self, file: DriveFile, user: User) -> None:
        permission_id = build_permission_id(user.email)
        file.permissions[permission_id] = Permission(
            id=permission_id, kind="user", role="owner", email=user.email, created_at=self.now()
        )

    def _hand_over(self, file: DriveFile, parent: DriveFile) -> None:
        """Into a shared drive its members own a file; out of it, the owner of the folder."""
        file.drive_id = parent.drive_id
        owners = [key for key, permission in file.permissions.items() if permission.role == "owner"]
        for key in owners:
            del file.permissions[key]
        file.owner = None if parent.drive_id else parent.owner
        if file.owner is not None:
            self._own(file, self.users.get(file.owner))

    def _attach(self, file: DriveFile) -> None:
        if file.parent_id is not None:
            self._children.setdefault(file.parent_id, {})[file.id] = None

    def _detach(self, file: DriveFile) -> None:
        if file.parent_id is not None:
            self._children.get(file.parent_id, {}).pop(file.id, None)

    def _append(
        self,
        file_id: str | None,
        drive_id: str | None,
        audience: frozenset[int],
        state: str,
        aspects: frozenset[str] = frozenset(),
    ) -> Change:
        if len(self.changes) >= CHANGES_COUNT_MAX:
            del self.changes[0]
            self._forgotten_count += 1
        change = Change(
            number=self.next_change_number,
            at=self.now(),
            file_id=file_id,
            drive_id=drive_id,
            audience=audience,
            state=state,
            aspects=aspects,
        )
        self.changes.append(change)
        return change

    def _tell(self, changes: list[Change]) -> None:
        """What happened at once is told at once."""
        for listener in self.listeners:
            listener(changes)


def count_quota(file: DriveFile) -> int:
    """The newest revision counts, and those that are kept for ever."""
    if not file.revisions or file.is_native:
        return 0
    size = file.revisions[-1].blob.size_bytes
    return size + sum(revision.blob.size_bytes for revision in file.revisions[:-1] if revision.is_kept)


def _invent(length: int) -> str:
    return secrets.token_urlsafe(length)[:length]
