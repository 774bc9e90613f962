"""Bringing the database to the newest form, and asking whether it is."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from app.core.settings import Settings

MIGRATIONS = Path(__file__).parents[2] / "migrations"


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
