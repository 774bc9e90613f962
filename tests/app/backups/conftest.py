"""Places to back up and to restore to: settings, keys and an empty database of either kind."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.backups.archive import Manifest, opening
from app.backups.dumping import back_up
from app.backups.restoring import restore
from app.core.keys import KeyRing
from app.core.settings import Settings
from tests.servers.api import build_settings
from tests.servers.postgres import create_database, drop_database


@dataclass(frozen=True)
class Place:
    """One installation that does not run by itself."""

    settings: Settings

    def back_up(self, path: Path) -> Manifest:
        keys = KeyRing.from_file(self.settings.keys_path)
        return asyncio.run(back_up(self.settings, path, keys=keys, progress=lambda _table, _count: None))

    def restore(self, path: Path, *, is_replacing: bool = False) -> Path | None:
        with opening(path) as archive:
            return asyncio.run(
                restore(self.settings, archive, is_replacing=is_replacing, progress=lambda _table, _count: None)
            )


MakePlace = Callable[..., Place]


@pytest.fixture
def make_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakePlace]:
    """Makes a place of a kind; one that is `like` another has its keys and its folders, on a database of its own."""
    with ExitStack() as stack:

        def make(kind: str, *, like: Place | None = None) -> Place:
            given = {}
            name = f"b{secrets.token_hex(6)}"
            if kind == "postgresql":
                server = request.getfixturevalue("postgres_url")
                given["database_url"] = create_database(server, name)
                stack.callback(drop_database, server, name)
            folder = tmp_path / name
            folder.mkdir()
            settings = build_settings(folder, **given)
            KeyRing.from_file(settings.keys_path, create=True)
            if like is not None:
                shutil.copy(like.settings.keys_path, settings.keys_path)
                settings = settings.model_copy(update={"connectors": like.settings.connectors})
            return Place(settings)

        yield make
