"""Access tokens are renewed once for everybody, kept before they are used, and not asked for once the grant is dead."""

from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from starlette.types import Receive, Scope, Send

from app.accounts.callers import load_row
from app.accounts.credentials import open_credentials
from app.accounts.renewing import AccountTokens
from app.accounts.repository import AccountRepository
from app.core.clock import now
from app.models import Account
from connectors.core.errors import ConnectorError, ErrorKind
from simulators.core.faults import Fault, FaultKind
from tests.app.consenting import SERVICE
from tests.app.consents.conftest import Person

TOKEN_PATH = "oauth2/token$"
LIMITED = Fault(kind=FaultKind.RATE_LIMITED, seconds=60)  # longer than any call waits
WAIT_SECONDS_MAX = 20.0


def change(person: Person, account: dict[str, object], **values: Any) -> None:
    """Changes the row behind everybody's back, as another process does."""
    state = person.browser.caller.api.state

    async def write() -> None:
        async with state.db.writing() as session:
            await session.execute(update(Account).where(Account.id == account["id"]).values(**values))
            session.note_change(f"account:{account['id']}")

    person.browser.caller.api.run(write())


def read_claim(person: Person, account: dict[str, object]) -> tuple[int, datetime | None]:
    state = person.browser.caller.api.state

    async def read() -> tuple[int, datetime | None]:
        async with state.db.reading(is_newest=True) as session:
            row = await session.scalar(select(Account).where(Account.id == account["id"]))
        assert row is not None
        return row.renewal_epoch, row.renewal_ends_at

    return person.browser.caller.api.run(read())


def wait_for_claim(person: Person, account: dict[str, object]) -> int:
    ends_at = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < ends_at:
        epoch, claim_ends_at = read_claim(person, account)
        if claim_ends_at is not None:
            return epoch
        time.sleep(0.02)
    raise AssertionError("nobody claimed the account's tokens")


def hold_tokens(person: Person, monkeypatch: pytest.MonkeyPatch) -> Event:
    """From now on the provider answers nobody who asks for tokens until the event is set."""
    app, may_answer = person.place.listening.app, Event()

    async def wait_before(scope: Scope, receive: Receive, send: Send) -> None:
        if re.search(TOKEN_PATH, scope.get("path", "")):
            await asyncio.to_thread(may_answer.wait, WAIT_SECONDS_MAX)
        await app(scope, receive, send)

    monkeypatch.setattr(person.place.listening, "app", wait_before)
    return may_answer


def ask_aside(person: Person, account: dict[str, object], pool: ThreadPoolExecutor) -> Future[httpx.Response]:
    return pool.submit(person.get_quota, account["id"])


@pytest.fixture
def account(person: Person) -> dict[str, object]:
    return person.get_account()


def test_token_is_renewed_once_when_many_calls_are_refused_at_the_same_time(person: Person) -> None:
    person.grants.rotates_refresh_tokens = True
    account = person.get_account()
    before = person.grants.refresh_count
    person.grants.expire(str(account["token"]))
    with ThreadPoolExecutor(10) as pool:
        replies = [ask_aside(person, account, pool) for _ in range(10)]
    assert [reply.result().status_code for reply in replies] == [200] * 10
    assert person.grants.refresh_count == before + 1
    renewed = person.look(account["id"])
    assert renewed["token"] != account["token"]
    assert renewed["refresh_token"] != account["refresh_token"]
    assert read_claim(person, account)[1] is None


def test_token_is_renewed_ahead_when_it_is_about_to_end(person: Person) -> None:
    person.grants.access_seconds = 20
    account = person.get_account()
    person.grants.access_seconds = 3600
    before = person.grants.refresh_count
    assert [person.get_quota(account["id"]).status_code for _ in range(2)] == [200, 200]
    assert person.grants.refresh_count == before + 1


def test_token_that_is_still_good_is_used_when_it_cannot_be_renewed_now(person: Person) -> None:
    person.grants.access_seconds = 20
    account = person.get_account()
    person.fail(TOKEN_PATH, LIMITED)
    assert person.get_quota(account["id"]).status_code == 200


def test_provider_is_not_asked_again_when_the_grant_is_dead(person: Person, account: dict[str, object]) -> None:
    person.grants.revoke_user(person.number)
    reply = person.get_quota(account["id"])
    assert (reply.status_code, reply.json()["error_code"]) == (401, "service_unauthorized")
    assert "connect it again" in reply.json()["message"]
    assert person.look(account["id"])["reconnect"] is True
    grant = person.grants.find_grant(str(account["token"]))
    assert grant is not None
    grant.is_revoked = False  # if it were asked now, it would say yes
    assert person.get_quota(account["id"]).json()["error_code"] == "service_unauthorized"


def test_call_ends_after_one_renewal_when_the_new_token_is_refused_at_once(
    person: Person, account: dict[str, object]
) -> None:
    person.fail("get_space_usage", Fault(kind=FaultKind.EXPIRED_TOKEN))
    before, asked = person.grants.refresh_count, person.place.world.faults.counts.get(FaultKind.EXPIRED_TOKEN, 0)
    reply = person.get_quota(account["id"])
    assert (reply.status_code, reply.json()["error_code"]) == (401, "service_unauthorized")
    assert "reconnect it" in reply.json()["message"]
    assert person.grants.refresh_count == before + 1
    assert person.place.world.faults.counts[FaultKind.EXPIRED_TOKEN] == asked + 2
    person.place.world.faults.clear()
    assert person.get_quota(account["id"]).status_code == 200  # it was the provider's fault, and is over


def test_account_lives_on_when_the_provider_cannot_renew_for_a_while(
    person: Person, account: dict[str, object]
) -> None:
    person.grants.expire(str(account["token"]))
    person.fail(TOKEN_PATH, Fault(kind=FaultKind.UNAVAILABLE))
    assert person.get_quota(account["id"]).status_code == 503
    assert person.look(account["id"])["reconnect"] is False
    person.place.world.faults.clear()
    assert person.get_quota(account["id"]).status_code == 200


def test_account_lives_on_when_its_client_is_refused(person: Person, account: dict[str, object]) -> None:
    person.grants.expire(str(account["token"]))
    client = person.grants.get_client("sandbox-client")
    person.grants._clients.pop(client.client_id)
    reply = person.get_quota(account["id"])
    person.grants.register(client)
    assert (reply.status_code, "OAuth client" in reply.json()["message"]) == (502, True)
    assert person.get_quota(account["id"]).status_code == 200


def test_claim_is_taken_over_when_its_process_has_died(person: Person, account: dict[str, object]) -> None:
    person.grants.expire(str(account["token"]))
    change(person, account, renewal_epoch=7, renewal_ends_at=now() + timedelta(seconds=1))
    assert person.get_quota(account["id"]).status_code == 200
    assert read_claim(person, account) == (8, None)


def test_failure_of_another_process_is_shared_when_it_gives_its_claim_back(
    person: Person, account: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    person.grants.expire(str(account["token"]))
    change(person, account, renewal_epoch=7, renewal_ends_at=now() + timedelta(hours=1))
    before, api = person.grants.refresh_count, person.browser.caller.api
    claim, has_seen = AccountRepository.claim_renewal, Event()

    async def note(*arguments: Any, **given: Any) -> int | None:
        epoch = await claim(*arguments, **given)
        has_seen.set()
        return epoch

    monkeypatch.setattr(AccountRepository, "claim_renewal", note)

    async def renew() -> str:
        row = await load_row(api.state, int(str(account["id"])))
        assert row is not None
        return await AccountTokens(api.state, row, open_credentials(api.state, row)).refreshed(str(account["token"]))

    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(api.run, renew())
        assert has_seen.wait(WAIT_SECONDS_MAX)
        change(person, account, renewal_ends_at=None)
        with pytest.raises(ConnectorError) as caught:
            renewing.result()
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert person.grants.refresh_count == before


def test_new_tokens_are_kept_when_the_claim_was_taken_over_meanwhile(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    person.grants.rotates_refresh_tokens = True
    account = person.get_account()
    person.grants.expire(str(account["token"]))
    may_answer = hold_tokens(person, monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        reply = ask_aside(person, account, pool)
        epoch = wait_for_claim(person, account)
        change(person, account, renewal_epoch=epoch + 1, grant_ended_at=now())  # the other one was refused
        may_answer.set()
        assert reply.result().status_code == 200
    kept = person.look(account["id"])
    assert (kept["refresh_token"] != account["refresh_token"], kept["reconnect"]) == (True, False)


def test_credentials_of_a_new_connection_stay_when_the_older_ones_are_renewed_meanwhile(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = person.get_account()
    person.grants.expire(str(account["token"]))
    may_answer = hold_tokens(person, monkeypatch)
    token, refresh_token = person.place.issue(person.number)
    with ThreadPoolExecutor(1) as pool, person.browser.caller.client() as client:
        reply = ask_aside(person, account, pool)
        wait_for_claim(person, account)
        body = {"account": "again", "service": SERVICE, "token": token, "refresh_token": refresh_token}
        assert client.post("/v1/accounts", json=body).json()["id"] == account["id"]
        may_answer.set()
        assert reply.result().status_code == 200
    kept = person.look(account["id"])
    assert (kept["token"], kept["refresh_token"]) == (token, refresh_token)
