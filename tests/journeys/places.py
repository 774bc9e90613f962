"""Accounts that transfers go between, one class a kind of storage: filled and looked at without the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

HIDDEN = ".kloudless-"
UNFINISHED = ".kloudless-parts-"


class Place(Protocol):
    """An account's storage and how to connect it."""

    @property
    def name(self) -> str:
        """Tells it from all others."""
        ...

    @property
    def connectors(self) -> dict[str, Any]:
        """What KLOUDLESS_CONNECTORS must say."""
        ...

    @property
    def credentials(self) -> dict[str, str]:
        """What `POST /v1/accounts` needs besides the account's name."""
        ...

    def put(self, files: Mapping[str, bytes]) -> None:
        """Stores files by path; the same path again replaces the file."""
        ...

    def read(self) -> dict[str, bytes]:
        """Every file that anybody can see."""
        ...

    def stamp(self, path: str) -> object:
        """Changes when the file is written again, even with the same bytes."""
        ...

    def list_unfinished(self) -> list[str]:
        """Uploads that were begun and neither finished nor aborted."""
        ...


@dataclass(frozen=True)
class LocalPlace:
    """A folder of this machine."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def connectors(self) -> dict[str, Any]:
        root = {"folder": str(self.folder), "applications": ["*"]}
        return {"local": {"roots": {self.name: root}, "allow_api_accounts": True}}

    @property
    def credentials(self) -> dict[str, str]:
        return {"service": "local", "token": self.name}

    def put(self, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            new = place.with_name(f".new-{place.name}")
            new.write_bytes(data)
            new.replace(place)

    def read(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.startswith(HIDDEN)
        }

    def stamp(self, path: str) -> object:
        status = (self.folder / path).stat()
        return status.st_ino, status.st_mtime_ns

    def list_unfinished(self) -> list[str]:
        return [
            path.name for path in self.folder.rglob(f"{UNFINISHED}*")
        ]  # others are swept when they are a minute old


def merge_connectors(places: Iterable[Place]) -> dict[str, Any]:
    """One setting for all of them."""
    merged: dict[str, Any] = {}
    for place in places:
        for service, given in place.connectors.items():
            mine = merged.setdefault(service, {})
            for name, value in given.items():
                if isinstance(value, dict):
                    mine.setdefault(name, {}).update(value)
                else:
                    mine[name] = value
    return merged
