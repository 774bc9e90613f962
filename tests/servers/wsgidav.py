"""A real WsgiDAV for tests, from the packages `wsgidav` and `cheroot`: properties, locks and quotas over WebDAV."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.servers.child import Plan, running_child
from tests.servers.packages import find_script
from tests.servers.ports import find_free_port
from tests.servers.shared import Shared
from tests.servers.tls import build_url, issue_certificate
from tests.servers.webdav import HttpAuth, WebDavServer


@contextmanager
def running_wsgidav(folder: Path, *, auth: HttpAuth = HttpAuth.DIGEST, is_tls: bool = False) -> Iterator[WebDavServer]:
    """Serves a folder below `folder` until the block ends."""
    program = find_script("WsgiDAV", "wsgidav", package="wsgidav")
    root = folder / "root"
    root.mkdir(parents=True)
    certificate = issue_certificate(folder) if is_tls else None

    def plan() -> Plan[WebDavServer]:
        port = find_free_port()
        url = build_url(port, certificate, path="/")
        server = WebDavServer(url=url, root=root, auth=auth, certificate=certificate)
        configuration = folder / "wsgidav.json"
        configuration.write_text(json.dumps(_build_configuration(server, port)))
        return Plan(command=[program, "--config", configuration], ask=server.ask)

    with running_child(folder, "wsgidav", plan) as child:
        yield child.server


def _build_configuration(server: WebDavServer, port: int) -> dict[str, Any]:
    is_digest, tls = server.auth is HttpAuth.DIGEST, {}
    if server.certificate:
        tls = {"ssl_certificate": str(server.certificate.path), "ssl_private_key": str(server.certificate.key_path)}
    return {
        **tls,
        "server": "cheroot",
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/": str(server.root)},
        "simple_dc": {"user_mapping": {"*": {server.user: {"password": server.password}}}},
        "http_authenticator": {
            "accept_basic": not is_digest,
            "accept_digest": is_digest,
            "default_to_digest": is_digest,
        },
        "property_manager": True,  # keeps what PROPPATCH sets, in memory
        "lock_storage": True,
        "dir_browser": {"enable": False},
    }


SHARED_WSGIDAV = Shared(running_wsgidav)
SHARED_WSGIDAV_BASIC = Shared(partial(running_wsgidav, auth=HttpAuth.BASIC))
