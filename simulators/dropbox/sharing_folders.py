"""Shared folders: sharing and unsharing, mounting, policies, and what there is to be seen of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from simulators.dropbox.calls import Argument, Call, PollArgument, Routes, Tagged, WritePathOrId, read_tag
from simulators.dropbox.cursors import read_cursor, write_cursor
from simulators.dropbox.errors import BadRequestError, RouteError
from simulators.dropbox.placing import find_free_name, prepare
from simulators.dropbox.state import build_team_id, format_time
from simulators.dropbox.tree import AccessLevel, File, Folder, Namespace, NamespaceKind, walk

PAGE_COUNT_MAX = 1000
POLICIES = {"acl_update_policy": "owner", "shared_link_policy": "anyone", "member_policy": "anyone"}
POLICY_TAGS = {
    "acl_update_policy": frozenset({"owner", "editors"}),
    "shared_link_policy": frozenset({"anyone", "team", "members"}),
    "member_policy": frozenset({"team", "anyone", "team_and_approved"}),
}

routes = Routes()


class ShareArgument(Argument):
    path: WritePathOrId
    acl_update_policy: Tagged | None = None
    force_async: bool = False
    member_policy: Tagged | None = None
    shared_link_policy: Tagged | None = None
    viewer_info_policy: Tagged | None = None
    access_inheritance: Tagged = "inherit"
    actions: list[Tagged] | None = None
    link_settings: dict[str, Any] | None = None


class FolderArgument(Argument):
    shared_folder_id: str


class FolderMetadataArgument(FolderArgument):
    actions: list[Tagged] | None = None


class UnshareArgument(FolderArgument):
    leave_a_copy: bool = False


class PolicyArgument(FolderMetadataArgument):
    member_policy: Tagged | None = None
    acl_update_policy: Tagged | None = None
    viewer_info_policy: Tagged | None = None
    shared_link_policy: Tagged | None = None
    link_settings: dict[str, Any] | None = None


class ListFoldersArgument(Argument):
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)] = PAGE_COUNT_MAX
    actions: list[Tagged] | None = None


class ContinueArgument(Argument):
    cursor: str


@routes.rpc("sharing/share_folder", ShareArgument, scope="sharing.write")
def share_folder(call: Call, argument: ShareArgument) -> dict[str, Any]:
    """A folder becomes a shared one, with the caller as its owner; it is made if it is missing."""
    policies = _read_policies(argument)
    folder = _get_shareable(call, argument)
    namespace = call.state.space.add_namespace(NamespaceKind.SHARED_FOLDER, folder.name, owner=call.user)
    namespace.mounts[call.user.number] = folder
    call.state.space.convert(folder, namespace)
    namespace.policies |= policies
    complete = {".tag": "complete", **build_folder_metadata(call, namespace)}
    if argument.force_async:
        return call.state.launch("share_folder", call.user, complete)
    return complete


@routes.rpc("sharing/check_share_job_status", PollArgument, scope="sharing.write")
def check_share(call: Call, argument: PollArgument) -> dict[str, Any]:
    """How far the sharing is."""
    return call.state.poll("share_folder", call.user, argument.async_job_id)


@routes.rpc("sharing/unshare_folder", UnshareArgument, scope="sharing.write")
def unshare_folder(call: Call, argument: UnshareArgument) -> dict[str, Any]:
    """Only the owner keeps it, and others a copy if that is wanted."""
    namespace = get_namespace(call, argument.shared_folder_id)
    if namespace.kind is not NamespaceKind.SHARED_FOLDER:
        raise RouteError("team_folder")
    if namespace.members[call.user.number] is not AccessLevel.OWNER:
        raise RouteError("no_permission")
    owner_folder = namespace.mounts.pop(call.user.number, None)
    for number in list(namespace.mounts):
        remove_member(call, namespace, number, leave_a_copy=argument.leave_a_copy)
    if owner_folder is not None:
        call.state.space.revert(owner_folder)
    namespace.members.clear()
    del call.state.space.namespaces[namespace.namespace_id]
    return call.state.launch("sharing", call.user, {".tag": "complete"})


@routes.rpc("sharing/check_job_status", PollArgument, scope="sharing.write")
def check_job(call: Call, argument: PollArgument) -> dict[str, Any]:
    """How far an unsharing or a leaving is."""
    return call.state.poll("sharing", call.user, argument.async_job_id)


@routes.rpc("sharing/get_folder_metadata", FolderMetadataArgument, scope="sharing.read")
def get_folder_metadata(call: Call, argument: FolderMetadataArgument) -> dict[str, Any]:
    """One shared folder."""
    return build_folder_metadata(call, get_namespace(call, argument.shared_folder_id, wrapped=False))


@routes.rpc("sharing/list_folders", ListFoldersArgument, scope="sharing.read")
def list_folders(call: Call, argument: ListFoldersArgument) -> dict[str, Any]:
    """All that the caller is a member of."""
    return _list(call, "folders", argument.limit, 0)


@routes.rpc("sharing/list_folders/continue", ContinueArgument, scope="sharing.read")
def list_folders_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    return _continue(call, "folders", argument.cursor)


@routes.rpc("sharing/list_mountable_folders", ListFoldersArgument, scope="sharing.read")
def list_mountable_folders(call: Call, argument: ListFoldersArgument) -> dict[str, Any]:
    """Those that the caller could mount, or has mounted."""
    return _list(call, "mountable", argument.limit, 0)


@routes.rpc("sharing/list_mountable_folders/continue", ContinueArgument, scope="sharing.read")
def list_mountable_folders_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    return _continue(call, "mountable", argument.cursor)


@routes.rpc("sharing/mount_folder", FolderArgument, scope="sharing.write")
def mount_folder(call: Call, argument: FolderArgument) -> dict[str, Any]:
    """From now on it is among the caller's files."""
    namespace = get_namespace(call, argument.shared_folder_id)
    if call.user.number in namespace.mounts:
        raise RouteError("already_mounted")
    mount_for(call, namespace, call.user.number)
    return build_folder_metadata(call, namespace)


@routes.rpc("sharing/unmount_folder", FolderArgument, scope="sharing.write")
def unmount_folder(call: Call, argument: FolderArgument) -> None:
    """No longer among the caller's files, who stays a member."""
    namespace = get_namespace(call, argument.shared_folder_id)
    if call.user.number not in namespace.mounts:
        raise RouteError("access_error", "unmounted")
    if namespace.kind is not NamespaceKind.SHARED_FOLDER:
        raise RouteError("not_unmountable")
    call.state.space.unmount(namespace, user_number=call.user.number)


@routes.rpc("sharing/update_folder_policy", PolicyArgument, scope="sharing.write")
def update_folder_policy(call: Call, argument: PolicyArgument) -> dict[str, Any]:
    """Who may invite whom, and what links are good for."""
    namespace = get_namespace(call, argument.shared_folder_id)
    if namespace.members[call.user.number] is not AccessLevel.OWNER:
        raise RouteError("no_permission")
    if argument.member_policy is not None and call.user.team is None:
        raise RouteError("not_on_team")
    namespace.policies |= _read_policies(argument)
    return build_folder_metadata(call, namespace)


def get_namespace(call: Call, shared_folder_id: str, *, wrapped: bool = True) -> Namespace:
    """A shared folder that the caller is a member of; RouteError as SharedFolderAccessError."""
    namespace = call.state.space.namespaces.get(shared_folder_id)
    refusal = None
    if namespace is None or namespace.kind not in {NamespaceKind.SHARED_FOLDER, NamespaceKind.TEAM_FOLDER}:
        refusal = RouteError("invalid_id")
    elif call.user.number not in namespace.members:
        refusal = RouteError("not_a_member")
    if refusal is not None or namespace is None:
        refused = refusal or RouteError("invalid_id")
        raise refused.within("access_error") if wrapped else refused
    return namespace


def mount_for(call: Call, namespace: Namespace, number: int) -> None:
    """Among the files of this user, at the top, under a name that is free there."""
    space = call.state.space
    root = space.get_home(call.state.world.users.get(number)).root
    name = namespace.name
    if name.lower() in root.children:
        name = find_free_name(root, name, is_folder=True)
    space.mount(namespace, root, name, user_number=number)


def remove_member(call: Call, namespace: Namespace, number: int, *, leave_a_copy: bool) -> None:
    """The user is no member any more, and keeps at most a copy."""
    mounting = namespace.mounts.get(number)
    parent = mounting.parent if mounting is not None else None
    call.state.space.unmount(namespace, user_number=number)
    namespace.members.pop(number, None)
    if leave_a_copy and parent is not None and mounting is not None:
        call.state.space.copy(namespace.root, parent, mounting.name)


def build_folder_metadata(call: Call, namespace: Namespace) -> dict[str, Any]:
    """What the caller sees of a shared folder."""
    mounting = namespace.mounts.get(call.user.number)
    is_team_folder = namespace.kind is NamespaceKind.TEAM_FOLDER
    described: dict[str, Any] = {
        "access_type": {".tag": namespace.members[call.user.number].value},
        "is_inside_team_folder": False,
        "is_team_folder": is_team_folder,
        "name": mounting.name if mounting is not None else namespace.name,
        "policy": {name: {".tag": namespace.policies.get(name, usual)} for name, usual in POLICIES.items()},
        "preview_url": f"{call.web_origin}/scl/fo/{namespace.namespace_id}",
        "shared_folder_id": namespace.namespace_id,
        "time_invited": format_time(namespace.created_at),
        "access_inheritance": {".tag": "inherit"},
        "folder_id": namespace.root.resource_id,
    }
    owner = None if namespace.owner_number is None else call.state.world.users.find(namespace.owner_number)
    if owner is not None:
        described["owner_display_names"] = [owner.name]
    team = call.user.team if owner is None else owner.team
    if team is None:
        del described["policy"]["member_policy"]
    else:
        described["owner_team"] = {"id": build_team_id(team), "name": team}
        described["policy"]["resolved_member_policy"] = described["policy"]["member_policy"]
    parts = call.view.build_parts(mounting) if mounting is not None else None
    if parts is not None:
        path = "".join(f"/{part}" for part in parts)
        described |= {"path_lower": path.lower(), "path_display": path}
    return described


def _get_shareable(call: Call, argument: ShareArgument) -> Folder:
    try:
        place = call.view.locate(argument.path)
    except RouteError as error:
        raise RouteError("bad_path", "invalid_path") from error
    resource = place.resource
    if isinstance(resource, File):
        raise RouteError("bad_path", "is_file")
    if resource is None:
        try:
            prepared = prepare(call.view, argument.path)
        except RouteError as error:
            raise RouteError("bad_path", "invalid_path") from error
        if prepared.folder is None:
            raise AssertionError("a prepared place has a folder")
        resource = call.state.space.make_folder(prepared.folder, prepared.name)
    if resource.parent is None:
        raise RouteError("bad_path", "invalid_path")
    if resource.mount is not None:
        raise RouteError("bad_path", "already_shared", **build_folder_metadata(call, resource.mount))
    if resource.home.kind is not NamespaceKind.HOME:
        raise RouteError("bad_path", "inside_shared_folder")
    if any(isinstance(child, Folder) and child.mount is not None for child in walk(resource)):
        raise RouteError("bad_path", "contains_shared_folder")
    return resource


def _read_policies(argument: ShareArgument | PolicyArgument) -> dict[str, str]:
    given = {name: getattr(argument, name) for name in POLICIES}
    return {name: read_tag(value, POLICY_TAGS[name])[0] for name, value in given.items() if value is not None}


def _list(call: Call, kind: str, limit: int, start: int) -> dict[str, Any]:
    call.state.space.get_home(call.user)
    namespaces = [
        namespace
        for namespace in call.state.space.namespaces.values()
        if namespace.kind in {NamespaceKind.SHARED_FOLDER, NamespaceKind.TEAM_FOLDER}
        and call.user.number in namespace.members
    ]
    end = start + limit
    answer: dict[str, Any] = {"entries": [build_folder_metadata(call, one) for one in namespaces[start:end]]}
    if end < len(namespaces):
        answer["cursor"] = write_cursor(call.state, kind, call.user, {"start": end, "limit": limit})
    return answer


def _continue(call: Call, kind: str, cursor: str) -> dict[str, Any]:
    try:
        position = read_cursor(call.state, kind, cursor, user=call.user)
    except BadRequestError as error:
        raise RouteError("invalid_cursor") from error
    return _list(call, kind, position["limit"], position["start"])
