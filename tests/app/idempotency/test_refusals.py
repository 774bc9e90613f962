"""Repeats that are refused: another request under the same key, one that still runs, one of which nothing is known."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app.core.clock import now
from app.models import IdempotentRequest
from tests.app.drive import Drive, read_error, read_json
from tests.servers.api import Caller

KEY = {"Idempotency-Key": "one of a kind"}
MISMATCH = (422, "idempotency_mismatch")
WAIT_SECONDS_MAX = 20.0


def change_rows(caller: Caller, **values: Any) -> None:
    """Changes the application's rows, as time or a crash would have left them."""

    async def change() -> None:
        async with caller.api.state.db.writing() as session:
            await session.execute(
                update(IdempotentRequest)
                .where(IdempotentRequest.application_id == caller.application_id)
                .values(**values)
            )

    caller.api.run(change())


def read_rows(caller: Caller) -> list[IdempotentRequest]:
    async def read() -> list[IdempotentRequest]:
        async with caller.api.state.db.reading() as session:
            rows = await session.scalars(
                select(IdempotentRequest).where(IdempotentRequest.application_id == caller.application_id)
            )
            return list(rows)

    return caller.api.run(read())


def test_other_request_under_the_same_key_is_refused(drive: Drive) -> None:
    def create(body: object, query: str = "") -> httpx.Response:
        return drive.client.post(drive.url(f"folders{query}"), json=body, headers=KEY)

    first = create({"name": "a"})
    assert first.status_code == 201
    for answer in (create({"name": "b"}), create({"name": "a"}, "?conflict_if_exists=true"), create({}), create([])):
        assert read_error(answer) == MISMATCH
        assert first.headers["x-request-id"] in answer.json()["message"]
    assert create({"name": "a"}).headers["idempotency-replayed"] == "true"
    assert drive.list_names() == ["a"]


def test_copy_of_another_file_under_the_same_key_is_refused(drive: Drive) -> None:
    one, two = drive.upload("one"), drive.upload("two")
    assert drive.client.post(drive.url(f"files/{one['id']}/copy"), json={}, headers=KEY).status_code == 201
    assert read_error(drive.client.post(drive.url(f"files/{two['id']}/copy"), json={}, headers=KEY)) == MISMATCH


def test_upload_is_another_when_its_name_or_its_length_is(drive: Drive) -> None:
    assert drive.send_file("a", b"12345", headers=KEY).status_code == 201
    assert read_error(drive.send_file("b", b"12345", headers=KEY)) == MISMATCH
    assert read_error(drive.send_file("a", b"123456", headers=KEY)) == MISMATCH
    assert drive.send_file("a", b"54321", headers=KEY).headers["idempotency-replayed"] == "true"
    assert drive.list_names() == ["a"]


@pytest.mark.parametrize("key", [b"", b"x" * 256, "ü".encode(), b"a\tb"])
def test_key_is_refused_when_it_is_no_short_plain_text(drive: Drive, key: bytes) -> None:
    answer = drive.client.post(drive.url("folders"), content=b'{"name": "a"}', headers=[(b"Idempotency-Key", key)])
    assert read_error(answer) == (400, "invalid_parameters")
    assert drive.list_names() == []


def test_nothing_is_noted_when_the_caller_is_not_known(caller: Caller, drive: Drive) -> None:
    with caller.client({"Authorization": "Bearer wrong"}) as client:
        assert read_error(client.post(drive.url("folders"), json={}, headers=KEY)) == (401, "unauthorized")
    assert read_rows(caller) == []


def test_repeat_is_told_to_wait_while_the_first_request_runs(drive: Drive) -> None:
    chunks: queue.Queue[bytes | None] = queue.Queue()
    is_started = threading.Event()

    def read() -> Iterator[bytes]:
        while (chunk := chunks.get(timeout=WAIT_SECONDS_MAX)) is not None:
            yield chunk
            is_started.set()

    chunks.put(b"some")
    with ThreadPoolExecutor(1) as pool, drive.caller.client() as first_client:
        first = pool.submit(Drive(drive.caller, first_client).send_file, "a", read(), headers=KEY)
        assert is_started.wait(WAIT_SECONDS_MAX)
        while not read_rows(drive.caller):
            is_started.wait(0.01)
        again = drive.send_file("a", iter([b"something"]), headers=KEY)
        assert read_error(again) == (409, "conflict")
        assert int(again.headers["retry-after"]) > 0
        chunks.put(b"thing")
        chunks.put(None)
        reply = read_json(first.result(WAIT_SECONDS_MAX), status=201)
    again = drive.send_file("a", iter([b"something"]), headers=KEY)
    assert (again.json(), again.headers["idempotency-replayed"]) == (reply, "true")
    assert drive.list_names() == ["a"]


def test_one_folder_is_made_when_the_request_comes_many_times_at_once(drive: Drive) -> None:
    body = {"name": "new"}
    with ThreadPoolExecutor(8) as pool, drive.caller.client() as client:
        answers = list(pool.map(lambda _: client.post(drive.url("folders"), json=body, headers=KEY), range(16)))
    fresh = [answer for answer in answers if answer.status_code == 201 and "idempotency-replayed" not in answer.headers]
    assert len(fresh) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(read_rows(drive.caller)) == 1


@pytest.mark.parametrize("values", [{"state": "running"}, {"state": "unknown", "sealed_reply": None}])
def test_repeat_is_told_to_look_first_when_the_server_ended_meanwhile(drive: Drive, values: dict[str, Any]) -> None:
    first = drive.client.post(drive.url("folders"), json={"name": "new"}, headers=KEY)
    change_rows(drive.caller, claimed_until=now() - timedelta(seconds=1), **values)
    answer = drive.client.post(drive.url("folders"), json={"name": "new"}, headers=KEY)
    assert read_error(answer) == (409, "conflict")
    assert "retry-after" not in answer.headers
    assert first.headers["x-request-id"] in answer.json()["message"]
    assert "new key" in answer.json()["message"]


def test_key_may_stand_for_another_request_when_its_day_is_over(drive: Drive) -> None:
    drive.client.post(drive.url("folders"), json={"name": "a"}, headers=KEY)
    (row,) = read_rows(drive.caller)
    assert row.expires_at - row.created_at == timedelta(hours=24)
    over = now() - timedelta(seconds=1)
    change_rows(drive.caller, claimed_until=over, expires_at=over)
    answer = drive.client.post(drive.url("folders"), json={"name": "b"}, headers=KEY)
    assert (answer.status_code, answer.json()["name"]) == (201, "b")
    assert drive.client.post(drive.url("folders"), json={"name": "b"}, headers=KEY).headers["idempotency-replayed"]
    assert len(read_rows(drive.caller)) == 1


def test_request_that_still_runs_keeps_its_key_when_its_day_is_over(drive: Drive) -> None:
    drive.client.post(drive.url("folders"), json={"name": "a"}, headers=KEY)
    change_rows(
        drive.caller,
        state="running",
        claimed_until=now() + timedelta(seconds=60),
        expires_at=now() - timedelta(seconds=1),
    )
    answer = drive.client.post(drive.url("folders"), json={"name": "a"}, headers=KEY)
    assert read_error(answer) == (409, "conflict")
