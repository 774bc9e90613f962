"""Accounts on real servers, and what probing must find out about each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.core.connector import Connector
from connectors.core.guard import AddressGuard
from connectors.core.guarded_transport import GuardedTransport
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.core.transport import TransportSettings
from connectors.webdav.service import build_service
from connectors.webdav.traits import Traits
from tests.servers.webdav import WebDavServer

LOOPBACK = "127.0.0.0/8"

APACHE = Traits(
    can_write=True,
    is_put_atomic=True,
    refuses_put_over=True,
    refuses_move_over=True,
    refuses_mkcol_over=True,
    refuses_missing_parent=True,
    copies_files=True,
    copies_folders=True,
    deletes_full_folders=True,
    takes_unknown_size=True,
    gives_ranges=True,
    has_exact_etags=True,
    keeps_properties=True,
    live_properties=("{http://apache.org/dav/props/}executable",),
    characters_forbidden="",
)
WSGIDAV = msgspec.structs.replace(
    APACHE,
    is_put_atomic=False,
    has_exact_etags=False,
    has_quota=True,
    live_properties=(),
    characters_forbidden=";?\t\r\n",
)
RCLONE = msgspec.structs.replace(
    APACHE,
    is_put_atomic=False,
    refuses_put_over=False,
    refuses_mkcol_over=False,
    locks_each_request=True,
    keeps_properties=False,
    live_properties=(),
)


def build_guarded_transport() -> GuardedTransport:
    """Reaches servers of this machine, and no other."""
    return GuardedTransport(AddressGuard([LOOPBACK]), TransportSettings())


def open_account(
    credentials: Mapping[str, str],
    runtime: Runtime,
    *,
    learned: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
    **more: Any,
) -> Connector:
    """An account as the registry opens it, in a process that has just started unless a registry is given."""
    context = AccountContext(
        account_key="1",
        application_id="tests",
        credentials=credentials,
        runtime=runtime,
        learned=learned or {},
        **more,
    )
    return (registry or Registry([build_service(Options())])).open("webdav", context)


def get_credentials(server: WebDavServer) -> dict[str, str]:
    """Those of the server's one user."""
    return {"url": server.url, "username": server.user, "password": server.password}
