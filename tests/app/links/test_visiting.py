from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import unquote

import httpx
import pytest

from tests.app.drive import read_error, read_json
from tests.app.links.conftest import CONTENT, PAGE, Links, Page

pytestmark = pytest.mark.parametrize("api", ["sqlite"], indirect=True)  # what the database does is in other files

KEPT_SECRET = {
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
}


def test_page_shows_the_file_and_a_button_that_downloads_it(links: Links, browser: httpx.Client) -> None:
    link = links.create()
    reply = browser.get(link["url"])
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = Page(reply.text)
    assert {"a file.txt", "10 bytes", "Download"} <= set(page.words)
    assert page.has("time")
    downloaded = browser.get(str(page.find("a")["href"]))
    assert (downloaded.status_code, downloaded.content) == (200, CONTENT)


def test_page_is_given_to_programs_too(links: Links, visitor: httpx.Client) -> None:
    reply = visitor.get(links.create()["url"])
    assert (reply.status_code, "Download" in reply.text) == (200, True)


def test_page_loads_nothing_and_runs_nothing(links: Links, browser: httpx.Client) -> None:
    reply = browser.get(links.create()["url"])
    style = re.search(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert {name: reply.headers[name] for name in KEPT_SECRET} == KEPT_SECRET
    assert (reply.headers["cache-control"], reply.headers["x-frame-options"]) == ("no-store", "DENY")
    page = Page(reply.text)
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"url\(|@import|https?:", style[1])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)<!--.txt", "<script>alert(1)<!--.txt"),
        ("\"'><img src=x onerror=alert(1)>", "\"'><img src=x onerror=alert(1)>"),
        ("{{ 7 * 7 }}{% raw %}", "{{ 7 * 7 }}{% raw %}"),
        ("bill\u202efdp.exe", "bill\N{REPLACEMENT CHARACTER}fdp.exe"),
        ("line\r\nX-Evil: 1", "line\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}X-Evil: 1"),
        ("é日本😀.pdf", "é日本😀.pdf"),
    ],
)
def test_name_of_a_file_stays_text_on_the_page_and_in_headers(
    links: Links, browser: httpx.Client, name: str, shown: str
) -> None:
    (links.drive.caller.folder / name).write_bytes(b"x")
    file = read_json(links.drive.client.get(links.drive.url("path"), params={"path": f"/{name}"}))
    link = links.create(file_id=file["id"])
    page = Page(browser.get(link["url"]).text)
    assert page.words.count(shown) == 2  # the title and the heading
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    bytes_reply = browser.get(f"{link['url']}/download")
    assert "x-evil" not in bytes_reply.headers
    disposition = bytes_reply.headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert unquote(disposition.rpartition("filename*=UTF-8''")[2], errors="strict") == name


@pytest.mark.parametrize("direct", [True, False])
def test_bytes_have_the_headers_that_keep_them_harmless(links: Links, visitor: httpx.Client, *, direct: bool) -> None:
    url = links.create(direct=direct)["url"] + ("" if direct else "/download")
    got, head = visitor.get(url), visitor.head(url)
    assert (got.status_code, got.content, head.status_code, head.content) == (200, CONTENT, 200, b"")
    for reply in (got, head):
        assert {name: reply.headers[name] for name in KEPT_SECRET} == KEPT_SECRET
        assert reply.headers["content-type"] == "text/plain"
        assert reply.headers["content-length"] == "10"
        assert reply.headers["content-security-policy"] == "sandbox"
        assert reply.headers["cache-control"] == "private, no-cache"
        assert reply.headers["content-disposition"].startswith('attachment; filename="a file.txt"')
    assert got.headers["etag"] == head.headers["etag"]


def test_direct_link_gives_bytes_to_browsers_too(links: Links, browser: httpx.Client) -> None:
    assert browser.get(links.create(direct=True)["url"]).content == CONTENT


@pytest.mark.parametrize(
    ("headers", "status", "content"),
    [
        ({"Range": "bytes=2-4"}, 206, b"234"),
        ({"Range": "bytes=-2"}, 206, b"89"),
        ({"Range": "bytes=2-4", "If-Range": "{etag}"}, 206, b"234"),
        ({"Range": "bytes=2-4", "If-Range": '"other"'}, 200, CONTENT),
        ({"If-None-Match": "{etag}"}, 304, b""),
    ],
)
@pytest.mark.parametrize("direct", [True, False])
def test_downloads_can_be_resumed_and_checked(
    links: Links, visitor: httpx.Client, headers: dict[str, str], status: int, content: bytes, *, direct: bool
) -> None:
    url = links.create(direct=direct)["url"] + ("" if direct else "/download")
    etag = visitor.head(url).headers["etag"]
    reply = visitor.get(url, headers={name: value.format(etag=etag) for name, value in headers.items()})
    assert (reply.status_code, reply.content) == (status, content)
    assert reply.headers["referrer-policy"] == "no-referrer"


def test_range_or_version_that_is_not_there_is_refused(links: Links, visitor: httpx.Client) -> None:
    url = links.create(direct=True)["url"]
    refused = visitor.get(url, headers={"Range": "bytes=10-"})
    assert read_error(refused) == (416, "range_not_satisfiable")
    assert refused.headers["content-range"] == "bytes */10"
    assert read_error(visitor.get(url, headers={"If-Match": '"other"'})) == (412, "precondition_failed")


def test_head_has_the_status_of_get_and_no_body(links: Links, browser: httpx.Client) -> None:
    for link in (links.create(), links.create(password="x"), links.create(active=False), links.create(direct=True)):
        for url in (link["url"], f"{link['url']}/download"):
            got, head = browser.get(url), browser.head(url)
            assert (head.status_code, head.content) == (got.status_code, b""), url
            assert head.headers["content-type"] == got.headers["content-type"] if got.content else True


def test_trailing_slash_leads_to_the_same(links: Links, visitor: httpx.Client) -> None:
    link = links.create(direct=True)
    assert visitor.get(f"{link['url']}/").content == CONTENT
    assert visitor.get(f"{link['url']}/download/").content == CONTENT


@pytest.mark.parametrize("token", ["nonsense", "x" * 43, "x" * 65, "x" * 5000, "%00", "%2F", "%C3%A9", "%ff"])
@pytest.mark.parametrize("path", ["", "/download"])
def test_address_that_never_was_is_404(visitor: httpx.Client, token: str, path: str) -> None:
    assert read_error(visitor.get(f"/l/{token}{path}")) == (404, "not_found")
    assert visitor.head(f"/l/{token}{path}").status_code == 404


def test_id_and_hash_of_a_link_do_not_open_it(links: Links, visitor: httpx.Client) -> None:
    link = links.create()
    for token in (link["id"], links.get_row(link).token_hash, link["url"][:-1].rpartition("/")[2]):
        assert read_error(visitor.get(f"/l/{token}")) == (404, "not_found")


def test_refusal_is_a_page_where_pages_are_wanted(links: Links, visitor: httpx.Client) -> None:
    passive = links.create(active=False)
    for url, status, words in (
        (passive["url"], 403, "This link is switched off."),
        (f"{passive['url']}/download", 403, "This link is switched off."),
        ("/l/nonsense", 404, "There is nothing at this address."),
    ):
        reply = visitor.get(url, headers=PAGE)
        assert (reply.status_code, reply.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert words in Page(reply.text).words
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")
        assert reply.headers["cache-control"] == "no-store"
        assert visitor.get(url).headers["content-type"] == "application/json"


def test_visitor_learns_nothing_but_the_file(links: Links, browser: httpx.Client) -> None:
    caller = links.drive.caller
    secrets = [caller.application_id, links.file["id"], caller.folder.name, f"accounts/{caller.account_id}", "local"]
    answers = []
    for link in (links.create(), links.create(direct=True), links.create(password="x"), links.create(active=False)):
        secrets.append(link["id"])
        answers += [browser.get(url) for url in (link["url"], f"{link['url']}/download")]
    assert links.drive.client.delete(links.file["href"]).status_code == 204
    answers += [browser.get(link.url, headers={"Accept": "*/*"}) for link in answers]
    for answer in answers:
        said = f"{answer.headers.raw!r}{answer.text}".replace("127.0.0.1", "").replace("localhost", "")
        assert [secret for secret in secrets if secret in said] == []


def test_wrong_methods_are_405(links: Links, visitor: httpx.Client) -> None:
    url = links.create()["url"]
    for method in ("PUT", "PATCH", "DELETE"):
        assert read_error(visitor.request(method, url)) == (405, "method_not_allowed")
