"""What a team's own token sees: the team, its members, its namespaces and team folders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from simulators.core.users import User
from simulators.dropbox.accounts import build_name, build_sharing_policies
from simulators.dropbox.calls import Argument, Call, Routes, Tagged, read_tag
from simulators.dropbox.cursors import read_cursor, write_cursor
from simulators.dropbox.errors import BadRequestError, RouteError
from simulators.dropbox.state import build_account_id, build_member_id, build_team_id
from simulators.dropbox.tree import Namespace, NamespaceKind

PAGE_COUNT_MAX = 1000
NAMESPACE_TYPES = {
    NamespaceKind.HOME: "team_member_folder",
    NamespaceKind.TEAM_ROOT: "team_folder",
    NamespaceKind.TEAM_FOLDER: "team_folder",
    NamespaceKind.SHARED_FOLDER: "shared_folder",
}

routes = Routes()

Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)]


class MembersArgument(Argument):
    limit: Limit = PAGE_COUNT_MAX
    include_removed: bool = False


class ListArgument(Argument):
    limit: Limit = PAGE_COUNT_MAX


class ContinueArgument(Argument):
    cursor: str


class SelectArgument(Argument):
    members: list[Tagged]


class CreateArgument(Argument):
    name: str
    sync_setting: Tagged | None = None


@routes.rpc("team/get_info", scope="team_info.read", auth="team")
def get_info(call: Call, _: None) -> dict[str, Any]:
    """The team."""
    members = _list_members(call)
    return {
        "name": call.user.team or "",
        "team_id": build_team_id(call.user.team or ""),
        "num_licensed_users": len(members),
        "num_provisioned_users": len(members),
        "policies": {
            "sharing": build_sharing_policies(),
            "emm_state": {".tag": "disabled"},
            "office_addin": {".tag": "enabled"},
            "suggest_members_policy": {".tag": "enabled"},
            "top_level_content_policy": {".tag": "admin_only"},
        },
    }


@routes.rpc("team/token/get_authenticated_admin", scope="team_info.read", auth="team")
def get_admin(call: Call, _: None) -> dict[str, Any]:
    """The admin who consented."""
    return {"admin_profile": _build_profile(call, call.user)}


@routes.rpc("team/members/list_v2", MembersArgument, scope="members.read", auth="team")
def list_members(call: Call, argument: MembersArgument) -> dict[str, Any]:
    """All members."""
    return _page_members(call, 0, argument.limit)


@routes.rpc("team/members/list/continue_v2", ContinueArgument, scope="members.read", auth="team")
def list_members_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    position = _read(call, "team_members", argument.cursor)
    return _page_members(call, position["start"], position["limit"])


@routes.rpc("team/members/get_info_v2", SelectArgument, scope="members.read", auth="team")
def get_members(call: Call, argument: SelectArgument) -> dict[str, Any]:
    """Some members."""
    found = []
    for selector in argument.members:
        tag, fields = read_tag(selector, frozenset({"team_member_id", "external_id", "email"}))
        value = str(fields.get(tag, ""))
        member = next((one for one in _list_members(call) if value in {build_member_id(one), one.email}), None)
        if member is None:
            found.append({".tag": "id_not_found", "id_not_found": value})
        else:
            found.append({".tag": "member_info", **_build_member(call, member)})
    return {"members_info": found}


@routes.rpc("team/namespaces/list", ListArgument, scope="team_data.member", auth="team")
def list_namespaces(call: Call, argument: ListArgument) -> dict[str, Any]:
    """All namespaces of the team and its members."""
    return _page_namespaces(call, 0, argument.limit)


@routes.rpc("team/namespaces/list/continue", ContinueArgument, scope="team_data.member", auth="team")
def list_namespaces_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    position = _read(call, "team_namespaces", argument.cursor)
    return _page_namespaces(call, position["start"], position["limit"])


@routes.rpc("team/team_folder/list", ListArgument, scope="team_data.content.read", auth="team")
def list_team_folders(call: Call, argument: ListArgument) -> dict[str, Any]:
    """The team's own folders."""
    folders = [one for one in _list_namespaces(call) if one.kind is NamespaceKind.TEAM_FOLDER]
    page, rest = _cut(call, "team_folders", folders, 0, argument.limit)
    return {"team_folders": [_build_team_folder(folder) for folder in page], **rest}


@routes.rpc("team/team_folder/list/continue", ContinueArgument, scope="team_data.content.read", auth="team")
def list_team_folders_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    position = _read(call, "team_folders", argument.cursor)
    folders = [one for one in _list_namespaces(call) if one.kind is NamespaceKind.TEAM_FOLDER]
    page, rest = _cut(call, "team_folders", folders, position["start"], position["limit"])
    return {"team_folders": [_build_team_folder(folder) for folder in page], **rest}


@routes.rpc("team/team_folder/create", CreateArgument, scope="team_data.content.write", auth="team")
def create_team_folder(call: Call, argument: CreateArgument) -> dict[str, Any]:
    """A folder that all members have."""
    if call.user.team is None or not argument.name or "/" in argument.name:
        raise RouteError("invalid_folder_name")
    if argument.name.lower() in call.state.space.get_team_root(call.user.team).root.children:
        raise RouteError("folder_name_already_used")
    return _build_team_folder(call.state.space.add_team_folder(call.user.team, argument.name))


def _list_members(call: Call) -> list[User]:
    return call.state.world.users.list_team(call.user.team)


def _list_namespaces(call: Call) -> list[Namespace]:
    members = _list_members(call)
    for member in members:
        call.state.space.get_home(member)
    numbers = {member.number for member in members}
    return [one for one in call.state.space.namespaces.values() if numbers & one.members.keys()]


def _page_members(call: Call, start: int, limit: int) -> dict[str, Any]:
    page, rest = _cut(call, "team_members", _list_members(call), start, limit)
    return {"members": [_build_member(call, member) for member in page], **rest}


def _page_namespaces(call: Call, start: int, limit: int) -> dict[str, Any]:
    page, rest = _cut(call, "team_namespaces", _list_namespaces(call), start, limit)
    return {"namespaces": [_build_namespace(call, namespace) for namespace in page], **rest}


def _cut(
    call: Call, kind: str, everything: Sequence[Any], start: int, limit: int
) -> tuple[Sequence[Any], dict[str, Any]]:
    end = start + limit
    cursor = write_cursor(call.state, kind, call.user, {"start": min(end, len(everything)), "limit": limit})
    return everything[start:end], {"cursor": cursor, "has_more": end < len(everything)}


def _read(call: Call, kind: str, cursor: str) -> dict[str, Any]:
    try:
        return read_cursor(call.state, kind, cursor, user=call.user)
    except BadRequestError as error:
        raise RouteError("invalid_cursor") from error


def _build_member(call: Call, user: User) -> dict[str, Any]:
    role = {"role_id": "pid_dbtmr:1", "name": "Team", "description": "Manages everything"}
    return {"profile": _build_profile(call, user), "roles": [role] if user.is_admin else []}


def _build_profile(call: Call, user: User) -> dict[str, Any]:
    return {
        "team_member_id": build_member_id(user),
        "email": user.email,
        "email_verified": True,
        "status": {".tag": "active"},
        "name": build_name(user),
        "membership_type": {".tag": "full"},
        "groups": [],
        "member_folder_id": call.state.space.get_home(user).namespace_id,
        "root_folder_id": call.state.space.get_root(user).namespace_id,
        "account_id": build_account_id(user),
    }


def _build_namespace(call: Call, namespace: Namespace) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": namespace.name,
        "namespace_id": namespace.namespace_id,
        "namespace_type": {".tag": NAMESPACE_TYPES[namespace.kind]},
    }
    if namespace.kind is NamespaceKind.HOME and namespace.owner_number is not None:
        described["team_member_id"] = build_member_id(call.state.world.users.get(namespace.owner_number))
    return described


def _build_team_folder(namespace: Namespace) -> dict[str, Any]:
    return {
        "team_folder_id": namespace.namespace_id,
        "name": namespace.name,
        "status": {".tag": "active"},
        "is_team_shared_dropbox": False,
        "sync_setting": {".tag": "default"},
        "content_sync_settings": [],
    }
