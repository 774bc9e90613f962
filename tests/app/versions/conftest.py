"""A file that was changed twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from connectors.core.resources import RawId
from tests.app.drive import read_json
from tests.app.sharing import SharingDrive


@dataclass(frozen=True)
class Versioned:
    """The file and where its versions are."""

    drive: SharingDrive
    file: dict[str, Any]

    @property
    def url(self) -> str:
        return f"{self.file['href']}/versions"

    def list_page(self, **params: str) -> dict[str, Any]:
        return read_json(self.drive.client.get(self.url, params=params))

    def walk(self) -> list[dict[str, Any]]:
        """All versions, page after page."""
        found, page = [], self.list_page()
        while True:
            found += page["objects"]
            if page["next_page"] is None:
                return found
            page = self.list_page(page=page["next_page"])


@pytest.fixture
def versioned(sharing: SharingDrive) -> Versioned:
    file = sharing.upload("a.txt", b"first")
    for data in (b"second", b"the third"):
        sharing.store.add_version(RawId(file["raw_id"]), data)
    return Versioned(sharing, file)
