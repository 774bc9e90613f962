"""The administrator's view of a team: its users and groups, of Google's Directory API what a storage needs of it.

https://developers.google.com/workspace/admin/directory/reference/rest
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.core.grants import Grant
from simulators.core.users import User
from simulators.gdrive.access import build_group_email
from simulators.gdrive.call import authenticate, refuse_scopes
from simulators.gdrive.drive import Drive
from simulators.gdrive.errors import DriveError
from simulators.gdrive.fields import parse_fields, select_fields
from simulators.gdrive.store import build_permission_id

PREFIX = "/admin/directory/v1"
USER_SCOPES = frozenset({"admin.directory.user", "admin.directory.user.readonly"})
GROUP_SCOPES = frozenset({"admin.directory.group", "admin.directory.group.readonly"})
PAGE_COUNT_DEFAULT = 100
PAGE_COUNT_MAX = 500

USER = {
    "kind": "string",
    "id": "string",
    "etag": "string",
    "primaryEmail": "string",
    "name": {"givenName": "string", "familyName": "string", "fullName": "string"},
    "isAdmin": "boolean",
    "isDelegatedAdmin": "boolean",
    "suspended": "boolean",
    "customerId": "string",
    "orgUnitPath": "string",
}
GROUP = dict.fromkeys(("kind", "id", "etag", "email", "name", "description", "directMembersCount"), "string")
MEMBER = dict.fromkeys(("kind", "id", "etag", "email", "role", "type", "status"), "string")
PAGE = dict.fromkeys(("kind", "etag", "nextPageToken"), "string")
SHAPES: dict[str, dict[str, Any]] = {
    "user": USER,
    "group": GROUP,
    "users": PAGE | {"users": [USER]},
    "groups": PAGE | {"groups": [GROUP]},
    "members": PAGE | {"members": [MEMBER]},
}


def build_directory_routes(drive: Drive) -> list[Route]:
    directory = _Directory(drive)
    return [
        Route(f"{PREFIX}/users", directory.guard("users", USER_SCOPES, directory.list_users)),
        Route(f"{PREFIX}/users/{{key}}", directory.guard("user", USER_SCOPES, directory.get_user)),
        Route(f"{PREFIX}/groups", directory.guard("groups", GROUP_SCOPES, directory.list_groups)),
        Route(f"{PREFIX}/groups/{{key}}", directory.guard("group", GROUP_SCOPES, directory.get_group)),
        Route(f"{PREFIX}/groups/{{key}}/members", directory.guard("members", GROUP_SCOPES, directory.list_members)),
    ]


Endpoint = Callable[[Request, User], dict[str, Any]]


class _Directory:
    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    def guard(self, shape: str, scopes: frozenset[str], endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """Only for administrators of a team, and only what they ask for."""

        async def guarded(request: Request) -> Response:
            grant = authenticate(self._drive, request)
            if not grant.scopes & scopes:
                raise refuse_scopes()
            admin = self._get_admin(grant)
            fields = request.query_params.get("fields")
            mask = parse_fields(fields, SHAPES[shape]) if fields else None
            return JSONResponse(select_fields(endpoint(request, admin), mask))

        return guarded

    def list_users(self, request: Request, admin: User) -> dict[str, Any]:
        customer, domain = request.query_params.get("customer"), request.query_params.get("domain")
        if not customer and not domain:
            raise DriveError.bad_request("Bad Request: customer or domain is needed.")
        people = {
            str(user.number): user
            for user in self._drive.store.users.list_team(admin.team)
            if not domain or user.email.casefold().endswith("@" + domain.casefold())
        }
        numbers, token = self._cut(request, ("users", admin.team or "", domain or ""), list(people))
        users = [_show_user(people[number]) for number in numbers if number in people]
        return {"kind": "admin#directory#users", "users": users} | token

    def get_user(self, request: Request, admin: User) -> dict[str, Any]:
        key = request.path_params["key"]
        for user in self._drive.store.users.list_team(admin.team):
            if key in {user.email, build_permission_id(user.email)}:
                return _show_user(user)
        raise DriveError(404, "notFound", "Resource Not Found: userKey")

    def list_groups(self, request: Request, admin: User) -> dict[str, Any]:
        """A team has one group, of all its members."""
        del request
        return {"kind": "admin#directory#groups", "groups": [self._show_group(admin)]}

    def get_group(self, request: Request, admin: User) -> dict[str, Any]:
        group = self._show_group(admin)
        if request.path_params["key"] not in {group["email"], group["id"]}:
            raise DriveError(404, "notFound", "Resource Not Found: groupKey")
        return group

    def list_members(self, request: Request, admin: User) -> dict[str, Any]:
        self.get_group(request, admin)
        people = {str(user.number): user for user in self._drive.store.users.list_team(admin.team)}
        numbers, token = self._cut(request, ("members", admin.team or ""), list(people))
        members = [_show_member(people[number]) for number in numbers if number in people]
        return {"kind": "admin#directory#members", "members": members} | token

    def _get_admin(self, grant: Grant) -> User:
        user = self._drive.store.users.get(grant.user_number)
        if not user.is_admin or user.team is None:
            raise DriveError.forbidden("forbidden", "Not Authorized to access this resource/api")
        return user

    def _show_group(self, admin: User) -> dict[str, Any]:
        team = admin.team or ""
        count = len(self._drive.store.users.list_team(team))
        return {
            "kind": "admin#directory#group",
            "id": hashlib.sha256(team.encode()).hexdigest()[:15],
            "email": build_group_email(team),
            "name": team,
            "description": f"Everybody of {team}",
            "directMembersCount": str(count),
        }

    def _cut(self, request: Request, question: tuple[str, ...], keys: list[str]) -> tuple[list[str], dict[str, str]]:
        text = request.query_params.get("maxResults", str(PAGE_COUNT_DEFAULT))
        if not text.isdecimal() or int(text) == 0:
            raise DriveError.invalid("maxResults")
        size, token = min(int(text), PAGE_COUNT_MAX), request.query_params.get("pageToken")
        pages = self._drive.pages
        cut, following = pages.resume(question, token, size) if token else pages.start(question, keys, size)
        return cut, {"nextPageToken": following} if following else {}


def _show_user(user: User) -> dict[str, Any]:
    return {
        "kind": "admin#directory#user",
        "id": build_permission_id(user.email),
        "primaryEmail": user.email,
        "name": {"givenName": user.given_name, "familyName": user.surname, "fullName": user.name},
        "isAdmin": user.is_admin,
        "isDelegatedAdmin": False,
        "suspended": False,
        "customerId": "C00sandbox",
        "orgUnitPath": "/",
    }


def _show_member(user: User) -> dict[str, Any]:
    return {
        "kind": "admin#directory#member",
        "id": build_permission_id(user.email),
        "email": user.email,
        "role": "OWNER" if user.is_admin else "MEMBER",
        "type": "USER",
        "status": "ACTIVE",
    }
