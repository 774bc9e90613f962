"""Who may do what: members of files, and of folders, which are shared for the purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.core.call import Repeat
from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.jobs import wait_for_job
from connectors.core.resources import Permission, PermissionChange, Ref
from connectors.dropbox.api import write_tag
from connectors.dropbox.errors import build_error, read_tags
from connectors.dropbox.mapping import LEVELS, ROOT, build_owner, build_permission
from connectors.dropbox.payloads import Job, Members, Membership, Outcome
from connectors.dropbox.reading import Reader

MEMBERS_LIMIT = 300
PAGES_MAX = 100


@dataclass(frozen=True, slots=True)
class _Shared:
    """What members belong to: a file, or a shared folder."""

    kind: str
    named: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Permissions:
    """The members of one account's files and folders."""

    reader: Reader
    clock: Clock

    async def read(self, ref: Ref) -> list[Permission]:
        """All of them; a folder that is not shared has its owner."""
        shared = await self._find(ref)
        if shared is None:
            return [build_owner(await self.reader.api.get_account())]
        return _build_all(await self._list_members(shared))

    async def change(self, ref: Ref, changes: Sequence[PermissionChange], *, is_replacing: bool) -> list[Permission]:
        """Grants first, so that nobody has lost anything when one is refused; then others are removed."""
        wishes = [(_select(change), _choose_level(change)) for change in changes]
        shared = await self._find(ref)
        if shared is None and not wishes:
            return await self.read(ref)
        shared = shared or await self._share(ref)
        members = await self._list_members(shared)
        kept = set()
        for change, (selector, level) in zip(changes, wishes, strict=True):
            there = next((member for member in members if _is_named(member, change)), None)
            if there is not None:
                kept.add(id(there))
            if there is None:
                await self._add(shared, selector, level)
            elif there.access_type.tag not in {level, "owner"}:
                await self._update(shared, selector, level)
        for member in members:
            if is_replacing and id(member) not in kept and _is_removable(member):
                await self._remove(shared, _select_member(member))
        return _build_all(await self._list_members(shared))

    async def _find(self, ref: Ref) -> _Shared | None:
        if ref.raw_id == ROOT:
            return None
        entry = await self.reader.look(ref.raw_id, ref.kind)
        if entry.is_file:
            return _Shared("file", {"file": entry.id})
        return _Shared("folder", {"shared_folder_id": entry.shared_folder_id}) if entry.shared_folder_id else None

    async def _share(self, ref: Ref) -> _Shared:
        if ref.raw_id == ROOT:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "the root folder cannot be shared")
        job = await self._ask("share_folder", {"path": ref.raw_id}, Job)
        if job.async_job_id:
            job = await self._wait(job, "check_share_job_status")
        return _Shared("folder", {"shared_folder_id": job.shared_folder_id})

    async def _list_members(self, shared: _Shared) -> list[Membership]:
        route = f"list_{shared.kind}_members"
        page = await self._ask(route, {**shared.named, "limit": MEMBERS_LIMIT}, Members, Repeat.SAFE)
        members = [*page.users, *page.groups, *page.invitees]
        for _ in range(PAGES_MAX):
            if not page.cursor:
                return members
            page = await self._ask(f"{route}/continue", {"cursor": page.cursor}, Members, Repeat.SAFE)
            members += [*page.users, *page.groups, *page.invitees]
        raise ConnectorError(ErrorKind.UNSUPPORTED, "it is shared with more than can be listed")

    async def _add(self, shared: _Shared, selector: Mapping[str, str], level: str) -> None:
        if shared.kind == "folder":
            member = {"member": selector, "access_level": write_tag(level)}
            await self._ask("add_folder_member", {**shared.named, "members": [member], "quiet": True}, msgspec.Raw)
            return
        argument = {**shared.named, "members": [selector], "access_level": write_tag(level), "quiet": True}
        for outcome in await self._ask("add_file_member", argument, list[Outcome]):
            tags = list(read_tags(outcome.result))
            if tags[:1] != ["success"]:
                raise build_error(tags) or ConnectorError(ErrorKind.PERMISSION_DENIED, f"Dropbox says: {tags}")

    async def _update(self, shared: _Shared, selector: Mapping[str, str], level: str) -> None:
        argument = {**shared.named, "member": selector, "access_level": write_tag(level)}
        await self._ask(f"update_{shared.kind}_member", argument, msgspec.Raw)

    async def _remove(self, shared: _Shared, selector: Mapping[str, str]) -> None:
        argument: dict[str, Any] = {**shared.named, "member": selector}
        if shared.kind == "file":
            await self._ask("remove_file_member_2", argument, msgspec.Raw)
            return
        job = await self._ask("remove_folder_member", {**argument, "leave_a_copy": False}, Job)
        if job.async_job_id:
            await self._wait(job, "check_remove_member_job_status")

    async def _wait(self, started: Job, route: str) -> Job:
        async def check() -> Job | None:
            job = await self._ask(route, {"async_job_id": started.async_job_id}, Job, Repeat.SAFE)
            if job.tag == "failed":
                tags = list(read_tags(msgspec.json.decode(job.failed)))
                raise build_error(tags) or ConnectorError(ErrorKind.UNEXPECTED, f"Dropbox says: {'/'.join(tags)}")
            return None if job.tag == "in_progress" else job

        return await wait_for_job(check, clock=self.clock)

    async def _ask(self, route: str, argument: Mapping[str, Any], kind: Any, repeat: Repeat = Repeat.IDEMPOTENT) -> Any:
        return await self.reader.api.ask(f"sharing/{route}", argument, kind, repeat)


def _choose_level(change: PermissionChange) -> str:
    level = LEVELS.get(change.role)
    if level is None:
        raise ConnectorError(ErrorKind.UNSUPPORTED, "an owner cannot be made by a permission")
    return level


def _select(change: PermissionChange) -> Mapping[str, str]:
    if change.type not in {"user", "group"} or not (change.raw_id or change.email):
        raise ConnectorError(ErrorKind.UNSUPPORTED, "Dropbox gives permissions to users and groups; make a link")
    if change.email and not change.raw_id:
        return {".tag": "email", "email": change.email}
    return _select_id(change.raw_id or "")


def _select_id(raw_id: str) -> Mapping[str, str]:
    return {".tag": "email", "email": raw_id} if "@" in raw_id else {".tag": "dropbox_id", "dropbox_id": raw_id}


def _select_member(member: Membership) -> Mapping[str, str]:
    permission = build_permission(member)
    return _select_id(permission.raw_id if permission else "")


def _is_named(member: Membership, change: PermissionChange) -> bool:
    permission = build_permission(member)
    if permission is None or member.is_inherited:
        return False
    if change.raw_id:
        return permission.raw_id == change.raw_id
    return (permission.email or "").casefold() == (change.email or "").casefold()


def _is_removable(member: Membership) -> bool:
    permission = build_permission(member)
    return permission is not None and permission.role != "owner" and not member.is_inherited


def _build_all(members: list[Membership]) -> list[Permission]:
    return [permission for permission in map(build_permission, members) if permission is not None]
