"""Chores that the server does by itself: each at its interval, one process at a time, no failure stops the rest."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from app.accounts import service as accounts
from app.core.clock import now
from app.core.locks import try_to_hold
from app.core.state import State
from app.disconnecting.service import delete_orphans
from app.housekeeping import JOBS, Job, keep_house, run_job
from app.links import service as links
from app.models import Account, BearerToken, UploadPart, UploadSession
from app.uploads import service as uploads
from tests.app.drive import wait_until
from tests.servers.api import Api, Caller

WAIT_SECONDS_MAX = 30.0


def test_every_job_has_its_own_name_and_an_interval() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS) > 0
    assert all(job.every_seconds > 0 and job.seconds_max > 0 for job in JOBS)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_job_finds_nothing_more_to_do_when_it_was_done(api: Api, job: Job) -> None:
    wait_until(lambda: api.run(run_job(api.state, job)) is not None)  # the server itself may be at it
    wait_until(lambda: api.run(run_job(api.state, job)) == 0)


def test_failure_is_logged_and_other_jobs_and_later_times_go_on(api: Api) -> None:
    done: list[str] = []
    all_done = asyncio.Event()

    async def succeed(_state: State) -> int:
        done.append("good")
        if done.count("good") >= 2 and done.count("bad") >= 2:
            all_done.set()
        return 1

    async def fail(_state: State) -> int:
        done.append("bad")
        raise ZeroDivisionError

    async def keep() -> None:
        jobs = [
            Job(name="bad", rule="", every_seconds=0, run=fail),
            Job(name="good", rule="", every_seconds=0, run=succeed),
        ]
        keeping = asyncio.create_task(keep_house(api.state, jobs))
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await all_done.wait()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    with capture_logs() as lines:
        api.run(keep())
    failed = [(line["job"], line["error"]) for line in lines if line["event"] == "job failed"]
    assert set(failed) == {("bad", "ZeroDivisionError")}


def test_job_that_takes_too_long_is_cut_off(api: Api) -> None:
    async def hang(_state: State) -> int:
        await asyncio.Event().wait()
        return 1

    with capture_logs() as lines:
        assert (
            api.run(run_job(api.state, Job(name="slow", rule="", every_seconds=1, run=hang, seconds_max=0.1))) is None
        )
    assert [line["error"] for line in lines if line["event"] == "job failed"] == ["TimeoutError"]


def test_job_is_left_to_the_process_that_is_at_it(api: Api) -> None:
    done: list[int] = []

    async def note(_state: State) -> int:
        done.append(1)
        return 1

    async def try_meanwhile(name: str) -> int | None:
        async with try_to_hold(api.state.db, name) as is_ours:
            assert is_ours
            return await run_job(api.state, Job(name="chore", rule="", every_seconds=1, run=note))

    is_shared = not api.state.db.is_sqlite  # one process serves SQLite: nobody can be at it
    assert api.run(try_meanwhile("job:chore")) == (None if is_shared else 1)
    assert api.run(try_meanwhile("job:another")) == 1
    assert len(done) == (1 if is_shared else 2)


def test_accounts_of_a_deleted_application_are_purged(api: Api, caller: Caller) -> None:
    kept = api.create_caller()
    api.run(delete_orphans(api.state))
    with caller.client(caller.developer_header) as developer:
        assert developer.delete(f"/v1/applications/{caller.application_id}").status_code == 204
    assert api.run(delete_orphans(api.state)) == 1

    async def load(account_id: int) -> tuple[Account, int]:
        async with api.state.db.reading() as session:
            count = select(func.count()).select_from(BearerToken).where(BearerToken.account_id == account_id)
            return await session.get_one(Account, account_id), await session.scalar(count) or 0

    account, tokens_count = api.run(load(caller.account_id))
    assert (account.deleted_at is None, account.sealed_credentials, tokens_count) == (False, None, 0)
    account, tokens_count = api.run(load(kept.account_id))
    assert (account.deleted_at, account.sealed_credentials is None, tokens_count) == (None, False, 1)


@pytest.fixture
def upload_id(caller: Caller) -> int:
    """An upload with one part."""
    with caller.client() as client:
        started = client.post(f"{caller.storage_url}/multipart", json={"name": "a.bin", "parent_id": "root"}).json()
        assert client.put(started["href"], params={"part_number": 1}, content=b"part").status_code == 200
    return int(started["id"])


def change(api: Api, upload_id: int, **values: object) -> None:
    async def write() -> None:
        async with api.state.db.writing() as session:
            await session.execute(update(UploadSession).where(UploadSession.id == upload_id).values(**values))

    api.run(write())


def read(api: Api, upload_id: int) -> tuple[str | None, int]:
    """The upload's state, None if it is forgotten, and how many parts are noted."""

    async def load() -> tuple[str | None, int]:
        async with api.state.db.reading() as session:
            state = await session.scalar(select(UploadSession.state).where(UploadSession.id == upload_id))
            parts = select(func.count()).select_from(UploadPart).where(UploadPart.upload_session_id == upload_id)
            return state, await session.scalar(parts) or 0

    return api.run(load())


@pytest.mark.parametrize(("state", "after"), [("finished", None), ("aborted", None), ("open", "open")])
def test_upload_is_forgotten_with_its_parts_when_it_ended_long_ago(
    api: Api, upload_id: int, state: str, after: str | None
) -> None:
    change(api, upload_id, state=state, expires_at=now() - timedelta(days=uploads.ENDED_UPLOAD_DAYS, minutes=-5))
    api.run(uploads.delete_ended(api.state))
    assert read(api, upload_id) == (state, 1)
    change(api, upload_id, expires_at=now() - timedelta(days=uploads.ENDED_UPLOAD_DAYS, minutes=5))
    api.run(uploads.delete_ended(api.state))
    assert read(api, upload_id) == (after, 0 if after is None else 1)


def test_upload_of_a_deleted_account_ends_before_its_time(api: Api, caller: Caller, upload_id: int) -> None:
    api.run(accounts.purge_account(api.state, account_id=caller.account_id))
    api.run(uploads.abort_expired(api.state))
    assert read(api, upload_id) == ("aborted", 0)


def test_upload_that_no_storage_aborts_is_given_up_and_holds_up_no_other(
    api: Api, caller: Caller, upload_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "BATCH_COUNT", 1)
    with caller.client() as client:
        other = client.post(f"{caller.storage_url}/multipart", json={"name": "b.bin", "parent_id": "root"}).json()
    change(api, upload_id, expires_at=now() - timedelta(days=1), sealed_state="1.00000000.AAAA")
    change(api, int(other["id"]), expires_at=now() - timedelta(days=1))
    api.run(uploads.abort_expired(api.state))
    assert (read(api, upload_id), read(api, int(other["id"]))) == (("finishing", 1), ("aborted", 0))
    change(api, upload_id, claimed_until=now(), expires_at=now() - timedelta(days=uploads.ABORT_DAYS_MAX, minutes=5))
    api.run(uploads.abort_expired(api.state))
    assert read(api, upload_id) == ("aborted", 0)
    assert api.run(uploads.reseal_states(api.state)) >= 1  # although the key of this one is gone
    assert api.run(uploads.reseal_states(api.state)) == 0


@pytest.mark.parametrize(("expired_days", "is_kept"), [(None, True), (-1, True), (89, True), (91, False)])
def test_link_is_forgotten_when_it_expired_long_ago(
    api: Api, caller: Caller, expired_days: int | None, is_kept: bool
) -> None:
    (caller.folder / "a.txt").write_text("a")
    with caller.client() as client:
        file_id = client.get(f"{caller.storage_url}/path", params={"path": "/a.txt"}).json()["id"]
        link = client.post(f"{caller.storage_url}/links", json={"file_id": file_id}).json()
        if expired_days is not None:
            expiration = (now() - timedelta(days=expired_days)).isoformat()
            assert client.patch(link["href"], json={"expiration": expiration}).status_code == 200
        api.run(links.delete_expired(api.state))
        assert client.get(link["href"]).status_code == (200 if is_kept else 404)
