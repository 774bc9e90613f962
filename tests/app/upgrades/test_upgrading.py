"""From the first version's database to today's, on both databases: nothing is lost and everything works."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.backups import dumping
from app.backups.archive import BackupError, opening
from app.backups.dumping import back_up
from app.backups.restoring import restore
from app.backups.tables import create_engine, read_last_id, read_tables
from app.core.keys import KeyRing
from app.core.migrating import MIGRATIONS, build_config, get_head, list_tables, migrate, read_revision
from app.core.settings import Settings
from tests.app.upgrades import first_version
from tests.servers.api import Api, build_settings, running_api
from tests.servers.postgres import create_database, drop_database

REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
KINDS = ("sqlite", "postgresql")

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """An installation with the first version's database and files, as it is before it is upgraded."""
    with ExitStack() as stack:
        given: dict[str, Any] = {"keys": SecretStr(first_version.KEYS)}
        if request.param == "postgresql":
            server, name = request.getfixturevalue("postgres_url"), f"u{secrets.token_hex(6)}"
            given["database_url"] = create_database(server, name)
            stack.callback(drop_database, server, name)
        built = build_settings(tmp_path, **given)
        built.data_dir.mkdir()
        folder = tmp_path / "files" / first_version.FOLDER
        (folder / "Folder").mkdir(parents=True)
        for name in ("a.txt", "c.bin"):
            (folder / name).write_text(name)
        first_version.write(built.database_url_text)
        yield built


async def read_rows(url: str) -> Rows:
    """Everything that the database holds, whatever its revision, and the last numbers given."""
    engine = create_engine(url)
    revision = await asyncio.to_thread(read_revision, url)
    assert revision is not None
    names = await asyncio.to_thread(list_tables, revision)
    async with engine.connect() as connection:
        rows: Rows = {"last ids": [{}]}
        for table in await read_tables(connection, names):
            found = await connection.execute(select(table).order_by(*table.primary_key))
            rows[table.name] = [dict(row) for row in found.mappings()]
            rows["last ids"][0][table.name] = await read_last_id(connection, table)
    await engine.dispose()
    return rows


def assert_kept(before: Rows, after: Rows) -> None:
    """Every row is there, with the same value in every column that is there before and after."""
    for table in before.keys() & after.keys():
        assert len(after[table]) == len(before[table]), table
        for old, new in zip(before[table], after[table], strict=True):
            shared = old.keys() & new.keys()
            assert shared
            assert {name: new[name] for name in shared} == {name: old[name] for name in shared}, table


def assert_works(api: Api) -> None:
    """The first version's clients find everything where it was."""
    storage = f"/v1/accounts/{first_version.ACCOUNT_ID}/storage"
    with (
        api.client({"Authorization": f"APIKey {first_version.API_KEY}"}) as application,
        api.client({"Authorization": f"Bearer {first_version.BEARER_TOKEN}"}) as owner,
        api.client({"Authorization": f"Bearer {first_version.DEVELOPER_TOKEN}"}) as developer,
    ):
        account = application.get("/v1/accounts").json()["objects"]
        assert [(entry["id"], entry["account"]) for entry in account] == [(first_version.ACCOUNT_ID, "Ada's photos")]
        assert account[0]["custom_properties"] == first_version.CUSTOM_PROPERTIES
        assert account[0]["created"] == "2026-11-25T18:08:16.432948Z"
        listed = owner.get("/v1/accounts/me/storage/folders/root/contents").json()["objects"]
        assert {entry["name"]: entry["id"] for entry in listed} == first_version.IDS
        assert owner.get(f"{storage}/files/{first_version.IDS['a.txt']}/contents").text == "a.txt"
        keys = developer.get(f"/v1/meta/applications/{first_version.APPLICATION_ID}/apikeys").json()["objects"]
        assert keys[0]["key"] == first_version.API_KEY
        assert application.get(f"{storage}/multipart/{first_version.OPEN_UPLOAD_ID}").json()["size"] == 4
        assert application.delete(f"{storage}/multipart/{first_version.OPEN_UPLOAD_ID}").status_code == 204
        completed = application.post(f"{storage}/multipart/{first_version.FINISHED_UPLOAD_ID}/complete")
        assert completed.json()["id"] == first_version.IDS["c.bin"]
        revived = application.post(
            "/v1/accounts",
            json={"account": "again", "service": "local", "token": "tests", "folder": f"{first_version.FOLDER}/Folder"},
        )
        assert revived.json()["id"] == 2, "the deleted account comes back under its id"
    assert api.create_caller().account_id > first_version.LAST_IDS["accounts"]


def test_everything_works_when_the_first_version_is_upgraded(settings: Settings) -> None:
    before = asyncio.run(read_rows(settings.database_url_text))
    assert all(before[table] for table in before if table != "trusted_domains"), "a table was not filled"
    migrate(settings)
    assert read_revision(settings.database_url_text) == get_head()
    assert_kept(before, asyncio.run(read_rows(settings.database_url_text)))
    with running_api(settings) as api:
        assert_works(api)


def test_nothing_is_lost_when_every_step_is_taken_up_and_down(settings: Settings) -> None:
    url, config = settings.database_url_text, build_config(settings.database_url_text)
    before = asyncio.run(read_rows(url))
    for lower, upper in pairwise(REVISIONS):
        for revision, move in ((upper, command.upgrade), (lower, command.downgrade), (upper, command.upgrade)):
            move(config, revision)
            assert read_revision(url) == revision
            assert_kept(before, asyncio.run(read_rows(url)))
    with running_api(settings) as api:
        assert_works(api)


@pytest.mark.parametrize("target_kind", KINDS)
def test_backup_of_the_first_version_is_upgraded_when_it_is_restored(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path, target_kind: str
) -> None:
    def ignore(_table: str, _rows_count: int) -> None:
        return None

    keys, path = KeyRing.from_text(first_version.KEYS), tmp_path / "first.backup"
    manifest = asyncio.run(back_up(settings, path, keys=keys, progress=ignore))
    assert manifest.revision == first_version.REVISION
    with ExitStack() as stack, opening(path) as archive:
        given: dict[str, Any] = {"data_dir": tmp_path / "target" / "data", "database_url": None}
        if target_kind == "postgresql":
            server, name = request.getfixturevalue("postgres_url"), f"u{secrets.token_hex(6)}"
            given["database_url"] = SecretStr(create_database(server, name))
            stack.callback(drop_database, server, name)
        target = settings.model_copy(update=given)
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / "files").symlink_to(tmp_path / "files")
        asyncio.run(restore(target, archive, is_replacing=False, progress=ignore))
        assert read_revision(target.database_url_text) == get_head()
        with running_api(target) as api:
            assert_works(api)


def test_no_backup_is_made_of_a_database_that_is_migrated_meanwhile(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def migrate_meanwhile(revision: str) -> set[str]:
        migrate(settings)
        return list_tables(revision)

    monkeypatch.setattr(dumping, "list_tables", migrate_meanwhile)  # is asked for after the view was taken
    path = tmp_path / "a.backup"
    if settings.is_embedded:  # of which a copy is taken
        manifest = asyncio.run(back_up(settings, path, keys=None, progress=lambda _table, _rows_count: None))
        assert manifest.revision == first_version.REVISION
        return
    with pytest.raises(BackupError, match="being migrated"):
        asyncio.run(back_up(settings, path, keys=None, progress=lambda _table, _rows_count: None))
    assert not path.exists()


EXTRA = """
revision, down_revision = "extra", "{head}"
branch_labels = depends_on = None

from alembic import op


def upgrade():
{steps}
"""
REBUILD = """
    for table in ("developers", "developer_tokens", "accounts", "api_keys", "tokens", "upload_sessions"):
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
"""
BREAK_OFF = """
    op.execute("ALTER TABLE developers ADD COLUMN nickname TEXT")
    op.execute("UPDATE developers SET nickname = 'x', name = 'x'")
    op.execute("SELECT nonsense")
"""


def run_extra(url: str, folder: Path, steps: str) -> None:
    """Upgrades with one more migration than there is."""
    shutil.copytree(MIGRATIONS, folder)
    (folder / "versions" / "extra.py").write_text(EXTRA.format(head=get_head(), steps=steps))
    config = build_config(url)
    config.set_main_option("script_location", str(folder))
    command.upgrade(config, "extra")


def test_no_number_is_given_again_when_a_migration_builds_an_embedded_table_anew(tmp_path: Path) -> None:
    path = tmp_path / "kloudless.db"
    url = f"sqlite+aiosqlite:///{path}"
    first_version.write(url)
    migrate(Settings(data_dir=tmp_path))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM tokens")
    run_extra(url, tmp_path / "migrations", REBUILD)
    with closing(sqlite3.connect(path)) as connection:
        given = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        made = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'accounts'").fetchone()[0]
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert revision == "extra"
    assert given.items() >= first_version.LAST_IDS.items()
    assert "AUTOINCREMENT" in made


def test_database_is_as_it_was_when_a_migration_breaks_off(settings: Settings, tmp_path: Path) -> None:
    url = settings.database_url_text
    before = asyncio.run(read_rows(url))
    with pytest.raises(SQLAlchemyError, match="nonsense"):
        run_extra(url, tmp_path / "migrations", BREAK_OFF)
    assert read_revision(url) == first_version.REVISION
    assert asyncio.run(read_rows(url)) == before
