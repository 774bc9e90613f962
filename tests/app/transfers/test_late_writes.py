"""What a dead server had sent and its storage takes only later, when the next server has stored the file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.app.transfers.conftest import OpenAccount, serve_vaults
from tests.app.transfers.serving import TREE, Run, begin
from tests.servers.api import Api, build_settings

MOMENTS_MAX = 100
COPY = {"top": None} | {f"top (1){path[3:]}": data for path, data in TREE.items()}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that runs no tasks itself."""
    yield from serve_vaults(build_settings(tmp_path_factory.mktemp("api"), tasks_parallel_max=0))


def die_when_sent(open_account: OpenAccount, *, upload_exclusive: bool) -> Run:
    """A copy whose server died when "a" was on its way and had not arrived."""
    for moment in range(1, MOMENTS_MAX):
        run = begin(open_account, is_move=False, target_able={"upload_exclusive": upload_exclusive})
        run.serve(dies_at=moment)
        states = {row.name: row.state for row in run.source.load()[1]}
        if states.get("a") == "finishing" and "top (1)/a" not in run.target.vault.tree():
            return run
    raise AssertionError("it never sends the file")


def test_file_is_the_tasks_own_when_it_arrives_while_it_is_sent_again(open_account: OpenAccount) -> None:
    run = die_when_sent(open_account, upload_exclusive=True)
    vault = run.target.vault
    vault.before["upload"] = [lambda: vault.put("top (1)/a", TREE["top/a"])]
    run.serve()
    task, _ = run.source.load()
    assert (task.state, task.outcomes) == ("finished", {"verified": 2})
    assert vault.tree() == COPY


def test_file_is_stored_again_when_a_late_write_took_its_place(open_account: OpenAccount) -> None:
    run = die_when_sent(open_account, upload_exclusive=False)
    vault = run.target.vault
    vault.after["upload"] = [lambda: vault.put("top (1)/a", b"late")]
    run.serve()
    task, rows = run.source.load()
    assert (task.state, task.outcomes) == ("finished", {"verified": 2})
    assert vault.tree() == COPY
    assert {row.name: row.starts for row in rows}["a"] == 1


def test_difference_is_told_when_no_late_write_can_have_made_it(open_account: OpenAccount) -> None:
    run = die_when_sent(open_account, upload_exclusive=True)
    vault = run.target.vault
    vault.after["upload"] = [lambda: vault.put("top (1)/a", b"late")]
    run.serve()
    task, rows = run.source.load()
    assert (task.state, vault.tree()["top (1)/a"]) == ("finished", b"late")
    assert [row.outcome for row in rows if row.name == "a"] == ["unverifiable"]
    assert (vault.calls["delete"], vault.stored["a"]) == (0, 1)


def test_difference_is_told_when_it_is_there_again(open_account: OpenAccount) -> None:
    run = die_when_sent(open_account, upload_exclusive=False)
    run.target.vault.rewrite = lambda data: data[::-1] + b"its own"
    run.serve()
    task, rows = run.source.load()
    assert (task.state, run.target.vault.stored["a"]) == ("failed", 2)
    assert [row.outcome for row in rows if row.name == "a"] == ["stored_differs"]
