from __future__ import annotations

import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from tests.app.drive import Drive, read_error, read_json
from tests.app.sharing import SharingDrive


def test_address_comes_with_all_that_using_it_needs(sharing: SharingDrive) -> None:
    reply = sharing.client.post(sharing.url("files/upload_url"), json={"name": "a.txt", "parent_id": "root"})
    assert read_json(reply) == {
        "type": "upload_url",
        "api": "storage",
        "url": "https://signed.example/a.txt",
        "method": "PUT",
        "headers": {"x-store": "yes"},
        "expires": "2026-03-04T06:06:07.890000Z",
        "account": sharing.caller.account_id,
    }
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("seconds", "expires"), [(1, "2026-03-04T05:06:08"), (7200, "2026-03-04T07:06:07")])
def test_address_lives_as_long_as_asked_for(sharing: SharingDrive, seconds: int, expires: str) -> None:
    body = {"name": "a.txt", "parent_id": "root", "expires_in": seconds}
    assert read_json(sharing.client.post(sharing.url("files/upload_url"), json=body))["expires"].startswith(expires)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"parent_id": "root"}, (400, "invalid_parameters")),
        ({"name": "", "parent_id": "root"}, (400, "invalid_parameters")),
        ({"name": "a/b", "parent_id": "root"}, (400, "invalid_parameters")),
        ({"name": "a", "expires_in": 0}, (400, "invalid_parameters")),
        ({"name": "a", "expires_in": 7201}, (400, "invalid_parameters")),
        ({"name": "a", "expires_in": "long"}, (400, "invalid_parameters")),
        ({"name": "a", "parent_id": "nonsense"}, (400, "invalid_parent_folder")),
    ],
)
def test_address_that_makes_no_sense_is_400(
    sharing: SharingDrive, body: dict[str, object], expected: tuple[int, str]
) -> None:
    refused = sharing.client.post(sharing.url("files/upload_url"), json=body)
    assert read_error(refused) == expected
    assert body.get("expires_in") != 7201 or "7200" in refused.json()["message"]


@pytest.mark.parametrize("seconds", [3600, 10**9])
def test_addresses_are_501_where_the_storage_signs_none(drive: Drive, seconds: int) -> None:
    body = {"name": "a.txt", "parent_id": "root", "expires_in": seconds}
    assert read_error(drive.client.post(drive.url("files/upload_url"), json=body)) == (501, "not_implemented")


def test_account_of_another_application_is_404(sharing: SharingDrive) -> None:
    with sharing.caller.api.create_caller().client() as stranger:
        refused = stranger.post(sharing.url("files/upload_url"), json={"name": "a.txt"})
    assert read_error(refused) == (404, "not_found")


def test_error_of_the_storage_reaches_the_client(sharing: SharingDrive) -> None:
    sharing.store.faults["create_upload_url"] = [ConnectorError(ErrorKind.GRANT_REVOKED)]
    refused = sharing.client.post(sharing.url("files/upload_url"), json={"name": "a.txt"})
    assert read_error(refused) == (401, "service_unauthorized")
