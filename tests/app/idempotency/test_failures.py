"""What becomes of a key when its request failed: free again without an effect, in doubt with a possible one."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from app.core.state import build_registry_from
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.service import Registry, Service
from tests.app.drive import Drive, read_error, read_json
from tests.app.edge.faulty import MANIFEST, FaultyConnector
from tests.servers.api import Api, build_settings, running_api

KEY = {"Idempotency-Key": "one of a kind"}


@pytest.fixture(scope="module")
def faulty() -> FaultyConnector:
    return FaultyConnector()


@pytest.fixture(scope="module")
def faulty_api(tmp_path_factory: pytest.TempPathFactory, faulty: FaultyConnector) -> Iterator[Api]:
    settings = build_settings(tmp_path_factory.mktemp("faulty"))
    service = Service(manifest=MANIFEST, build=lambda _context: faulty)
    with running_api(settings, registry=Registry([*build_registry_from(settings), service])) as running:
        yield running


@pytest.fixture
def asker(faulty_api: Api) -> Iterator[httpx.Client]:
    with faulty_api.create_caller().client() as client:
        yield client


@pytest.fixture
def folders_url(asker: httpx.Client, faulty: FaultyConnector) -> Iterator[str]:
    account = asker.post("/v1/accounts", json={"account": "faulty", "service": MANIFEST.service}).json()
    yield f"/v1/accounts/{account['id']}/storage/folders"
    faulty.reset()


def test_key_is_free_again_when_the_name_was_taken(drive: Drive) -> None:
    taken = drive.create_folder("new")

    def create() -> httpx.Response:
        params = {"conflict_if_exists": "true"}
        return drive.client.post(drive.url("folders"), params=params, json={"name": "new"}, headers=KEY)

    assert read_error(create()) == (409, "naming_conflict")
    drive.client.delete(taken["href"])
    made = read_json(create(), status=201)
    assert read_json(create(), status=201) == made


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "bad_request"),
        (b"{}", "invalid_parameters"),
        (b'{"name": "a", "parent_id": "x"}', "invalid_parent_folder"),
    ],
)
def test_key_is_free_again_when_the_request_was_wrong(drive: Drive, body: bytes, code: str) -> None:
    assert read_error(drive.client.post(drive.url("folders"), content=body, headers=KEY)) == (400, code)
    assert drive.client.post(drive.url("folders"), json={"name": "a"}, headers=KEY).status_code == 201


def test_key_is_free_again_when_the_bytes_ended_early(drive: Drive) -> None:
    def read() -> Iterator[bytes]:
        yield b"some"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive.send_file("a", read(), headers=KEY)
    stored = drive.send_file("a", iter([b"something"]), headers=KEY)
    while stored.status_code == 409:  # the server has not yet heard that the first one ended
        stored = drive.send_file("a", iter([b"something"]), headers=KEY)
    assert (stored.status_code, drive.list_names()) == (201, ["a"])


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE, ErrorKind.QUOTA_EXCEEDED])
def test_key_is_free_again_when_the_storage_refused(
    asker: httpx.Client, folders_url: str, faulty: FaultyConnector, kind: ErrorKind
) -> None:
    faulty.faults["create_folder"] = [ConnectorError(kind)]
    body = {"name": kind.value}
    assert asker.post(folders_url, json=body, headers=KEY).status_code >= 400
    assert asker.post(folders_url, json=body, headers=KEY).status_code == 201


@pytest.mark.parametrize(
    "fault",
    [
        ConnectorError(ErrorKind.TIMED_OUT, maybe_applied=True),
        ConnectorError(ErrorKind.UNEXPECTED),
        ZeroDivisionError("a fault of the server"),
    ],
)
def test_repeat_is_told_to_look_first_when_the_effect_is_in_doubt(
    asker: httpx.Client, folders_url: str, faulty: FaultyConnector, fault: Exception
) -> None:
    faulty.faults["create_folder"] = [fault]
    body = {"name": f"{fault}"}
    assert asker.post(folders_url, json=body, headers=KEY).status_code in {500, 502, 504}
    for _ in range(2):
        refused = asker.post(folders_url, json=body, headers=KEY)
        assert read_error(refused) == (409, "conflict")
        assert "retry-after" not in refused.headers
    fresh = asker.post(folders_url, json=body, headers={"Idempotency-Key": "another"})
    assert fresh.status_code == 201
