"""What no client shows: how requests have to look, and what is said to those that do not."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from simulators.core.samples import build_samples
from simulators.core.world import SANDBOX_CLIENT
from simulators.dropbox.app import build_table
from tests.servers.dropbox import SPECS, Place, running_place
from tests.servers.dropbox_judging import list_sdk_routes

OCTETS = {"Content-Type": "application/octet-stream"}


def _upload(client: httpx.Client, path: str, data: bytes = b"x", **options: Any) -> httpx.Response:
    headers = {**OCTETS, "Dropbox-API-Arg": json.dumps({"path": path, **options})}
    return client.post("/2/files/upload", content=data, headers=headers)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, "could not decode input as JSON"),
        ({"json": {"path": 7}}, "path: Expected str, got int"),
        ({"json": {"path": "no slash"}}, "path: "),
        ({"json": {"path": "", "wishes": 1}}, "unknown field wishes"),
        ({"json": {"path": "", "limit": 2001}}, "limit: "),
        ({"json": {"path": "", "include_property_groups": "filter_some"}}, "filter_some"),
        ({"json": {"path": "/"}}, "Specify the root folder"),
        ({"content": b'{"path": ""}', "headers": {"Content-Type": "text/html"}}, 'Bad HTTP "Content-Type"'),
    ],
    ids=["json", "type", "pattern", "field", "range", "short tag", "root", "media type"],
)
def test_bad_arguments_are_refused_in_plain_text(client: httpx.Client, change: dict[str, Any], said: str) -> None:
    reply = client.post("/2/files/list_folder", **change)
    assert (reply.status_code, reply.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert said in reply.text


def test_bytes_come_and_go_with_ascii_in_the_headers_only(client: httpx.Client) -> None:
    assert _upload(client, "/日本 😀.txt", b"0123").json()["name"] == "日本 😀.txt"
    raw = [(b"Content-Type", b"application/octet-stream"), (b"Dropbox-API-Arg", '{"path": "/ü"}'.encode())]
    assert client.post("/2/files/upload", content=b"x", headers=raw).status_code == 400
    argument = json.dumps({"path": "/日本 😀.txt"})
    reply = client.post("/2/files/download", headers={"Dropbox-API-Arg": argument, "Range": "bytes=-2"})
    assert (reply.status_code, reply.content) == (206, b"23")
    assert reply.headers["content-range"] == "bytes 2-3/4"
    assert reply.headers["dropbox-api-result"].isascii()
    by_url = client.get("/2/files/download", params={"arg": argument})
    assert by_url.content == b"0123"
    unchanged = {"If-None-Match": by_url.headers["etag"]}
    assert client.get("/2/files/download", params={"arg": argument}, headers=unchanged).status_code == 304
    beyond = client.post("/2/files/download", headers={"Dropbox-API-Arg": argument, "Range": "bytes=4-"})
    assert (beyond.status_code, beyond.json()["error_summary"][:21]) == (409, "range/not_satisfiable")
    assert client.post("/2/files/download", headers=OCTETS).status_code == 400
    typed = {"Dropbox-API-Arg": argument, "Content-Type": "application/json"}
    assert client.post("/2/files/upload", content=b"x", headers=typed).status_code == 400


def test_callers_without_a_good_token_are_told_what_is_wrong(place: Place) -> None:
    with httpx.Client(base_url=place.url, trust_env=False, timeout=60) as client:
        route = "/2/users/get_current_account"
        assert client.post(route).status_code == 400
        assert client.post(route, headers={"Authorization": "Token x"}).status_code == 400
        unknown = client.post(route, headers={"Authorization": "Bearer x"})
        assert (unknown.status_code, unknown.json()["error"][".tag"]) == (401, "invalid_access_token")
        access_token, _ = place.issue(1)
        place.world.grants.expire(access_token)
        ended = client.post(route, headers={"Authorization": f"Bearer {access_token}"})
        assert (ended.status_code, ended.json()["error"][".tag"]) == (401, "expired_access_token")
        assert client.post("/2/files/no_such_route").status_code == 400


def test_an_error_names_its_tags_in_the_summary(client: httpx.Client) -> None:
    reply = client.post("/2/files/get_metadata", json={"path": "/missing"})
    assert reply.status_code == 409
    assert reply.json()["error_summary"].startswith("path/not_found/.")
    assert reply.json()["error"] == {".tag": "path", "path": {".tag": "not_found"}}


@pytest.mark.parametrize("path", ["/a/../b", "/folder/", "/./a"])
def test_paths_are_malformed_when_a_part_is_no_name(client: httpx.Client, path: str) -> None:
    reply = client.post("/2/files/get_metadata", json={"path": path})
    assert reply.json()["error"]["path"][".tag"] == "malformed_path"


@pytest.mark.parametrize("path", ["id:missing", "ns:1/a.txt"])
def test_nothing_is_written_to_what_is_not_there(client: httpx.Client, path: str) -> None:
    assert _upload(client, path).json()["error"]["reason"][".tag"] == "malformed_path"


def test_names_are_refused_when_no_file_may_have_them(client: httpx.Client) -> None:
    assert _upload(client, "/.DS_Store").json()["error"]["reason"][".tag"] == "disallowed_name"
    assert _upload(client, f"/{'n' * 256}").json()["error"]["reason"][".tag"] == "malformed_path"


def test_a_name_is_found_in_any_capitals_and_shown_as_it_was_made(client: httpx.Client) -> None:
    _upload(client, "/Folder/File.TXT")
    assert _upload(client, "/FOLDER/second.txt").json()["path_display"] == "/Folder/second.txt"
    moved = client.post("/2/files/move_v2", json={"from_path": "/folder/file.txt", "to_path": "/folder/FILE.txt"})
    assert moved.json()["metadata"]["path_display"] == "/Folder/File.TXT"
    there = client.post("/2/files/move_v2", json={"from_path": "/folder/file.txt", "to_path": "/folder/Second.txt"})
    assert there.json()["error"] == {".tag": "to", "to": {".tag": "conflict", "conflict": {".tag": "file"}}}
    nested = client.post("/2/files/move_v2", json={"from_path": "/folder", "to_path": "/Folder/inner"})
    assert nested.json()["error"][".tag"] == "cant_move_folder_into_itself"


def test_bytes_are_refused_when_they_are_not_those_that_were_hashed(client: httpx.Client) -> None:
    reply = _upload(client, "/a.txt", b"x", content_hash="0" * 64)
    assert (reply.status_code, reply.json()["error"][".tag"]) == (409, "content_hash_mismatch")


def test_a_cursor_is_refused_when_it_was_not_given(place: Place, client: httpx.Client) -> None:
    cursor = client.post("/2/files/list_folder", json={"path": ""}).json()["cursor"]
    other = place.build_client(2)
    for reader, shown in ((client, "made up"), (client, f"{cursor[:-1]}_"), (other, cursor)):
        assert reader.post("/2/files/list_folder/continue", json={"cursor": shown}).status_code == 400


def test_nothing_is_left_of_a_file_that_is_deleted_for_good(place: Place) -> None:
    client = place.build_client(1, "files.permanent_delete", "files.content.write", "files.metadata.read")
    _upload(client, "/a.txt")
    client.post("/2/files/permanently_delete", json={"path": "/a.txt"})
    revisions = client.post("/2/files/list_revisions", json={"path": "/a.txt"})
    assert revisions.json()["error"]["path"][".tag"] == "not_found"


def test_a_folder_comes_as_a_zip(client: httpx.Client) -> None:
    _upload(client, "/Docs/deep/a.txt", b"inside")
    reply = client.post("/2/files/download_zip", headers={"Dropbox-API-Arg": '{"path": "/docs"}'})
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.read("Docs/deep/a.txt") == b"inside"


def test_documents_are_exported_rather_than_downloaded(client: httpx.Client) -> None:
    metadata = _upload(client, "/Note.paper", b"<p>note").json()
    assert (metadata["is_downloadable"], metadata["export_info"]["export_as"]) == (False, "html")
    argument = {"Dropbox-API-Arg": '{"path": "/Note.paper"}'}
    assert client.post("/2/files/download", headers=argument).json()["error"][".tag"] == "unsupported_file"
    exported = client.post("/2/files/export", headers=argument)
    assert json.loads(exported.headers["dropbox-api-result"])["export_metadata"]["name"] == "Note.html"
    assert exported.content == b"<p>note"


def test_pictures_have_thumbnails_and_samples_are_there() -> None:
    with running_place(samples=build_samples(1)) as place:
        client = place.build_client(1)
        argument = {
            "resource": {".tag": "path", "path": "/Pictures/Harbour.png"},
            "size": {".tag": "w128h128"},
            "format": {".tag": "png"},
            "mode": {".tag": "fitone_bestfit"},
        }
        headers = {"Dropbox-API-Arg": json.dumps(argument)}
        reply = client.post("/2/files/get_thumbnail_v2", headers=headers)
        with Image.open(io.BytesIO(reply.content)) as picture:
            assert (picture.format, picture.size) == ("PNG", (171, 128))
        entries = [{"path": "/Pictures/Holiday/Beach + sun.jpg"}, {"path": "/Welcome.txt"}]
        results = client.post("/2/files/get_thumbnail_batch", json={"entries": entries}).json()["entries"]
        assert base64.b64decode(results[0]["thumbnail"]).startswith(b"\xff\xd8")
        assert results[1]["failure"] == {".tag": "unsupported_extension"}
        media = client.post("/2/files/get_metadata", json={**entries[0], "include_media_info": True}).json()
        assert media["media_info"]["metadata"]["dimensions"] == {"height": 480, "width": 640}


def test_a_shared_link_is_a_page_and_its_bytes(place: Place, client: httpx.Client) -> None:
    _upload(client, "/a.txt", b"inside")
    settings = {"link_password": "p", "require_password": True}
    made = client.post("/2/sharing/create_shared_link_with_settings", json={"path": "/a.txt", "settings": settings})
    url = made.json()["url"]
    assert url.startswith(place.url)
    with httpx.Client(trust_env=False, timeout=60) as browser:
        assert browser.get(url).status_code == 403
        assert "a.txt" in browser.post(url, data={"password": "p"}).text
        direct = browser.post(url.replace("dl=0", "dl=1"), data={"password": "p"})
        assert (direct.content, direct.headers["content-type"]) == (b"inside", "text/plain; charset=utf-8")


def test_a_namespace_has_paths_of_its_own_where_it_can_be_seen(place: Place, client: httpx.Client) -> None:
    shared = client.post("/2/sharing/share_folder", json={"path": "/Shared"}).json()["shared_folder_id"]
    written = _upload(client, f"ns:{shared}/deep/a.txt").json()
    assert written["path_display"] == "/Shared/deep/a.txt"
    assert client.post("/2/files/get_metadata", json={"path": f"ns:{shared}/DEEP"}).json()["name"] == "deep"
    outside = place.state.space.add_team_folder("Sample Works", "Everyone").namespace_id
    reply = client.post("/2/files/list_folder", json={"path": f"ns:{outside}"})
    assert reply.json()["error"]["path"][".tag"] == "not_found"


def test_a_key_and_secret_open_what_is_shared_with_everybody(place: Place, client: httpx.Client) -> None:
    _upload(client, "/a.txt")
    url = client.post("/2/sharing/create_shared_link_with_settings", json={"path": "/a.txt"}).json()["url"]
    with httpx.Client(
        base_url=place.url, auth=(SANDBOX_CLIENT.client_id, SANDBOX_CLIENT.client_secret), trust_env=False
    ) as application:
        assert application.post("/2/sharing/get_shared_link_metadata", json={"url": url}).json()["name"] == "a.txt"
        listed = application.post("/2/files/list_folder", json={"path": "", "shared_link": {"url": url}})
        assert listed.json()["error"]["path"][".tag"] == "not_folder"
        for route, argument in (("list_folder", {"path": ""}), ("get_metadata", {"path": "/a.txt"})):
            assert application.post(f"/2/files/{route}", json=argument).status_code == 400


def test_routes_are_what_the_sdk_knows_of_them() -> None:
    ours = {name: (route.style.value, route.auth, route.host) for name, route in build_table().by_name.items()}
    known = {
        name: (route.attrs["style"] or "rpc", route.attrs["auth"], route.attrs["host"] or "api")
        for name, route in list_sdk_routes().items()
        if name in ours
    }
    assert ours == known


@pytest.mark.skipif(SPECS is None, reason="PROVIDER_SPECS_DIR names no folder with Dropbox's published routes")
def test_routes_ask_for_the_scopes_that_are_published() -> None:
    published = json.loads((Path(str(SPECS)) / "dropbox" / "routes.json").read_text())
    ours = {f"/2/{name}": route.scope for name, route in build_table().by_name.items()}
    assert ours == {name: published[name]["scope"] for name in ours}


@pytest.mark.parametrize(("host", "status"), [("content.dropboxapi.com", 200), ("api.dropboxapi.com", 400)])
def test_a_route_answers_at_its_own_host_only(client: httpx.Client, host: str, status: int) -> None:
    _upload(client, "/a.txt")
    headers = {"Dropbox-API-Arg": '{"path": "/a.txt"}', "Host": host}
    assert client.post("/2/files/download", headers=headers).status_code == status
