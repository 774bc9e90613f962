"""What Drive does not do, and how it says so; what goes wrong on purpose; what a new simulator holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from googleapiclient.errors import HttpError

from simulators.core.faults import Chance, Fault, FaultKind, Rule
from simulators.core.samples import build_samples
from simulators.gdrive.seeding import seed_drive
from tests.servers.gdrive import Place

FOLDER = "application/vnd.google-apps.folder"


@pytest.fixture
def client(place: Place) -> Iterator[httpx.Client]:
    with place.client(1) as client:
        yield client


@dataclass(frozen=True)
class Targets:
    """What calls that are refused are aimed at."""

    client: httpx.Client
    file_id: str
    folder_id: str


@pytest.fixture(scope="module")
def targets(calm_place: Place) -> Iterator[Targets]:
    with calm_place.client(1) as client:
        folder = client.post("/drive/v3/files", json={"name": "F", "mimeType": FOLDER}).json()["id"]
        yield Targets(client, calm_place.store(1, "a", b"a"), folder)


def read_reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("http", "path", "body", "status", "reason"),
    [
        ("GET", "files/nowhere", None, 404, "notFound"),
        ("GET", "files?pageSize=0", None, 400, "invalidParameter"),
        ("GET", "files?pageSize=ten", None, 400, "invalidParameter"),
        ("GET", "files?shoeSize=43", None, 400, "badRequest"),
        ("GET", "files?supportsAllDrives=perhaps", None, 400, "invalid"),
        ("GET", "files?corpora=drive", None, 403, "teamDrivesNotSupported"),
        ("GET", "files?spaces=outer", None, 400, "invalid"),
        ("GET", "files?q='nowhere'+in+parents", None, 404, "notFound"),
        ("GET", "changes", None, 400, "required"),
        ("GET", "drives/nowhere", None, 404, "notFound"),
        ("GET", "files/root/revisions", None, 403, "revisionsNotSupported"),
        ("GET", "files/{file}/revisions/nowhere", None, 404, "notFound"),
        ("GET", "files/{file}/permissions/nowhere", None, 404, "notFound"),
        ("POST", "files", b"{", 400, "parseError"),
        ("POST", "files", b'{"shoeSize": 43}', 400, "badRequest"),
        ("POST", "files", b'{"name": 43}', 400, "invalid"),
        ("POST", "files", b'{"size": "43"}', 403, "fieldNotWritable"),
        ("POST", "files", b'{"parents": ["root", "nowhere"]}', 403, "cannotAddParent"),
        ("POST", "files", b'{"parents": ["{file}"]}', 403, "parentNotAFolder"),
        ("POST", "files", b'{"mimeType": "application/vnd.google-apps.shortcut"}', 400, "required"),
        ("POST", "files", b'{"mimeType": "application/vnd.google-apps.invented"}', 400, "invalid"),
        ("POST", "files/root/copy", b"{}", 403, "cannotCopyFile"),
        ("PATCH", "files/{file}", b'{"parents": ["root"]}', 403, "fieldNotWritable"),
        ("PATCH", "files/{file}", b'{"modifiedTime": "yesterday"}', 400, "invalid"),
        ("PATCH", "files/root", b'{"name": "Mine"}', 403, "insufficientFilePermissions"),
        ("PATCH", "files/{folder}?addParents={folder}&removeParents=root", b"{}", 400, "badRequest"),
        ("DELETE", "files/root", None, 403, "insufficientFilePermissions"),
        ("POST", "files/{file}/permissions", b'{"role": "reader"}', 400, "required"),
        ("POST", "files/{file}/permissions", b'{"type": "user", "role": "reader"}', 400, "required"),
        ("POST", "files/{file}/permissions", b'{"type": "anyone", "role": "king"}', 400, "required"),
        ("POST", "files/{file}/permissions", b'{"type": "anyone", "role": "organizer"}', 400, "invalid"),
        (
            "POST",
            "files/{file}/permissions",
            b'{"type": "user", "role": "reader", "emailAddress": "nobody"}',
            400,
            "invalidSharingRequest",
        ),
    ],
)  # fmt: skip
def test_a_call_is_refused_with_its_reason_when_it_is_wrong(
    targets: Targets, http: str, path: str, body: bytes | None, status: int, reason: str
) -> None:
    path = path.replace("{file}", targets.file_id).replace("{folder}", targets.folder_id)
    content = body.replace(b"{file}", targets.file_id.encode()) if body is not None else None
    answer = targets.client.request(http, f"/drive/v3/{path}", content=content)
    assert read_reason(answer) == (status, reason)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic eDp5"}])
def test_a_call_is_refused_when_nobody_is_signed_in(place: Place, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{place.url}/drive/v3/files", headers=headers, trust_env=False, timeout=60)
    assert read_reason(answer) == (401, "authError")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("fault", "status", "reason", "header"),
    [
        (Fault(kind=FaultKind.RATE_LIMITED), 403, "userRateLimitExceeded", None),
        (Fault(kind=FaultKind.RATE_LIMITED, seconds=3), 429, "rateLimitExceeded", "3"),
        (Fault(kind=FaultKind.UNAVAILABLE, status=429), 429, "rateLimitExceeded", None),
        (Fault(kind=FaultKind.UNAVAILABLE, status=500), 500, "internalError", None),
        (Fault(kind=FaultKind.UNAVAILABLE, status=503), 503, "backendError", None),
        (Fault(kind=FaultKind.EXPIRED_TOKEN), 401, "authError", None),
        (Fault(kind=FaultKind.TOO_MANY_WRITES), 403, "userRateLimitExceeded", None),
    ],
)
def test_a_fault_looks_like_drives_own_when_it_is_wanted(
    place: Place, client: httpx.Client, fault: Fault, status: int, reason: str, header: str | None
) -> None:
    place.world.faults.add(Rule(fault=fault, path="/files$", times=1))
    answer = client.post("/drive/v3/files", json={"name": "a"})
    assert read_reason(answer) == (status, reason)
    assert answer.headers.get("retry-after") == header
    with place.client(1) as again:
        assert again.get("/drive/v3/files").json()["files"] == []


@pytest.mark.parametrize("path", ["/drive/v3/files", "/upload/drive/v3/files"])
def test_writes_are_refused_wherever_they_are_sent_when_they_meet_each_other(
    place: Place, client: httpx.Client, path: str
) -> None:
    place.world.faults.add(Rule(fault=Fault(kind=FaultKind.TOO_MANY_WRITES), times=1))
    content = {"json": {"name": "a"}} if path.startswith("/drive") else {"content": b"x" * 1_000_000}
    assert read_reason(client.post(path, params={"uploadType": "media"}, **content)) == (403, "userRateLimitExceeded")
    assert client.get("/drive/v3/files").json()["files"] == []


@pytest.mark.parametrize("has_id", [False, True])
def test_two_files_are_there_when_names_come_twice_on_purpose(
    place: Place, client: httpx.Client, *, has_id: bool
) -> None:
    (chosen,) = client.get("/drive/v3/files/generateIds", params={"count": 1}).json()["ids"]
    place.world.faults.add(Rule(fault=Fault(kind=FaultKind.DUPLICATE_NAME), path="/files$", times=1))
    made = client.post("/drive/v3/files", json={"name": "twin", **({"id": chosen} if has_id else {})})
    assert made.status_code == 200
    assert [file["name"] for file in client.get("/drive/v3/files").json()["files"]] == ["twin", "twin"]


def test_other_bytes_are_stored_when_they_are_rewritten_on_purpose(place: Place, client: httpx.Client) -> None:
    place.world.faults.add(Rule(fault=Fault(kind=FaultKind.REWRITTEN_BYTES), path="/upload/", times=1))
    params = {"uploadType": "media", "fields": "size"}
    stored = client.post("/upload/drive/v3/files", params=params, content=b"mine").json()
    assert int(stored["size"]) > len(b"mine")


@pytest.mark.parametrize("seconds", [60, 0, None])
def test_a_new_file_is_not_listed_yet_when_lists_are_late_on_purpose(
    place: Place, client: httpx.Client, seconds: float | None
) -> None:
    client.post("/drive/v3/files", json={"name": "new"})
    place.world.faults.add(Rule(fault=Fault(kind=FaultKind.STALE, seconds=seconds), path="/files$", times=1))
    assert client.get("/drive/v3/files").json()["files"] == []
    assert len(client.get("/drive/v3/files").json()["files"]) == 1


def test_everything_is_stored_once_when_every_third_call_fails_and_is_repeated(place: Place, service: Any) -> None:
    place.world.faults.chance = Chance(seed=5, every=3)
    names = [f"n{number}" for number in range(6)]
    for name in names:
        request = service.files().create(body={"name": name})
        request._sleep = lambda _: None
        request.execute(num_retries=5)
    place.world.faults.clear()
    found = service.files().list(orderBy="name").execute()["files"]
    assert [file["name"] for file in found] == names
    assert sum(place.world.faults.counts.values()) >= 2


def test_sample_files_are_there_when_a_drive_is_seeded(place: Place, service: Any) -> None:
    seed_drive(place.drive, build_samples(1, many_count=3))
    names = {file["name"] for file in service.files().list(q="trashed = false", fields="*").execute()["files"]}
    assert {"Welcome.txt", "Documents", "Minutes", "Inventory", "Note 00003.txt", "日の出.png"} <= names
    assert [drive["name"] for drive in service.drives().list().execute()["drives"]] == ["Team space"]
    guest = place.build_service(2)
    shared = guest.files().list(q="sharedWithMe = true").execute()["files"]
    assert [file["name"] for file in shared] == ["Documents"]
    shortcut = guest.files().list(q="name = 'Documents of Ada'", fields="files/shortcutDetails").execute()["files"]
    assert shortcut[0]["shortcutDetails"]["targetId"] == shared[0]["id"]
    guest.close()


def test_a_call_says_so_when_it_is_not_simulated(place: Place, client: httpx.Client) -> None:
    file_id = place.store(1, "a", b"")
    answer = client.get(f"/drive/v3/files/{file_id}/comments", params={"fields": "*"})
    assert read_reason(answer) == (501, "notImplemented")


def test_a_batch_is_refused_when_it_is_none(client: httpx.Client) -> None:
    assert client.post("/batch/drive/v3", json={}).status_code == 400
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    one = "--b\r\nContent-Type: application/http\r\n\r\nGET /drive/v3/files/root HTTP/1.1\r\n\r\n\r\n"
    assert client.post("/batch/drive/v3", content=one * 101 + "--b--", headers=headers).status_code == 400
    good = client.post("/batch/drive/v3", content=one * 2 + "--b--", headers=headers)
    assert good.text.count("HTTP/1.1 200 OK") == 2


def test_permissions_of_a_batch_part_count_when_it_has_its_own(place: Place, client: httpx.Client) -> None:
    token = place.issue(2)[0]
    part = (
        "--b\r\nContent-Type: application/http\r\nContent-ID: <x>\r\n\r\n"
        "GET /drive/v3/about?fields=user/emailAddress HTTP/1.1\r\n"
        f"Authorization: Bearer {token}\r\n\r\n\r\n--b--"
    )
    answer = client.post("/batch/drive/v3", content=part, headers={"Content-Type": "multipart/mixed; boundary=b"})
    assert "ben@example.com" in answer.text
    assert "Content-ID: <response-x>" in answer.text


def test_a_list_is_refused_when_a_folder_is_hidden(place: Place, service: Any) -> None:
    folder = place.store(2, "hers", b"")
    with pytest.raises(HttpError) as caught:
        service.files().list(q=f"'{folder}' in parents").execute()
    assert caught.value.status_code == 404
