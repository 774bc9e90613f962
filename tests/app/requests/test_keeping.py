"""How requests get into the log, how many stay there, and what happens under pressure."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from app.core.clock import now
from app.core.db import Database
from app.core.journal import Journal, SeenRequest
from app.core.state import State
from app.models import LoggedRequest
from app.requests.repository import RequestRepository
from app.requests.service import TRIM_COUNT, RequestLog, delete_old
from tests.app.drive import read_error, read_json, wait_until
from tests.servers.api import Api, Caller, build_settings, running_api
from tests.servers.ports import find_free_port

URL = "/v1/requests"


def build_seen(application_id: str, number: int = 0, *, account_id: int | None = None) -> SeenRequest:
    name = f"{application_id[:18]:x>18}-{number:017}"
    return SeenRequest(
        application_id, account_id, name, "GET", "/v1/accounts", None, 200, None, time.time(), 0.1, 0, 2, 3
    )


def replace(state: State, **parts: Any) -> State:
    """A state with other parts, as another process would have."""
    return State(**{name: getattr(state, name) for name in State.__slots__} | parts)


async def count(state: State, application_id: str) -> int:
    async with state.db.reading() as session:
        query = select(func.count()).select_from(LoggedRequest).where(LoggedRequest.application_id == application_id)
        return await session.scalar(query) or 0


def test_requests_are_written_although_nobody_looks(api: Api, caller: Caller, client: httpx.Client) -> None:
    client.get("/v1/accounts")
    wait_until(lambda: api.run(count(api.state, caller.application_id)) >= 1)


def test_requests_that_another_process_served_are_seen(api: Api, caller: Caller, client: httpx.Client) -> None:
    elsewhere = build_seen(caller.application_id)

    async def serve_elsewhere() -> None:
        journal = Journal()
        journal.note(elsewhere)
        await RequestLog(replace(api.state, journal=journal)).write()

    api.run(serve_elsewhere())
    assert elsewhere.request_id in [entry["id"] for entry in read_json(client.get(URL))["objects"]]


def test_requests_are_written_when_the_server_ends(tmp_path: Path) -> None:
    settings = build_settings(tmp_path)
    with running_api(settings) as api:
        caller = api.create_caller()
        with caller.client() as client:
            last = client.get("/v1/accounts").headers["x-request-id"]
    with running_api(settings) as api, api.client(caller.key_header) as client:
        assert read_json(client.get(f"{URL}/{last}"))["route"] == "/v1/accounts"


def test_only_the_newest_of_an_application_stay(api: Api) -> None:
    names = ("trimmed", "other")

    async def try_it() -> dict[str, int]:
        settings = api.state.settings.model_copy(update={"request_log_rows_max": 50})
        journal = Journal()
        request_log = RequestLog(replace(api.state, journal=journal, settings=settings))
        for number in range(TRIM_COUNT + 200):
            journal.note(build_seen(f"{names[0]}{api.settings.port}", number))
        for number in range(100):
            journal.note(build_seen(f"{names[1]}{api.settings.port}", number))
        await request_log.write()
        return {name: await count(api.state, f"{name}{api.settings.port}") for name in names}

    kept = api.run(try_it())
    assert 50 <= kept["trimmed"] <= 50 + TRIM_COUNT
    assert kept["other"] == 100


def test_the_newest_are_those_that_stay(api: Api) -> None:
    application_id = f"newest{api.settings.port}"

    async def try_it() -> list[str]:
        settings = api.state.settings.model_copy(update={"request_log_rows_max": 3})
        journal = Journal()
        for number in range(TRIM_COUNT):
            journal.note(build_seen(application_id, number))
        await RequestLog(replace(api.state, journal=journal, settings=settings)).write()
        async with api.state.db.reading() as session:
            query = select(LoggedRequest.request_id).where(LoggedRequest.application_id == application_id)
            return list(await session.scalars(query.order_by(LoggedRequest.id)))

    kept = api.run(try_it())
    assert kept == [build_seen(application_id, TRIM_COUNT - 3 + place).request_id for place in range(3)]


def test_requests_are_forgotten_after_a_day(api: Api, caller: Caller, client: httpx.Client) -> None:
    old, new = (client.get("/v1/accounts").headers["x-request-id"] for _ in range(2))
    assert read_json(client.get(f"{URL}/{old}"))["id"] == old

    async def age() -> int:
        long_ago = now() - timedelta(hours=24, seconds=1)
        async with api.state.db.writing() as session:
            await session.execute(
                update(LoggedRequest).where(LoggedRequest.request_id == old).values(started_at=long_ago)
            )
        return await delete_old(api.state)

    assert api.run(age()) >= 1
    assert read_error(client.get(f"{URL}/{old}")) == (404, "not_found")
    assert read_json(client.get(f"{URL}/{new}"))["id"] == new


def test_newest_are_dropped_and_counted_when_too_many_wait() -> None:
    journal = Journal(waiting_max=3)
    for number in range(5):
        journal.note(build_seen("a", number))
    assert journal.dropped_count == 2
    assert [seen.request_id for seen in journal.take(2)] == [build_seen("a", number).request_id for number in range(2)]
    assert [len(journal.take(10)), len(journal.take(10))] == [1, 0]


def test_server_says_how_many_were_dropped_when_the_database_is_gone(api: Api) -> None:
    async def try_it() -> int:
        nowhere = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{find_free_port()}/none", seconds_max=1)
        journal = Journal()
        for number in range(3):
            journal.note(build_seen("a", number))
        await RequestLog(replace(api.state, journal=journal, db=nowhere)).write()
        await nowhere.aclose()
        return len(journal.take(10))

    with capture_logs() as lines:
        assert api.run(try_it()) == 0
    assert [(line["event"], line["count"]) for line in lines] == [("requests not written down", 3)]


def test_log_goes_on_when_the_server_had_a_fault_in_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    application_id = f"fault{api.settings.port}"

    async def try_it() -> int:
        journal = Journal()
        request_log = RequestLog(replace(api.state, journal=journal))
        with monkeypatch.context() as context:
            context.setattr(RequestRepository, "add_all", lambda *_: 1 / 0)
            journal.note(build_seen(application_id, 1))
            await request_log.write()
        journal.note(build_seen(application_id, 2))
        await request_log.write()
        return await count(api.state, application_id)

    with capture_logs() as lines:
        assert api.run(try_it()) == 1
    assert "requests could not be written down" in [line["event"] for line in lines]


def test_requests_are_answered_while_the_log_is_written(api: Api, caller: Caller, client: httpx.Client) -> None:
    async def write_slowly() -> None:
        journal = Journal()
        request_log = RequestLog(replace(api.state, journal=journal))
        for number in range(5000):
            journal.note(build_seen(f"slow{api.settings.port}", number))
        await asyncio.gather(*(request_log.write() for _ in range(3)))

    writing = asyncio.run_coroutine_threadsafe(write_slowly(), api.loop)
    while not writing.done():
        assert client.get(caller.account_url).status_code == 200
    writing.result()
    assert api.run(count(api.state, f"slow{api.settings.port}")) == 5000


def test_no_log_is_kept_when_the_operator_wants_none(tmp_path: Path) -> None:
    with running_api(build_settings(tmp_path, request_log_hours_max=0)) as api:
        caller = api.create_caller()
        with caller.client() as client:
            known = client.get("/v1/accounts").headers["x-request-id"]
            for url in (URL, f"{URL}/{known}"):
                assert read_error(client.get(url)) == (501, "not_implemented")
        assert api.run(count(api.state, caller.application_id)) == 0
