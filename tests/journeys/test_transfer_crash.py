"""A server that is killed in the middle of copies and moves between accounts: nothing is lost, torn or done twice.

`make soak` runs hundreds of them. SOAK_RUNS says how many, SOAK_SEED from which seed on.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from app.core.keys import KeyRing
from app.core.migrating import migrate
from app.core.settings import Settings
from tests.journeys.crashing import Script, Story, Transfer
from tests.journeys.places import BUILDERS
from tests.servers.postgres import create_database, drop_database

RUNS_COUNT = int(os.environ.get("SOAK_RUNS", "40"))
SEED_FIRST = int(os.environ.get("SOAK_SEED", "1"))
TRANSFERS_COUNT = 4  # on one server, which takes longer to start than they take
SEEDS = range(SEED_FIRST, SEED_FIRST + RUNS_COUNT, TRANSFERS_COUNT)

KINDS = (
    ("local", "local"),
    ("s3", "webdav"),
    ("webdav", "local"),
    ("local", "s3"),
    ("webdav", "s3"),
    ("s3", "local"),
)
"""Of storage, from which to which: a seed decides which of them."""


def build_transfer(seed: int, folder: Path) -> Transfer:
    source, target = KINDS[seed % len(KINDS)]
    tag = f"{seed}-{secrets.token_hex(4)}"
    return Transfer(
        Script.from_seed(seed),
        source=BUILDERS[source](folder, f"source-{tag}"),
        target=BUILDERS[target](folder, f"target-{tag}"),
    )


def build_story(seed: int, folder: Path, variables: dict[str, str]) -> Story:
    transfers = [build_transfer(seed + number, folder) for number in range(TRANSFERS_COUNT)]
    return Story(seed, transfers, folder / "data", variables)


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_everything_arrives_once_when_server_is_killed_at_random(seed: int, tmp_path: Path) -> None:
    build_story(seed, tmp_path, {}).run()


@pytest.mark.parametrize("seed", SEEDS[1::2])
def test_everything_arrives_once_on_postgresql_when_server_is_killed_at_random(
    seed: int, tmp_path: Path, postgres_url: str
) -> None:
    name = f"c{secrets.token_hex(6)}"
    url = create_database(postgres_url, name)
    settings = Settings(data_dir=tmp_path / "data", database_url=url)
    KeyRing.from_file(settings.keys_path, create=True)
    migrate(settings)
    build_story(seed, tmp_path, {"DATABASE_URL": url}).run()
    drop_database(postgres_url, name)
