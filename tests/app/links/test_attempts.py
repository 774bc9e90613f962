from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from app.core.clock import now
from app.core.errors import ApiError
from app.links.passwords import HASHES_WAITING_MAX, hash_password, verify_password
from app.links.visiting import PASSWORD_ATTEMPTS_MAX, PASSWORD_WINDOW_SECONDS, try_password
from tests.app.drive import read_error
from tests.app.links.conftest import PASSWORD, Links, Page


def test_too_many_wrong_passwords_lock_the_form_for_everybody(
    links: Links, browser: httpx.Client, visitor: httpx.Client
) -> None:
    link = links.create(password=PASSWORD)
    with links.drive.caller.api.client() as knowing:
        assert knowing.post(link["url"], data={"password": PASSWORD}).status_code == 303
        links.set_row(link, attempts_count=PASSWORD_ATTEMPTS_MAX - 1, attempts_since=now())
        assert browser.post(link["url"], data={"password": "wrong"}).status_code == 403
        locked = browser.post(link["url"], data={"password": PASSWORD})
        assert (locked.status_code, locked.headers["content-type"]) == (429, "text/html; charset=utf-8")
        assert 1 <= int(locked.headers["retry-after"]) <= PASSWORD_WINDOW_SECONDS
        assert any("Too many" in word for word in Page(locked.text).words)
        refused = visitor.post(link["url"], data={"password": PASSWORD})
        assert read_error(refused) == (429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= PASSWORD_WINDOW_SECONDS
        assert "a file.txt" in knowing.get(link["url"]).text  # who knew it before may go on
    other = links.create(password=PASSWORD)
    assert browser.post(other["url"], data={"password": PASSWORD}).status_code == 303


def test_right_password_is_not_counted(links: Links, visitor: httpx.Client) -> None:
    link = links.create(password=PASSWORD)
    links.set_row(link, attempts_count=PASSWORD_ATTEMPTS_MAX - 1, attempts_since=now())
    for _ in range(3):
        assert visitor.post(link["url"], data={"password": PASSWORD}).status_code == 303
    assert links.get_row(link).attempts_count == PASSWORD_ATTEMPTS_MAX - 1


def test_empty_and_overlong_passwords_are_not_tried(links: Links, visitor: httpx.Client) -> None:
    link = links.create(password=PASSWORD)
    for sent in ("", "x" * 257):
        assert visitor.post(link["url"], data={"password": sent}).status_code == 403
    assert links.get_row(link).attempts_count == 0


def test_no_more_passwords_are_tried_however_many_come_at_once(links: Links) -> None:
    link = links.create(password=PASSWORD)
    links.set_row(link, attempts_count=PASSWORD_ATTEMPTS_MAX - 3, attempts_since=now())

    def guess(number: int) -> int:
        with links.drive.caller.api.client() as client:
            return client.post(link["url"], data={"password": f"guess {number}"}).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(guess, range(16)))
    assert (statuses.count(403), statuses.count(429)) == (3, 13)
    assert links.get_row(link).attempts_count == PASSWORD_ATTEMPTS_MAX


def test_tries_are_allowed_again_when_the_window_is_over(links: Links) -> None:
    api, moment = links.drive.caller.api, now()
    link = links.create(password=PASSWORD)

    def attempt(password: str, seconds: float) -> bool:
        row = links.get_row(link)
        return api.run(try_password(api.state, row, password, now=moment + timedelta(seconds=seconds)))

    assert attempt("wrong", 0) is False
    links.set_row(link, attempts_count=PASSWORD_ATTEMPTS_MAX)
    for seconds, wait in ((10, PASSWORD_WINDOW_SECONDS - 10), (PASSWORD_WINDOW_SECONDS - 0.5, 1)):
        with pytest.raises(ApiError) as refused:
            attempt(PASSWORD, seconds)
        assert refused.value.headers == {"Retry-After": str(wait)}
    assert attempt("wrong", PASSWORD_WINDOW_SECONDS) is False
    assert links.get_row(link).attempts_count == 1
    assert attempt(PASSWORD, PASSWORD_WINDOW_SECONDS) is True


def test_new_password_unlocks_a_locked_form(links: Links, visitor: httpx.Client) -> None:
    link = links.create(password=PASSWORD)
    links.set_row(link, attempts_count=PASSWORD_ATTEMPTS_MAX, attempts_since=now())
    assert visitor.post(link["url"], data={"password": PASSWORD}).status_code == 429
    links.change(link, password="another")
    assert visitor.post(link["url"], data={"password": "another"}).status_code == 303


async def test_no_more_passwords_wait_for_a_thread_than_there_may_be() -> None:
    waiting = [asyncio.create_task(hash_password(f"password {number}")) for number in range(HASHES_WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(ApiError) as refused:
        await hash_password("one more")
    assert (refused.value.code.status, refused.value.headers) == (503, {"Retry-After": "2"})
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await verify_password("now", await hash_password("now"))


def test_password_that_could_not_be_tried_is_not_counted(links: Links, visitor: httpx.Client) -> None:
    api, link = links.drive.caller.api, links.create(password=PASSWORD)

    async def try_among_many() -> None:
        waiting = [asyncio.create_task(hash_password(f"password {number}")) for number in range(HASHES_WAITING_MAX)]
        await asyncio.sleep(0)
        try:
            await try_password(api.state, row, "wrong", now=now())
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    row = links.get_row(link)
    with pytest.raises(ApiError, match="Too many passwords"):
        api.run(try_among_many())
    assert links.get_row(link).attempts_count == 0
    assert visitor.post(link["url"], data={"password": PASSWORD}).status_code == 303
