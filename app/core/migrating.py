"""Bringing the database to the newest form, and asking whether it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.core.settings import Settings

MIGRATIONS = Path(__file__).parents[2] / "migrations"
VERSION_TABLE = "alembic_version"


def build_config(database_url: str) -> Config:
    """Alembic's settings for this database."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return config


def migrate(settings: Settings) -> None:
    """Applies what is missing; safe to repeat. Runs its own event loop: call it from a thread or before one runs."""
    if settings.is_embedded:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    command.upgrade(build_config(settings.database_url_text), "head")


def upgrade_within(connection: Connection, revision: str) -> None:
    """Applies what is missing up to `revision` on this connection, in its transaction."""
    command.upgrade(_build_config_of(connection), revision)


def downgrade_within(connection: Connection) -> None:
    """Takes everything of ours away, on this connection, in its transaction."""
    command.downgrade(_build_config_of(connection), "base")


def _build_config_of(connection: Connection) -> Config:
    config = build_config("given:")
    config.attributes["connection"] = connection
    return config


def has_revision(revision: str) -> bool:
    """False for a migration that this version does not know: one of a newer version."""
    return revision in {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def list_tables(revision: str) -> set[str]:
    """The names of our tables as they are at that migration. Runs its own event loop, as `migrate`."""
    with TemporaryDirectory(prefix="kloudless-tables-") as folder:
        path = Path(folder) / "empty.db"
        command.upgrade(build_config(f"sqlite+aiosqlite:///{path}"), revision)
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name for (name,) in rows if name != VERSION_TABLE and not name.startswith("sqlite_")}


def get_head() -> str:
    """The newest migration's number."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if head is None:
        raise AssertionError("there are no migrations")
    return head


def read_revision(database_url: str) -> str | None:
    """The migration a database is at; None for an empty one. Runs its own event loop, as `migrate`."""
    revision: str | None = None

    def note(found: tuple[str, ...], _context: object) -> list[object]:
        nonlocal revision
        revision = found[0] if found else None
        return []

    config = build_config(database_url)
    with EnvironmentContext(config, ScriptDirectory.from_config(config), fn=note):
        ScriptDirectory.from_config(config).run_env()
    return revision
