"""What no backup is made of, and what is not restored: damage, newer versions, databases that hold something."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from app.backups import dumping
from app.backups.archive import MANIFEST, BackupError, opening, verify
from app.backups.restoring import list_missing_keys
from app.core.db import Database
from app.core.keys import KeyRing, generate_keys
from app.core.migrating import migrate
from app.models import Developer
from app.server import StartError, only_server
from tests.app.backups.conftest import MakePlace, Place

KINDS = ("sqlite", "postgresql")
NAMES = [f"Developer {number}" for number in range(3)]


async def name_developers(place: Place, names: list[str]) -> None:
    db = Database(place.settings.database_url_text)
    async with db.writing() as session:
        session.add_all(Developer(name=name) for name in names)
    await db.aclose()


def read_developers(place: Place) -> list[str]:
    async def load() -> list[str]:
        db = Database(place.settings.database_url_text)
        async with db.reading() as session:
            names = list(await session.scalars(select(Developer.name).order_by(Developer.id)))
        await db.aclose()
        return names

    return asyncio.run(load())


def make_filled(make_place: MakePlace, kind: str, names: list[str]) -> Place:
    place = make_place(kind)
    migrate(place.settings)
    asyncio.run(name_developers(place, names))
    return place


@pytest.fixture
def backup(make_place: MakePlace, tmp_path: Path) -> Path:
    path = tmp_path / "a.backup"
    make_filled(make_place, "sqlite", NAMES).back_up(path)
    return path


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Changes what the ZIP holds, with checksums of its own that are right."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)


def change_manifest(path: Path, **values: Any) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[MANIFEST] = json.dumps(json.loads(members[MANIFEST]) | values).encode()

    rewrite(path, change)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"tables/developers.jsonl") + 60] ^= 1
    path.write_bytes(content)


def change_a_row(path: Path) -> None:
    rewrite(
        path, lambda members: members.update({"tables/developers.jsonl": b'[1,"Mallory","2024-01-01T00:00:00Z"]\n'})
    )


def lose_a_table(path: Path) -> None:
    rewrite(path, lambda members: members.__delitem__("tables/developers.jsonl"))


def lose_the_manifest(path: Path) -> None:
    rewrite(path, lambda members: members.__delitem__(MANIFEST))


def be_something_else(path: Path) -> None:
    path.write_bytes(b"no backup")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "damage", [cut_off, flip_a_bit, change_a_row, lose_a_table, lose_the_manifest, be_something_else]
)
def test_nothing_changes_when_the_backup_is_damaged(
    make_place: MakePlace, backup: Path, kind: str, damage: Callable[[Path], None]
) -> None:
    damage(backup)
    with pytest.raises(BackupError, match="damaged"):
        verify(backup)
    target = make_filled(make_place, kind, ["Before"])
    with pytest.raises(BackupError, match="damaged"):
        target.restore(backup, is_replacing=True)
    assert read_developers(target) == ["Before"]
    assert {path.name for path in target.settings.data_dir.iterdir()} <= {
        "keys.json",
        "kloudless.db",
        "kloudless.db-wal",
        "kloudless.db-shm",
        "server.lock",
    }


@pytest.mark.parametrize("values", [{"revision": "9999"}, {"format": 2}])
def test_backup_of_a_newer_version_is_refused(make_place: MakePlace, backup: Path, values: dict[str, Any]) -> None:
    change_manifest(backup, **values)
    with pytest.raises(BackupError, match="newer"):
        make_place("sqlite").restore(backup)


def test_backup_with_other_tables_than_its_revision_is_refused(make_place: MakePlace, backup: Path) -> None:
    change_manifest(backup, tables=[])
    with pytest.raises(BackupError, match="does not hold the tables"):
        make_place("sqlite").restore(backup)


@pytest.mark.parametrize("kind", KINDS)
def test_database_that_holds_something_is_replaced_only_when_asked(
    make_place: MakePlace, backup: Path, kind: str
) -> None:
    target = make_filled(make_place, kind, ["Before"])
    with pytest.raises(BackupError, match="--replace"):
        target.restore(backup)
    assert read_developers(target) == ["Before"]
    kept = target.restore(backup, is_replacing=True)
    assert read_developers(target) == NAMES
    if kind == "sqlite":
        assert kept is not None
        with closing(sqlite3.connect(kept)) as connection:
            assert connection.execute("SELECT name FROM developers").fetchall() == [("Before",)]


@pytest.mark.parametrize("kind", KINDS)
def test_migrated_but_empty_database_counts_as_empty(make_place: MakePlace, backup: Path, kind: str) -> None:
    target = make_place(kind)
    migrate(target.settings)
    target.restore(backup)
    assert read_developers(target) == NAMES


def test_damaged_database_is_replaced_and_kept(make_place: MakePlace, backup: Path) -> None:
    target = make_place("sqlite")
    file = target.settings.data_dir / "kloudless.db"
    file.write_bytes(b"damaged " * 1000)
    kept = target.restore(backup, is_replacing=True)
    assert read_developers(target) == NAMES
    assert kept is not None
    assert kept.read_bytes() == b"damaged " * 1000


@pytest.mark.parametrize("kind", KINDS)
def test_database_in_use_is_left_alone(make_place: MakePlace, backup: Path, kind: str) -> None:
    target = make_filled(make_place, kind, ["Before"])

    async def restore_meanwhile() -> None:
        db = Database(target.settings.database_url_text)
        async with db.reading() as session:
            await session.scalars(select(Developer))
            with pytest.raises(BackupError, match="in use"):
                await asyncio.to_thread(target.restore, backup, is_replacing=True)
        await db.aclose()

    asyncio.run(restore_meanwhile())
    assert read_developers(target) == ["Before"]


def test_embedded_database_is_left_alone_while_it_is_served(make_place: MakePlace, backup: Path) -> None:
    target = make_place("sqlite")
    with only_server(target.settings), pytest.raises(StartError, match="already serves"):
        target.restore(backup)


@pytest.mark.parametrize("kind", KINDS)
def test_newer_database_is_neither_backed_up_nor_replaced(
    make_place: MakePlace, backup: Path, tmp_path: Path, kind: str
) -> None:
    place = make_filled(make_place, kind, ["Before"])

    async def age() -> None:
        db = Database(place.settings.database_url_text)
        async with db.writing() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await db.aclose()

    asyncio.run(age())
    with pytest.raises(BackupError, match="newer version"):
        place.back_up(tmp_path / "b.backup")
    if kind == "postgresql":  # a file is kept whatever it holds
        with pytest.raises(BackupError, match="newer version"):
            place.restore(backup, is_replacing=True)
    assert read_developers(place) == ["Before"]


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_nothing_to_back_up_when_there_is_no_database(
    make_place: MakePlace, tmp_path: Path, kind: str
) -> None:
    place = make_place(kind)
    with pytest.raises(BackupError, match="nothing to back up"):
        place.back_up(tmp_path / "a.backup")
    assert not (tmp_path / "a.backup").exists()
    assert not (place.settings.data_dir / "kloudless.db").exists()


def test_damaged_database_is_not_backed_up(make_place: MakePlace, tmp_path: Path) -> None:
    place = make_filled(make_place, "sqlite", NAMES)
    with closing(sqlite3.connect(place.settings.data_dir / "kloudless.db")) as connection, connection:
        connection.execute("INSERT INTO applications (id, developer_id, name) VALUES ('a', 999, 'of nobody')")
    with pytest.raises(BackupError, match="damaged"):
        place.back_up(tmp_path / "a.backup")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_no_file_is_replaced_or_left_behind_when_the_backup_fails(
    make_place: MakePlace, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_filled(make_place, "sqlite", NAMES)
    before = backup.read_bytes()
    with pytest.raises(BackupError, match="never replaces"):
        place.back_up(backup)
    assert backup.read_bytes() == before
    monkeypatch.setattr(dumping, "FORMAT", 99)  # what is written cannot be read again
    with pytest.raises(BackupError, match="form 99"):
        place.back_up(backup.with_name("b.backup"))
    assert [path.name for path in backup.parent.iterdir() if path.is_file()] == [backup.name]


def test_missing_keys_are_named(make_place: MakePlace, tmp_path: Path) -> None:
    place = make_filled(make_place, "sqlite", NAMES)
    path = tmp_path / "a.backup"
    place.back_up(path)
    change_manifest(path, sealing_key_ids=["0000aaaa"])
    right = KeyRing.from_file(place.settings.keys_path)
    with opening(path) as archive:
        assert list_missing_keys(archive.manifest, None) == ["there are no keys here"]
        assert list_missing_keys(archive.manifest, right) == ["the sealing key 0000aaaa"]
        wrong = list_missing_keys(archive.manifest, KeyRing(generate_keys()))
    assert len(wrong) == 2
    assert "id key" in wrong[1]
