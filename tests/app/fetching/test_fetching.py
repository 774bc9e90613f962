"""Uploads by URL: what is asked of the URL's server, what is stored, what is said when it fails."""

from __future__ import annotations

import random

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json, wait_until
from tests.app.fetching.conftest import BYTES_MAX
from tests.app.tasks.conftest import Tasks
from tests.servers.origin import Exchange, Origin, Script, cut_body, no_answer, reply

BIG = random.Random(1).randbytes(20_000_000)
SECRET = "signature=hunter2"


def fetch(drive: Drive, url: str, *, name: str = "a.bin", **params: str) -> httpx.Response:
    body = {"url": url, "name": name, "parent_id": "root"}
    return drive.client.post(drive.url("files"), params=params, json=body)


def serve(
    data: bytes,
    *,
    cuts: int = 0,
    etag: str | None = '"one"',
    ranges: bool = True,
) -> tuple[Script, list[str]]:
    """A file as good servers have it, whose first `cuts` replies break off half-way; and the ranges asked for."""
    asked: list[str] = []

    async def script(exchange: Exchange) -> None:
        nonlocal cuts
        await exchange.read_body()
        (wanted,) = exchange.seen.get_all("range") or [""]
        asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and ranges else 0
        is_same = not wanted or exchange.seen.get_all("if-range") == [etag]
        start = start if is_same else 0
        body = data[start:]
        head = ["HTTP/1.1 206 Partial Content" if start else "HTTP/1.1 200 OK", f"Content-Length: {len(body)}"]
        head += [f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}"] if start else []
        head += [f"ETag: {etag}"] if etag else []
        head += ["Accept-Ranges: bytes"] if ranges else []
        await exchange.send("\r\n".join([*head, "", ""]).encode())
        if cuts:
            cuts -= 1
            await exchange.send(body[: len(body) // 2])
            exchange.writer.close()
            return
        await exchange.send(body)

    return script, asked


@pytest.mark.parametrize("data", [b"", b"some bytes", BIG])
def test_file_holds_what_the_url_gives(drive: Drive, origin: Origin, tasks: Tasks, data: bytes) -> None:
    script, asked = serve(data)
    origin.on("/dir/file", script)
    file = read_json(fetch(drive, origin.url(f"/dir/file?{SECRET}#part")), status=201)
    assert (file["type"], file["name"], file["size"]) == ("file", "a.bin", len(data))
    assert not {"state", "status"} & set(file)
    assert drive.read(file["id"]) == data
    (seen,) = origin.requests
    assert (seen.method, seen.target, asked) == ("GET", f"/dir/file?{SECRET}", [""])
    assert seen.get_all("accept-encoding") == ["identity"]
    assert seen.get_all("authorization") == seen.get_all("cookie") == []
    (task,) = read_json(drive.client.get(tasks.url()))["objects"]
    assert (task["operation"], task["outcomes"]) == ("upload", {"verified": 1})
    assert task["progress"] == {"files_total": 1, "files_done": 1, "bytes_total": len(data), "bytes_done": len(data)}


def test_fetch_is_a_task_when_it_is_wished_for(drive: Drive, origin: Origin, tasks: Tasks) -> None:
    origin.on("/a", reply(200, body=b"x"))
    task = tasks.read(fetch(drive, origin.url("/a"), return_type="task"))
    file = read_json(tasks.wait(task["id"]))
    assert (file["name"], file["size"]) == ("a.bin", 1)


@pytest.mark.parametrize(("flag", "status", "name"), [("false", 201, "a (1).bin"), ("true", 200, "a.bin")])
def test_taken_name_is_kept_or_replaced_as_asked(
    drive: Drive, origin: Origin, flag: str, status: int, name: str
) -> None:
    old = drive.upload("a.bin", b"old")
    origin.on("/a", reply(200, body=b"new"))
    file = read_json(fetch(drive, origin.url("/a"), overwrite=flag), status=status)
    assert (file["name"], drive.read(file["id"])) == (name, b"new")
    assert drive.read(old["id"]) == (b"old" if status == 201 else b"new")


@pytest.mark.parametrize("size", [None, "chunked", "until the end"])
def test_length_need_not_be_known_beforehand(drive: Drive, origin: Origin, size: str | None) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        if size == "chunked":
            await exchange.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n2\r\nsi\r\n0\r\n\r\n"
            )
            return
        await exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfoursi")
        exchange.writer.close()

    origin.on("/a", script)
    file = read_json(fetch(drive, origin.url("/a")), status=201)
    assert (file["size"], drive.read(file["id"])) == (6, b"foursi")


@pytest.mark.parametrize("cuts", [1, 3, 8])
@pytest.mark.parametrize("data", [BIG])
def test_only_the_rest_is_asked_for_when_the_connection_breaks(
    drive: Drive, origin: Origin, data: bytes, cuts: int
) -> None:
    script, asked = serve(data, cuts=cuts)
    origin.on("/a", script)
    file = read_json(fetch(drive, origin.url("/a")), status=201)
    assert drive.read(file["id"]) == data
    assert asked[0] == ""
    starts = [int(each.removeprefix("bytes=").removesuffix("-")) for each in asked[1:]]
    assert len(starts) == cuts
    assert min(starts) > 0
    assert list(drive.caller.folder.glob(".kloudless*")) == []


@pytest.mark.parametrize(("etag", "ranges"), [(None, True), ('W/"weak"', True), ('"one"', False)])
def test_all_is_asked_for_again_when_the_rest_cannot_be(
    drive: Drive, origin: Origin, etag: str | None, ranges: bool
) -> None:
    script, asked = serve(BIG, cuts=1, etag=etag, ranges=ranges)
    origin.on("/a", script)
    file = read_json(fetch(drive, origin.url("/a")), status=201)
    assert drive.read(file["id"]) == BIG
    assert asked == ["", ""]


def test_newest_version_arrives_whole_when_it_changes_between_two_requests(drive: Drive, origin: Origin) -> None:
    newest = BIG[::-1]
    etags = ['"one"', '"two"']

    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        number = 1 if len(origin.requests) > 1 else 0
        body = newest if number else BIG
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nETag: {etags[number]}\r\nAccept-Ranges: bytes\r\n\r\n"
        )
        await exchange.send(head.encode())
        await exchange.send(body if number else body[: len(body) // 2])
        if not number:
            exchange.writer.close()

    origin.on("/a", script)
    file = read_json(fetch(drive, origin.url("/a")), status=201)
    assert drive.read(file["id"]) == newest
    assert drive.list_names() == ["a.bin"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/there", "there?x=1", "http://127.0.0.1:{port}/there"])
def test_redirects_are_followed(drive: Drive, origin: Origin, status: int, location: str) -> None:
    origin.on("/a", reply(status, headers=(f"Location: {location.format(port=origin.port)}",)))
    origin.on("/there", reply(200, body=b"there"))
    file = read_json(fetch(drive, origin.url("/a")), status=201)
    assert drive.read(file["id"]) == b"there"


@pytest.mark.parametrize(
    ("location", "status", "code", "words"),
    [
        ("/a", 400, "request_failed", "redirected more than 5 times"),
        ("", 400, "request_failed", "redirected without saying where to"),
        ("http://127.0.0.2:{port}/", 403, "forbidden", "not public"),
        ("http://169.254.169.254/latest/meta-data", 403, "forbidden", "not public"),
        ("http://[::1]:{port}/", 403, "forbidden", "not public"),
        ("file:///etc/passwd", 403, "forbidden", "only http and https"),
        ("gopher://127.0.0.1:{port}/", 403, "forbidden", "only http and https"),
    ],
)
def test_redirects_that_lead_astray_are_refused(
    drive: Drive, origin: Origin, location: str, status: int, code: str, words: str
) -> None:
    headers = (f"Location: {location.format(port=origin.port)}",) if location else ()
    origin.on("/a", reply(302, headers=headers))
    refused = fetch(drive, origin.url(f"/a?{SECRET}"))
    assert read_error(refused) == (status, code)
    assert words in refused.json()["message"]
    assert "hunter2" not in refused.text
    assert drive.list_names() == []


@pytest.mark.parametrize("url", ["http://127.0.0.2/", "http://10.0.0.1/", "http://localhost:1/", "http://2130706433/"])
def test_addresses_that_are_not_public_are_refused(drive: Drive, url: str) -> None:
    refused = fetch(drive, f"{url}?{SECRET}")
    assert read_error(refused)[0] in {400, 403}
    assert "hunter2" not in refused.text


@pytest.mark.parametrize("status", [204, 205, 206, 400, 401, 403, 404, 410, 416, 451])
def test_error_says_what_the_urls_server_answered_and_no_query(drive: Drive, origin: Origin, status: int) -> None:
    origin.on("/a", reply(status, body=b""))
    refused = fetch(drive, origin.url(f"/a?{SECRET}"))
    assert read_error(refused) == (400, "request_failed")
    assert f"127.0.0.1 answered with status {status}." in refused.json()["message"]
    assert "hunter2" not in refused.text
    assert len(origin.requests) == 1
    assert drive.list_names() == []


def test_server_that_is_busy_for_a_moment_is_asked_again(drive: Drive, origin: Origin) -> None:
    async def script(exchange: Exchange) -> None:
        is_first = len(origin.requests) == 1
        await exchange.reply(503 if is_first else 200, body=b"" if is_first else b"now")

    origin.on("/a", script)
    assert read_json(fetch(drive, origin.url("/a")), status=201)["size"] == 3
    assert len(origin.requests) == 2


@pytest.mark.parametrize("script", [cut_body, no_answer, reply(500)])
def test_nothing_is_stored_when_the_urls_server_fails_for_good(
    drive: Drive, origin: Origin, tasks: Tasks, script: Script
) -> None:
    origin.on("/a", script)
    task = tasks.read(fetch(drive, origin.url(f"/a?{SECRET}"), return_type="task"))
    failed = tasks.wait(task["id"])
    assert read_error(failed) == (400, "request_failed")
    assert "127.0.0.1" in failed.json()["message"]
    assert "hunter2" not in failed.text
    assert drive.list_names() == []
    assert list(drive.caller.folder.glob(".kloudless-parts*")) == []


@pytest.mark.parametrize("is_declared", [True, False])
def test_file_that_is_too_large_is_refused(drive: Drive, origin: Origin, is_declared: bool) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        if is_declared:
            await exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {BYTES_MAX + 1}\r\n\r\n".encode())
        else:
            await exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(BYTES_MAX // 2**20 + 2):
            await exchange.send(bytes(2**20))
        exchange.writer.close()

    origin.on("/a", script)
    refused = fetch(drive, origin.url("/a"))
    assert read_error(refused) == (413, "request_too_large")
    assert str(BYTES_MAX) in refused.json()["message"]
    assert drive.list_names() == []


def test_compressed_answer_is_refused(drive: Drive, origin: Origin) -> None:
    origin.on("/a", reply(200, body=b"xx", headers=("Content-Encoding: gzip",)))
    refused = fetch(drive, origin.url("/a"))
    assert read_error(refused) == (400, "request_failed")
    assert "compressed" in refused.json()["message"]


def test_cancelled_fetch_lets_go_of_both_sides(drive: Drive, origin: Origin, tasks: Tasks) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read_body()
        await exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(BIG)}\r\n\r\n".encode())
        await exchange.send(BIG[:12_000_000])
        await exchange.wait_until_left()

    origin.on("/a", script)
    task = tasks.read(fetch(drive, origin.url("/a"), return_type="task"))
    url = tasks.url(task["id"])
    wait_until(lambda: bool(list(drive.caller.folder.glob(".kloudless-parts*"))))
    assert drive.client.delete(url).status_code == 202
    wait_until(lambda: not list(drive.caller.folder.glob(".kloudless*")))
    wait_until(lambda: origin.open_count == 0)
    assert read_error(tasks.wait(task["id"])) == (400, "request_failed")
