from __future__ import annotations

import random

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import read_error, read_json
from tests.app.transfers.conftest import Account
from tests.app.transfers.vault import PART_BYTES

BIG = random.Random(7).randbytes(2 * PART_BYTES + 17)
TREE = {"top": None, "top/a": b"a", "top/sub": None, "top/sub/big": BIG, "top/none": None}


def fill(account: Account) -> None:
    for path, data in TREE.items():
        account.vault.put(path, data)


def test_tree_is_at_the_target_only_when_it_was_moved(source: Account, target: Account) -> None:
    fill(source)
    source.vault.put("beside", b"stays")
    moved = read_json(source.move(source.vault.put("top"), target, name="new name"))
    assert (moved["name"], moved["account"]) == ("new name", target.id)
    assert source.vault.tree() == {"beside": b"stays"}
    assert target.vault.tree() == {path.replace("top", "new name", 1): data for path, data in TREE.items()}


def test_file_can_be_moved_to_the_account_it_came_from(source: Account, target: Account) -> None:
    file = source.vault.put("a.txt", b"x")
    there = read_json(source.move(file, target))
    assert (source.vault.tree(), target.vault.tree()) == ({}, {"a.txt": b"x"})
    back = target.drive.client.patch(there["href"], json={"account": source.id, "parent_id": "root"})
    assert read_json(back)["account"] == source.id
    assert (source.vault.tree(), target.vault.tree()) == ({"a.txt": b"x"}, {})


def test_nothing_is_deleted_when_one_file_did_not_arrive(source: Account, target: Account) -> None:
    fill(source)
    source.vault.put("top/bad*name", b"x")
    moved = source.move(source.vault.put("top"), target)
    assert read_error(moved) == (400, "request_failed")
    assert "nothing was deleted" in moved.json()["message"]
    assert source.vault.tree() == {**TREE, "top/bad*name": b"x"}
    assert source.vault.calls["delete"] == 0


@pytest.mark.parametrize(
    ("path", "data", "words"),
    [
        ("top/a", b"A", "'top/a' stays at the source: it changed after it was copied"),
        ("top/new", b"n", "'top' stays at the source: it holds something that came after the move had begun"),
    ],
)
def test_what_changed_at_the_source_meanwhile_stays(
    source: Account, target: Account, path: str, data: bytes, words: str
) -> None:
    fill(source)
    top = source.vault.put("top")
    deletions = [lambda: None] * (path != "top/a") * 3
    source.vault.before["delete"] = [*deletions]
    target.vault.before["finish_upload"] = [lambda: None]
    source.vault.before["get"] = [lambda: None, lambda: source.vault.put(path, data)]
    moved = source.move(top, target)
    assert read_error(moved) == (400, "request_failed")
    assert words in moved.json()["message"]
    assert source.vault.tree()[path] == data
    assert target.vault.tree() == TREE


def test_move_is_done_when_somebody_deletes_the_source_meanwhile(source: Account, target: Account) -> None:
    fill(source)
    source.vault.before["get"] = [lambda: None, lambda: source.vault.nodes.pop(source.vault.put("top/a"))]
    read_json(source.move(source.vault.put("top"), target))
    assert source.vault.tree() == {}
    assert target.vault.tree() == TREE


def test_deletion_goes_on_when_its_answer_got_lost(source: Account, target: Account) -> None:
    fill(source)
    source.vault.after["delete"] = [ConnectorError(ErrorKind.PERMISSION_DENIED, "only now")]
    moved = source.move(source.vault.put("top"), target)
    assert read_error(moved) == (403, "permission_denied")
    assert target.vault.tree() == TREE
