"""Uploads to a storage that takes one part after the other, and what it is told of an end that nobody heard of."""

from __future__ import annotations

import pytest

from tests.app.drive import read_error, read_json
from tests.app.sharing import SharingDrive
from tests.app.uploads.conftest import Multipart


@pytest.fixture
def parts(sharing: SharingDrive) -> Multipart:
    return Multipart(sharing, part_size=sharing.store.part_bytes)


def test_part_is_409_and_good_later_when_it_comes_before_its_turn(sharing: SharingDrive, parts: Multipart) -> None:
    started = parts.start("a.txt", size=6)
    early = parts.put(started, 2, b"ef")
    assert read_error(early) == (409, "conflict")
    assert "part 1 is not stored yet" in early.json()["message"]
    for number, content in ((1, b"abcd"), (2, b"ef")):
        assert parts.put(started, number, content).status_code == 200
    file = read_json(parts.complete(started), status=201)
    assert sharing.read(file["id"]) == b"abcdef"


@pytest.mark.parametrize("was_finishing", [False, True])
def test_storage_is_told_when_an_earlier_request_may_have_completed_it(
    sharing: SharingDrive, parts: Multipart, *, was_finishing: bool
) -> None:
    started = parts.start("a.txt", size=2)
    parts.put(started, 1, b"ab")
    if was_finishing:
        parts.set(started, state="finishing", epoch=1, **parts.claimed(-1))
    read_json(parts.complete(started), status=201)
    assert sharing.store.finished is not None
    assert sharing.store.finished.was_finishing == was_finishing
