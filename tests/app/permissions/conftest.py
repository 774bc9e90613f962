"""The permissions of a fresh file and a fresh folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.app.drive import read_json
from tests.app.sharing import SharingDrive

OWNER = {"id": "owner-1", "email": "olga@example.com", "name": "Olga Owner", "role": "owner", "type": "user"}


@dataclass(frozen=True)
class Shared:
    """A file or folder, and requests for its permissions."""

    drive: SharingDrive
    resource: dict[str, Any]

    @property
    def url(self) -> str:
        return f"{self.resource['href']}/permissions"

    def ask(self, method: str, body: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.drive.client.request(method, self.url, json=body, headers=headers)

    def read(self, method: str = "GET", body: object = None) -> list[dict[str, Any]]:
        """The permissions in the answer, whose envelope is what the official clients need."""
        reply = read_json(self.ask(method, body))
        assert (reply["type"], reply["api"], reply["next_page"]) == ("object_list", "storage", None)
        assert reply["permissions"] == reply["objects"]
        assert reply["count"] == len(reply["objects"])
        permissions: list[dict[str, Any]] = reply["permissions"]
        return permissions


@pytest.fixture(params=["file", "folder"])
def shared(request: pytest.FixtureRequest, sharing: SharingDrive) -> Shared:
    resource = sharing.upload("a.txt", b"bytes") if request.param == "file" else sharing.create_folder("a")
    return Shared(sharing, resource)
