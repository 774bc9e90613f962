from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import OAuth2
from connectors.core.raw import RawCall
from connectors.core.resources import File
from connectors.core.service import AccountContext, Options, Registry
from connectors.core.stack import Runtime
from connectors.gdrive.errors import classify_reply
from connectors.gdrive.manifest import MANIFEST
from connectors.gdrive.service import build_service
from simulators.core.faults import FaultKind
from tests.connectors.behavior.space import refused
from tests.connectors.gdrive.conftest import Account
from tests.connectors.gdrive.target import open_account
from tests.servers.gdrive import Place


def classify(status: int, **detail: str) -> ConnectorError | None:
    body = {"error": {"code": status, "message": "no", "errors": [detail]}}
    request = httpx.Request("GET", "https://www.googleapis.com/drive/v3/files")
    reply = httpx.Response(status, json=body, request=request)
    return classify_reply(reply, reply.content)


@pytest.mark.parametrize(
    ("status", "detail", "kind"),
    [
        (403, {"reason": "userRateLimitExceeded"}, ErrorKind.RATE_LIMITED),
        (403, {"reason": "rateLimitExceeded"}, ErrorKind.RATE_LIMITED),
        (429, {"reason": "rateLimitExceeded"}, ErrorKind.RATE_LIMITED),
        (403, {"reason": "storageQuotaExceeded"}, ErrorKind.QUOTA_EXCEEDED),
        (403, {"reason": "teamDriveFileLimitExceeded"}, ErrorKind.QUOTA_EXCEEDED),
        (403, {"reason": "insufficientFilePermissions"}, ErrorKind.PERMISSION_DENIED),
        (403, {"reason": "cannotDownloadAbusiveFile"}, ErrorKind.PERMISSION_DENIED),
        (403, {"reason": "exportSizeLimitExceeded"}, ErrorKind.TOO_LARGE),
        (400, {"reason": "invalid", "location": "pageToken"}, ErrorKind.CURSOR_INVALID),
        (404, {"reason": "notFound"}, ErrorKind.NOT_FOUND),
        (403, {"reason": "publishOutNotPermitted"}, ErrorKind.PERMISSION_DENIED),
        (403, {"reason": "cannotModifyInheritedPermission"}, ErrorKind.PERMISSION_DENIED),
        (401, {"reason": "push.webhookUrlUnauthorized"}, ErrorKind.ADDRESS_REFUSED),
        (400, {"reason": "channelIdNotUnique"}, ErrorKind.ALREADY_EXISTS),
        (403, {"reason": "neverHeardOf"}, None),
        (503, {}, None),
    ],
)
def test_reply_means_what_its_reason_says(status: int, detail: dict[str, str], kind: ErrorKind | None) -> None:
    error = classify(status, **detail)
    assert (error.kind if error else None) == kind


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "invalid_grant"}', b'{"error": {"errors": []}}', b"\xff"])
def test_reply_is_left_to_the_common_table_when_it_has_no_reason(body: bytes) -> None:
    request = httpx.Request("GET", "https://www.googleapis.com/drive/v3/files")
    assert classify_reply(httpx.Response(403, content=body, request=request), body) is None


async def test_calls_are_repeated_when_drive_wants_fewer_of_them(account: Account) -> None:
    account.fail(FaultKind.TOO_MANY_WRITES, r"^/drive/v3/files$", method="POST", times=2)
    account.fail(FaultKind.RATE_LIMITED, "/drive/v3/", times=2)
    await account.connector.create_folder(MANIFEST.root.raw_id, "a")
    assert await account.names() == ["a"]


async def test_grant_revoked_when_the_token_is_not_good(place: Place, context: AccountContext) -> None:
    registry = Registry([build_service(Options(settings={"gdrive": {"endpoint": place.url}}))])
    with refused(ErrorKind.GRANT_REVOKED):
        await registry.open("gdrive", context).get_identity()


async def test_identity_is_the_users(account: Account) -> None:
    assert (await account.connector.get_identity()).label == "ada@example.com"


async def test_answers_of_the_callers_own_requests_are_passed_on(account: Account) -> None:
    call = RawCall("GET", "/drive/v3/about?fields=user(emailAddress)", {})
    async with account.connector.call_raw(call) as reply:
        body = b"".join([chunk async for chunk in reply.chunks])
    assert (reply.status, b"ada@example.com" in body) == (200, True)
    with refused(ErrorKind.ADDRESS_REFUSED):
        async with account.connector.call_raw(RawCall("GET", "https://example.com/", {})):
            pass


async def test_raw_is_all_that_drive_tells_when_it_was_asked_for(place: Place, runtime: Runtime) -> None:
    account = Account(place, open_account(place, runtime, include_raw=True))
    file = await account.put("a.txt")
    (listed,) = (await account.connector.list_folder(MANIFEST.root.raw_id)).resources
    assert isinstance(listed, File)
    for seen in (file, listed):
        assert (seen.raw or {})["webViewLink"]


async def test_application_properties_are_kept_apart_from_the_others(account: Account) -> None:
    file = await account.put("a.txt")
    await account.connector.update_properties(file.raw_id, {"key": "all", "app:key": "own"})
    with account.place.client(1) as client:
        seen: dict[str, Any] = client.get(f"/drive/v3/files/{file.raw_id}?fields=properties,appProperties").json()
    assert seen == {"properties": {"key": "all"}, "appProperties": {"key": "own"}}
    left = await account.connector.update_properties(file.raw_id, {"app:key": None})
    assert [(each.key, each.value) for each in left] == [("key", "all")]
    with refused(ErrorKind.INVALID_NAME):
        await account.connector.update_properties(file.raw_id, {"k" * 40: "\u00e9" * 50})


def test_refresh_token_comes_with_every_consent() -> None:
    assert isinstance(MANIFEST.auth, OAuth2)
    assert MANIFEST.auth.authorize_params["access_type"] == "offline"
    assert MANIFEST.auth.authorize_params["prompt"] == "consent"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"endpoint": "ftp://example.com"}, "gdrive.endpoint must look like https://www.googleapis.com"),
        ({"export_formats": "pdf"}, "gdrive.export_formats"),
        ({"export_formats": {"document": "xlsx"}}, "document: one of docx"),
        ({"export_formats": {"poem": "pdf"}}, "poem is none of"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_problem_is_named_when_a_setting_is_wrong(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_service(Options(settings={"gdrive": settings}))
