from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from connectors.core.errors import ErrorKind
from connectors.core.service import Options
from connectors.dropbox.errors import classify_reply, read_reason
from connectors.dropbox.service import build_service


def nest(*tags: str) -> dict[str, Any]:
    first, *rest = tags
    return {".tag": first, **({first: nest(*rest)} if rest else {})}


def reply(status: int, body: object) -> httpx.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return httpx.Response(status, content=content, request=httpx.Request("POST", "https://api.dropboxapi.com/2/x"))


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        (("path", "not_found"), ErrorKind.NOT_FOUND),
        (("path", "conflict", "folder"), ErrorKind.ALREADY_EXISTS),
        (("path", "conflict", "file_ancestor"), ErrorKind.INVALID_TARGET),
        (("to", "conflict", "file"), ErrorKind.ALREADY_EXISTS),
        (("path", "not_folder"), ErrorKind.WRONG_TYPE),
        (("path", "malformed_path"), ErrorKind.INVALID_NAME),
        (("path", "no_write_permission"), ErrorKind.PERMISSION_DENIED),
        (("path", "insufficient_space"), ErrorKind.QUOTA_EXCEEDED),
        (("path_write", "too_many_write_operations"), ErrorKind.RATE_LIMITED),
        (("too_many_write_operations",), ErrorKind.RATE_LIMITED),
        (("cant_move_folder_into_itself",), ErrorKind.INVALID_TARGET),
        (("reset",), ErrorKind.CURSOR_RESET),
        (("range", "not_satisfiable"), ErrorKind.RANGE_INVALID),
        (("lookup_failed", "incorrect_offset"), ErrorKind.INVALID_PARTS),
        (("invalid_revision",), ErrorKind.NOT_FOUND),
        (("invalid_before_rev",), ErrorKind.CURSOR_INVALID),
        (("in_progress",), ErrorKind.UNAVAILABLE),
        (("retry_error",), ErrorKind.UNAVAILABLE),
        (("non_exportable",), ErrorKind.UNSUPPORTED),
        (("unsupported_extension",), ErrorKind.UNSUPPORTED),
        (("settings_error", "not_authorized"), ErrorKind.UNSUPPORTED),
        (("shared_link_already_exists", "metadata", "file"), ErrorKind.ALREADY_EXISTS),
        (("shared_link_not_found",), ErrorKind.NOT_FOUND),
        (("email_not_verified",), ErrorKind.PERMISSION_DENIED),
        (("path", "of_the_future"), ErrorKind.UNEXPECTED),
        (("path", "not_found", "of_the_future"), ErrorKind.NOT_FOUND),
    ],
)
def test_innermost_known_tag_decides_when_the_answer_is_a_conflict(tags: tuple[str, ...], kind: ErrorKind) -> None:
    error = classify_reply(reply(409, {"error_summary": "/".join(tags) + "/...", "error": nest(*tags)}), b"")
    assert error is not None
    error = classify_reply(reply(409, b""), msgspec.json.encode({"error_summary": "x", "error": nest(*tags)}))
    assert error is not None
    assert error.kind is kind
    if kind is not ErrorKind.UNEXPECTED:
        assert read_reason(error) == "/".join(tags)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": nest("expired_access_token")}, ErrorKind.TOKEN_EXPIRED),
        (401, {"error": {".tag": "missing_scope", "required_scope": "x"}}, ErrorKind.PERMISSION_DENIED),
        (401, {"error": nest("user_suspended")}, ErrorKind.GRANT_REVOKED),
        (
            409,
            {"error": {".tag": "path", "reason": nest("conflict", "file"), "upload_session_id": "x"}},
            ErrorKind.ALREADY_EXISTS,
        ),
        (409, {"error": {}, "error_summary": "path/not_found/..."}, ErrorKind.NOT_FOUND),
        (409, b'{"error_summary": "pa', ErrorKind.UNAVAILABLE),
        (422, {"error": nest("no_permission")}, ErrorKind.PERMISSION_DENIED),
        (429, {"error": {"reason": nest("too_many_requests"), "retry_after": 3}}, ErrorKind.RATE_LIMITED),
        (400, b'Error in call to API function "x": Invalid "cursor" parameter', ErrorKind.CURSOR_INVALID),
        (400, b'Error in call to API function "x": no', ErrorKind.UNEXPECTED),
        (429, b"", None),
        (503, b"", None),
    ],
)
def test_kind_is_right_when_the_status_says_more(status: int, body: object, kind: ErrorKind | None) -> None:
    answer = reply(status, body)
    error = classify_reply(answer, answer.content)
    assert (error.kind if error else None) is kind


def test_hint_in_the_body_counts_when_calls_are_too_many() -> None:
    answer = reply(429, {"error": {"reason": nest("too_many_requests"), "retry_after": 3}})
    error = classify_reply(answer, answer.content)
    assert error is not None
    assert error.retry_after_seconds == 3


@pytest.mark.parametrize(
    "settings", [{"endpoint": 5}, {"endpoint": "example.com"}, {"endpoint": "https://example.com/path"}, {"other": "x"}]
)
def test_setting_is_refused_when_it_makes_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="dropbox"):
        build_service(Options(settings={"dropbox": settings}))


def test_own_hosts_alone_get_tokens_when_nothing_is_set() -> None:
    assert build_service(Options()).manifest.allowed_hosts == ("api.dropboxapi.com", "content.dropboxapi.com")
