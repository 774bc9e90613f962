"""Shared links: made for a file or folder, with settings, and opened by whoever has the address."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from simulators.core.users import User
from simulators.dropbox.calls import Argument, Call, Download, ReadPath, Routes, Tagged, read_tag
from simulators.dropbox.cursors import read_cursor, write_cursor
from simulators.dropbox.errors import BadRequestError, RouteError, inside
from simulators.dropbox.state import SharedLink, State, build_member_id, build_team_id, format_time, remember
from simulators.dropbox.tree import File, Folder, Resource, read_parts

PAGE_COUNT_MAX = 200
AUDIENCES = frozenset({"public", "team", "no_one", "password", "members"})
VISIBILITIES = {"public": "public", "team_only": "team", "password": "public"}
_LINK = re.compile(r"^https?://[^/]+(/scl/f[io]/[^/?]+)")

routes = Routes()


class SettingsArgument(Argument):
    require_password: bool | None = None
    link_password: str | None = None
    expires: str | None = None
    audience: Tagged | None = None
    access: Tagged | None = None
    requested_visibility: Tagged | None = None
    allow_download: bool | None = None


class CreateArgument(Argument):
    path: ReadPath
    settings: SettingsArgument | None = None


class OpenArgument(Argument):
    url: str
    path: Annotated[str, msgspec.Meta(pattern=r"\A(/(.|[\r\n])*)?\Z")] | None = None
    link_password: str | None = None


class ListArgument(Argument):
    path: ReadPath | None = None
    cursor: str | None = None
    direct_only: bool | None = None


class ModifyArgument(Argument):
    url: str
    settings: SettingsArgument
    remove_expiration: bool = False


class RevokeArgument(Argument):
    url: str


@routes.rpc("sharing/create_shared_link_with_settings", CreateArgument, scope="sharing.write")
def create_link(call: Call, argument: CreateArgument) -> dict[str, Any]:
    """A link, of which there is one for each resource and user."""
    with inside("path"):
        resource = call.view.get(argument.path)
    if resource is call.view.root.root:
        raise RouteError("access_denied")
    there = _find_link(call, resource)
    if there is not None:
        known = {} if argument.settings else {"shared_link_already_exists": _build_known(call, there)}
        raise RouteError("shared_link_already_exists", **known)
    kind = "fi" if isinstance(resource, File) else "fo"
    path = f"/scl/{kind}/{secrets.token_urlsafe(12)}"
    url = f"{call.web_origin}{path}/{quote(resource.name)}?rlkey={secrets.token_hex(8)}&dl=0"
    link = SharedLink(url=url, resource_id=resource.resource_id, user_number=call.user.number)
    if argument.settings is not None:
        _apply(call, link, argument.settings, is_made=False)
    remember(call.state.shared_links, path, link)
    return build_link(call, link, resource)


@routes.rpc("sharing/modify_shared_link_settings", ModifyArgument, scope="sharing.write")
def modify_link(call: Call, argument: ModifyArgument) -> dict[str, Any]:
    """Other settings for one's own link."""
    link, resource = _get_own(call, argument.url)
    if not argument.remove_expiration or argument.settings != SettingsArgument():
        _apply(call, link, argument.settings, is_made=True)
    if argument.remove_expiration:
        link.expires = None
    return build_link(call, link, resource)


@routes.rpc("sharing/revoke_shared_link", RevokeArgument, scope="sharing.write")
def revoke_link(call: Call, argument: RevokeArgument) -> None:
    """The address leads nowhere from now on."""
    _get_own(call, argument.url)
    del call.state.shared_links[_read_key(argument.url)]


@routes.rpc("sharing/list_shared_links", ListArgument, scope="sharing.read")
def list_links(call: Call, argument: ListArgument) -> dict[str, Any]:
    """One's own links: all, or those that lead to a path, its parents' included."""
    start = 0
    if argument.cursor is not None:
        try:
            start = read_cursor(call.state, "shared_links", argument.cursor, user=call.user)["start"]
        except BadRequestError as error:
            raise RouteError("reset") from error
    wanted = (
        None if argument.path is None else _list_wanted(call, argument.path, direct_only=bool(argument.direct_only))
    )
    links = [
        (link, resource)
        for link in call.state.shared_links.values()
        if link.user_number == call.user.number
        and (resource := call.state.space.resources.get(link.resource_id)) is not None
        and (wanted is None or link.resource_id in wanted)
    ]
    end = start + PAGE_COUNT_MAX
    answer: dict[str, Any] = {
        "links": [build_link(call, link, resource) for link, resource in links[start:end]],
        "has_more": end < len(links),
    }
    if end < len(links):
        answer["cursor"] = write_cursor(call.state, "shared_links", call.user, {"start": end})
    return answer


@routes.rpc("sharing/get_shared_link_metadata", OpenArgument, scope="sharing.read", auth="app, user")
def get_link_metadata(call: Call, argument: OpenArgument) -> dict[str, Any]:
    """What an address leads to."""
    resource = open_link(call, argument.url, argument.path or "", argument.link_password)
    return build_link(call, _find_by_url(call, argument.url), resource)


@routes.download("sharing/get_shared_link_file", OpenArgument, scope="sharing.read", auth="app, user")
def get_link_file(call: Call, argument: OpenArgument) -> Download:
    """The bytes of the file that an address leads to."""
    resource = open_link(call, argument.url, argument.path or "", argument.link_password)
    if isinstance(resource, Folder):
        raise RouteError("shared_link_is_directory")
    link = _find_by_url(call, argument.url)
    if not link.allow_download and link.user_number != call.user.number:
        raise RouteError("shared_link_access_denied")
    return Download(result=build_link(call, link, resource), content=resource.version.content, rev=resource.version.rev)


def open_link(call: Call, url: str, path: str, password: str | None) -> Resource:
    """What an address, and a path below it, lead this caller to; RouteError as SharedLinkError."""
    link = _find_by_url(call, url)
    resource = find_linked(call.state, link, path)
    if resource is None:
        raise RouteError("shared_link_not_found")
    is_allowed = link.is_preview or link.user_number == call.user.number
    if not is_allowed and not can_open(call.state, link, call.user, password):
        raise RouteError("shared_link_access_denied")
    return resource


def find_linked(state: State, link: SharedLink, path: str) -> Resource | None:
    """The resource behind a link, or below it; None when it is gone, or the link's time is over."""
    if link.expires is not None and state.world.clock.now() > link.expires:
        return None
    resource = state.space.resources.get(link.resource_id)
    for part in read_parts(path):
        resource = resource.children.get(part.lower()) if isinstance(resource, Folder) else None
    return resource


def can_open(state: State, link: SharedLink, user: User | None, password: str | None) -> bool:
    """Does the audience include this user, and is the password right?"""
    owner = state.world.users.get(link.user_number)
    if link.audience == "team" and (user is None or owner.team is None or user.team != owner.team):
        return False
    if link.audience in {"no_one", "members"}:
        return False
    return link.password is None or hmac.compare_digest((password or "").encode(), link.password.encode())


def build_link(call: Call, link: SharedLink, resource: Resource) -> dict[str, Any]:
    """A link with what it leads to."""
    is_owner = link.user_number == call.user.number
    owner = call.state.world.users.get(link.user_number)
    described: dict[str, Any] = {
        ".tag": "file" if isinstance(resource, File) else "folder",
        "url": link.url,
        "id": resource.resource_id,
        "name": resource.name,
        "link_permissions": _build_permissions(call, link, owner),
    }
    parts = call.view.build_parts(resource)
    if is_owner and parts is not None:
        described["path_lower"] = "".join(f"/{part}" for part in parts).lower()
    if link.expires is not None:
        described["expires"] = format_time(link.expires)
    if owner.team is not None:
        described["team_member_info"] = {
            "team_info": {"id": build_team_id(owner.team), "name": owner.team},
            "display_name": owner.name,
            "member_id": build_member_id(owner),
        }
    if isinstance(resource, File):
        version = resource.version
        described |= {
            "client_modified": format_time(version.client_modified),
            "server_modified": format_time(version.server_modified),
            "rev": version.rev,
            "size": version.content.size_bytes,
        }
    return described


def _build_permissions(call: Call, link: SharedLink, owner: User) -> dict[str, Any]:
    is_owner = link.user_number == call.user.number
    may_set = is_owner and call.state.settings.has_paid_plan
    visibility = {"team": "team_only", "no_one": "no_one", "members": "shared_folder_only"}.get(link.audience, "public")
    if link.password is not None:
        visibility = "team_and_password" if visibility == "team_only" else "password"
    permissions: dict[str, Any] = {
        "can_revoke": is_owner,
        "resolved_visibility": {".tag": visibility},
        "effective_audience": {".tag": link.audience},
        "link_access_level": {".tag": link.access},
        "visibility_policies": [_build_policy(name, owner) for name in ("public", "team_only", "password")],
        "can_set_expiry": may_set,
        "can_remove_expiry": is_owner,
        "allow_download": link.allow_download,
        "can_allow_download": is_owner,
        "can_disallow_download": may_set,
        "allow_comments": True,
        "team_restricts_comments": False,
        "audience_options": [
            {
                "audience": {".tag": name},
                "allowed": name == "public" or (may_set and (name != "team" or owner.team is not None)),
            }
            for name in ("public", "team", "no_one")
        ],
        "can_set_password": may_set,
        "can_remove_password": is_owner,
        "require_password": link.password is not None,
        "can_use_extended_sharing_controls": may_set,
    }
    if is_owner and visibility in VISIBILITIES:
        permissions["requested_visibility"] = {".tag": visibility}
    if not is_owner:
        permissions["revoke_failure_reason"] = {".tag": "owner_only"}
    return permissions


def _build_policy(name: str, owner: User) -> dict[str, Any]:
    policy: dict[str, Any] = {"policy": {".tag": name}, "resolved_policy": {".tag": name}, "allowed": True}
    if name == "team_only" and owner.team is None:
        policy |= {"allowed": False, "disallowed_reason": {".tag": "user_not_on_team"}}
    return policy


def _apply(call: Call, link: SharedLink, settings: SettingsArgument, *, is_made: bool) -> None:
    """All settings or none; RouteError("settings_error", …). The level of access stays what it was made with."""
    if settings == SettingsArgument():
        raise RouteError("settings_error", "invalid_settings")
    visibility = None if settings.requested_visibility is None else read_tag(settings.requested_visibility)[0]
    audience = None if settings.audience is None else read_tag(settings.audience, AUDIENCES)[0]
    if visibility is not None:
        audience = audience or VISIBILITIES.get(visibility)
    needs_password = settings.require_password or visibility == "password"
    if needs_password and not settings.link_password and link.password is None:
        raise RouteError("settings_error", "invalid_settings")
    is_beyond_plan = (
        needs_password or settings.expires or audience not in {None, "public"} or settings.allow_download is False
    )
    if (audience == "team" and call.user.team is None) or (is_beyond_plan and not call.state.settings.has_paid_plan):
        raise RouteError("settings_error", "not_authorized")
    access = None if settings.access is None else read_tag(settings.access)[0]
    level = None if access is None else "editor" if access in {"editor", "max"} else "viewer"
    if is_made and level not in {None, link.access}:
        raise RouteError("settings_error", "invalid_settings")
    expires = None if settings.expires is None else _read_time(settings.expires)
    if expires is not None and expires <= call.state.world.clock.now():
        raise RouteError("settings_error", "invalid_settings")
    link.audience = audience or link.audience
    link.expires = expires or link.expires
    if settings.require_password is False:
        link.password = None
    elif settings.link_password:
        link.password = settings.link_password
    if settings.allow_download is not None:
        link.allow_download = settings.allow_download
    link.access = level or link.access


def _read_time(value: str) -> datetime:
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadRequestError(f"expires: time data {value!r} does not match format") from error


def _build_known(call: Call, link: SharedLink) -> dict[str, Any]:
    resource = call.state.space.resources[link.resource_id]
    return {".tag": "metadata", "metadata": build_link(call, link, resource)}


def _find_link(call: Call, resource: Resource) -> SharedLink | None:
    wanted = (resource.resource_id, call.user.number)
    links = call.state.shared_links.values()
    return next((link for link in links if (link.resource_id, link.user_number) == wanted), None)


def _find_by_url(call: Call, url: str) -> SharedLink:
    """A link that somebody made, or the address at which members see a file that is shared with them."""
    key = _read_key(url)
    link = call.state.shared_links.get(key)
    if link is not None:
        return link
    resource = call.view.find_by_id(f"id:{key.rpartition('/')[2]}")
    if not isinstance(resource, File):
        raise RouteError("shared_link_not_found")
    owner = resource.namespace.owner_number
    number = call.user.number if owner is None else owner
    return SharedLink(
        url=url, resource_id=resource.resource_id, user_number=number, audience="members", is_preview=True
    )


def _read_key(url: str) -> str:
    found = _LINK.match(url)
    return found[1] if found else ""


def _get_own(call: Call, url: str) -> tuple[SharedLink, Resource]:
    link = _find_by_url(call, url)
    if link.user_number != call.user.number or link.is_preview:
        raise RouteError("shared_link_access_denied")
    resource = call.state.space.resources.get(link.resource_id)
    if resource is None:
        raise RouteError("shared_link_not_found")
    return link, resource


def _list_wanted(call: Call, path: str, *, direct_only: bool) -> set[str]:
    with inside("path"):
        resource = call.view.get(path)
    wanted = {resource.resource_id}
    here = resource.parent
    while here is not None and not direct_only:
        wanted.add(here.resource_id)
        here = here.parent
    return wanted
