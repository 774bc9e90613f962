"""Every route of the document, asked by everybody who may not: nothing leaks, nothing changes."""

from __future__ import annotations

import hashlib
import json
import secrets as random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from app.core.clock import now
from app.core.db import METADATA
from app.models import AuthorizationCode, Journey, Task, Transfer, TransferFile, TransferPart
from tests.app.sharing import MANIFEST, SharingConnector, connect_sharing
from tests.app.walking import PUBLIC, Intruder, Operation, Secrets, list_operations, walk
from tests.servers.api import ROOT, Api, Caller

OWNER_COLUMNS = (
    "application_id",
    "account_id",
    "developer_id",
    "upload_session_id",
    "task_id",
    "transfer_file_id",
)
WRITTEN_BESIDE = frozenset({"requests", "consents"})
"""The log grows by what anybody asks, some of it for the victim's application; consents are of browsers, by a hash."""
SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Request-Id": "1"}
PROTECTED = frozenset(
    {*OWNER_COLUMNS, "created_at", "is_admin", "is_verified", "scope", "token_hash", "key_hash", "sealed_credentials"}
)
OF_THE_STORAGE = ("{folder_id}", "{service_link_id}", "permissions", "properties")
OWNED_BY_ID = {"developers": "developer_id"}


@dataclass(frozen=True)
class Victim:
    """A caller with a folder, a file and a begun upload, whose every name is told apart from all others."""

    caller: Caller
    values: dict[str, str]  # path parameters
    secrets: Secrets
    developer_id: int
    transfer_file_id: int
    mark: str  # in every name
    read_files: Callable[[], object]  # everything that the storage holds, to compare with later

    async def read_rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row that belongs to the victim. KeyError for a table that does not say whose its rows are."""
        owners = {
            "application_id": self.caller.application_id,
            "account_id": self.caller.account_id,
            "developer_id": self.developer_id,
            "upload_session_id": int(self.values["upload_id"]),
            "task_id": UUID(self.values["task_id"]),
            "transfer_file_id": self.transfer_file_id,
        }
        rows = {}
        async with self.caller.api.state.db.reading() as session:
            for name, table in METADATA.tables.items():
                if name in WRITTEN_BESIDE:
                    continue
                column = next((column for column in OWNER_COLUMNS if column in table.c), None)
                owner = owners[column or OWNED_BY_ID[name]]
                found = await session.execute(
                    select(table).where(table.c[column or "id"] == owner).order_by(*table.primary_key.columns)
                )
                rows[name] = [tuple(row) for row in found]
        return rows


def read_folder(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file and folder on the disk, also the hidden ones, with its content's hash and its time."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder",
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
    }


def read_store(store: SharingConnector) -> object:
    """Everything in it, as it is now."""
    return deepcopy((store.nodes, store.trash, store.histories, store.links, store.permissions, store.properties))


def read_protected(victim: Victim) -> dict[str, list[tuple[object, ...]]]:
    """Of every row of the victim, whose it is and what it may do."""

    async def read() -> dict[str, list[tuple[object, ...]]]:
        found = {}
        async with victim.caller.api.state.db.reading() as session:
            for name, table in METADATA.tables.items():
                columns = [column for column in table.c if column.name in PROTECTED or column.primary_key]
                everything = await session.execute(select(*columns).order_by(*table.primary_key.columns))
                found[name] = [tuple(row) for row in everything]
        return {name: found[name] for name in found if name not in WRITTEN_BESIDE}

    return victim.caller.api.run(read())


@pytest.fixture(params=["local", MANIFEST.service])
def victim(api: Api, request: pytest.FixtureRequest) -> Victim:
    """Once at a storage that has few things, once at one that has all."""
    caller = api.create_caller()
    mark = f"victim{random.token_hex(6)}"
    with caller.client() as client:
        read_files: Callable[[], object] = partial(read_folder, caller.folder)
        if request.param != "local":
            drive = connect_sharing(caller, client)
            caller, read_files = drive.caller, partial(read_store, drive.store)
        label = {"account": f"{mark}@example.com", "custom_properties": {"note": mark}}
        client.patch(caller.account_url, json=label)
        key = {"Idempotency-Key": mark}
        folder = client.post(f"{caller.storage_url}/folders", json={"name": f"{mark} folder"}, headers=key).json()
        metadata = {"X-Kloudless-Metadata": json.dumps({"name": f"{mark}.txt", "parent_id": folder["id"]})}
        file = client.post(f"{caller.storage_url}/files", headers=metadata, content=f"{mark} inside").json()
        upload = client.post(f"{caller.storage_url}/multipart", json={"name": f"{mark}.bin", "parent_id": "root"})
        upload_id = upload.json()["id"]
        client.put(f"{caller.storage_url}/multipart/{upload_id}", params={"part_number": 1}, content=b"part")
        link = client.post(f"{caller.storage_url}/links", json={"file_id": file["id"]}).json()
        service_link = client.post(f"{file['href']}/links", json={}).json().get("href", "none").rpartition("/")[2]
        client.post(f"{folder['href']}/links", json={})
        versions = client.get(f"{file['href']}/versions").json()
        version_id = versions["objects"][0]["id"] if "objects" in versions else "none"
    with caller.client(caller.developer_header) as client:
        application = f"/v1/meta/applications/{caller.application_id}"
        client.patch(application, json={"name": f"{mark} app"})
        developer = client.patch("/v1/meta/developers/me", json={"last_name": mark}).json()
        domain = client.post(f"{application}/trusted_domains", json={"domain": f"{mark}.example.com"}).json()
        redirect = client.post(f"{application}/redirect_uris", json={"url": f"{mark}://back"}).json()
        oauth_client = {"service": "local", "client_id": mark, "client_secret": mark}
        service_key = client.post(f"{application}/service_keys", json=oauth_client).json()

    task_id, transfer_file_id = api.run(add_task(caller, file["raw_id"]))
    values = {
        "account_id": str(caller.account_id),
        "task_id": str(task_id),
        "application_id": caller.application_id,
        "key": caller.api_key,
        "folder_id": folder["id"],
        "file_id": file["id"],
        "upload_id": str(upload_id),
        "version_id": version_id,
        "link_id": link["id"],
        "token": link["url"].rpartition("/")[2],
        "service_link_id": service_link,
        "service_name": "local",
        "request_id": upload.headers["x-request-id"],
        "developer_id": str(developer["id"]),
        "domain_id": str(domain["id"]),
        "redirect_uri_id": str(redirect["id"]),
        "service_key_id": str(service_key["id"]),
    }
    texts = (mark, caller.application_id, caller.api_key, caller.bearer_token, caller.developer_token)
    secrets = Secrets(
        (*texts, folder["id"], file["id"], values["link_id"], values["token"], str(task_id)),
        caller.account_id,
        upload_id,
    )
    return Victim(caller, values, secrets, developer["id"], transfer_file_id, mark, read_files)


async def add_task(caller: Caller, raw_id: str) -> tuple[UUID, int]:
    """A task that has ended in a file, with rows of every kind below it, and somebody who is connecting an account.

    Returns the ids of the task and of its file's row.
    """
    task_id = uuid4()
    async with caller.api.state.db.writing() as session:
        session.add(
            Task(
                id=task_id,
                application_id=caller.application_id,
                account_id=caller.account_id,
                kind="copy",
                sealed_request="",
                state="finished",
                result_account_id=caller.account_id,
                result_kind="file",
                result_raw_id=raw_id,
            )
        )
        await session.flush()
        session.add(Transfer(task_id=task_id))
        row = TransferFile(task_id=task_id, kind="file", depth=0, source_raw_id=raw_id, source_key="", name="", path="")
        session.add(row)
        await session.flush()
        session.add(TransferPart(transfer_file_id=row.id, number=1, size_bytes=1, sha256=""))
        name = f"{task_id}"
        session.add(
            Journey(
                name_hash=name,
                browser_hash="",
                application_id=caller.application_id,
                wishes={},
                expires_at=now() + timedelta(hours=1),
            )
        )
        session.add(
            AuthorizationCode(
                code_hash=name,
                account_id=caller.account_id,
                redirect_uri="",
                scope="",
                expires_at=now() + timedelta(hours=1),
            )
        )
        return task_id, row.id


@pytest.fixture
def sibling_token(victim: Victim) -> str:
    """Opens another account of the victim's own application."""
    with victim.caller.client() as client:
        (victim.caller.api.files / "sibling").mkdir(exist_ok=True)
        body = {"account": "sibling", "service": "local", "token": ROOT, "folder": "sibling"}
        account = client.post("/v1/accounts", json=body).json()
        token: str = client.post(f"/v1/accounts/{account['id']}/tokens").json()["access_token"]
        return token


@pytest.fixture
def intruders(api: Api, victim: Victim, sibling_token: str) -> list[Intruder]:
    """Nobody, strangers with each kind of credentials, and strangers who put foreign ids behind their own."""

    def build(name: str, headers: str, *own: str, **replaced: str) -> Intruder:
        stranger = api.create_caller()
        values = {"account_id": str(stranger.account_id), "application_id": stranger.application_id, **replaced}
        return Intruder(
            name,
            getattr(stranger, headers) if headers else {},
            victim.values | {parameter: values[parameter] for parameter in own},
            frozenset(victim.values) - set(own),
            victim.secrets,
        )

    sibling = Intruder(
        "another account's token",
        {"Authorization": f"Bearer {sibling_token}"},
        victim.values,
        frozenset(victim.values),
        victim.secrets.without(victim.caller.application_id),  # it belongs to the same application
    )
    return [
        build("nobody", ""),
        build("another application's key", "key_header"),
        build("another application's token", "bearer_header"),
        sibling,
        build("another developer", "developer_header"),
        build("own account by key, foreign things", "key_header", "account_id"),
        build("own account by token, foreign things", "bearer_header", "account_id"),
        build("me, foreign things", "bearer_header", "account_id", account_id="me"),
        build("own application, foreign things", "developer_header", "application_id"),
    ]


@pytest.fixture
def document(api: Api) -> Iterator[dict[str, object]]:
    with api.client() as client:
        yield client.get("/openapi.json").json()


def test_nothing_leaks_and_nothing_changes_when_strangers_walk_all_routes(
    api: Api, victim: Victim, intruders: list[Intruder], document: dict[str, object]
) -> None:
    operations = list_operations(document)
    assert {parameter for operation in operations for parameter in operation.parameters} == set(victim.values)
    body = {
        "name": "intruder.txt",
        "parent_id": victim.values["folder_id"],
        "raw_id": "/",
        "type": "folder",
        "account": "me",
        "service": "local",
        "token": ROOT,
        "folder": "sibling",
        "source": victim.caller.application_id,
        "description": "intruder",
        "active": True,
        "domain": "intruder.example.com",
        "url": "https://intruder.example.com/",
        "client_id": "intruder",
        "client_secret": "intruder",
        "last_name": "intruder",
    }
    rows, files = api.run(victim.read_rows()), victim.read_files()
    assert all(rows.values())
    problems: list[str] = []
    with api.client() as client:
        for intruder in intruders:
            problems += walk(client, operations, intruder, body=body)
    assert problems == []
    assert victim.read_files() == files
    assert api.run(victim.read_rows()) == rows


def test_owner_and_rights_stay_when_a_body_names_others(api: Api, victim: Victim, document: dict[str, object]) -> None:
    other = api.create_caller()
    rows, protected = api.run(victim.read_rows()), read_protected(victim)
    owners = {
        "application_id": other.application_id,
        "application": other.application_id,
        "account_id": other.account_id,
        "developer_id": victim.developer_id + 1,
        "developer": victim.developer_id + 1,
    }
    rights = {
        "id": 1,
        "admin": True,
        "is_admin": True,
        "is_verified": False,
        "created": "2000-01-01T00:00:00Z",
        "created_at": "2000-01-01T00:00:00Z",
        "scope": "any",
        "token_hash": "0" * 64,
        "sealed_credentials": "1.0.AAAA",
    }
    good = {
        "name": "changed",
        "custom_properties": {},
        "description": "changed",
        "active": True,
        "last_name": "changed",
    }
    taken: dict[str, bool] = {}
    for headers in (victim.caller.key_header, victim.caller.developer_header):
        with victim.caller.client(dict(headers)) as client:
            for operation in list_operations(document):
                if operation.method == "PATCH" and not operation.template.endswith(OF_THE_STORAGE):
                    answer = client.patch(operation.build_path(victim.values), json={**owners, **rights, **good})
                    taken[str(operation)] = taken.get(str(operation), False) or answer.is_success
    assert [operation for operation, was_taken in taken.items() if not was_taken] == []
    assert api.run(victim.read_rows()) != rows
    assert read_protected(victim) == protected


def test_the_victim_itself_is_answered_on_the_same_paths(victim: Victim, document: dict[str, object]) -> None:
    seen: dict[str, set[int]] = {}
    for headers in (victim.caller.key_header, victim.caller.bearer_header, victim.caller.developer_header):
        with victim.caller.client(dict(headers)) as client:
            for operation in list_operations(document):
                if operation.method == "GET":
                    answer = client.get(operation.build_path(victim.values), params={"path": "/", "q": "victim"})
                    seen.setdefault(str(operation), set()).add(answer.status_code)
    unanswered = {
        operation
        for operation, statuses in seen.items()
        if not {200, 302} & statuses
        and operation != "GET /v1/oauth"  # which belongs to nobody
        and not (operation.endswith("/thumbnail") and 400 in statuses)  # of a text
    }
    if victim.values["version_id"] == "none":
        unanswered = {operation for operation in unanswered if "{version_id}" not in operation}
        assert unanswered == {operation for operation in unanswered if 501 in seen[operation]}
    else:
        assert unanswered == set()


def test_public_routes_are_the_listed_ones(api: Api, document: dict[str, object]) -> None:
    operations = {str(operation) for operation in list_operations(document)}
    assert operations >= PUBLIC
    paths = document["paths"]
    assert isinstance(paths, dict)
    for operation in list_operations(document):
        described = paths[operation.template][operation.method.lower()]
        assert (described.get("security") == []) == (str(operation) in PUBLIC), operation


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/open/{account_id}", {"nobody": "200", "somebody": "200"}),
        ("/leak/{account_id}", {"nobody": "403", "somebody": "403 with victim"}),
        ("/head/{account_id}", {"nobody": "401 with /accounts/17", "somebody": "404 with /accounts/17"}),
        ("/number/{account_id}", {"somebody": '404 with "account": 17'}),
        ("/crash/{account_id}", {"somebody": "500"}),
        ("/cached/{account_id}", {"nobody": "401 and may be kept", "somebody": "404 and may be kept"}),
        ("/fine/{account_id}", {}),
    ],
)
def test_walk_names_the_route_when_somebody_adds_one_that_is_open(path: str, expected: dict[str, str]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        answered = answer_plainly(request)
        is_cached = request.url.path.startswith("/cached")
        answered.headers.update(SAFE | ({"Cache-Control": "max-age=60"} if is_cached else {}))
        return answered

    def answer_plainly(request: httpx.Request) -> httpx.Response:
        is_known = "authorization" in request.headers
        status = 404 if is_known else 401
        match request.url.path.split("/")[1]:
            case "open":
                return httpx.Response(200, json={"account": "no name"})
            case "leak":
                return httpx.Response(403, text="This is the account of victim")
            case "head":
                return httpx.Response(status, headers={"Location": "/v1/accounts/17/"})
            case "number":
                return httpx.Response(status, text='{"account": 17}' if is_known else '{"account": 170}')
            case "crash":
                return httpx.Response(500 if is_known else 401)
        return httpx.Response(status, json={"account": 170})

    operations = list_operations({"paths": {path: {"get": {}}}})
    assert operations == [Operation("GET", path)]
    secrets = Secrets(("victim",), account_id=17, upload_id=18)
    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://test") as client:
        for name, headers in (("nobody", {}), ("somebody", {"Authorization": "Bearer token"})):
            intruder = Intruder(name, headers, {"account_id": "17"}, frozenset({"account_id"}), secrets)
            problems = list(walk(client, operations, intruder, body={}))
            assert bool(problems) == (name in expected)
            assert all(f"GET {path} answered {expected[name]}" in problem for problem in problems[-1:])
