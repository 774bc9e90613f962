"""A server that dies before or after every single call and every single commit: the next one goes on."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.transfers.conftest import OpenAccount, serve_vaults
from tests.app.transfers.serving import TREE, Run, begin
from tests.servers.api import Api, build_settings
from tests.servers.postgres import create_database

MOMENTS_MIN, MOMENTS_MAX = 50, 500
MOMENT_STEP = 3  # each of them takes a while
PARALLEL_MAX = 4  # parts whose sending was not written down when it died


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that runs no tasks itself, and remembers no rows: nor does one that comes after a crash."""
    given: dict[str, Any] = {"account_cache_seconds_max": 0}
    if request.param == "postgresql":
        given["database_url"] = create_database(request.getfixturevalue("postgres_url"), f"t{secrets.token_hex(6)}")
    yield from serve_vaults(build_settings(tmp_path_factory.mktemp("api"), tasks_parallel_max=0, **given))


def check(run: Run, *, is_move: bool, deaths: int) -> None:
    task, rows = run.source.load()
    assert (task.state, task.error_message) == ("finished", None)
    assert run.target.vault.tree() == {"top": None} | {f"top (1){path[3:]}": data for path, data in TREE.items()}
    assert run.source.vault.tree() == ({} if is_move else TREE)
    assert run.target.vault.uploads == {}, "an upload was left behind"
    assert set(run.target.vault.stored.values()) == {1}, "something was stored twice"
    assert sum(run.target.vault.parts.values()) <= 3 + PARALLEL_MAX * deaths
    assert [row.parts_count for row in rows if row.name == "big"] == [3], "a part that was stored was sent again"
    assert task.outcomes == {"verified": 2}


@pytest.mark.timeout(300)
def test_move_is_whole_and_single_wherever_its_server_died(open_account: OpenAccount) -> None:
    for moment in range(1, MOMENTS_MAX):
        run = begin(open_account, is_move=True)
        life = run.serve(dies_at=moment)
        if not life.is_over:
            check(run, is_move=True, deaths=0)
            assert moment > MOMENTS_MIN
            return
        run.serve()
        check(run, is_move=True, deaths=1)
    raise AssertionError("it never ends")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(6))
def test_transfer_is_whole_and_single_when_several_servers_die(open_account: OpenAccount, seed: int) -> None:
    chance = random.Random(seed)
    run = begin(open_account, is_move=bool(seed % 2))
    deaths = 0
    while run.serve(dies_at=chance.randint(5, 80)).is_over:
        deaths += 1
        assert deaths < MOMENTS_MAX
    check(run, is_move=bool(seed % 2), deaths=deaths)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("api", ["sqlite"], indirect=True)  # the moments are the same on every database
def test_nothing_is_left_behind_when_task_is_cancelled_after_its_server_died(open_account: OpenAccount) -> None:
    for moment in range(1, MOMENTS_MAX):
        run = begin(open_account, is_move=False)
        if not run.serve(dies_at=moment).is_over:
            return
        was_finished = run.source.load()[0].state == "finished"  # it died after its last word
        url = run.source.tasks.url(str(run.task_id))
        assert run.source.drive.client.delete(url).status_code in {202, 204}
        run.serve()
        assert run.source.load()[0].state == ("finished" if was_finished else "cancelled")
        assert run.target.vault.uploads == {}
        assert run.source.vault.tree() == TREE
    raise AssertionError("it never ends")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("api", ["sqlite"], indirect=True)
def test_next_server_goes_on_wherever_one_was_told_to_stop(open_account: OpenAccount) -> None:
    for moment in range(1, MOMENTS_MAX, MOMENT_STEP):
        run = begin(open_account, is_move=True)
        if not run.stop(comes_at=moment):
            return
        run.serve()
        check(run, is_move=True, deaths=1)
        assert {row.starts for row in run.source.load()[1]} == {0}, "a file was begun anew that nobody had changed"
    raise AssertionError("it never ends")
