"""The kinds of accounts that are connected through the API, each with new, empty places on a real server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simulators.core.users import SAMPLE_USERS
from tests.servers.apache import SHARED_APACHE
from tests.servers.api import Api, BuildAccount, build_local_account
from tests.servers.sandbox import SERVICES, SHARED_SANDBOX
from tests.servers.seaweedfs import SHARED_SEAWEEDFS

LOOPBACK = "127.0.0.0/8"
"""What a test server's `allowed_networks` must hold, for those servers to be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountKind:
    """How to connect an account, and the capabilities that tell it from others."""

    name: str
    build: BuildAccount
    offers: frozenset[str]
    grantee: Mapping[str, str] = field(default_factory=lambda: {"type": "anyone", "role": "reader"})
    is_naming_conflicts: bool = True  # also of what is renamed
    find_raw_root: Callable[[str], str] = str
    """Where a place of a name begins in the storage's own terms, if those can be used (`call_raw`)."""


def build_seaweedfs_account(_api: Api, name: str) -> dict[str, Any]:
    """A folder of the common bucket."""
    server = SHARED_SEAWEEDFS.get()
    return {
        "service": "s3_compatible",
        "endpoint": server.url,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        "bucket": server.bucket,
        "prefix": name,
    }


def find_seaweedfs_root(name: str) -> str:
    return f"/{SHARED_SEAWEEDFS.get().bucket}/{name}"


def find_apache_root(name: str) -> str:
    return f"{SHARED_APACHE.get().url}{name}"


def build_apache_account(_api: Api, name: str) -> dict[str, Any]:
    """A new folder."""
    server = SHARED_APACHE.get()
    (server.root / name).mkdir()
    return {"service": "webdav", "url": f"{server.url}{name}/", "username": server.user, "password": server.password}


def _build_consented_account(service: str, _api: Api, _name: str) -> dict[str, Any]:
    """Somebody new, whose place is empty."""
    return SHARED_SANDBOX.get()[service].build_account()


LOCAL = AccountKind(name="local", build=build_local_account, offers=frozenset({"start_upload", "get_quota"}))
SEAWEEDFS = AccountKind(
    name="seaweedfs",
    build=build_seaweedfs_account,
    offers=frozenset(
        {
            "start_upload",
            "list_permissions",
            "set_permissions",
            "list_properties",
            "call_raw",
        }
    ),
    find_raw_root=find_seaweedfs_root,
)
APACHE = AccountKind(
    name="apache",
    build=build_apache_account,
    offers=frozenset({"list_properties", "call_raw"}),
    find_raw_root=find_apache_root,
)

KINDS = (LOCAL, SEAWEEDFS, APACHE)
"""Those of real servers."""

CONSENTED = frozenset({"start_upload", "get_quota", "list_permissions", "set_permissions", "list_properties"})
SIMULATED = tuple(
    AccountKind(
        name=service,
        build=partial(_build_consented_account, service),
        offers=CONSENTED,
        is_naming_conflicts=service != "dropbox",
        grantee={"type": "user", "email": SAMPLE_USERS[0].email, "role": "reader"},
    )
    for service in SERVICES
)
"""Those of our simulators; their servers need `build_connectors(SHARED_SANDBOX.get())`."""
