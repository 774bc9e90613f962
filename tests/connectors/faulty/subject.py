"""What the faults are tried on: a connector, and places on a real server that are looked at without it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.core.connector import Connector
from connectors.core.manifest import Capabilities
from connectors.core.resources import Ref
from connectors.core.service import AccountContext, Registry, Service
from connectors.core.stack import Runtime
from tests.servers.origin import Seen

Tree = Mapping[str, str | None]
"""What stands at which path, such as "folder/a.txt": a file's digest, and None for a folder."""

FOLDER = None


def digest(data: bytes) -> str:
    """A file's bytes, short."""
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()[:16]}"


class Place(ABC):
    """A new place on a real server. Nothing here goes through the connector."""

    @abstractmethod
    def build_credentials(self, origin: str) -> dict[str, str]:
        """An account on it, as if its server were at an origin like "http://127.0.0.1:8080"."""

    @abstractmethod
    def fill(self, files: Mapping[str, bytes], folders: tuple[str, ...]) -> None:
        """Puts files and empty folders there."""

    @abstractmethod
    def look(self) -> Tree:
        """What everybody sees there."""

    @abstractmethod
    def list_leftovers(self) -> list[str]:
        """What was begun and never finished, which nobody sees but somebody pays for."""

    @abstractmethod
    def ref(self, path: str, *, is_folder: bool = False) -> Ref:
        """How the connector names what stands at a path."""


@dataclass(slots=True, kw_only=True)
class Subject:
    """A connector and a server.

    - `offers` is what its account must be found able to.
    - `get_server` starts the server: its origin, and the secrets that nobody must see.
    - `keeps_bodies`: bytes that can be read only once are kept until they were stored, at least a part at a time.
    - `is_unsafe` says of a request that a second one might do something else than the first.
    - `is_unfindable` says of a request that nobody can undo it who did not get its reply.
    - `reads_reply` says of a request that its reply tells something which is looked at.
    """

    name: str
    service: str
    offers: Capabilities
    build_service: Callable[[], Service]
    get_server: Callable[[], tuple[str, tuple[str, ...]]]
    make_place: Callable[[], Place]
    keeps_bodies: bool
    is_unsafe: Callable[[Seen], bool]
    is_unfindable: Callable[[Seen], bool]
    reads_reply: Callable[[Seen], bool]
    learned: dict[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        """Where the server is."""
        host, _, port = self.get_server()[0].removeprefix("http://").partition(":")
        return host, int(port)

    def can(self, needs: tuple[str, ...]) -> bool:
        """Whether it offers all of that."""
        return all(getattr(self.offers, need) for need in needs)

    def can_repeat(self, seen: Seen, *, is_body_once: bool) -> bool:
        """Whether sending a request again can do no harm, and is possible."""
        is_gone = is_body_once and not self.keeps_bodies and seen.method == "PUT"
        return not is_gone and not self.is_unsafe(seen)

    def open(self, place: Place, origin: str, runtime: Runtime, registry: Registry) -> Connector:
        """The account of a place, its server being at that origin."""
        return registry.open(
            self.service,
            AccountContext(
                account_key="1",
                application_id="faulty",
                credentials=place.build_credentials(origin),
                runtime=runtime,
                learned=self.learned,
            ),
        )

    async def learn(self, runtime: Runtime) -> None:
        """Finds out what accounts can do, once in the process and with nothing in the way."""
        if self.learned:
            return
        registry, place = Registry([self.build_service()]), self.make_place()
        connector = self.open(place, self.get_server()[0], runtime, registry)
        self.learned = (await connector.probe()).learned
