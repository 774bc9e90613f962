"""Files that are shared on their own."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from simulators.dropbox.calls import Argument, Call, Routes, Tagged
from simulators.dropbox.cursors import read_cursor, write_cursor
from simulators.dropbox.errors import BadRequestError, RouteError
from simulators.dropbox.sharing_people import (
    build_invitee,
    build_level,
    build_membership,
    find_person,
    page_people,
    read_level,
)
from simulators.dropbox.state import build_team_id, format_time
from simulators.dropbox.tree import AccessLevel, File, NamespaceKind

PAGE_COUNT_MAX = 300
FILES_COUNT_MAX = 100

routes = Routes()

PathOrId = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\A((/|id:).*|nspath:[0-9]+:.*|ns:[0-9]+(/.*)?)\Z")]


class FileArgument(Argument):
    file: PathOrId


class FileMetadataArgument(FileArgument):
    actions: list[Tagged] | None = None


class FilesMetadataArgument(Argument):
    files: Annotated[list[PathOrId], msgspec.Meta(max_length=FILES_COUNT_MAX)]
    actions: list[Tagged] | None = None


class AddFileMemberArgument(FileArgument):
    members: list[Tagged]
    custom_message: str | None = None
    quiet: bool = False
    access_level: Tagged | None = None
    add_message_as_comment: bool = False


class FileMemberArgument(FileArgument):
    member: Tagged


class UpdateFileMemberArgument(FileMemberArgument):
    access_level: Tagged


class ListFileMembersArgument(FileArgument):
    actions: list[Tagged] | None = None
    include_inherited: bool = True
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)] = 100


class ListReceivedArgument(Argument):
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)] = 100
    actions: list[Tagged] | None = None


class ContinueArgument(Argument):
    cursor: str


@routes.rpc("sharing/add_file_member", AddFileMemberArgument, scope="sharing.write")
def add_file_members(call: Call, argument: AddFileMemberArgument) -> list[dict[str, Any]]:
    """Each has its own outcome."""
    file = _get_own(call, argument.file)
    level = read_level(argument.access_level, AccessLevel.VIEWER)
    outcomes = []
    for selector in argument.members:
        try:
            user, email = find_person(call, selector)
        except LookupError:
            outcome: dict[str, Any] = {".tag": "member_error", "member_error": {".tag": "invalid_member"}}
        else:
            if user is None:
                file.invitees[email] = level
            else:
                file.members[user.number] = level
                file.invited_at.setdefault(user.number, call.state.world.clock.now())
            outcome = {".tag": "success", "success": {".tag": level.value}}
        member = {".tag": selector} if isinstance(selector, str) else selector
        outcomes.append({"member": member, "result": outcome})
    return outcomes


@routes.rpc("sharing/update_file_member", UpdateFileMemberArgument, scope="sharing.write")
def update_file_member(call: Call, argument: UpdateFileMemberArgument) -> dict[str, Any]:
    """Another level."""
    try:
        file = _get_own(call, argument.file)
    except RouteError as error:
        raise RouteError("access_error", *error.tags[1:]) from error
    level = read_level(argument.access_level, AccessLevel.VIEWER)
    number, email = _find_member(call, file, argument.member)
    if number is not None:
        file.members[number] = level
    elif email in file.invitees:
        file.invitees[email] = level
    else:
        raise RouteError("invalid_member")
    return build_level(level)


@routes.rpc("sharing/remove_file_member_2", FileMemberArgument, scope="sharing.write")
def remove_file_member(call: Call, argument: FileMemberArgument) -> dict[str, Any]:
    """No longer shared with this one."""
    file = _get_own(call, argument.file)
    number, email = _find_member(call, file, argument.member)
    if number is not None:
        del file.members[number]
    elif email in file.invitees:
        del file.invitees[email]
    else:
        return {".tag": "member_error", "member_error": {".tag": "invalid_member"}}
    return {".tag": "success"}


@routes.rpc("sharing/unshare_file", FileArgument, scope="sharing.write")
def unshare_file(call: Call, argument: FileArgument) -> None:
    """No longer shared with anybody."""
    file = _get_own(call, argument.file)
    file.members.clear()
    file.invitees.clear()


@routes.rpc("sharing/relinquish_file_membership", FileArgument, scope="sharing.write")
def leave_file(call: Call, argument: FileArgument) -> None:
    """The caller no longer wants it."""
    file = _get(call, argument.file)
    if call.user.number not in file.members:
        raise RouteError("no_permission")
    del file.members[call.user.number]


@routes.rpc("sharing/list_file_members", ListFileMembersArgument, scope="sharing.read")
def list_file_members(call: Call, argument: ListFileMembersArgument) -> dict[str, Any]:
    """Who has it, and who has it by a shared folder."""
    file = _get(call, argument.file)
    return _list(call, file, argument.limit, 0, with_inherited=argument.include_inherited)


@routes.rpc("sharing/list_file_members/continue", ContinueArgument, scope="sharing.read")
def list_file_members_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    try:
        position = read_cursor(call.state, "file_members", argument.cursor, user=call.user)
    except BadRequestError as error:
        raise RouteError("invalid_cursor") from error
    file = _get(call, position["file"])
    return _list(call, file, position["limit"], position["start"], with_inherited=position["inherited"])


@routes.rpc("sharing/get_file_metadata", FileMetadataArgument, scope="sharing.read")
def get_file_metadata(call: Call, argument: FileMetadataArgument) -> dict[str, Any]:
    """What sharing knows of a file."""
    return _build(call, _get(call, argument.file))


@routes.rpc("sharing/get_file_metadata/batch", FilesMetadataArgument, scope="sharing.read")
def get_files_metadata(call: Call, argument: FilesMetadataArgument) -> list[dict[str, Any]]:
    """Of many, each with its own outcome."""
    outcomes = []
    for path in argument.files:
        try:
            result: dict[str, Any] = {".tag": "metadata", **_build(call, _get(call, path))}
        except RouteError as error:
            result = {".tag": "access_error", "access_error": error.error["access_error"]}
        outcomes.append({"file": path, "result": result})
    return outcomes


@routes.rpc("sharing/list_received_files", ListReceivedArgument, scope="sharing.read")
def list_received(call: Call, argument: ListReceivedArgument) -> dict[str, Any]:
    """Files that others share with the caller."""
    return _list_received(call, argument.limit, 0)


@routes.rpc("sharing/list_received_files/continue", ContinueArgument, scope="sharing.read")
def list_received_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    try:
        position = read_cursor(call.state, "received", argument.cursor, user=call.user)
    except BadRequestError as error:
        raise RouteError("invalid_cursor") from error
    return _list_received(call, position["limit"], position["start"])


def _get(call: Call, path: str) -> File:
    try:
        resource = call.view.get(path)
    except RouteError as error:
        raise RouteError("access_error", "invalid_file") from error
    if not isinstance(resource, File):
        raise RouteError("access_error", "is_folder")
    return resource


def _get_own(call: Call, path: str) -> File:
    file = _get(call, path)
    if not call.view.can_write(file.namespace):
        raise RouteError("access_error", "no_permission")
    return file


def _find_member(call: Call, file: File, selector: Tagged) -> tuple[int | None, str]:
    try:
        user, email = find_person(call, selector)
    except LookupError:
        return None, ""
    return (user.number if user is not None and user.number in file.members else None), email


def _list_inherited(file: File) -> dict[int, AccessLevel]:
    """Those who have it because of where it is: its owner, or the members of the shared folder."""
    return {number: level for number, level in file.namespace.members.items() if number not in file.members}


def _list(call: Call, file: File, limit: int, start: int, *, with_inherited: bool) -> dict[str, Any]:
    is_home = file.namespace.kind is NamespaceKind.HOME
    inherited = _list_inherited(file)
    users_of = call.state.world.users
    users = [
        build_membership(call, users_of.get(number), level, is_inherited=not is_home)
        for number, level in inherited.items()
        if with_inherited or is_home
    ]
    users += [
        build_membership(call, users_of.get(number), level, is_inherited=False)
        for number, level in file.members.items()
    ]
    invitees = [build_invitee(email, level) for email, level in file.invitees.items()]
    answer, end = page_people(users, invitees, start, limit)
    if end is not None:
        position = {"start": end, "limit": limit, "file": file.resource_id, "inherited": with_inherited}
        answer["cursor"] = write_cursor(call.state, "file_members", call.user, position)
    return answer


def _list_received(call: Call, limit: int, start: int) -> dict[str, Any]:
    files = [
        resource
        for resource in call.state.space.resources.values()
        if isinstance(resource, File) and call.user.number in resource.members
    ]
    end = start + limit
    answer: dict[str, Any] = {"entries": [_build(call, file) for file in files[start:end]]}
    if end < len(files):
        answer["cursor"] = write_cursor(call.state, "received", call.user, {"start": end, "limit": limit})
    return answer


def _build(call: Call, file: File) -> dict[str, Any]:
    own = file.namespace.members.get(call.user.number) or file.members.get(call.user.number)
    described: dict[str, Any] = {
        "id": file.resource_id,
        "name": file.name,
        "policy": {"acl_update_policy": {".tag": "editors"}, "shared_link_policy": {".tag": "anyone"}},
        "preview_url": f"{call.web_origin}/scl/fi/{file.resource_id.removeprefix('id:')}",
        "permissions": [],
    }
    if call.user.number in file.invited_at:
        described["time_invited"] = format_time(file.invited_at[call.user.number])
    if own is not None:
        described["access_type"] = {".tag": own.value}
    number = file.namespace.owner_number
    owner = None if number is None else call.state.world.users.find(number)
    if owner is not None:
        described["owner_display_names"] = [owner.name]
        if owner.team is not None:
            described["owner_team"] = {"id": build_team_id(owner.team), "name": owner.team}
    if file.namespace.kind is NamespaceKind.SHARED_FOLDER:
        described["parent_shared_folder_id"] = file.namespace.namespace_id
    parts = call.view.build_parts(file)
    if parts is not None:
        path = "".join(f"/{part}" for part in parts)
        described |= {"path_lower": path.lower(), "path_display": path}
    return described
