"""What goes wrong on purpose, as clients see it; and what the simulator tells others by itself."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import dropbox
import httpx
import pytest
from dropbox.exceptions import ApiError, InternalServerError, RateLimitError

from simulators.core.faults import Budget, Chance, Fault, FaultKind, Faults, Rule
from simulators.core.world import SANDBOX_CLIENT
from tests.servers.dropbox import Place
from tests.servers.loop import entered_beside, run_beside
from tests.servers.scripted import Reply, ScriptedServer, Seen

UPLOAD = "upload$"


def _plan(place: Place, kind: FaultKind, *, path: str = "", times: int | None = 1, **details: float | None) -> None:
    place.world.faults.add(Rule(fault=Fault(kind=kind, **details), path=path, times=times))  # type: ignore[arg-type]  # by keyword


@pytest.mark.parametrize("seconds", [0, None], ids=["hint", "no hint"])
def test_a_client_is_told_to_wait_when_it_asks_too_often(place: Place, seconds: float | None) -> None:
    _plan(place, FaultKind.RATE_LIMITED, seconds=seconds)
    sdk = place.build_sdk(1, max_retries_on_rate_limit=0)
    with pytest.raises(RateLimitError) as refused:
        sdk.files_upload(b"x" * 100_000, "/a.txt")
    assert refused.value.backoff == seconds
    assert sdk.files_list_folder("").entries == []


def test_a_caller_waits_when_its_budget_is_spent(place: Place) -> None:
    place.world.faults.budget = Budget(requests_max=2, seconds=60, path="/2/")
    sdk = place.build_sdk(1, max_retries_on_rate_limit=0)
    sdk.check_user("one")
    sdk.check_user("two")
    place.world.clock.advance(20)
    with pytest.raises(RateLimitError) as refused:
        sdk.check_user("three")
    assert refused.value.backoff == 40
    assert place.build_sdk(1).check_user("another token").result
    place.world.clock.advance(40)
    assert sdk.check_user("three").result == "three"


def test_writes_are_refused_when_they_meet_each_other(place: Place) -> None:
    _plan(place, FaultKind.TOO_MANY_WRITES, path=UPLOAD, seconds=3)
    with pytest.raises(RateLimitError) as refused:
        place.build_sdk(1, max_retries_on_rate_limit=0).files_upload(b"x", "/a.txt")
    assert (refused.value.error.reason._tag, refused.value.backoff) == ("too_many_write_operations", 3)


@pytest.mark.parametrize(("kind", "is_done"), [(FaultKind.UNAVAILABLE, False), (FaultKind.LOST_ANSWER, True)])
def test_a_write_may_have_happened_when_its_answer_is_an_error(place: Place, kind: FaultKind, *, is_done: bool) -> None:
    _plan(place, kind, status=502)
    sdk = place.build_sdk(1, max_retries_on_error=0)
    with pytest.raises(InternalServerError) as failed:
        sdk.files_upload(b"x", "/a.txt")
    assert failed.value.status_code == 502
    assert bool(sdk.files_list_folder("").entries) is is_done


def test_half_of_the_bytes_come_when_the_body_is_cut(place: Place, sdk: dropbox.Dropbox, client: httpx.Client) -> None:
    sdk.files_upload(b"x" * 1000, "/a.txt")
    _plan(place, FaultKind.CUT_BODY, path="download$")
    headers = {"Dropbox-API-Arg": '{"path": "/a.txt"}'}
    with client.stream("POST", "/2/files/download", headers=headers) as reply, pytest.raises(httpx.RemoteProtocolError):
        reply.read()
    assert len(client.post("/2/files/download", headers=headers).content) == 1000


def test_tokens_end_and_rotate_when_rules_say_so(place: Place) -> None:
    access_token, refresh_token = place.issue(1)
    sdk = dropbox.Dropbox(
        access_token,
        session=place.build_session(),
        oauth2_refresh_token=refresh_token,
        app_key=SANDBOX_CLIENT.client_id,
        app_secret=SANDBOX_CLIENT.client_secret,
    )
    sdk.refresh_access_token()
    _plan(place, FaultKind.EXPIRED_TOKEN, path="check/user")
    assert sdk.check_user("still here").result == "still here"
    assert place.world.grants.refresh_count == 2
    _plan(place, FaultKind.ROTATED_TOKEN, path="/oauth2/token")
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": SANDBOX_CLIENT.client_id}
    with httpx.Client(base_url=place.url, trust_env=False, timeout=60) as client:
        rotated = client.post("/oauth2/token", data=form).json()["refresh_token"]
        assert client.post("/oauth2/token", data=form).json()["error"] == "invalid_grant"
        assert client.post("/oauth2/token", data={**form, "refresh_token": rotated}).status_code == 200


def test_a_feed_begins_anew_when_its_cursor_was_reset(place: Place, sdk: dropbox.Dropbox) -> None:
    cursor = sdk.files_list_folder_get_latest_cursor("").cursor
    _plan(place, FaultKind.CURSOR_RESET, path="list_folder/continue")
    for ask in (sdk.files_list_folder_continue, sdk.files_list_folder_longpoll):
        with pytest.raises(ApiError) as refused:
            ask(cursor)
        assert refused.value.error.is_reset()
    assert not sdk.files_list_folder_continue(sdk.files_list_folder("").cursor).has_more


def test_new_files_are_missing_for_a_while_when_reads_are_stale(place: Place, sdk: dropbox.Dropbox) -> None:
    sdk.files_upload(b"x", "/old.txt")
    place.world.clock.advance(60)
    sdk.files_upload(b"x", "/new.txt")
    _plan(place, FaultKind.STALE, times=None, seconds=30)
    assert [entry.name for entry in sdk.files_list_folder("").entries] == ["old.txt"]
    assert len(sdk.files_search_v2("txt").matches) == 1
    with pytest.raises(ApiError):
        sdk.files_get_metadata("/new.txt")
    place.world.clock.advance(31)
    assert len(sdk.files_list_folder("").entries) == 2


def test_other_bytes_are_stored_when_the_provider_rewrites_them(place: Place, sdk: dropbox.Dropbox) -> None:
    _plan(place, FaultKind.REWRITTEN_BYTES, path=UPLOAD)
    assert sdk.files_upload(b"x", "/a.html").size > 1
    assert sdk.files_upload(b"x", "/b.html").size == 1


def test_the_same_requests_fail_when_the_seed_is_the_same() -> None:
    def run(seed: int) -> list[Fault | None]:
        faults = Faults(chance=Chance(seed=seed, path="/2/"))
        return [faults.choose("POST", "/2/x") for _ in range(30)]

    assert run(1) == run(1) != run(2)
    assert sum(fault is not None for fault in run(3)) == 10


def test_a_kind_does_not_come_where_it_is_spared_and_as_many_requests_fail_there() -> None:
    kinds = (FaultKind.CUT_BODY, FaultKind.UNAVAILABLE)
    faults = Faults(chance=Chance(seed=1, kinds=kinds, spared={FaultKind.CUT_BODY: "/download$"}))
    for path in ("/2/download", "/2/upload"):
        chosen = [faults.choose("POST", path) for _ in range(60)]
        seen = [fault.kind for fault in chosen if fault is not None]
        assert (len(seen), FaultKind.CUT_BODY in seen) == (20, path == "/2/upload")


def test_whoever_runs_it_changes_it_through_its_own_pages(place: Place) -> None:
    with httpx.Client(base_url=place.url, trust_env=False, timeout=60) as control:
        access_token = control.post("/simulator/tokens", json={"user": 2}).json()["access_token"]
        sdk = dropbox.Dropbox(access_token, session=place.build_session(), max_retries_on_error=0)
        control.post("/simulator/faults", json={"kind": "unavailable", "status": 500, "path": "/2/"})
        with pytest.raises(InternalServerError):
            sdk.check_user("x")
        control.delete("/simulator/faults")
        assert sdk.check_user("x").result == "x"
        for page, senseless in (("chance", {"seed": 1, "every": 0}), ("budget", {"requests_max": 0}), ("webhook", {})):
            assert control.post(f"/simulator/{page}", json=senseless).status_code == 400
        assert sdk.check_user("x").result == "x"
        control.post("/simulator/clock", json={"advance_seconds": 15_000})
        assert control.get("/simulator").json()["faults_done"] == {"unavailable": 1}
        assert control.post("/simulator/faults", json={"kind": "earthquake"}).status_code == 400
        control.post("/simulator/revoke", json={"user": 2})
        with pytest.raises(dropbox.exceptions.AuthError):
            sdk.check_user("x")


@pytest.fixture
def listener() -> Iterator[ScriptedServer]:
    """An application's server that echoes challenges."""

    def answer(seen: Seen) -> Reply:
        challenge = parse_qs(urlsplit(seen.target).query).get("challenge", [""])[0]
        return Reply(body=challenge.encode(), headers={"Content-Type": "text/plain"})

    with entered_beside(lambda: ScriptedServer(answer)) as server:
        yield server


def test_an_application_is_told_of_changes_with_its_signature(place: Place, listener: ScriptedServer) -> None:
    sdk = place.build_sdk(1)
    with httpx.Client(base_url=place.url, trust_env=False, timeout=60) as control:
        refused = {"client_id": SANDBOX_CLIENT.client_id, "url": f"{place.url}/nowhere"}
        assert control.post("/simulator/webhook", json=refused).status_code == 400
        control.post("/simulator/webhook", json={**refused, "url": f"{listener.url}/hook"}).raise_for_status()
    cursor = sdk.files_list_folder_get_latest_cursor("").cursor
    sdk.files_upload(b"x", "/a.txt")
    assert sdk.files_list_folder_longpoll(cursor).changes
    run_beside(_wait_for_notice(listener))
    notice = listener.seen[-1]
    signature = hmac.new(SANDBOX_CLIENT.client_secret.encode(), notice.body, hashlib.sha256).hexdigest()
    assert notice.headers["x-dropbox-signature"] == signature
    account = sdk.users_get_current_account().account_id
    assert json.loads(notice.body)["list_folder"]["accounts"] == [account]


async def _wait_for_notice(listener: ScriptedServer) -> None:
    while len(listener.seen) < 2:  # noqa: ASYNC110 - the server of the tests has no event for it
        await asyncio.sleep(0.01)
