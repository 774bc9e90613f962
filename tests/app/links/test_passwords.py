from __future__ import annotations

import unicodedata
from datetime import timedelta

import httpx
import pytest

from app.core.clock import now
from app.links.passes import COOKIE_NAME, PASS_SECONDS, build_pass, is_pass_good
from tests.app.drive import read_error, read_json
from tests.app.links.conftest import CONTENT, PASSWORD, WRONG, Links, Page

pytestmark = pytest.mark.parametrize("api", ["sqlite"], indirect=True)  # what the database does is in test_attempts


def test_form_asks_for_the_password_and_tells_nothing_of_the_file(links: Links, browser: httpx.Client) -> None:
    link = links.create(password=PASSWORD)
    reply = browser.get(link["url"])
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    page = Page(reply.text)
    form, field = page.find("form"), page.find("input")
    assert (form["method"], form["action"]) == ("post", httpx.URL(link["url"]).path)
    assert (field["type"], field["name"]) == ("password", "password")
    assert "a file" not in reply.text
    assert "set-cookie" not in reply.headers


def test_right_password_opens_the_page_and_its_bytes(links: Links, browser: httpx.Client) -> None:
    url = links.create(password=PASSWORD)["url"]
    opened = browser.post(url, data={"password": PASSWORD})
    assert (opened.status_code, opened.content) == (303, b"")
    assert opened.headers["location"] == httpx.URL(url).path
    assert opened.headers["cache-control"] == "no-store"
    assert "a file.txt" in Page(browser.get(opened.headers["location"]).text).words
    assert browser.get(f"{url}/download").content == CONTENT


def test_cookie_is_short_lived_and_sent_to_this_link_only(links: Links, browser: httpx.Client) -> None:
    link, other = links.create(password=PASSWORD), links.create(password=PASSWORD)
    header = browser.post(link["url"], data={"password": PASSWORD}).headers["set-cookie"]
    value, *attributes = header.split("; ")
    path = httpx.URL(link["url"]).path
    assert {attribute.lower() for attribute in attributes} == {
        "httponly",
        f"max-age={PASS_SECONDS}",
        f"path={path}".lower(),
        "samesite=lax",
    }
    assert browser.get(other["url"]).text == browser.get(other["url"], headers={"Cookie": value}).text
    assert "This file is protected" in browser.get(other["url"], headers={"Cookie": value}).text
    assert "Download" in browser.get(link["url"]).text


@pytest.mark.parametrize("sent", ["wrong", "", " " + PASSWORD, PASSWORD.upper(), "x" * 300])
def test_wrong_password_is_said_to_be_wrong(links: Links, browser: httpx.Client, sent: str) -> None:
    url = links.create(password=PASSWORD)["url"]
    reply = browser.post(url, data={"password": sent})
    assert reply.status_code == 403
    page = Page(reply.text)
    assert any(word.startswith(WRONG) for word in page.words)
    assert page.find("input")["aria-invalid"] == "true"
    assert sent not in reply.text or not sent
    assert "set-cookie" not in reply.headers
    assert "a file" not in browser.get(url).text


def test_wrong_password_is_a_v1_error_for_programs(links: Links, visitor: httpx.Client) -> None:
    url = links.create(password=PASSWORD)["url"]
    refused = visitor.post(url, data={"password": "wrong"})
    assert read_error(refused) == (403, "forbidden")
    assert refused.json()["message"].startswith(WRONG)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_letters_with_accents_may_be_composed_either_way(links: Links, browser: httpx.Client, form: str) -> None:
    url = links.create(password=unicodedata.normalize("NFD", PASSWORD))["url"]
    sent = unicodedata.normalize("NFC" if form == "NFC" else "NFD", PASSWORD)
    assert browser.post(url, data={"password": sent}).status_code == 303


def test_download_leads_to_the_form_until_the_password_was_given(links: Links, browser: httpx.Client) -> None:
    url = links.create(password=PASSWORD)["url"]
    sent_on = browser.get(f"{url}/download")
    assert (sent_on.status_code, sent_on.headers["location"]) == (303, httpx.URL(url).path)
    refused = browser.get(f"{url}/download", headers={"Accept": "*/*"})
    assert read_error(refused) == (403, "forbidden")
    assert "password" in refused.json()["message"]


def test_protected_direct_link_never_gives_a_form_in_place_of_bytes_to_programs(
    links: Links, visitor: httpx.Client
) -> None:
    url = links.create(password=PASSWORD, direct=True)["url"]
    assert read_error(visitor.get(url)) == (403, "forbidden")
    assert visitor.head(url).status_code == 403
    assert visitor.post(url, data={"password": PASSWORD}).status_code == 303
    assert visitor.get(url).content == CONTENT
    assert visitor.head(url).headers["content-length"] == "10"


def test_protected_direct_link_starts_its_download_after_the_form(links: Links, browser: httpx.Client) -> None:
    url = links.create(password=PASSWORD, direct=True)["url"]
    assert Page(browser.get(url).text).has("form")
    page = Page(browser.post(url, data={"password": PASSWORD}).text)
    target = str(page.find("a")["href"])
    refresh = [str(found["content"]) for tag, found in page.tags if found.get("http-equiv") == "refresh" and tag]
    assert refresh == [f"0; url={target}"]
    assert browser.get(target).content == CONTENT


def test_posting_to_a_link_without_a_password_leads_to_it(links: Links, browser: httpx.Client) -> None:
    url = links.create()["url"]
    reply = browser.post(url, data={"password": "whatever"})
    assert (reply.status_code, reply.headers["location"]) == (303, httpx.URL(url).path)
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("body", [{"password": "other"}, {"password": PASSWORD}])
def test_those_who_knew_the_old_password_must_know_the_new_one(
    links: Links, browser: httpx.Client, body: dict[str, str]
) -> None:
    link = links.create(password=PASSWORD)
    browser.post(link["url"], data={"password": PASSWORD})
    assert "Download" in browser.get(link["url"]).text
    links.change(link, **body)
    assert "This file is protected" in browser.get(link["url"]).text
    assert browser.post(link["url"], data=body).status_code == 303


def test_link_is_open_once_its_password_is_removed(links: Links, browser: httpx.Client) -> None:
    link = links.create(password=PASSWORD)
    links.change(link, password=None)
    assert "Download" in browser.get(link["url"]).text


@pytest.mark.parametrize(
    ("value", "is_form"), [("", True), ("nonsense", True), ("1.00000000.AAAA", True), ("1.{key}.AAAA", True)]
)
def test_made_up_cookie_opens_nothing(links: Links, browser: httpx.Client, value: str, *, is_form: bool) -> None:
    link = links.create(password=PASSWORD)
    key = links.drive.caller.api.state.keys.keys.sealing_keys[0].id
    reply = browser.get(link["url"], headers={"Cookie": f"{COOKIE_NAME}={value.format(key=key)}"})
    assert (reply.status_code, Page(reply.text).has("form")) == (200, is_form)


def test_pass_ends_after_its_time_and_is_bound_to_link_and_password(links: Links) -> None:
    keys, moment = links.drive.caller.api.state.keys, now()
    link, other = (links.get_row(links.create(password=PASSWORD)) for _ in range(2))
    value = build_pass(keys, link, now=moment)
    assert is_pass_good(keys, link, value, now=moment)
    assert is_pass_good(keys, link, value, now=moment + timedelta(seconds=PASS_SECONDS - 1))
    assert not is_pass_good(keys, link, value, now=moment + timedelta(seconds=PASS_SECONDS))
    assert not is_pass_good(keys, other, value, now=moment)
    link.password_hash = other.password_hash
    assert not is_pass_good(keys, link, value, now=moment)


def test_pass_survives_new_keys_but_not_forgotten_ones(links: Links) -> None:
    keys, moment = links.drive.caller.api.state.keys, now()
    link = links.get_row(links.create(password=PASSWORD))
    value = build_pass(keys, link, now=moment)
    detached = type(keys).from_text(keys.to_text())
    assert is_pass_good(detached.rotated(), link, value, now=moment)
    assert not is_pass_good(detached.rotated().pruned(), link, value, now=moment)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"other=1", 403),
        (b"password", 403),
        (b"\xff\xfe=&&&", 403),
        (b"&".join(b"a=1" for _ in range(11)), 400),
        (b"password=" + b"x" * 9000, 413),
    ],
)
def test_form_that_makes_no_sense_is_refused(links: Links, visitor: httpx.Client, body: bytes, status: int) -> None:
    link = links.create(password=PASSWORD)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert read_error(visitor.post(link["url"], content=body, headers=headers))[0] == status
    assert links.get_row(link).attempts_count == 0
    assert read_json(links.drive.client.get(link["href"])) == link
