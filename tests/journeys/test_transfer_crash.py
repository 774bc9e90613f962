"""A server that is killed in the middle of copies and moves between accounts, whose storages it reaches by bad roads:
nothing is lost, torn or done twice.

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
from tests.journeys.places import BUILDERS, Roads, open_roads
from tests.servers.postgres import create_database, drop_database

RUNS_COUNT = int(os.environ.get("SOAK_RUNS", "40"))
SEED_FIRST = int(os.environ.get("SOAK_SEED", "1"))
TRANSFERS_COUNT = 4  # on one server, which takes longer to start than they take
STORY_SECONDS_MAX = 600  # much of it for starting servers on a busy machine
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


def build_transfer(seed: int, folder: Path, roads: Roads) -> Transfer:
    source, target = KINDS[seed % len(KINDS)]
    tag = f"{seed}-{secrets.token_hex(4)}"
    return Transfer(
        Script.from_seed(seed),
        source=BUILDERS[source](folder, f"source-{tag}", roads),
        target=BUILDERS[target](folder, f"target-{tag}", roads),
    )


def run_story(seed: int, folder: Path, variables: dict[str, str]) -> None:
    with open_roads(seed) as roads:
        transfers = [build_transfer(seed + number, folder, roads) for number in range(TRANSFERS_COUNT)]
        Story(seed, transfers, folder / "data", variables, roads).run()


@pytest.mark.timeout(STORY_SECONDS_MAX)
@pytest.mark.parametrize("seed", SEEDS[::2])
def test_everything_arrives_once_when_server_is_killed_at_random(seed: int, tmp_path: Path) -> None:
    run_story(seed, tmp_path, {})


@pytest.mark.timeout(STORY_SECONDS_MAX)
@pytest.mark.parametrize("seed", SEEDS[1::2])
def test_everything_arrives_once_on_postgresql_when_server_is_killed_at_random(
    seed: int, tmp_path: Path, postgres_url: str
) -> None:
    name = f"c{secrets.token_hex(6)}"
    url = create_database(postgres_url, name)
    settings = Settings(data_dir=tmp_path / "data", database_url=url)
    KeyRing.from_file(settings.keys_path, create=True)
    migrate(settings)
    run_story(seed, tmp_path, {"DATABASE_URL": url})
    drop_database(postgres_url, name)
