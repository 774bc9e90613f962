"""One account's Drive: what stands under an id, what has a name in a folder, and where something new may go."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import number_name
from connectors.core.resources import OnConflict, RawId, Ref, Resource
from connectors.gdrive.api import Api
from connectors.gdrive.exports import Formats
from connectors.gdrive.manifest import NAME_BYTES_MAX, ROOT
from connectors.gdrive.mapping import build_resource, build_shared_drive
from connectors.gdrive.payloads import FOLDER, DriveFile

ACCOUNTS_MAX = 10_000  # that something is remembered of; the longest unused is forgotten first
IDS_COUNT = 100  # that are asked for at once
FREE_NAMES_TRIED_MAX = 100
FREE_NAMES_ASKED_COUNT = 20  # in one call
NAMESAKES_MAX = 100

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Known:
    """What is remembered of an account: its root's real id, and ids that are reserved for new files."""

    root_id: str | None = None
    ids: list[str] = field(default_factory=list)


class Memory:
    """What is known of each account, so that it is not asked for with every request of ours."""

    def __init__(self, *, accounts_max: int = ACCOUNTS_MAX) -> None:
        self._accounts_max = accounts_max
        self._known: OrderedDict[str, Known] = OrderedDict()

    def find(self, account_key: str) -> Known:
        known = self._known.setdefault(account_key, Known())
        self._known.move_to_end(account_key)
        while len(self._known) > self._accounts_max:
            self._known.popitem(last=False)
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where something new goes: a free name in a folder, or a file whose bytes are replaced."""

    parent: str
    name: str
    replaced: DriveFile | None = None


@dataclass(frozen=True, slots=True)
class Drive:
    """All that operations need, for one account and request."""

    api: Api
    known: Known
    formats: Formats
    clock: Clock
    hosts: tuple[str, ...]  # that the account's token may go to

    async def get_kind(self, ref: Ref, fields: str | None = None) -> DriveFile:
        """What stands under an id, or what these fields tell of it; not_found also for what is in the trash.

        wrong_type for something of the other kind.
        """
        file_id = check_id(ref.raw_id)
        file = await (self.api.get_file(file_id) if fields is None else self.api.get_fields(file_id, fields))
        if file.trashed:
            raise ConnectorError(ErrorKind.NOT_FOUND, "it is in the trash")
        check_kind(file, ref)
        return file

    async def get_file(self, raw_id: str) -> DriveFile:
        return await self.get_kind(Ref("file", RawId(raw_id)))

    async def check_folder(self, raw_id: str) -> str:
        """The id of a folder that is there."""
        if raw_id != ROOT:
            await self.get_kind(Ref("folder", RawId(raw_id)))
        return raw_id

    async def build(self, file: DriveFile, *, is_replacement: bool = False) -> Resource:
        if file.is_shared_drive:
            return build_shared_drive(await self.api.get_drive(file.id))
        return build_resource(file, await self.get_root_id(), is_replacement=is_replacement)

    async def get_root_id(self) -> str:
        if self.known.root_id is None:
            self.known.root_id = (await self.api.get_file(ROOT)).id
        return self.known.root_id

    async def find_named(self, parent: str, names: Sequence[str]) -> list[DriveFile]:
        """What has one of these names in a folder, the oldest first: of several of one name it is the one that counts.

        Drive may not tell cases apart here, so names are compared again.
        """
        named = " or ".join(f"name = '{escape(name)}'" for name in names)
        query = f"'{check_id(parent)}' in parents and ({named}) and trashed = false"
        found = await self.api.list_files(query, limit=NAMESAKES_MAX, orderBy="createdTime")
        return sorted(
            (file for file in found.files if file.name in names),
            key=lambda file: (file.created_time or _LATEST, file.id),
        )

    async def choose_target(
        self, parent: str, name: str, on_conflict: OnConflict, *, is_folder: bool = False, mover: str | None = None
    ) -> Target:
        """Where a name goes in a folder; `mover` is what may keep it. already_exists as the policy says."""
        parent = await self.check_parent(parent)
        taken = [file for file in await self.find_named(parent, [name]) if file.id != mover]
        if not taken:
            return Target(parent=parent, name=name)
        if on_conflict is OnConflict.RENAME:
            return Target(parent=parent, name=await self._find_free(parent, name, is_folder=is_folder))
        if on_conflict is OnConflict.FAIL or any(file.is_folder for file in taken):
            raise already_exists(taken[0])
        return Target(parent=parent, name=name, replaced=taken[0])

    async def check_parent(self, raw_id: str) -> str:
        """The id of a folder that something can be put into; invalid_target for a file's."""
        try:
            return await self.check_folder(raw_id)
        except ConnectorError as error:
            if error.kind is ErrorKind.WRONG_TYPE:
                raise error.restated(ErrorKind.INVALID_TARGET, "the target is a file, not a folder") from error
            raise

    async def create(self, make: Callable[[str], Awaitable[DriveFile]]) -> DriveFile:
        """Makes a file under an id that was reserved before, so that a repeat is recognised.

        https://developers.google.com/drive/api/guides/create-file
        """
        if not self.known.ids:
            self.known.ids += await self.api.generate_ids(IDS_COUNT)
        file_id = self.known.ids.pop()
        try:
            return await make(file_id)
        except ConnectorError as error:
            if error.kind is not ErrorKind.ALREADY_EXISTS or not error.is_replay:
                raise
            return await self.api.get_file(file_id)

    async def create_folder(self, target: Target) -> DriveFile:
        body = {"name": target.name, "mimeType": FOLDER, "parents": [target.parent]}
        return await self.create(lambda file_id: self.api.create_file({"id": file_id, **body}))

    async def trash(self, file_id: str) -> None:
        await self.api.update_file(file_id, {"trashed": True})

    async def _find_free(self, parent: str, name: str, *, is_folder: bool) -> str:
        for first in range(1, FREE_NAMES_TRIED_MAX + 1, FREE_NAMES_ASKED_COUNT):
            numbers = range(first, first + FREE_NAMES_ASKED_COUNT)
            names = [
                number_name(name.encode(), number, is_folder=is_folder, name_bytes_max=NAME_BYTES_MAX).decode()
                for number in numbers
            ]
            taken = {file.name for file in await self.find_named(parent, names)}
            for free_name in names:
                if free_name not in taken:
                    return free_name
        raise ConnectorError(ErrorKind.ALREADY_EXISTS, "too many have this name with a number")


def check_id(raw_id: str) -> str:
    """The id, if it could be one; else not_found."""
    if not _ID.fullmatch(raw_id):
        raise ConnectorError(ErrorKind.NOT_FOUND, "there is nothing with this id")
    return raw_id


def check_kind(file: DriveFile, ref: Ref) -> None:
    """wrong_type for a file that was said to be a folder, or the reverse."""
    if file.is_folder != (ref.kind == "folder"):
        text = "this is a folder, not a file" if file.is_folder else "this is a file, not a folder"
        raise ConnectorError(ErrorKind.WRONG_TYPE, text)


def escape(text: str) -> str:
    """The text as it stands between quotes in Drive's search language."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def already_exists(taken: DriveFile) -> ConnectorError:
    conflict = Ref("folder" if taken.is_folder else "file", RawId(taken.id))
    return ConnectorError(ErrorKind.ALREADY_EXISTS, "the name is taken", conflict=conflict)
