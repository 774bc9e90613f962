"""Callers that ask too much: 429 with the time to wait, and every reply says how much is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json, wait_until
from tests.servers.api import Api, Caller, build_settings, running_api

SLOW = 0.01  # a second: nothing comes back during a test
TOO_MANY = (429, "too_many_requests")
WAIT_SECONDS_MAX = 20.0


@contextmanager
def limited(folder: Path, **given: Any) -> Iterator[Api]:
    """A server with limits of its own."""
    with running_api(build_settings(folder, **given)) as api:
        yield api


def ask_until_refused(client: httpx.Client, url: str) -> list[httpx.Response]:
    """The answers, up to the first that is 429."""
    answers: list[httpx.Response] = []
    while not answers or answers[-1].status_code != 429:
        answers.append(client.get(url))
        assert len(answers) < 100
    return answers


def test_account_is_refused_when_it_asks_too_much_and_others_go_on(tmp_path: Path) -> None:
    with limited(tmp_path, account_requests_per_second=SLOW, account_requests_burst=5) as api:
        caller, other = api.create_caller(), api.create_caller()
        url = f"{caller.storage_url}/folders/root"
        with caller.client() as client:
            answers = ask_until_refused(client, url)
            assert read_error(answers[-1]) == TOO_MANY
            assert 90 <= int(answers[-1].headers["retry-after"]) <= 100
            with caller.client(caller.bearer_header) as own:
                assert read_error(own.get(url)) == TOO_MANY
                assert read_error(own.get("/v1/accounts/me")) == TOO_MANY
            assert client.get("/v1/accounts").status_code == 200
        with other.client() as stranger:
            assert stranger.get(f"{other.storage_url}/folders/root").status_code == 200


def test_application_is_refused_when_it_asks_too_much_and_others_go_on(tmp_path: Path) -> None:
    given = {"application_requests_per_second": SLOW, "application_requests_burst": 6}
    with limited(tmp_path, **given) as api:
        caller, other = api.create_caller(), api.create_caller()
        with caller.client() as client, caller.client(caller.bearer_header) as own:
            assert read_error(ask_until_refused(client, "/v1/accounts")[-1]) == TOO_MANY
            for url in (caller.account_url, f"{caller.storage_url}/folders/root", "/v1/oauth/token"):
                assert read_error(own.get(url)) == TOO_MANY, url
        with other.client() as stranger:
            assert stranger.get("/v1/accounts").status_code == 200
        with caller.client(caller.developer_header) as developer:
            answers = ask_until_refused(developer, "/v1/meta/applications")
            assert [answer.status_code for answer in answers] == [200] * 6 + [429]


def test_every_reply_to_a_known_caller_says_how_much_is_left(tmp_path: Path) -> None:
    given = {
        "application_requests_per_second": 0.05,
        "application_requests_burst": 30,
        "account_requests_per_second": 0.02,
        "account_requests_burst": 10,
    }
    both = '"application";q=30;w=600, "account";q=10;w=500'
    with limited(tmp_path, **given) as api:
        caller = api.create_caller()
        with caller.client() as client, caller.client(caller.bearer_header) as own:
            used = 2  # of the application, while it was made; one of them on the account
            for number, (asker, url, status) in enumerate(
                [
                    (client, f"{caller.storage_url}/folders/root", 200),
                    (own, f"{caller.storage_url}/folders/root/contents", 200),
                    (own, "/v1/accounts", 200),
                    (client, f"{caller.storage_url}/files/nonsense", 404),
                    (client, f"{caller.storage_url}/folders/root/contents?page_size=0", 400),
                ],
                1,
            ):
                answer = asker.get(url)
                assert answer.status_code == status
                assert answer.headers["ratelimit-policy"] == both
                application, account = answer.headers["ratelimit"].split(", ")
                assert application.startswith(f'"application";r={30 - used - number};t=')
                assert account.startswith(f'"account";r={10 - 1 - number};t=')
            alone = client.get("/v1/accounts")
            assert alone.headers["ratelimit-policy"] == '"application";q=30;w=600'
            exposed = alone.headers["access-control-expose-headers"]
            assert {"RateLimit", "RateLimit-Policy"} <= set(exposed.split(", "))
        with api.client() as nobody:
            assert "ratelimit" not in nobody.get("/v1/accounts").headers


def test_nothing_is_said_and_nobody_refused_when_limits_are_off(caller: Caller, client: httpx.Client) -> None:
    for _ in range(50):
        answer = client.get(caller.account_url)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


def count_running(api: Api, caller: Caller) -> int:
    """How many requests of the account the server counts; asking it by a request would count as one."""
    assert api.state.limits.parallel is not None
    return api.state.limits.parallel._counts.get(caller.account_id, 0)


def test_account_is_refused_when_too_many_of_its_requests_run(tmp_path: Path) -> None:
    with limited(tmp_path, account_requests_parallel_max=2) as api:
        caller, other = api.create_caller(), api.create_caller()
        is_over = threading.Event()

        def read() -> Iterator[bytes]:
            yield b"x"
            assert is_over.wait(WAIT_SECONDS_MAX)

        def upload(name: str) -> httpx.Response:
            with caller.client() as client:
                return Drive(caller, client).send_file(name, read())

        url = f"{caller.storage_url}/folders/root"
        with ThreadPoolExecutor(2) as pool, caller.client() as client, other.client() as stranger:
            running = [pool.submit(upload, name) for name in "ab"]
            wait_until(lambda: count_running(api, caller) == 2)
            refused = client.get(url)
            assert read_error(refused) == TOO_MANY
            assert int(refused.headers["retry-after"]) >= 1
            assert client.get("/v1/accounts").status_code == 200
            assert stranger.get(f"{other.storage_url}/folders/root").status_code == 200
            is_over.set()
            assert [upload.result(WAIT_SECONDS_MAX).status_code for upload in running] == [201, 201]
            wait_until(lambda: count_running(api, caller) == 0)
            assert client.get(url).status_code == 200


def test_requests_that_fail_or_are_given_up_are_not_counted_as_running_for_ever(tmp_path: Path) -> None:
    with limited(tmp_path, account_requests_parallel_max=1) as api:
        caller = api.create_caller()
        with caller.client() as client:
            drive = Drive(caller, client)
            file = drive.upload("big", b"x" * 3_000_000)
            assert client.get(drive.url("files/nonsense")).status_code == 404
            assert client.post(drive.url("folders"), content=b"{").status_code == 400
            with client.stream("GET", f"{file['href']}/contents") as reply:
                assert reply.status_code == 200
        with caller.client() as client:
            wait_until(lambda: client.get(caller.account_url).status_code == 200)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that bears three wrong keys from an address, and believes its proxies."""
    with limited(
        tmp_path_factory.mktemp("guarded"),
        failed_logins_per_second=SLOW,
        failed_logins_burst=3,
        trusted_proxies=["127.0.0.1", "10.0.0.1"],
    ) as api:
        yield api


def come_from(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


@pytest.mark.parametrize(
    ("address", "url", "wrong", "status"),
    [
        ("192.0.2.1", "/v1/accounts", "APIKey wrong", 401),
        ("192.0.2.2", "/v1/accounts", "Bearer wrong", 401),
        ("192.0.2.3", "/v1/accounts/1/storage/folders/root", "Bearer wrong", 401),
        ("192.0.2.4", "/v1/oauth/token", "Bearer wrong", 400),
        ("192.0.2.5", "/v1/meta/applications", "Bearer wrong", 401),
        ("192.0.2.6", "/v1/meta/applications", "DeveloperKey wrong", 401),
    ],
)
def test_address_is_refused_when_it_tries_too_many_wrong_keys(
    guarded: Api, address: str, url: str, wrong: str, status: int
) -> None:
    with guarded.client({"Authorization": wrong}) as client:
        answers = [client.get(url, headers=come_from(address)) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [status] * 3 + [429] * 2
        assert read_error(answers[-1]) == TOO_MANY
        assert 90 <= int(answers[-1].headers["retry-after"]) <= 100
        assert client.get(url, headers=come_from(address.replace("192.0.2", "198.51.100"))).status_code == status


def test_callers_that_were_good_before_go_on_when_their_address_is_refused(guarded: Api) -> None:
    caller, cold = guarded.create_caller(), guarded.create_caller()
    with guarded.client() as client:
        for headers in (caller.key_header, caller.bearer_header):
            assert client.get("/v1/accounts", headers=headers | come_from("192.0.2.50")).status_code == 200
        for _ in range(4):
            client.get("/v1/accounts", headers={"Authorization": "APIKey wrong"} | come_from("192.0.2.50"))
        guarded.state.cache.clear()
        for headers in (caller.key_header, caller.bearer_header):
            assert client.get("/v1/accounts", headers=headers | come_from("192.0.2.50")).status_code == 200
        unseen = client.get("/v1/accounts", headers=cold.bearer_header | come_from("192.0.2.50"))
        assert read_error(unseen) == TOO_MANY
        assert client.get("/v1/accounts", headers=cold.bearer_header | come_from("192.0.2.51")).status_code == 200


@pytest.mark.parametrize("number", range(3))
def test_requests_without_credentials_are_no_failures(guarded: Api, number: int) -> None:
    with guarded.client() as client:
        for _ in range(5):
            assert client.get("/v1/accounts", headers=come_from(f"192.0.2.{60 + number}")).status_code == 401


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("192.0.2.71", "192.0.2.72", False),
        ("1.2.3.4, 192.0.2.73", "4.3.2.1, 192.0.2.73", True),
        ("192.0.2.74, 10.0.0.1", "192.0.2.74", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:2::1", "2001:db8:0:3::1", False),
        ("::ffff:192.0.2.75", "192.0.2.75", True),
    ],
)
def test_failures_are_counted_by_the_client_s_own_address(
    guarded: Api, first: str, second: str, *, is_same: bool
) -> None:
    wrong = {"Authorization": "APIKey wrong"}
    with guarded.client(wrong) as client:
        for _ in range(4):
            client.get("/v1/accounts", headers=come_from(first))
        assert client.get("/v1/accounts", headers=come_from(second)).status_code == (429 if is_same else 401)


def test_forwarded_address_is_not_believed_when_it_does_not_come_from_a_proxy(tmp_path: Path) -> None:
    with (
        limited(tmp_path, failed_logins_per_second=SLOW, failed_logins_burst=1) as api,
        api.client({"Authorization": "APIKey wrong"}) as client,
    ):
        statuses = [client.get("/v1/accounts", headers=come_from(f"192.0.2.{n}")).status_code for n in range(3)]
    assert statuses == [401, 429, 429]


def test_refused_requests_change_nothing(tmp_path: Path) -> None:
    with limited(tmp_path, account_requests_per_second=SLOW, account_requests_burst=3) as api:
        caller = api.create_caller()
        with caller.client() as client:
            drive = Drive(caller, client)
            ask_until_refused(client, caller.account_url)
            key = {"Idempotency-Key": "a key"}
            refused = client.post(drive.url("folders"), json={"name": "a"}, headers=key)
            assert read_error(refused) == TOO_MANY
            assert list(caller.folder.iterdir()) == []
            assert read_json(client.get("/v1/accounts"))["total"] == 1
