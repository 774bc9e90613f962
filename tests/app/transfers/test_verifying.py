from __future__ import annotations

import random

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import read_error, read_json
from tests.app.transfers.conftest import Account, OpenAccount
from tests.app.transfers.vault import PART_BYTES

BIG = random.Random(6).randbytes(2 * PART_BYTES + 17)
SMALL = b"small"


@pytest.mark.parametrize("data", [SMALL, BIG, b""])
def test_copy_is_read_back_when_target_tells_no_hash(source: Account, target: Account, data: bytes) -> None:
    read_json(source.copy(source.vault.put("a", data), target), status=201)
    assert target.vault.calls["open_download"] == 1
    assert source.load()[0].outcomes == {"verified": 1}


@pytest.mark.parametrize("hash_names", [("md5",), ("sha256",), ("md5", "sha256", "sha1")])
def test_small_file_is_not_read_back_when_target_tells_a_hash(
    open_account: OpenAccount, source: Account, hash_names: tuple[str, ...]
) -> None:
    target = open_account(hash_names=hash_names)
    read_json(source.copy(source.vault.put("a", SMALL), target), status=201)
    assert target.vault.calls["open_download"] == 0
    assert source.load()[0].outcomes == {"verified": 1}


@pytest.mark.parametrize(("mine", "theirs", "reads"), [(("sha1",), ("sha1", "md5"), 0), (("sha1",), ("md5",), 1)])
def test_file_in_parts_is_not_read_back_when_both_tell_the_same_hash(
    open_account: OpenAccount, mine: tuple[str, ...], theirs: tuple[str, ...], reads: int
) -> None:
    source, target = open_account(hash_names=mine), open_account(hash_names=theirs)
    read_json(source.copy(source.vault.put("a", BIG), target), status=201)
    assert target.vault.calls["open_download"] == reads
    assert source.load()[0].outcomes == {"verified": 1}


@pytest.mark.parametrize("hash_names", [(), ("md5",)])
@pytest.mark.parametrize("data", [SMALL, BIG])
@pytest.mark.parametrize(
    ("changed", "reason"),
    [(bytes.upper, "bytes are others|md5 is another"), (lambda data: data + b"x", "bytes there instead of")],
)
def test_difference_is_told_and_never_taken_for_success(
    open_account: OpenAccount,
    source: Account,
    data: bytes,
    hash_names: tuple[str, ...],
    changed: object,
    reason: str,
) -> None:
    target = open_account(hash_names=hash_names)
    target.vault.rewrite = changed  # type: ignore[assignment]  # one of two functions
    reply = source.copy(source.vault.put("a.txt", data), target)
    assert read_error(reply) == (400, "request_failed")
    assert any(words in reply.json()["message"] for words in reason.split("|"))
    assert source.load()[0].outcomes == {"stored_differs": 1}
    assert list(target.vault.tree()) == ["a.txt"]


def test_copy_stands_but_move_deletes_nothing_when_it_cannot_be_compared(source: Account, target: Account) -> None:
    file = source.vault.put("a.txt", SMALL)
    target.vault.downloadable = False
    read_json(source.copy(file, target), status=201)
    task, (row,) = source.load()
    assert task.outcomes == {"unverifiable": 1}
    assert row.reason == "the target tells no hash of it and does not let it be downloaded"
    moved = source.move(file, target)
    assert read_error(moved) == (400, "request_failed")
    assert "nothing was deleted" in moved.json()["message"]
    assert source.vault.tree() == {"a.txt": SMALL}


def test_somebody_who_changes_the_copy_meanwhile_is_no_failure_of_ours(source: Account, target: Account) -> None:
    target.vault.before["open_download"] = [lambda: target.vault.put("a.txt", b"theirs")]
    copied = source.copy(source.vault.put("a.txt", SMALL), target)
    read_json(copied, status=201)
    assert source.load()[1][0].reason == "somebody changed the copy before it could be compared"


def test_source_whose_storage_tells_another_hash_is_not_believed(
    open_account: OpenAccount, target: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_account(hash_names=("md5",))
    file = source.vault.put("a.txt", SMALL)
    original = source.vault._resource

    def lie(raw_id: object) -> object:
        resource = original(raw_id)  # type: ignore[arg-type]  # as it came
        if getattr(resource, "hashes", None):
            resource.hashes["md5"] = "0" * 32  # type: ignore[union-attr,index]  # a file's
        return resource

    monkeypatch.setattr(source.vault, "_resource", lie)
    reply = source.copy(file, target)
    assert "its own storage tells another md5" in reply.json()["message"]


def test_comparison_is_made_up_for_when_it_failed_for_a_while(source: Account, target: Account) -> None:
    target.vault.before["open_download"] = [ConnectorError(ErrorKind.UNAVAILABLE, "away")] * 2
    read_json(source.copy(source.vault.put("a.txt", SMALL), target), status=201)
    assert source.load()[0].outcomes == {"verified": 1}
    assert target.vault.stored == {"a.txt": 1}
