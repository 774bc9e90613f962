"""What ends a link, what does not, and what of the storage's troubles a visitor sees."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from threading import Event

import httpx
import pytest
from sqlalchemy import func, select, text

from app.accounts.repository import AccountRepository
from app.core.clock import now
from app.core.errors import ApiError
from app.links.visiting import Visit, open_visit
from app.models import Account, Link
from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import WAIT_SECONDS_MAX, read_error, read_json, wait_until
from tests.app.links.conftest import Links, Page
from tests.app.sharing import SharingDrive
from tests.servers.api import ROOT


def read_all(visitor: httpx.Client, link: dict[str, str]) -> set[tuple[int, str]]:
    """What a link answers on its addresses that give something."""
    return {read_error(visitor.get(link["url"])), read_error(visitor.get(f"{link['url']}/download"))}


@pytest.mark.parametrize("direct", [True, False])
def test_link_that_is_over_is_403(links: Links, visitor: httpx.Client, browser: httpx.Client, *, direct: bool) -> None:
    link = links.create(expiration="2020-10-12T00:00:00", direct=direct)
    assert read_all(visitor, link) == {(403, "forbidden")}
    page = browser.get(link["url"])
    assert (page.status_code, "This link has expired." in Page(page.text).words) == (403, True)
    assert read_error(visitor.post(link["url"], data={"password": "x"})) == (403, "forbidden")
    links.change(link, expiration=None)
    assert visitor.get(link["url"]).status_code == 200


def test_link_lives_to_the_second_that_was_said(links: Links) -> None:
    api, moment = links.drive.caller.api, now()
    link = links.create(expiration=(moment + timedelta(hours=1)).isoformat())

    def open_at(when: datetime) -> Visit:
        return api.run(open_visit(api.state, link["url"].rpartition("/")[2], now=when))

    assert open_at(moment).file == open_at(moment + timedelta(minutes=59, seconds=59)).file == "/a file.txt"
    for seconds in (0, 1, 10**6):
        with pytest.raises(ApiError, match="expired"):
            open_at(moment + timedelta(hours=1, seconds=seconds))


@pytest.mark.parametrize("direct", [True, False])
def test_link_that_is_switched_off_is_403_until_it_is_on_again(
    links: Links, visitor: httpx.Client, *, direct: bool
) -> None:
    link = links.create(direct=direct)
    links.change(link, active=False)
    assert read_all(visitor, link) == {(403, "forbidden")}
    links.change(link, active=True)
    assert visitor.get(link["url"]).status_code == 200


@pytest.mark.parametrize("field", ["active", "enabled"])
def test_links_of_a_switched_off_account_are_403(links: Links, visitor: httpx.Client, field: str) -> None:
    link = links.create()
    links.drive.client.patch(links.drive.caller.account_url, json={field: False})
    assert read_all(visitor, link) == {(403, "forbidden")}
    links.drive.client.patch(links.drive.caller.account_url, json={field: True})
    assert visitor.get(link["url"]).status_code == 200


def test_links_of_a_deleted_account_are_gone_and_stay_gone_when_it_is_connected_again(
    links: Links, visitor: httpx.Client
) -> None:
    caller, client = links.drive.caller, links.drive.client
    link = links.create()
    assert visitor.get(link["url"]).status_code == 200
    assert client.delete(caller.account_url).status_code == 204
    assert read_all(visitor, link) == {(404, "not_found")}
    body = {"account": "again", "service": "local", "token": ROOT, "folder": caller.folder.name}
    assert read_json(client.post("/v1/accounts", json=body), status=201)["id"] == caller.account_id
    assert read_all(visitor, link) == {(404, "not_found")}
    assert links.list_ids() == []

    async def count() -> int | None:
        async with caller.api.state.db.reading() as session:
            return await session.scalar(select(func.count(Link.id)).where(Link.account_id == caller.account_id))

    assert caller.api.run(count()) == 0


def test_no_link_is_made_while_its_account_is_deleted(signing: Links) -> None:
    api, number = signing.drive.caller.api, signing.drive.caller.account_id
    is_deleting, may_commit = Event(), Event()

    async def delete() -> None:
        async with api.state.db.writing() as session:
            repository = AccountRepository(session)
            account = await repository.find(number)
            assert account is not None
            await repository.mark_deleted(account, at=now())
            await session.flush()
            is_deleting.set()
            await asyncio.to_thread(may_commit.wait)
            session.note_change(f"account:{number}")

    async def count_waiting() -> int:
        async with api.state.db.reading() as session:
            return await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0

    deleting = asyncio.run_coroutine_threadsafe(delete(), api.loop)
    assert is_deleting.wait(WAIT_SECONDS_MAX)
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(signing.drive.client.post, signing.url, json={"file_id": signing.file["id"]})
        try:
            if not api.state.db.is_sqlite:  # there, the one connection that writes is what it waits for
                wait_until(lambda: api.run(count_waiting()) > 0)
        finally:
            may_commit.set()
        deleting.result(WAIT_SECONDS_MAX)
        assert read_error(making.result()) == (404, "not_found")

    async def count() -> int | None:
        async with api.state.db.reading() as session:
            return await session.scalar(select(func.count(Link.id)).where(Link.account_id == number))

    assert api.run(count()) == 0


def test_storage_that_is_not_offered_any_more_is_not_named(links: Links, visitor: httpx.Client) -> None:
    api, number = links.drive.caller.api, links.drive.caller.account_id
    link = links.create()

    async def rename() -> None:
        async with api.state.db.writing() as session:
            (await session.get_one(Account, number)).service = "unheard-of"
            session.note_change(f"account:{number}")

    api.run(rename())
    refused = visitor.get(link["url"])
    assert read_error(refused) == (503, "service_not_available")
    assert "unheard-of" not in refused.text
    assert links.drive.client.delete(links.drive.caller.account_url).status_code == 204  # nobody can open it any more


def test_links_of_a_deleted_or_switched_off_application_are_404(links: Links, visitor: httpx.Client) -> None:
    caller = links.drive.caller
    link = links.create()
    application = f"/v1/meta/applications/{caller.application_id}"
    with caller.client(caller.developer_header) as developer:
        developer.patch(application, json={"active": False})
        assert read_all(visitor, link) == {(404, "not_found")}
        developer.patch(application, json={"active": True})
        assert visitor.get(link["url"]).status_code == 200
        assert developer.delete(application).status_code == 204
    assert read_all(visitor, link) == {(404, "not_found")}


@pytest.mark.parametrize("direct", [True, False])
def test_link_to_a_file_that_is_gone_is_404(
    links: Links, visitor: httpx.Client, browser: httpx.Client, *, direct: bool
) -> None:
    link = links.create(direct=direct)
    assert links.drive.client.delete(links.file["href"]).status_code == 204
    assert read_all(visitor, link) == {(404, "not_found")}
    assert visitor.head(link["url"]).status_code == 404
    page = browser.get(link["url"])
    assert (page.status_code, "The file is not there any more." in Page(page.text).words) == (404, True)


def test_link_goes_with_the_path_where_files_are_known_by_it(links: Links, visitor: httpx.Client) -> None:
    link = links.create()
    assert links.drive.client.patch(links.file["href"], json={"name": "renamed.txt"}).status_code == 200
    assert read_all(visitor, link) == {(404, "not_found")}
    links.drive.upload("a file.txt", b"another file of that name")
    assert visitor.get(f"{link['url']}/download").content == b"another file of that name"


def test_link_follows_a_file_that_keeps_its_id(signing: Links, browser: httpx.Client) -> None:
    link = signing.create()
    assert signing.drive.client.patch(signing.file["href"], json={"name": "renamed.txt"}).status_code == 200
    assert "renamed.txt" in Page(browser.get(link["url"]).text).words


def test_folder_in_the_place_of_the_file_is_404(links: Links, visitor: httpx.Client) -> None:
    link = links.create(direct=True)
    links.drive.client.delete(links.file["href"])
    links.drive.create_folder("a file.txt")
    assert read_all(visitor, link) == {(404, "not_found")}


def test_new_bytes_of_the_file_are_what_visitors_get(links: Links, visitor: httpx.Client) -> None:
    link = links.create(direct=True)
    assert links.drive.client.put(links.file["href"], content=b"newer").status_code == 200
    assert visitor.get(link["url"]).content == b"newer"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectorError(ErrorKind.NOT_FOUND, "secret"), (404, "not_found")),
        (ConnectorError(ErrorKind.PERMISSION_DENIED, "secret"), (404, "not_found")),
        (ConnectorError(ErrorKind.GRANT_REVOKED, "secret"), (503, "service_not_available")),
        (ConnectorError(ErrorKind.RATE_LIMITED, "secret", retry_after_seconds=3), (503, "service_not_available")),
        (ConnectorError(ErrorKind.UNAVAILABLE, "secret"), (503, "service_not_available")),
        (ConnectorError(ErrorKind.TIMED_OUT, "secret"), (504, "gateway_timeout")),
        (ConnectorError(ErrorKind.UNEXPECTED, "secret"), (503, "service_not_available")),
        (AssertionError("secret"), (500, "internal_error")),
    ],
)
@pytest.mark.parametrize(("operation", "path"), [("get", ""), ("open_download", "/download")])
def test_trouble_of_the_storage_is_told_in_neutral_words(
    signing: Links,
    visitor: httpx.Client,
    browser: httpx.Client,
    error: Exception,
    expected: tuple[int, str],
    operation: str,
    path: str,
) -> None:
    assert isinstance(signing.drive, SharingDrive)
    url = signing.create()["url"] + path
    for client in (visitor, browser):
        signing.drive.store.faults[operation] = [error]
        refused = client.get(url, headers={"Prefer": "relay"})
        assert refused.status_code == expected[0]
        assert "secret" not in refused.text
        if client is visitor:
            assert read_error(refused) == expected
        else:
            assert Page(refused.text).has("h1")
        if isinstance(error, ConnectorError) and error.retry_after_seconds is not None:
            assert refused.headers["retry-after"] == "3"
        assert "www-authenticate" not in refused.headers


def test_error_while_signing_is_told_in_neutral_words(signing: Links, visitor: httpx.Client) -> None:
    assert isinstance(signing.drive, SharingDrive)
    signing.drive.store.faults["create_download_url"] = [ConnectorError(ErrorKind.GRANT_REVOKED, "secret")]
    refused = visitor.get(signing.create(direct=True)["url"])
    assert read_error(refused) == (503, "service_not_available")
    assert "secret" not in refused.text


def test_database_is_free_while_bytes_are_streamed(links: Links, visitor: httpx.Client) -> None:
    with (links.drive.caller.folder / "large").open("wb") as file:
        file.truncate(200 * 2**20)
    large = read_json(links.drive.client.get(links.drive.url("path"), params={"path": "/large"}))
    url = links.create(file_id=large["id"], direct=True)["url"]
    with ExitStack() as stack:
        for _ in range(25):
            reply = stack.enter_context(visitor.stream("GET", url))
            assert reply.status_code == 200
        assert links.create()["active"] is True
        assert len(links.list_ids()) == 2
