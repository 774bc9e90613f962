"""What all simulators stand on: consents, faults, sample files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from simulators.core.asking import read_budget, read_chance, read_rule, read_user
from simulators.core.clock import Clock
from simulators.core.contents import Contents
from simulators.core.faults import Budget, Chance, Fault, FaultKind, Faults, Rule
from simulators.core.grants import Client, CodeRequest, Grant, Grants, OAuthError, TokenExpiredError, TokenInvalidError
from simulators.core.samples import build_samples

CLIENT = Client(client_id="c", client_secret="s", name="C", redirect_urls=("http://localhost/a",))
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()


@pytest.fixture
def grants() -> Grants:
    grants = Grants(clock=Clock())
    grants.register(CLIENT)
    return grants


def _ask(challenge: str | None = None) -> CodeRequest:
    return CodeRequest(
        client_id="c",
        redirect_url="http://localhost/a",
        scopes=frozenset({"read"}),
        wants_refresh=True,
        challenge=challenge,
        challenge_method="S256",
    )


@pytest.mark.parametrize("url", ["http://localhost/a/", "http://localhost/A", "http://localhost/a?x=1"])
def test_an_address_is_refused_when_it_differs_by_a_letter(grants: Grants, url: str) -> None:
    grants.check_redirect(CLIENT, "http://localhost/a")
    with pytest.raises(OAuthError):
        grants.check_redirect(CLIENT, url)


@pytest.mark.parametrize(
    ("challenge", "verifier", "redirect_url", "seconds"),
    [
        (CHALLENGE, "another", "http://localhost/a", 0),
        (CHALLENGE, None, "http://localhost/a", 0),
        (None, "uncalled for", "http://localhost/a", 0),
        (None, None, "http://localhost/b", 0),
        (None, None, "http://localhost/a", 601),
    ],
    ids=["wrong verifier", "no verifier", "no challenge", "address", "late"],
)
def test_a_code_is_refused_when_anything_differs_from_its_request(
    grants: Grants, challenge: str | None, verifier: str | None, redirect_url: str, seconds: int
) -> None:
    code = grants.allow(_ask(challenge), user_number=1)
    grants.clock.advance(seconds)
    with pytest.raises(OAuthError) as refused:
        grants.exchange(code, client=CLIENT, redirect_url=redirect_url, verifier=verifier)
    assert refused.value.code == "invalid_grant"


def test_a_code_becomes_tokens_that_end_and_are_renewed(grants: Grants) -> None:
    code = grants.allow(_ask(CHALLENGE), user_number=1)
    tokens = grants.exchange(code, client=CLIENT, redirect_url="http://localhost/a", verifier="verifier")
    assert grants.authenticate(tokens.access_token).scopes == {"read"}
    grants.clock.advance(grants.access_seconds)
    with pytest.raises(TokenExpiredError):
        grants.authenticate(tokens.access_token)
    renewed = grants.refresh(tokens.refresh_token or "", client=CLIENT)
    assert renewed.refresh_token is None
    assert grants.authenticate(renewed.access_token).user_number == 1
    grants.revoke_user(1)
    with pytest.raises(TokenInvalidError):
        grants.authenticate(renewed.access_token)


def test_a_refresh_token_is_good_once_when_they_rotate(grants: Grants) -> None:
    grants.rotates_refresh_tokens = True
    first = grants.issue(Grant(client_id="c", user_number=1, scopes=frozenset())).refresh_token or ""
    second = grants.refresh(first, client=CLIENT).refresh_token
    assert second is not None
    with pytest.raises(OAuthError):
        grants.refresh(first, client=CLIENT)
    assert (grants.refresh_count, grants.refresh_asked_count) == (1, 2)
    assert grants.refresh(second, client=CLIENT).refresh_token not in {first, second, None}


def test_a_rule_meets_the_requests_that_it_names() -> None:
    slow = Fault(kind=FaultKind.SLOW, seconds=1)
    faults = Faults([Rule(fault=slow, method="POST", path="up.oad$", skip=1, every=2, times=2)])
    asked = [("GET", "/upload"), ("POST", "/download"), *[("POST", "/upload")] * 9]
    met = [faults.choose(method, path) for method, path in asked]
    assert [number for number, fault in enumerate(met) if fault is slow] == [4, 6]
    assert faults.counts == {FaultKind.SLOW: 2}


def test_what_is_asked_for_is_read_as_it_is_said() -> None:
    rule = read_rule({"kind": "slow", "seconds": 2, "path": "/2/", "times": 1})
    assert rule == Rule(fault=Fault(kind=FaultKind.SLOW, seconds=2), path="/2/", times=1)
    chance = read_chance({"seed": 7, "kinds": ["stale"], "seconds": None})
    assert (chance.every, chance.kinds, chance.seconds) == (3, (FaultKind.STALE,), None)
    usual = read_chance({"seed": 7})
    assert (usual.kinds, usual.seconds) == (Chance(seed=7).kinds, 0)
    assert read_budget({"requests_max": 1, "seconds": 60}) == Budget(requests_max=1, seconds=60)


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (read_rule, {}),
        (read_rule, []),
        (read_rule, {"kind": "slow", "colour": "red"}),
        (read_rule, {"kind": "slow", "path": "("}),
        (read_rule, {"kind": "slow", "every": 0}),
        (read_rule, {"kind": "slow", "seconds": "2"}),
        (read_rule, {"kind": "unavailable", "status": 1000}),
        (read_chance, {"seed": 1, "every": 0}),
        (read_chance, {"seed": 1, "kinds": []}),
        (read_chance, {"seed": 1, "path": "("}),
        (read_budget, {"requests_max": 0, "seconds": 60}),
        (read_budget, {"requests_max": 1, "seconds": 60, "path": "("}),
        (read_user, {"number": "4", "email": "d@example.com", "given_name": "D", "surname": "E"}),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_request_meets_it(
    read: Callable[[object], object], data: object
) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(data)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), 1e13])
def test_a_clock_stays_as_it_is_when_it_should_go_nowhere(seconds: float) -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(seconds)
    assert clock.ahead == timedelta()


def test_samples_are_the_same_when_the_seed_is() -> None:
    assert build_samples(7, many_count=3) == build_samples(7, many_count=3) != build_samples(8, many_count=3)


def test_a_content_is_written_in_any_order_and_goes_with_its_folder() -> None:
    contents = Contents()
    draft = contents.begin()
    draft.write(b"world", at=6)
    draft.rest()
    draft.write(b"hello ", at=0)
    content = draft.finish()
    assert (content.read(), content.read(6, 2), content.size_bytes) == (b"hello world", b"wo", 11)
    contents.close()
    assert not content.path.exists()
