from __future__ import annotations

import random

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import read_error, read_json
from tests.app.transfers.conftest import Account, OpenAccount
from tests.app.transfers.vault import PART_BYTES

BIG = random.Random(1).randbytes(3 * PART_BYTES + 17)
TREE = {"top/a.txt": b"a", "top/empty": b"", "top/sub/b.txt": b"b", "top/sub/deep/big": BIG}
FOLDERS = {"top": None, "top/sub": None, "top/sub/deep": None, "top/nothing": None}


def fill(account: Account) -> None:
    for path, data in {**FOLDERS, **TREE}.items():
        account.vault.put(path, data)


@pytest.mark.parametrize("data", [b"", b"small", BIG[:PART_BYTES], BIG[: PART_BYTES + 1], BIG])
def test_file_is_answered_as_one_of_the_other_account_when_copied(
    source: Account, target: Account, data: bytes
) -> None:
    file = source.vault.put("a.txt", data)
    copy = read_json(source.copy(file, target, parent_id="root"), status=201)
    assert (copy["type"], copy["name"], copy["account"], copy["size"]) == ("file", "a.txt", target.id, len(data))
    assert f"/accounts/{target.id}/" in copy["href"]
    assert not {"state", "status"} & set(copy)
    assert target.drive.read(copy["id"]) == data
    assert source.vault.tree() == target.vault.tree() == {"a.txt": data}
    assert target.vault.uploads == {}


def test_folder_is_copied_with_all_it_holds(source: Account, target: Account) -> None:
    fill(source)
    copy = read_json(source.copy(source.vault.put("top"), target), status=201)
    assert (copy["type"], copy["name"], copy["account"]) == ("folder", "top", target.id)
    assert target.vault.tree() == source.vault.tree() == {**FOLDERS, **TREE}
    task, rows = source.load()
    assert task.outcomes == {"verified": 4}
    assert (task.files_done, task.files_total) == (4, 4)
    assert task.bytes_done == task.bytes_total == sum(map(len, TREE.values()))
    assert {row.state for row in rows} == {"stored"}


@pytest.mark.parametrize("is_folder", [False, True])
def test_copy_takes_the_name_that_is_asked_for_and_a_free_one_if_that_is_taken(
    source: Account, target: Account, is_folder: bool
) -> None:
    thing = source.vault.put("x.y", None if is_folder else b"new")
    for taken in ("wanted.txt", "wanted (1).txt"):
        target.vault.put(taken, b"old")
    folder = target.drive.create_folder("inner")
    copy = read_json(source.copy(thing, target, name="wanted.txt"), status=201)
    assert copy["name"] == ("wanted.txt (1)" if is_folder else "wanted (2).txt")
    inner = read_json(source.copy(thing, target, parent_id=folder["id"]), status=201)
    assert (inner["name"], inner["parent"]["id"]) == ("x.y", folder["id"])


def test_bigger_part_of_the_tree_arrives_when_a_name_cannot_be_stored(source: Account, target: Account) -> None:
    fill(source)
    source.vault.put("top/bad*name", b"x")
    source.vault.put("top/bad*folder/inside", b"y")
    status, code = read_error(reply := source.copy(source.vault.put("top"), target))
    assert (status, code) == (400, "request_failed")
    message = reply.json()["message"]
    assert "top/bad*name (a name cannot contain '*'" in message
    assert "top/bad*folder/inside (its folder could not be made)" in message
    assert "what was copied stays" in message
    assert target.vault.tree() == {**FOLDERS, **TREE}
    assert source.load()[0].outcomes == {"verified": 4, "failed": 2}


def test_only_some_failures_are_told_when_there_are_many(source: Account, target: Account) -> None:
    for number in range(15):
        source.vault.put(f"top/*{number}", b"x")
    message = source.copy(source.vault.put("top"), target).json()["message"]
    assert message.count("a name cannot contain") == 10
    assert message.endswith("; and 5 more.")


def test_single_file_fails_with_its_own_error(source: Account, target: Account) -> None:
    file = source.vault.put("bad*name", b"x")
    assert read_error(source.copy(file, target)) == (400, "invalid_parameters")
    assert read_error(source.copy(file, target, name="also*bad")) == (400, "invalid_parameters")
    del source.vault.nodes[file]
    file = source.vault.put("a.txt", b"x")
    href = source.href(file)
    del source.vault.nodes[file]
    copied = source.drive.client.post(f"{href}/copy", json={"account": target.id})
    assert read_error(copied) == (404, "not_found")
    target.vault.before["upload"] = [ConnectorError(ErrorKind.QUOTA_EXCEEDED, "it is full")]
    assert read_error(source.copy(source.vault.put("b.txt", b"x"), target)) == (507, "insufficient_storage")
    assert target.vault.tree() == {}


@pytest.mark.parametrize("parent", ["nonsense", "of the source"])
def test_parent_must_be_a_folder_of_the_target_account(source: Account, target: Account, parent: str) -> None:
    file = source.vault.put("a.txt", b"x")
    if parent != "nonsense":
        parent = source.drive.create_folder("folder")["id"]
    assert read_error(source.copy(file, target, parent_id=parent)) == (400, "invalid_parent_folder")
    assert read_error(source.move(file, target, parent_id=parent)) == (400, "invalid_parent_folder")


def test_files_of_one_name_in_one_folder_all_arrive(open_account: OpenAccount, target: Account) -> None:
    source = open_account(names_unique=False)
    top = source.vault.put("top/a.txt", b"same size 1")
    parent = source.vault.nodes[top].parent
    twin = source.vault.put("top/b.txt", b"same size 2")
    folder = source.vault.put("top/c", None)
    for raw_id in (twin, folder):
        source.vault.nodes[raw_id].name = "a.txt"
    read_json(source.copy(parent, target), status=201)
    tree = target.vault.tree()
    assert sorted(data for data in tree.values() if data is not None) == [b"same size 1", b"same size 2"]
    assert set(tree) in (
        {"top", "top/a.txt", "top/a (1).txt", "top/a.txt (1)"},
        {"top", "top/a.txt", "top/a (1).txt", "top/a (2).txt"},
    )


@pytest.mark.parametrize("operation", ["open_download", "upload", "create_folder", "list_folder", "get"])
def test_copy_goes_on_when_a_call_fails_for_a_while(source: Account, target: Account, operation: str) -> None:
    fill(source)
    for account in (source, target):
        account.vault.before[operation] = [ConnectorError(ErrorKind.UNAVAILABLE, "away for a moment")]
    if operation == "get":
        target.vault.before.clear()  # that would only be for the reply
    read_json(source.copy(source.vault.put("top"), target), status=201)
    assert target.vault.tree() == {**FOLDERS, **TREE}


@pytest.mark.parametrize("operation", ["upload", "create_folder", "start_upload", "put_part", "finish_upload"])
def test_nothing_is_there_twice_when_an_answer_got_lost(source: Account, target: Account, operation: str) -> None:
    fill(source)
    lost = ConnectorError(ErrorKind.UNAVAILABLE, "no answer came", maybe_applied=True)
    target.vault.after[operation] = [lost]
    read_json(source.copy(source.vault.put("top"), target), status=201)
    assert target.vault.tree() == {**FOLDERS, **TREE}
    assert set(target.vault.stored.values()) == {1}
    assert target.vault.uploads == {}


def test_folder_that_is_nested_too_deep_is_refused(source: Account, target: Account) -> None:
    source.vault.put("/".join(["d"] * 102), None)
    reply = source.copy(source.vault.put("d"), target)
    assert read_error(reply) == (400, "request_failed")
    assert "nested more than 100 deep" in reply.json()["message"]
    assert target.vault.tree() == {}
