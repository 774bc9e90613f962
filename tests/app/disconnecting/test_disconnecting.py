"""Deleting an account frees what its storage holds for us, while its secrets are still there to do so."""

from __future__ import annotations

import pytest

from app.core.errors import ErrorCode
from app.disconnecting import service
from app.uploads import service as uploads
from tests.app.disconnecting.conftest import Leaving
from tests.app.drive import read_error, wait_until
from tests.servers.origin import Exchange, Origin
from tests.servers.toxics import Direction, Down, Timeout, Toxic

FETCHED_BYTES = 40_000_000
SENT_BYTES = 20_000_000
"""Of those: two parts and a bit, so that the store holds an upload in parts."""


def test_upload_is_gone_from_the_storage_when_its_account_is_deleted(leaving: Leaving) -> None:
    upload_id = leaving.start_upload()
    assert len(leaving.list_multiparts()) == 1
    assert leaving.client.delete(leaving.caller.account_url).status_code == 204
    assert (leaving.list_multiparts(), leaving.read_upload(upload_id)) == ([], "aborted")
    assert leaving.read_secrets() is None
    assert read_error(leaving.client.get(leaving.caller.account_url)) == (404, ErrorCode.NOT_FOUND.code)


@pytest.mark.parametrize("away", [Down(), Timeout(None)])
def test_account_is_deleted_in_limited_time_when_its_storage_is_away(
    leaving: Leaving, away: Toxic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FREEING_SECONDS_MAX", 0.5)
    upload_id = leaving.start_upload()
    added = leaving.proxy.add(away, Direction.UPSTREAM)
    assert leaving.client.delete(leaving.caller.account_url).status_code == 204
    leaving.proxy.remove(added)
    assert (len(leaving.list_multiparts()), leaving.read_secrets()) == (1, None)
    assert leaving.read_upload(upload_id) in {"open", "finishing"}  # what cannot be freed is not said to be
    assert leaving.client.get(leaving.caller.account_url).status_code == 404


def test_upload_that_nobody_can_abort_any_more_is_forgotten_after_its_claim(
    leaving: Leaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "CLAIM_SECONDS", 0)
    monkeypatch.setattr(service, "FREEING_SECONDS_MAX", 0.5)
    upload_id = leaving.start_upload()
    leaving.proxy.add(Timeout(None), Direction.UPSTREAM)
    leaving.client.delete(leaving.caller.account_url)
    leaving.caller.api.run(uploads.abort_expired(leaving.caller.api.state))
    assert leaving.read_upload(upload_id) == "aborted"


def fetch_some(leaving: Leaving, origin: Origin, *, is_cut: bool) -> str:
    """Begins an upload by URL that gets some bytes and no more; the task's address."""

    async def send_some(exchange: Exchange) -> None:
        await exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {FETCHED_BYTES}\r\n\r\n".encode() + bytes(SENT_BYTES))
        if not is_cut:
            await exchange.wait_until_left()
        exchange.writer.close()

    origin.on("/large", send_some)
    body = {"url": origin.url("/large"), "name": "a.bin", "parent_id": "root"}
    url, params = f"{leaving.caller.storage_url}/files", {"return_type": "task"}
    reply = leaving.client.post(url, params=params, json=body)
    assert reply.status_code == 202
    wait_until(lambda: len(leaving.list_multiparts()) == 1)
    return f"{leaving.caller.account_url}/tasks/{reply.json()['id']}"


@pytest.mark.parametrize("is_cut", [False, True], ids=["running", "waiting"])
def test_what_a_task_began_is_gone_from_the_storage_when_its_account_is_deleted(
    leaving: Leaving, origin: Origin, *, is_cut: bool
) -> None:
    task_url = fetch_some(leaving, origin, is_cut=is_cut)
    if is_cut:  # then the task waits for its next try, and has to open the account again
        wait_until(lambda: leaving.client.get(task_url).json()["state"] == "PENDING")
    assert leaving.client.delete(leaving.caller.account_url).status_code == 204
    assert (leaving.list_multiparts(), leaving.read_secrets()) == ([], None)
