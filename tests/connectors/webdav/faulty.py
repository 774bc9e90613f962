"""Servers whose connections and answers go wrong: one that stores a file in one step, and one that does not."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.core.paths import HIDDEN_PREFIX
from connectors.core.resources import RawId, Ref
from connectors.core.service import Options
from connectors.webdav.manifest import MANIFEST
from connectors.webdav.service import build_service
from tests.connectors.behavior.target import Target
from tests.connectors.behavior.targets import find_target
from tests.connectors.faulty.subject import FOLDER, Place, Subject, Tree, digest
from tests.servers.apache import SHARED_APACHE
from tests.servers.origin import Seen
from tests.servers.shared import Shared
from tests.servers.webdav import WebDavServer
from tests.servers.wsgidav import SHARED_WSGIDAV

UNSEEN = (".DAV", ".davfs.tmp")
"""How names of a server's own begin, which it shows to nobody: its properties, and bytes that are still coming."""


@dataclass(slots=True)
class WebDavPlace(Place):
    """A folder of the server's, looked at on the disk."""

    server: WebDavServer
    name: str = field(default_factory=lambda: f"faulty-{secrets.token_hex(6)}")

    def __post_init__(self) -> None:
        self._root.mkdir()

    def build_credentials(self, origin: str) -> dict[str, str]:
        path = "/" + self.server.url.split("/", 3)[3]
        return {
            "url": f"{origin}{path}{self.name}/",
            "username": self.server.user,
            "password": self.server.password,
        }

    def fill(self, files: Mapping[str, bytes], folders: tuple[str, ...]) -> None:
        for folder in folders:
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        for path, data in files.items():
            (self._root / path).parent.mkdir(parents=True, exist_ok=True)
            (self._root / path).write_bytes(data)

    def look(self) -> Tree:
        return {
            str(path.relative_to(self._root)): FOLDER if path.is_dir() else digest(path.read_bytes())
            for path in self._root.rglob("*")
            if not self._is_hidden(path) and not any(part.startswith(UNSEEN) for part in path.parts)
        }

    def list_leftovers(self) -> list[str]:
        return [path.name for path in self._root.rglob("*") if self._is_hidden(path)]

    def ref(self, path: str, *, is_folder: bool = False) -> Ref:
        return Ref("folder" if is_folder else "file", RawId(f"/{path}"))

    @property
    def _root(self) -> Path:
        return self.server.root / self.name

    def _is_hidden(self, path: Path) -> bool:
        return any(part.startswith(HIDDEN_PREFIX) for part in path.relative_to(self._root).parts)


def build_subject(name: str, shared: Shared[WebDavServer], target: Target) -> Subject:
    """A server with its one user."""

    def get_server() -> tuple[str, tuple[str, ...]]:
        server = shared.get()
        login = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
        return "/".join(server.url.split("/")[:3]), (server.password, login)

    return Subject(
        name=name,
        service=MANIFEST.service,
        offers=target.capabilities,
        build_service=lambda: build_service(Options()),
        get_server=get_server,
        make_place=lambda: WebDavPlace(shared.get()),
        keeps_bodies=False,
        is_unsafe=is_unsafe,
        is_unfindable=lambda _: False,
        reads_reply=lambda seen: seen.method in {"GET", "PROPFIND"},
    )


def is_unsafe(seen: Seen) -> bool:
    """A second one would find the name taken, whoever took it; or delete what the first put there."""
    is_create = seen.method == "PUT" and bool(seen.get_all("if-none-match"))
    return is_create or (seen.method == "MOVE" and seen.get_all("overwrite") == ["T"])


SUBJECTS = (
    build_subject("apache", SHARED_APACHE, find_target("webdav-apache")),
    build_subject("wsgidav", SHARED_WSGIDAV, find_target("webdav-wsgidav")),
)
