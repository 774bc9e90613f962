from __future__ import annotations

import pytest

from app.core.errors import CODE_OF_KIND, ErrorCode, build_api_error
from app.uploads.service import abort_expired
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import RawId, Ref
from tests.app.drive import Drive, read_error, read_json
from tests.app.edge.faulty import FaultyConnector

PUBLIC = {
    ErrorKind.NOT_FOUND: (404, "not_found"),
    ErrorKind.ALREADY_EXISTS: (409, "naming_conflict"),
    ErrorKind.FOLDER_NOT_EMPTY: (403, "folder_not_empty"),
    ErrorKind.WRONG_TYPE: (400, "invalid_resource_type"),
    ErrorKind.INVALID_NAME: (400, "invalid_parameters"),
    ErrorKind.INVALID_TARGET: (400, "invalid_parent_folder"),
    ErrorKind.PERMISSION_DENIED: (403, "permission_denied"),
    ErrorKind.GRANT_REVOKED: (401, "service_unauthorized"),
    ErrorKind.TOKEN_EXPIRED: (401, "service_unauthorized"),
    ErrorKind.RATE_LIMITED: (429, "too_many_service_requests"),
    ErrorKind.QUOTA_EXCEEDED: (507, "insufficient_storage"),
    ErrorKind.TOO_LARGE: (413, "request_too_large"),
    ErrorKind.PRECONDITION_FAILED: (412, "precondition_failed"),
    ErrorKind.NOT_MODIFIED: (500, "internal_error"),  # no route asks for it
    ErrorKind.RANGE_INVALID: (416, "range_not_satisfiable"),
    ErrorKind.FORMAT_INVALID: (400, "invalid_parameters"),
    ErrorKind.CURSOR_INVALID: (400, "invalid_parameters"),
    ErrorKind.CURSOR_RESET: (400, "invalid_parameters"),
    ErrorKind.INVALID_PARTS: (400, "invalid_parameters"),
    ErrorKind.SOURCE_FAILED: (400, "bad_request"),
    ErrorKind.ADDRESS_REFUSED: (403, "forbidden"),
    ErrorKind.UNSUPPORTED: (501, "not_implemented"),
    ErrorKind.UNAVAILABLE: (503, "service_not_available"),
    ErrorKind.TIMED_OUT: (504, "gateway_timeout"),
    ErrorKind.UNEXPECTED: (502, "bad_gateway"),
}
CONTRACT = {  # contract 1.11
    "bad_request": 400,
    "request_failed": 400,
    "invalid_parent_folder": 400,
    "invalid_parameters": 400,
    "invalid_resource_type": 400,
    "unauthorized": 401,
    "service_unauthorized": 401,
    "authentication_required": 401,
    "folder_not_empty": 403,
    "permission_denied": 403,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "naming_conflict": 409,
    "too_many_requests": 429,
    "too_many_service_requests": 429,
    "internal_error": 500,
    "not_implemented": 501,
    "bad_gateway": 502,
    "service_not_available": 503,
    "gateway_timeout": 504,
    "insufficient_storage": 507,
}


def test_table_has_every_kind() -> None:
    assert set(PUBLIC) == set(ErrorKind)
    assert set(CODE_OF_KIND) == set(ErrorKind) - {ErrorKind.NOT_MODIFIED}


def test_codes_are_the_contracts() -> None:
    codes = {code.code: code.status for code in ErrorCode}
    assert {name: codes[name] for name in CONTRACT} == CONTRACT
    assert all(code.when.endswith(".") for code in ErrorCode)


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_error_of_a_storage_is_answered_with_its_public_code(
    drive: Drive, faulty: FaultyConnector, faulty_url: str, kind: ErrorKind
) -> None:
    faulty.faults["get"] = [ConnectorError(kind, "what happened")]
    reply = drive.client.get(f"{faulty_url}/folders/root")
    assert read_error(reply) == PUBLIC[kind]
    assert reply.json()["message"] == "what happened"


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(None, None), (0.0, "1"), (0.2, "1"), (1.0, "1"), (1.01, "2"), (7, "7"), (59.5, "60"), (3600.0, "3600")],
)
def test_retry_after_is_whole_seconds_rounded_up(seconds: float | None, header: str | None) -> None:
    for kind in (ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE):
        error = build_api_error(ConnectorError(kind, retry_after_seconds=seconds))
        assert (error.headers or {}).get("Retry-After") == header
    assert not build_api_error(ConnectorError(ErrorKind.NOT_FOUND, retry_after_seconds=seconds)).headers


def test_retry_after_of_a_storage_reaches_the_client(drive: Drive, faulty: FaultyConnector, faulty_url: str) -> None:
    faulty.faults["get"] = [ConnectorError(ErrorKind.RATE_LIMITED, retry_after_seconds=2.5)]
    reply = drive.client.get(f"{faulty_url}/folders/root")
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "3")


def test_conflict_of_a_storage_is_named_by_its_public_id(
    drive: Drive, faulty: FaultyConnector, faulty_url: str
) -> None:
    folder = read_json(drive.client.post(f"{faulty_url}/folders", json={"name": "taken"}), status=201)
    for ref, public_id in ((Ref("folder", RawId(folder["raw_id"])), folder["id"]), (faulty.manifest.root, "root")):
        faulty.faults["update"] = [ConnectorError(ErrorKind.ALREADY_EXISTS, conflict=ref)]
        reply = drive.client.patch(folder["href"], json={"name": "b"})
        assert read_error(reply) == (409, "naming_conflict")
        assert reply.json()["conflicting_resource_id"] == public_id


def test_existing_folder_that_the_storage_does_not_name_is_409(
    drive: Drive, faulty: FaultyConnector, faulty_url: str
) -> None:
    for error in (
        ConnectorError(ErrorKind.ALREADY_EXISTS),
        ConnectorError(ErrorKind.ALREADY_EXISTS, conflict=Ref("folder", faulty.add("/a.txt", b"a file by now"))),
    ):
        faulty.faults["create_folder"] = [error]
        reply = drive.client.post(f"{faulty_url}/folders", json={"name": "a"})
        assert read_error(reply) == (409, "naming_conflict")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AssertionError("a secret detail"), (500, "internal_error")),
        (RuntimeError("a secret detail"), (502, "bad_gateway")),
        (KeyError("a secret detail"), (502, "bad_gateway")),
    ],
)
@pytest.mark.parametrize("path", ["folders/root", "folders/root/contents"])
def test_fault_that_nobody_explains_is_answered_without_details(
    drive: Drive, faulty: FaultyConnector, faulty_url: str, error: Exception, expected: tuple[int, str], path: str
) -> None:
    faulty.faults["get"] = faulty.faults["list_folder"] = [error]
    reply = drive.client.get(f"{faulty_url}/{path}")
    assert read_error(reply) == expected
    assert "secret" not in reply.text
    assert "Error" not in reply.text


def test_fault_before_the_first_byte_of_a_download_is_an_error_reply(
    drive: Drive, faulty: FaultyConnector, faulty_url: str
) -> None:
    file_id = drive.caller.api.state.ids.encode(int(faulty_url.split("/")[3]), Ref("file", RawId("1")))
    for error, expected in (
        (ConnectorError(ErrorKind.UNAVAILABLE), (503, "service_not_available")),
        (AssertionError("a secret detail"), (500, "internal_error")),
    ):
        faulty.faults["open_download"] = [error]
        assert read_error(drive.client.get(f"{faulty_url}/files/{file_id}/contents")) == expected


def test_upload_that_may_be_finished_stays_claimed(drive: Drive, faulty: FaultyConnector, faulty_url: str) -> None:
    started = read_json(drive.client.post(f"{faulty_url}/multipart", json={"name": "a"}), status=201)
    url = f"{started['href']}/complete"
    faulty.faults["finish_upload"] = [ConnectorError(ErrorKind.UNAVAILABLE)]
    assert read_error(drive.client.post(url)) == (503, "service_not_available")
    faulty.finish_error_after = ConnectorError(ErrorKind.TIMED_OUT, maybe_applied=True)
    assert read_error(drive.client.post(url)) == (504, "gateway_timeout")
    assert read_error(drive.client.post(url)) == (409, "conflict")


def test_upload_that_the_storage_cannot_abort_stays_open(
    drive: Drive, faulty: FaultyConnector, faulty_url: str
) -> None:
    started = read_json(drive.client.post(f"{faulty_url}/multipart", json={"name": "a"}), status=201)
    faulty.faults["abort_upload"] = [ConnectorError(ErrorKind.UNAVAILABLE)]
    assert read_error(drive.client.delete(started["href"])) == (503, "service_not_available")
    assert drive.client.get(started["href"]).status_code == 200
    faulty.faults["abort_upload"] = [ConnectorError(ErrorKind.NOT_FOUND)]
    assert drive.client.delete(started["href"]).status_code == 204
    assert drive.caller.api.run(abort_expired(drive.caller.api.state)) == 0


def test_upload_that_cannot_be_noted_is_aborted_at_the_storage(
    drive: Drive, faulty: FaultyConnector, faulty_url: str
) -> None:
    aborted_count = faulty.aborted_count
    faulty.part_bytes = 2**70  # more than a database can hold
    refused = drive.client.post(f"{faulty_url}/multipart", json={"name": "a"})
    assert refused.status_code >= 500
    read_error(refused)
    assert faulty.aborted_count == aborted_count + 1
