from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from app.transfers import parts
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import OnConflict, RawId
from tests.app.drive import read_error, read_json
from tests.app.transfers.conftest import Account, OpenAccount
from tests.app.transfers.vault import PART_BYTES, ROOT, Upload

PARTS_COUNT = 5
BIG = random.Random(2).randbytes((PARTS_COUNT - 1) * PART_BYTES + 17)
ONCE = {("big", number): 1 for number in range(1, PARTS_COUNT + 1)}


@pytest.fixture
def big(source: Account) -> RawId:
    return source.vault.put("big", BIG)


@pytest.mark.parametrize("is_parallel", [True, False])
@pytest.mark.parametrize("able", [{}, {"download_if_match": False}, {"download_range": False}])
def test_each_part_is_sent_once_whatever_the_source_can(
    open_account: OpenAccount, able: dict[str, bool], is_parallel: bool
) -> None:
    source, target = open_account(**able), open_account(upload_parts_parallel=is_parallel)
    read_json(source.copy(source.vault.put("big", BIG), target), status=201)
    assert target.vault.tree() == {"big": BIG}
    assert target.vault.parts == ONCE
    # Without ranges one pass does for all parts; the other pass is the comparison at the end, in the target.
    assert source.vault.calls["open_download"] == (1 if able == {"download_range": False} else PARTS_COUNT)


def test_file_is_sent_in_one_piece_when_target_takes_no_parts(open_account: OpenAccount, source: Account) -> None:
    target = open_account(start_upload=False, list_uploads=False)
    read_json(source.copy(source.vault.put("big", BIG), target), status=201)
    assert target.vault.tree() == {"big": BIG}
    assert (target.vault.calls["upload"], target.vault.calls["start_upload"]) == (1, 0)


@pytest.mark.parametrize("able", [{}, {"download_range": False}])
def test_only_missing_parts_are_sent_when_it_failed_half_way(
    open_account: OpenAccount, target: Account, able: dict[str, bool]
) -> None:
    source = open_account(**able)
    away = ConnectorError(ErrorKind.UNAVAILABLE, "away for a moment")
    target.vault.before["put_part"] = [lambda: None, away, lambda: None, away]
    read_json(source.copy(source.vault.put("big", BIG), target), status=201)
    assert target.vault.tree() == {"big": BIG}
    assert target.vault.parts == ONCE
    assert target.vault.calls["start_upload"] == 1


@pytest.mark.parametrize("operation", ["put_part", "finish_upload"])
@pytest.mark.parametrize("kind", [ErrorKind.NOT_FOUND, ErrorKind.INVALID_PARTS])
def test_all_parts_are_sent_anew_when_target_forgot_the_upload(
    source: Account, target: Account, big: RawId, operation: str, kind: ErrorKind
) -> None:
    def forget() -> None:
        target.vault.uploads.clear()
        raise ConnectorError(kind)

    target.vault.before[operation] = [forget]
    read_json(source.copy(big, target), status=201)
    assert target.vault.tree() == {"big": BIG}
    assert target.vault.calls["start_upload"] == 2
    assert target.vault.uploads == {}
    assert source.load()[1][0].starts == 1


def test_file_fails_when_target_forgets_the_upload_every_time(source: Account, target: Account, big: RawId) -> None:
    target.vault.before["finish_upload"] = [ConnectorError(ErrorKind.INVALID_PARTS)] * 10
    assert read_error(source.copy(big, target)) == (400, "request_failed")
    assert source.load_ended()[0].state == "failed"
    assert target.vault.calls["finish_upload"] == 4
    assert target.vault.uploads == {}
    assert target.vault.tree() == {}


def test_upload_is_aborted_when_the_file_cannot_be_finished(source: Account, target: Account, big: RawId) -> None:
    target.vault.before["put_part"] = [lambda: None, ConnectorError(ErrorKind.PERMISSION_DENIED, "no more")]
    assert read_error(source.copy(big, target)) == (403, "permission_denied")
    assert source.load_ended()[1][0].sealed_state is None
    assert target.vault.calls["start_upload"] == 1
    assert target.vault.uploads == {}


def test_state_of_an_upload_is_sealed_in_the_database(source: Account, target: Account, big: RawId) -> None:
    seen: list[str | None] = []

    def look() -> None:
        (upload_id,) = target.vault.uploads
        seen.append(upload_id)

    target.vault.before["abort_upload"] = [ConnectorError(ErrorKind.PERMISSION_DENIED, "not even that")]
    target.vault.before["put_part"] = [look, ConnectorError(ErrorKind.PERMISSION_DENIED, "no more")]
    source.copy(big, target)
    sealed = source.load_ended()[1][0].sealed_state
    assert sealed is not None
    assert seen[0] is not None
    assert seen[0] not in sealed


def test_stray_of_a_lost_answer_is_aborted_and_others_are_not(source: Account, target: Account, big: RawId) -> None:
    now = datetime.now(UTC)
    others = {
        "older": Upload(ROOT, "big", OnConflict.FAIL, now - timedelta(minutes=1)),
        "of another name": Upload(ROOT, "big.more", OnConflict.FAIL, now),
    }
    target.vault.uploads.update(others)
    started = target.drive.client.post(target.drive.url("multipart"), json={"name": "big", "parent_id": "root"})
    ours = set(target.vault.uploads) - set(others)
    assert started.status_code == 201
    lost = ConnectorError(ErrorKind.UNAVAILABLE, "no answer came", maybe_applied=True)
    target.vault.after["start_upload"] = [lost]
    read_json(source.copy(big, target), status=201)
    assert target.vault.calls["start_upload"] == 3
    assert set(target.vault.uploads) == {*others, *ours}


def test_file_that_is_seen_late_is_the_tasks_own_when_the_upload_is_gone(
    source: Account, target: Account, big: RawId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LOOKED_AGAIN_SECONDS", (0.0, 0.0))
    vault = target.vault

    def finish_late() -> None:
        (upload,) = vault.uploads.values()
        vault.uploads.clear()
        made = b"".join(data for _, data in sorted(upload.parts.items()))
        vault.before["list_folder"] = [lambda: None, lambda: None, lambda: vault.put("big", made)]
        raise ConnectorError(ErrorKind.UNAVAILABLE, "no answer came", maybe_applied=True)

    vault.before["finish_upload"] = [finish_late]
    read_json(source.copy(big, target), status=201)
    assert vault.tree() == {"big": BIG}
    (row,) = source.load_ended()[1]
    assert (row.starts, row.outcome) == (0, "verified")


def test_name_taken_while_parts_are_sent_leads_to_a_free_one(source: Account, target: Account, big: RawId) -> None:
    target.vault.before["finish_upload"] = [lambda: target.vault.put("big", b"somebody else's")]
    copy = read_json(source.copy(big, target), status=201)
    assert copy["name"] == "big (1)"
    assert target.vault.tree() == {"big": b"somebody else's", "big (1)": BIG}
    assert target.vault.uploads == {}


def test_name_taken_while_a_small_file_is_sent_leads_to_a_free_one(source: Account, target: Account) -> None:
    target.vault.before["upload"] = [lambda: target.vault.put("a.txt", b"somebody else's")]
    copy = read_json(source.copy(source.vault.put("a.txt", b"x"), target), status=201)
    assert copy["name"] == "a (1).txt"
    assert target.vault.tree() == {"a.txt": b"somebody else's", "a (1).txt": b"x"}
