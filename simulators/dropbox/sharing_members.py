"""Members of shared folders."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from simulators.dropbox.calls import Argument, Call, PollArgument, Routes, Tagged
from simulators.dropbox.cursors import read_cursor, write_cursor
from simulators.dropbox.errors import BadRequestError, RouteError
from simulators.dropbox.sharing_folders import FolderArgument, get_namespace, mount_for, remove_member
from simulators.dropbox.sharing_people import (
    build_invitee,
    build_level,
    build_membership,
    find_person,
    page_people,
    read_level,
    refuse_member,
)
from simulators.dropbox.state import find_by_account_id
from simulators.dropbox.tree import AccessLevel, Namespace, NamespaceKind

PAGE_COUNT_MAX = 1000

routes = Routes()


class MemberArgument(Argument):
    member: Tagged
    access_level: Tagged | None = None


class AddMembersArgument(FolderArgument):
    members: list[MemberArgument]
    quiet: bool = False
    custom_message: str | None = None


class RemoveMemberArgument(FolderArgument):
    member: Tagged
    leave_a_copy: bool


class UpdateMemberArgument(FolderArgument):
    member: Tagged
    access_level: Tagged


class ListMembersArgument(FolderArgument):
    actions: list[Tagged] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)] = PAGE_COUNT_MAX
    path: str | None = None


class ContinueArgument(Argument):
    cursor: str


class LeaveArgument(FolderArgument):
    leave_a_copy: bool = False


class TransferArgument(FolderArgument):
    to_dropbox_id: str


@routes.rpc("sharing/add_folder_member", AddMembersArgument, scope="sharing.write")
def add_members(call: Call, argument: AddMembersArgument) -> None:
    """Users become members, everybody else is invited; who is on the same team finds the folder at once."""
    namespace = _get_changeable(call, argument.shared_folder_id)
    people = []
    for one in argument.members:
        try:
            people.append((*find_person(call, one.member), read_level(one.access_level, AccessLevel.VIEWER)))
        except LookupError as error:
            raise refuse_member(one.member) from error
    for user, email, level in people:
        if user is None:
            namespace.invitees[email] = level
        elif namespace.members.get(user.number) is not AccessLevel.OWNER:
            namespace.members[user.number] = level
            if user.team is not None and user.team == call.user.team and user.number not in namespace.mounts:
                mount_for(call, namespace, user.number)
    call.state.space.note(namespace.root)


@routes.rpc("sharing/remove_folder_member", RemoveMemberArgument, scope="sharing.write")
def remove_folder_member(call: Call, argument: RemoveMemberArgument) -> dict[str, Any]:
    """Done as a job."""
    namespace = _get_changeable(call, argument.shared_folder_id)
    number, email = _find_member(call, namespace, argument.member)
    if number is None:
        del namespace.invitees[email]
    elif namespace.members[number] is AccessLevel.OWNER:
        raise RouteError("folder_owner")
    else:
        remove_member(call, namespace, number, leave_a_copy=argument.leave_a_copy)
    return call.state.launch("remove_member", call.user, {".tag": "complete"})


@routes.rpc("sharing/check_remove_member_job_status", PollArgument, scope="sharing.write")
def check_remove_member(call: Call, argument: PollArgument) -> dict[str, Any]:
    """How far the removal is."""
    return call.state.poll("remove_member", call.user, argument.async_job_id)


@routes.rpc("sharing/update_folder_member", UpdateMemberArgument, scope="sharing.write")
def update_folder_member(call: Call, argument: UpdateMemberArgument) -> dict[str, Any]:
    """Another level."""
    namespace = _get_changeable(call, argument.shared_folder_id)
    number, email = _find_member(call, namespace, argument.member)
    level = read_level(argument.access_level, AccessLevel.VIEWER)
    if number is None:
        namespace.invitees[email] = level
    elif namespace.members[number] is AccessLevel.OWNER:
        raise RouteError("no_permission")
    else:
        namespace.members[number] = level
        call.state.space.note(namespace.root)
    return build_level(level)


@routes.rpc("sharing/list_folder_members", ListMembersArgument, scope="sharing.read")
def list_members(call: Call, argument: ListMembersArgument) -> dict[str, Any]:
    """Users first, then those who were invited."""
    namespace = get_namespace(call, argument.shared_folder_id, wrapped=False)
    return _list(call, namespace, argument.limit, 0)


@routes.rpc("sharing/list_folder_members/continue", ContinueArgument, scope="sharing.read")
def list_members_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    try:
        position = read_cursor(call.state, "folder_members", argument.cursor, user=call.user)
    except BadRequestError as error:
        raise RouteError("invalid_cursor") from error
    namespace = get_namespace(call, position["folder"])
    return _list(call, namespace, position["limit"], position["start"])


@routes.rpc("sharing/relinquish_folder_membership", LeaveArgument, scope="sharing.write")
def leave_folder(call: Call, argument: LeaveArgument) -> dict[str, Any]:
    """The caller leaves; with a copy that is a job."""
    namespace = get_namespace(call, argument.shared_folder_id)
    if namespace.kind is NamespaceKind.TEAM_FOLDER:
        raise RouteError("team_folder")
    if namespace.members[call.user.number] is AccessLevel.OWNER:
        raise RouteError("folder_owner")
    remove_member(call, namespace, call.user.number, leave_a_copy=argument.leave_a_copy)
    if argument.leave_a_copy:
        return call.state.launch("sharing", call.user, {".tag": "complete"})
    return {".tag": "complete"}


@routes.rpc("sharing/transfer_folder", TransferArgument, scope="sharing.write")
def transfer_folder(call: Call, argument: TransferArgument) -> None:
    """Another owner; the old one stays as an editor."""
    namespace = get_namespace(call, argument.shared_folder_id)
    if namespace.members[call.user.number] is not AccessLevel.OWNER:
        raise RouteError("no_permission")
    user = find_by_account_id(call.state, argument.to_dropbox_id)
    if user is None:
        raise RouteError("invalid_dropbox_id")
    if user.number not in namespace.members:
        raise RouteError("new_owner_not_a_member")
    if user.number not in namespace.mounts:
        raise RouteError("new_owner_unmounted")
    namespace.members[call.user.number] = AccessLevel.EDITOR
    namespace.members[user.number] = AccessLevel.OWNER
    namespace.owner_number = user.number


def _get_changeable(call: Call, shared_folder_id: str) -> Namespace:
    namespace = get_namespace(call, shared_folder_id)
    if namespace.kind is NamespaceKind.TEAM_FOLDER:
        raise RouteError("team_folder")
    level = namespace.members[call.user.number]
    who = namespace.policies.get("acl_update_policy", "owner")
    if level is not AccessLevel.OWNER and not (who == "editors" and level is AccessLevel.EDITOR):
        raise RouteError("no_permission")
    return namespace


def _find_member(call: Call, namespace: Namespace, selector: Tagged) -> tuple[int | None, str]:
    """A member's number, or None and an invitee's address; RouteError for anybody else."""
    try:
        user, email = find_person(call, selector)
    except LookupError as error:
        raise RouteError("member_error", "invalid_dropbox_id") from error
    if user is not None and user.number in namespace.members:
        return user.number, email
    if email in namespace.invitees:
        return None, email
    raise RouteError("member_error", "not_a_member")


def _list(call: Call, namespace: Namespace, limit: int, start: int) -> dict[str, Any]:
    users = [
        build_membership(call, call.state.world.users.get(number), level, is_inherited=False)
        for number, level in namespace.members.items()
    ]
    invitees = [build_invitee(email, level) for email, level in namespace.invitees.items()]
    answer, end = page_people(users, invitees, start, limit)
    if end is not None:
        position = {"start": end, "limit": limit, "folder": namespace.namespace_id}
        answer["cursor"] = write_cursor(call.state, "folder_members", call.user, position)
    return answer
