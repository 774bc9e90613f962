from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core.clock import now
from app.models import UploadPart
from app.uploads.service import abort_expired
from tests.app.drive import Drive, read_error, read_json
from tests.app.uploads.conftest import Multipart


def test_complete_is_answered_for_json_with_an_empty_body(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    done = drive.client.post(f"{started['href']}/complete/", headers={"Content-Type": "application/json"}, content=b"")
    assert read_json(done, status=201)["name"] == "a.bin"


def test_completing_twice_gives_the_same_file(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    multipart.put(started, 1, b"bytes")
    first = read_json(multipart.complete(started), status=201)
    second = multipart.complete(started)
    assert second.status_code in {200, 201}
    assert second.json() == first
    assert drive.list_names() == ["a.bin"]
    assert read_json(drive.client.get(started["href"]))["id"] == started["id"]


def test_completing_again_is_404_when_the_file_is_gone(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    file = read_json(multipart.complete(started), status=201)
    assert drive.client.delete(file["href"]).status_code == 204
    assert read_error(multipart.complete(started)) == (404, "not_found")
    assert drive.list_names() == []


def test_parts_after_the_end_are_409(multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    assert multipart.complete(started).status_code == 201
    assert read_error(multipart.put(started, 1, b"late")) == (409, "conflict")


@pytest.mark.parametrize("flag", [None, "False", "false", "0"])
def test_taken_name_is_kept_and_another_used_without_overwrite(
    drive: Drive, multipart: Multipart, flag: str | None
) -> None:
    first = drive.upload("a.bin", b"first")
    started = multipart.start("a.bin", overwrite=flag)
    multipart.put(started, 1, b"second")
    second = read_json(multipart.complete(started), status=201)
    assert (second["name"], drive.read(first["id"])) == ("a (1).bin", b"first")


@pytest.mark.parametrize("flag", ["True", "true", "1"])
def test_file_is_replaced_with_200_when_overwrite_is_asked_for(drive: Drive, multipart: Multipart, flag: str) -> None:
    first = drive.upload("a.bin", b"first")
    started = multipart.start("a.bin", overwrite=flag)
    multipart.put(started, 1, b"second")
    assert drive.read(first["id"]) == b"first"
    second = read_json(multipart.complete(started), status=200)
    assert (second["id"], drive.read(first["id"])) == (first["id"], b"second")


def test_aborting_is_204_frees_everything_and_then_all_is_404(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin", size=2 * multipart.part_size)
    multipart.put(started, 1, b"x" * multipart.part_size)
    aborted = drive.client.delete(started["href"])
    assert (aborted.status_code, aborted.content) == (204, b"")
    assert list(drive.caller.folder.iterdir()) == []
    multipart.is_gone(started)


def test_finished_upload_cannot_be_aborted(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    assert multipart.complete(started).status_code == 201
    assert read_error(drive.client.delete(started["href"])) == (404, "not_found")
    assert drive.list_names() == ["a.bin"]


def test_upload_of_another_account_is_404(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    other = drive.caller.api.create_caller()
    with other.client() as client:
        Multipart(Drive(other, client)).is_gone({"href": f"{other.storage_url}/multipart/{started['id']}"})
    assert multipart.complete(started).status_code == 201


@pytest.mark.parametrize(
    "number", ["0", "nonsense", "-1", "1.5", "9" * 16, "9" * 17, "9" * 500, "\N{FULLWIDTH DIGIT ONE}", "%00"]
)
def test_upload_that_never_was_is_404(drive: Drive, multipart: Multipart, number: str) -> None:
    multipart.is_gone({"href": drive.url(f"multipart/{number}")})


def test_expired_upload_is_404_and_housekeeping_frees_its_space(drive: Drive, multipart: Multipart) -> None:
    api = drive.caller.api
    started, kept = multipart.start("a.bin", size=multipart.part_size), multipart.start("b.bin")
    multipart.put(started, 1, b"x" * multipart.part_size)
    multipart.set(started, expires_at=now() - timedelta(seconds=1))
    multipart.is_gone(started)
    assert len(list(drive.caller.folder.iterdir())) == 4
    assert api.run(abort_expired(api.state)) >= 1
    assert len(list(drive.caller.folder.iterdir())) == 2
    assert multipart.get(started).state == "aborted"
    multipart.is_gone(started)
    assert multipart.complete(kept).status_code == 201


def test_expired_uploads_of_a_deleted_account_end_too(drive: Drive, multipart: Multipart) -> None:
    api = drive.caller.api
    started = multipart.start("a.bin")
    assert drive.client.delete(drive.caller.account_url).status_code == 204
    multipart.set(started, expires_at=now() - timedelta(seconds=1))
    api.run(abort_expired(api.state))
    assert multipart.get(started).state == "aborted"


def test_upload_that_cannot_be_aborted_now_is_left_for_later(drive: Drive, multipart: Multipart) -> None:
    api = drive.caller.api
    started = multipart.start("a.bin")
    multipart.set(started, expires_at=now() - timedelta(seconds=1), state="finishing", **multipart.claimed(60))
    api.run(abort_expired(api.state))
    assert multipart.get(started).state == "finishing"
    multipart.set(started, **multipart.claimed(-1))
    api.run(abort_expired(api.state))
    assert multipart.get(started).state == "aborted"


def test_everything_is_409_while_another_request_completes(drive: Drive, multipart: Multipart) -> None:
    started = multipart.start("a.bin")
    multipart.put(started, 1, b"bytes")
    multipart.set(started, state="finishing", **multipart.claimed(60))
    assert read_error(multipart.complete(started)) == (409, "conflict")
    assert read_error(drive.client.delete(started["href"])) == (409, "conflict")
    assert read_error(multipart.put(started, 1, b"other")) == (409, "conflict")
    assert read_json(drive.client.get(started["href"]))["id"] == started["id"]
    assert drive.list_names() == []


def test_claim_of_a_crashed_request_can_be_taken_again(drive: Drive, multipart: Multipart) -> None:
    started, aborted = multipart.start("a.bin"), multipart.start("b.bin")
    multipart.put(started, 1, b"bytes")
    for upload in (started, aborted):
        multipart.set(upload, state="finishing", epoch=3, **multipart.claimed(-1))
    assert drive.read(read_json(multipart.complete(started), status=201)["id"]) == b"bytes"
    assert multipart.get(started).epoch == 4
    assert drive.client.delete(aborted["href"]).status_code == 204


def test_state_of_the_storage_is_sealed_in_the_database(multipart: Multipart, drive: Drive) -> None:
    started = multipart.start("a.bin")
    hidden = [path.name for path in drive.caller.folder.iterdir()]
    sealed = multipart.get(started).sealed_state
    assert len(hidden) == 2
    assert not any(name.removesuffix(".table").rpartition("-")[2] in sealed for name in hidden)
    assert "token" not in sealed


def test_parts_are_forgotten_once_the_upload_ends(multipart: Multipart, drive: Drive) -> None:
    finished, aborted = multipart.start("a.bin"), multipart.start("b.bin")
    for upload in (finished, aborted):
        multipart.put(upload, 1, b"x")
    assert multipart.complete(finished).status_code == 201
    assert drive.client.delete(aborted["href"]).status_code == 204

    async def list_parts() -> list[UploadPart]:
        async with drive.caller.api.state.db.reading() as session:
            ids = [finished["id"], aborted["id"]]
            return list(await session.scalars(select(UploadPart).where(UploadPart.upload_session_id.in_(ids))))

    assert drive.caller.api.run(list_parts()) == []
    assert multipart.get(finished).result_raw_id == "/a.bin"
