"""A backup that is made beside a busy server works elsewhere, on either database, with the same keys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from app.backups.archive import opening
from app.models import UploadSession
from tests.app.backups.conftest import MakePlace
from tests.servers.api import Api, Caller, running_api

KINDS = ("sqlite", "postgresql")
WAIT_SECONDS_MAX = 60.0
WRITTEN_MIN = 5
CUSTOM = {"ä": [1, {"null": None}, "\N{SNOWMAN}", 2**60, 0.1], "": 'Löve\'s "x"\n'}


@dataclass
class Writer:
    """Makes applications through the API for as long as it is let; each is two rows that belong together."""

    caller: Caller
    written_ids: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    is_busy: threading.Event = field(default_factory=threading.Event)
    should_stop: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        with self.caller.client(self.caller.developer_header) as developer:
            while not self.should_stop.is_set():
                made = developer.post("/v1/meta/applications", json={"name": "Written meanwhile"})
                if made.status_code != 201:
                    self.errors.append(made.text)
                    return
                self.written_ids.append(made.json()["id"])
                if len(self.written_ids) >= WRITTEN_MIN:
                    self.is_busy.set()


@contextmanager
def writing(caller: Caller) -> Iterator[Writer]:
    writer = Writer(caller)
    thread = threading.Thread(target=writer.write)
    thread.start()
    try:
        assert writer.is_busy.wait(WAIT_SECONDS_MAX), writer.errors
        yield writer
    finally:
        writer.should_stop.set()
        thread.join(WAIT_SECONDS_MAX)
    assert writer.errors == []


@dataclass(frozen=True)
class Known:
    """What the clients of a place keep: ids, tokens, and what they were told."""

    caller: Caller
    account: dict[str, Any]
    ids: dict[str, str]  # of files and folders, by name
    upload_id: str

    @classmethod
    def make(cls, caller: Caller) -> Known:
        (caller.folder / "a.txt").write_text("content")
        (caller.folder / "Folder").mkdir()
        with caller.client() as client:
            changed = client.patch(caller.account_url, json={"custom_properties": CUSTOM, "account": "L ö v e"})
            assert changed.status_code == 200, changed.text
            started = client.post(f"{caller.storage_url}/multipart", json={"name": "b.bin", "parent_id": "root"}).json()
            assert client.put(started["href"], params={"part_number": 1}, content=b"part").status_code == 200
            return cls(caller, read_account(client, caller), list_ids(client, caller), started["id"])

    def check(self, api: Api) -> None:
        caller = replace(self.caller, api=api)
        with caller.client() as client, caller.client(caller.bearer_header) as owner:
            assert read_account(client, caller) == self.account
            assert owner.get("/v1/accounts/me").json()["id"] == caller.account_id
            assert list_ids(client, caller) == self.ids
            file = owner.get(f"/v1/accounts/me/storage/files/{self.ids['a.txt']}/contents")
            assert (file.status_code, file.text) == (200, "content")
            upload = f"{caller.storage_url}/multipart/{self.upload_id}"
            done = client.post(f"{upload}/complete")
            assert done.status_code == 201, done.text
            assert client.get(f"{caller.storage_url}/files/{done.json()['id']}/contents").content == b"part"
            (caller.folder / "b.bin").unlink()
        with caller.client(caller.developer_header) as developer:
            keys = developer.get(f"/v1/meta/applications/{caller.application_id}/apikeys").json()
            assert [key["key"] for key in keys["objects"]] == [caller.api_key]


def read_account(client: httpx.Client, caller: Caller) -> dict[str, Any]:
    reply = client.get(caller.account_url)
    assert reply.status_code == 200, reply.text
    return {name: value for name, value in reply.json().items() if name != "href"}


def list_ids(client: httpx.Client, caller: Caller) -> dict[str, str]:
    reply = client.get(f"{caller.storage_url}/folders/root/contents")
    assert reply.status_code == 200, reply.text
    return {entry["name"]: entry["id"] for entry in reply.json()["objects"]}


async def forget_uploads(api: Api) -> None:
    async with api.state.db.writing() as session:
        await session.execute(delete(UploadSession))


def read_column(path: Path, table: str, column: str) -> list[Any]:
    with opening(path) as archive:
        entry = next(entry for entry in archive.manifest.tables if entry.name == table)
        return [row[entry.columns.index(column)] for row in archive.read_rows(entry)]


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_everything_works_elsewhere_when_it_was_backed_up_while_it_was_written(
    make_place: MakePlace, tmp_path: Path, source_kind: str, target_kind: str
) -> None:
    source, path = make_place(source_kind), tmp_path / "a.backup"
    with running_api(source.settings) as api:
        known = Known.make(api.create_caller())
        with writing(known.caller) as writer:
            written_before = list(writer.written_ids)
            manifest = source.back_up(path)
    assert (manifest.database, path.stat().st_mode & 0o777) == (source_kind, 0o600)
    saved_ids = read_column(path, "applications", "id")
    assert set(written_before) <= set(saved_ids)
    assert sorted(read_column(path, "api_keys", "application_id")) == sorted(saved_ids), "half a change is in it"

    target = make_place(target_kind, like=source)
    assert target.restore(path) is None
    with running_api(target.settings) as api:
        known.check(api)
        with api.client(known.caller.developer_header) as developer:
            listed = developer.get("/v1/meta/applications", params={"page_size": 1000}).json()
            assert {entry["id"] for entry in listed["objects"]} == set(saved_ids)


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_no_id_is_given_again_when_the_newest_was_deleted_before_the_backup(
    make_place: MakePlace, tmp_path: Path, source_kind: str, target_kind: str
) -> None:
    source, path = make_place(source_kind), tmp_path / "a.backup"
    with running_api(source.settings) as api:
        caller = api.create_caller()
        with caller.client() as client:
            body = {"name": "a.bin", "parent_id": "root"}
            given = [int(client.post(f"{caller.storage_url}/multipart", json=body).json()["id"]) for _ in range(3)]
        api.run(forget_uploads(api))
        source.back_up(path)
    target = make_place(target_kind, like=source)
    target.restore(path)
    with running_api(target.settings) as api, replace(caller, api=api).client() as client:
        assert int(client.post(f"{caller.storage_url}/multipart", json=body).json()["id"]) > max(given)
