"""A server that stands still, at any moment, for longer than its lease lasts: another one does its work meanwhile, and
when the first one goes on nothing that it does has any effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from connectors.core.resources import RawId
from tests.app.transfers.conftest import OpenAccount, serve_vaults
from tests.app.transfers.serving import BIG, TREE, begin
from tests.app.transfers.vault import ROOT, Node, Vault, read_modified_at
from tests.servers.api import Api, build_settings

MOMENTS_MIN, MOMENTS_MAX = 50, 500
MOMENT_STEP = 3  # each of them takes a while
POOR_TARGET = {"upload_exclusive": False}
POOR_SOURCE = {"has_etags": False, "download_if_match": False}
CHANGED = {"top/a": b"b", "top/sub/big": BIG[::-1]}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that runs no tasks itself."""
    yield from serve_vaults(build_settings(tmp_path_factory.mktemp("api"), tasks_parallel_max=0))


def take_names_again(vault: Vault, nodes: dict[RawId, Node]) -> None:
    """Somebody puts new files under the names of those that were moved away; where a name is the id, it is the same."""
    vault.nodes.update({raw_id: replace(node) for raw_id, node in nodes.items() if raw_id not in vault.nodes})


def put(vault: Vault, files: dict[str, bytes]) -> None:
    """Somebody replaces files."""
    for path, data in files.items():
        vault.put(path, data)


@pytest.mark.timeout(300)
def test_nothing_that_is_done_after_the_lease_has_any_effect(open_account: OpenAccount) -> None:
    for moment in range(1, MOMENTS_MAX, MOMENT_STEP):
        # Where files are replaced without a word, the fence is all there is.
        run = begin(open_account, is_move=True, target_able=POOR_TARGET)
        source, target = run.source.vault, run.target.vault
        moved = {raw_id: replace(node) for raw_id, node in source.nodes.items()}
        still = run.stand_still(begins_at=moment, after=partial(take_names_again, source, moved))
        task, rows = run.source.load()
        assert (task.state, task.error_message) == ("finished", None)
        assert target.tree() == {"top": None} | {f"top (1){path[3:]}": data for path, data in TREE.items()}
        assert source.tree() == (TREE if still.was_still else {}), "what was new was deleted"
        assert target.uploads == {}, "an upload was left behind"
        assert set(target.stored.values()) == {1}, "something was stored twice"
        assert [row.parts_count for row in rows if row.name == "big"] == [3], "a part that was stored was sent again"
        assert task.outcomes == {"verified": 2}
        if not still.was_still:
            assert moment > MOMENTS_MIN
            return
    raise AssertionError("it never ends")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("able", [{}, POOR_SOURCE], ids=["etags", "times"])
def test_copy_is_of_the_version_that_is_told_when_the_source_changes_meanwhile(
    open_account: OpenAccount, able: dict[str, bool]
) -> None:
    for moment in range(1, MOMENTS_MAX, MOMENT_STEP):
        run = begin(open_account, is_move=False, source_able=able, target_able=POOR_TARGET)
        source, target = run.source.vault, run.target.vault
        still = run.stand_still(begins_at=moment, before=partial(put, source, CHANGED))
        task, rows = run.source.load()
        assert (task.state, task.error_message) == ("finished", None)
        tree = target.tree()
        for row in (row for row in rows if row.kind == "file"):
            stored = tree[f"top (1){row.path[3:]}"]
            assert stored in (TREE[row.path], CHANGED[row.path])
            version = Node("file", row.name, ROOT, version=int(stored == CHANGED[row.path]))
            assert row.modified_at == read_modified_at(version)
            assert row.outcome in {"verified", "unverifiable"}, row.reason
            assert row.starts <= 1
        assert target.uploads == {}, "an upload was left behind"
        assert set(target.stored.values()) == {1}, "something was stored twice"
        if not still.was_still:
            return
    raise AssertionError("it never ends")
