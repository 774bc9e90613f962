"""Keys that hurt, put by other programs: what the whole API makes of them, on stores that can hold them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.drive import Drive, read_error, read_json
from tests.servers.accounts import LOOPBACK
from tests.servers.api import Api, build_settings, running_api
from tests.servers.moto import SHARED_MOTO
from tests.servers.s3 import S3Server
from tests.servers.seaweedfs import SHARED_SEAWEEDFS
from tests.servers.shared import Shared

PREFIX = "test-0123456789ab/"  # each test has another one, of that length
KEY_BYTES_MAX = 1024
QUERY_CHARACTERS_MAX = 1000

COMMON = (
    "a",
    "a/b",  # a file beside the folder of its name
    "f+g",
    "h%2Fi",
    "j?#k",
    "l m",
    "100%",
    "%zz",
    "&<>\"'",
    " lead",
    "trail ",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{ELECTRIC LIGHT BULB}",
)
UNSENDABLE = ("..", "s/../t", "u/./v", "x/..")
"""Keys that no URL can hold, so that their bytes cannot be had under them."""

KEYS = {
    "seaweedfs": (*COMMON, "n\x01o", "p\tq\nr", "n" * 255),
    "moto": (*COMMON, *UNSENDABLE, "c//d", "/lead", "e/", "b\\c", "n" * (KEY_BYTES_MAX - len(PREFIX))),
}
"""By store. The first reads "c//d" and "/lead" as "c/d" and "lead", forgets the bytes of "e/" and takes a backslash for
a slash; the second takes no line ends, and answers with documents that are none when a page begins at another control
character.
"""
STORES: dict[str, Shared[S3Server]] = {"seaweedfs": SHARED_SEAWEEDFS, "moto": SHARED_MOTO}


@dataclass(frozen=True)
class Bucket:
    """A place in a store that holds every key of the store, each with its own bytes, and the account that shows it."""

    server: S3Server
    prefix: str
    keys: tuple[str, ...]
    drive: Drive

    def list_keys(self) -> set[str]:
        """What the store itself says that it holds, but for what only says that a folder is there."""
        with self.server.client() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.server.bucket, Prefix=self.prefix)
            objects = [found for page in pages for found in page.get("Contents", ())]
        return {
            found["Key"].removeprefix(self.prefix)
            for found in objects
            if found["Size"] or not found["Key"].endswith("/")
        }

    def read_all(self) -> dict[str, bytes]:
        """The same with the bytes."""
        with self.server.client() as client:
            return {
                key: client.get_object(Bucket=self.server.bucket, Key=self.prefix + key)["Body"].read()
                for key in self.list_keys()
            }

    def list_files(self, **params: str | int) -> list[dict[str, Any]]:
        """All files at any depth."""
        return [each for each in self.walk("root", recursive="true", **params) if each["type"] == "file"]

    def walk(self, folder_id: str, **params: str | int) -> list[dict[str, Any]]:
        """What a folder's pages hold."""
        objects: list[dict[str, Any]] = []
        page: str | None = None
        while True:
            query = params if page is None else {**params, "page": page}
            reply = read_json(self.drive.client.get(self.drive.url(f"folders/{folder_id}/contents"), params=query))
            objects += reply["objects"]
            page = reply["next_page"]
            if page is None:
                return objects

    def list_by_key(self) -> dict[str, dict[str, Any]]:
        """All files, each by its key."""
        return {file["raw_id"][1:]: file for file in self.list_files()}

    def ask(self, method: str, file: dict[str, Any], path: str = "", **body: str) -> httpx.Response:
        """A request about a file."""
        return self.drive.client.request(method, file["href"] + path, json=body or None)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("keys")
    with running_api(build_settings(folder, allowed_networks=[LOOPBACK])) as running:
        yield running


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def bucket(store: str, api: Api) -> Iterator[Bucket]:
    server, keys = STORES[store].get(), KEYS[store]
    prefix = f"test-{secrets.token_hex(6)}/"
    with server.client() as client:
        for key in keys:
            client.put_object(Bucket=server.bucket, Key=prefix + key, Body=f"bytes of {key}".encode())
    account = {
        "service": "s3_compatible",
        "endpoint": server.url,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        "bucket": server.bucket,
        "prefix": prefix,
    }
    caller = api.create_caller(lambda *_: account)
    with caller.client() as client:
        yield Bucket(server, prefix, keys, Drive(caller, client))
    with server.client() as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=server.bucket, Prefix=prefix)
        for key in [found["Key"] for page in pages for found in page.get("Contents", ())]:
            client.delete_object(Bucket=server.bucket, Key=key)


def test_each_key_is_a_file_of_its_own_when_all_are_listed(bucket: Bucket) -> None:
    files = bucket.list_files(page_size=3)
    assert sorted(file["raw_id"] for file in files) == sorted(f"/{key}" for key in bucket.keys)
    assert len({file["id"] for file in files}) == len(files)
    assert {file["raw_id"]: file["name"] for file in files} == {f"/{key}": key.split("/")[-1] for key in bucket.keys}
    assert all(file["size"] == len(f"bytes of {file['raw_id'][1:]}".encode()) for file in files)


def test_each_key_is_met_once_when_folders_are_walked(bucket: Bucket) -> None:
    waiting, raw_ids = ["root"], []
    while waiting:
        for found in bucket.walk(waiting.pop(), page_size=3):
            if found["type"] == "folder":
                waiting.append(found["id"])
            else:
                raw_ids.append(found["raw_id"])
    assert sorted(raw_ids) == sorted(f"/{key}" for key in bucket.keys)


def test_bytes_are_had_or_it_is_said_why_not_when_file_is_read(bucket: Bucket) -> None:
    for file in bucket.list_files():
        key = file["raw_id"][1:]
        assert read_json(bucket.ask("GET", file)) == file
        contents = bucket.ask("GET", file, "/contents")
        assert file["downloadable"] is (key not in UNSENDABLE)
        if key in UNSENDABLE:
            assert read_error(contents) == (501, "not_implemented")
            assert "rename it first" in contents.json()["message"]
        else:
            assert (contents.status_code, contents.content) == (200, f"bytes of {key}".encode())


def test_each_file_is_found_once_when_its_name_is_searched(bucket: Bucket) -> None:
    for file in bucket.list_files():
        if not file["name"].strip():
            continue
        params = {"q": file["name"][:QUERY_CHARACTERS_MAX]}
        reply = read_json(bucket.drive.client.get(bucket.drive.url("search"), params=params))
        assert [found["id"] for found in reply["objects"]].count(file["id"]) == 1, file["name"]


def test_bytes_go_along_and_nothing_else_changes_when_each_file_is_renamed(bucket: Bucket) -> None:
    expected, files = bucket.read_all(), bucket.list_by_key()
    for number, key in enumerate(set(files) - {"s/../t", "u/./v"}):
        renamed = read_json(bucket.ask("PATCH", files[key], name=f"renamed {number}"))
        expected[key[: key.rfind("/") + 1] + f"renamed {number}"] = expected.pop(key)
        assert renamed["name"] == f"renamed {number}"
    assert bucket.read_all() == expected


def test_bytes_can_be_had_when_each_file_was_moved_to_a_place_that_urls_can_hold(bucket: Bucket) -> None:
    expected, files = bucket.read_all(), bucket.list_by_key()
    for number, key in enumerate(files):
        moved = read_json(bucket.ask("PATCH", files[key], name=f"moved {number}", parent_id="root"))
        expected[f"moved {number}"] = expected.pop(key)
        assert bucket.ask("GET", moved, "/contents").content == expected[f"moved {number}"]
    assert bucket.read_all() == expected


@pytest.mark.parametrize("store", ["moto"], indirect=True)
@pytest.mark.parametrize("key", ["s/../t", "u/./v"])
def test_error_says_why_when_the_new_place_cannot_be_sent_either(bucket: Bucket, key: str) -> None:
    expected = bucket.read_all()
    refused = bucket.ask("PATCH", bucket.list_by_key()[key], name="renamed")
    assert read_error(refused) == (400, "invalid_parameters")
    assert "'.' or '..'" in refused.json()["message"]
    assert bucket.read_all() == expected


def test_bytes_are_there_twice_when_each_file_is_copied(bucket: Bucket) -> None:
    folder = bucket.drive.client.post(bucket.drive.url("folders"), json={"parent_id": "root", "name": "copies"})
    expected, files = bucket.read_all(), bucket.list_by_key()
    for number, key in enumerate(files):
        body = {"parent_id": read_json(folder, status=201)["id"], "name": f"copy {number}"}
        copy = read_json(bucket.ask("POST", files[key], "/copy", **body), status=201)
        expected[f"copies/copy {number}"] = expected[key]
        assert bucket.ask("GET", copy, "/contents").content == expected[key]
    assert bucket.read_all() == expected


def test_only_that_key_goes_when_each_file_is_deleted(bucket: Bucket) -> None:
    files, left = bucket.list_by_key(), set(bucket.keys)
    for key, file in files.items():
        assert bucket.ask("DELETE", file).status_code == 204, key
        left.remove(key)
        assert bucket.list_keys() == left
        assert read_error(bucket.ask("GET", file)) == (404, "not_found")
    assert not left
