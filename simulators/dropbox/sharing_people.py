"""People in sharing: how callers name them, and how answers describe them."""

from __future__ import annotations

from typing import Any

from simulators.core.users import User
from simulators.dropbox.calls import Call, Tagged, read_tag
from simulators.dropbox.errors import BadRequestError, RouteError
from simulators.dropbox.state import build_account_id, build_member_id, find_by_account_id
from simulators.dropbox.tree import AccessLevel

SELECTORS = frozenset({"email", "dropbox_id"})
GIVEN_LEVELS = frozenset({AccessLevel.EDITOR.value, AccessLevel.VIEWER.value, AccessLevel.VIEWER_NO_COMMENT.value})


def find_person(call: Call, selector: Tagged) -> tuple[User | None, str]:
    """A user by id or address; without an account only the address. LookupError for an id that nobody has."""
    tag, fields = read_tag(selector, SELECTORS)
    value = str(fields.get(tag, ""))
    if tag == "email":
        if "@" not in value:
            raise LookupError(value)
        return call.state.world.users.find_by_email(value), value
    user = find_by_account_id(call.state, value)
    if user is None:
        raise LookupError(value)
    return user, user.email


def read_level(value: Tagged | None, default: AccessLevel) -> AccessLevel:
    """The level that is to be given; owners are made by transfer only."""
    if value is None:
        return default
    tag, _ = read_tag(value)
    if tag not in GIVEN_LEVELS:
        raise BadRequestError(f"request body: access_level: {tag!r} cannot be given")
    return AccessLevel(tag)


def build_user(call: Call, user: User) -> dict[str, Any]:
    """A user in a list of members."""
    same_team = user.team is not None and user.team == call.user.team
    described: dict[str, Any] = {
        "account_id": build_account_id(user),
        "email": user.email,
        "display_name": user.name,
        "same_team": same_team,
    }
    if same_team:
        described["team_member_id"] = build_member_id(user)
    return described


def build_membership(call: Call, user: User, level: AccessLevel, *, is_inherited: bool) -> dict[str, Any]:
    """A user and what that one may do."""
    return {
        "access_type": {".tag": level.value},
        "user": build_user(call, user),
        "permissions": [],
        "is_inherited": is_inherited,
    }


def build_invitee(email: str, level: AccessLevel) -> dict[str, Any]:
    """Somebody who was invited and has no account yet."""
    return {
        "access_type": {".tag": level.value},
        "invitee": {".tag": "email", "email": email},
        "permissions": [],
        "is_inherited": False,
    }


def page_people(
    users: list[dict[str, Any]], invitees: list[dict[str, Any]], start: int, limit: int
) -> tuple[dict[str, Any], int | None]:
    """A page of members, those without an account last, and where the next one starts, if there is one."""
    end = start + limit
    page = {
        "users": users[start:end],
        "groups": [],
        "invitees": invitees[max(0, start - len(users)) : max(0, end - len(users))],
    }
    return page, end if end < len(users) + len(invitees) else None


def build_level(level: AccessLevel | None) -> dict[str, Any]:
    """MemberAccessLevelResult."""
    return {} if level is None else {"access_level": {".tag": level.value}}


def refuse_member(selector: Tagged) -> RouteError:
    """AddFolderMemberError for somebody who does not exist."""
    tag, fields = read_tag(selector, SELECTORS)
    refusal = "invalid_email" if tag == "email" else "invalid_dropbox_id"
    return RouteError("bad_member", refusal, **{refusal: str(fields.get(tag, ""))})
