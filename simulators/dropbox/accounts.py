"""Who somebody is, how much space there is, and the checks that do nothing."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from simulators.core.users import User
from simulators.dropbox.calls import Argument, Call, Routes, Tagged, read_tag
from simulators.dropbox.errors import RouteError
from simulators.dropbox.protocol import build_root_info
from simulators.dropbox.state import build_account_id, build_member_id, build_team_id, find_by_account_id

ACCOUNTS_COUNT_MAX = 300
FEATURES = {
    "paper_as_files": True,
    "file_locking": False,
    "team_shared_dropbox": False,
    "distinct_member_home": False,
}

routes = Routes()


class EchoArgument(Argument):
    query: Annotated[str, msgspec.Meta(max_length=500)] = ""


AccountId = Annotated[str, msgspec.Meta(min_length=40, max_length=40)]


class AccountArgument(Argument):
    account_id: AccountId


class AccountsArgument(Argument):
    account_ids: Annotated[list[AccountId], msgspec.Meta(min_length=1, max_length=ACCOUNTS_COUNT_MAX)]


class FeaturesArgument(Argument):
    features: list[Tagged]


@routes.rpc("users/get_current_account", scope="account_info.read")
def get_current_account(call: Call, _: None) -> dict[str, Any]:
    """The caller."""
    user = call.user
    space = call.state.space
    account = {
        **_build_account(user),
        "country": "US",
        "locale": "en",
        "referral_link": "https://www.dropbox.com/referrals/sample",
        "is_paired": False,
        "account_type": {".tag": "basic" if user.team is None else "business"},
        "root_info": build_root_info(space.get_root(user), space.get_home(user), user),
    }
    if user.team is not None:
        account["team"] = {
            "id": build_team_id(user.team),
            "name": user.team,
            "sharing_policies": build_sharing_policies(),
            "office_addin_policy": {".tag": "enabled"},
            "top_level_content_policy": {".tag": "admin_only"},
        }
        account["team_member_id"] = build_member_id(user)
    return account


@routes.rpc("users/get_space_usage", scope="account_info.read")
def get_space_usage(call: Call, _: None) -> dict[str, Any]:
    """What is used and what may be."""
    space = call.state.space
    used = space.measure(space.get_home(call.user))
    if call.user.team is None:
        return {"used": used, "allocation": {".tag": "individual", "allocated": space.space_bytes_max}}
    team = call.state.world.users.list_team(call.user.team)
    return {
        "used": used,
        "allocation": {
            ".tag": "team",
            "used": sum(space.measure(space.get_home(user)) for user in team),
            "allocated": space.space_bytes_max * len(team),
            "user_within_team_space_allocated": space.space_bytes_max,
            "user_within_team_space_limit_type": {".tag": "stop_sync"},
            "user_within_team_space_used_cached": used,
        },
    }


@routes.rpc("users/get_account", AccountArgument, scope="sharing.read")
def get_account(call: Call, argument: AccountArgument) -> dict[str, Any]:
    """Somebody else."""
    user = find_by_account_id(call.state, argument.account_id)
    if user is None:
        raise RouteError("no_account")
    return _build_basic(call, user)


@routes.rpc("users/get_account_batch", AccountsArgument, scope="sharing.read")
def get_accounts(call: Call, argument: AccountsArgument) -> list[dict[str, Any]]:
    """Several others."""
    found = []
    for account_id in argument.account_ids:
        user = find_by_account_id(call.state, account_id)
        if user is None:
            raise RouteError("no_account", no_account=account_id)
        found.append(_build_basic(call, user))
    return found


@routes.rpc("users/features/get_values", FeaturesArgument, scope="account_info.read")
def get_features(call: Call, argument: FeaturesArgument) -> dict[str, Any]:
    """What the account can do beside files."""
    if not argument.features:
        raise RouteError("empty_features_list")
    values = dict(FEATURES)
    if call.user.team is not None:
        values |= {"file_locking": True, "distinct_member_home": True}
    names = [read_tag(feature, frozenset(FEATURES))[0] for feature in argument.features]
    return {"values": [{".tag": name, name: {".tag": "enabled", "enabled": values[name]}} for name in names]}


@routes.rpc("check/user", EchoArgument, scope="account_info.read")
def check_user(_: Call, argument: EchoArgument) -> dict[str, Any]:
    """Says the same back, to a token."""
    return {"result": argument.query}


@routes.rpc("check/app", EchoArgument, scope=None, auth="app")
def check_app(_: Call, argument: EchoArgument) -> dict[str, Any]:
    """Says the same back, to a key and secret."""
    return {"result": argument.query}


@routes.rpc("auth/token/revoke", scope=None)
def revoke_token(call: Call, _: None) -> None:
    """The token, its refresh token, and all others of the same consent."""
    grant = call.state.world.grants.find_grant(call.token)
    if grant is not None:
        grant.is_revoked = True


def build_sharing_policies() -> dict[str, Any]:
    """A team without restrictions."""
    return {
        "shared_folder_member_policy": {".tag": "anyone"},
        "shared_folder_join_policy": {".tag": "from_anyone"},
        "shared_link_create_policy": {".tag": "default_public"},
        "group_creation_policy": {".tag": "admins_only"},
        "shared_folder_link_restriction_policy": {".tag": "anyone"},
        "enforce_link_password_policy": {".tag": "optional"},
        "default_link_expiration_days_policy": {".tag": "none"},
        "shared_link_default_permissions_policy": {".tag": "default"},
    }


def build_name(user: User) -> dict[str, str]:
    """A name in all the ways in which it may be wanted."""
    return {
        "given_name": user.given_name,
        "surname": user.surname,
        "familiar_name": user.given_name,
        "display_name": user.name,
        "abbreviated_name": (user.given_name[:1] + user.surname[:1]).upper(),
    }


def _build_account(user: User) -> dict[str, Any]:
    return {
        "account_id": build_account_id(user),
        "name": build_name(user),
        "email": user.email,
        "email_verified": True,
        "disabled": False,
    }


def _build_basic(call: Call, user: User) -> dict[str, Any]:
    is_teammate = user.number == call.user.number or (user.team is not None and user.team == call.user.team)
    account = {**_build_account(user), "is_teammate": is_teammate}
    if is_teammate and user.team is not None:
        account["team_member_id"] = build_member_id(user)
    return account
