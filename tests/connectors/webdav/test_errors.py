"""What bad statuses mean, by the method that met them."""

from __future__ import annotations

import httpx
import pytest

from connectors.core.errors import ErrorKind
from connectors.webdav.errors import build_classifier, is_folder_redirect, read_partial_failure

URL = "http://cloud.example.com/dav/a%20(1)"


def reply(method: str, status: int, **headers: str) -> httpx.Response:
    request = httpx.Request(method, URL, headers={"If-Match": "*"} if headers.pop("conditional", None) else {})
    return httpx.Response(status, headers=headers, request=request)


@pytest.mark.parametrize(
    ("method", "status", "kind"),
    [
        ("PROPFIND", 400, ErrorKind.NOT_FOUND),
        ("GET", 400, ErrorKind.NOT_FOUND),
        ("PUT", 400, None),
        ("MKCOL", 405, ErrorKind.ALREADY_EXISTS),
        ("GET", 405, ErrorKind.WRONG_TYPE),
        ("PUT", 405, ErrorKind.UNSUPPORTED),
        ("PUT", 409, ErrorKind.NOT_FOUND),
        ("MKCOL", 409, ErrorKind.NOT_FOUND),
        ("MOVE", 409, ErrorKind.NOT_FOUND),
        ("PROPPATCH", 409, None),
        ("MOVE", 412, ErrorKind.ALREADY_EXISTS),
        ("GET", 412, None),
        ("MOVE", 502, ErrorKind.UNSUPPORTED),
        ("GET", 502, None),
        ("PUT", 411, ErrorKind.UNSUPPORTED),
        ("PUT", 414, ErrorKind.INVALID_NAME),
        ("PUT", 403, ErrorKind.PERMISSION_DENIED),
        ("PUT", 423, ErrorKind.PERMISSION_DENIED),
        ("PUT", 507, ErrorKind.QUOTA_EXCEEDED),
        ("DELETE", 424, ErrorKind.PERMISSION_DENIED),
        ("MOVE", 301, ErrorKind.WRONG_TYPE),
        ("PUT", 301, ErrorKind.UNSUPPORTED),
        ("GET", 429, None),
        ("GET", 500, None),
    ],
)
def test_status_has_the_meaning_that_the_method_gives_it(method: str, status: int, kind: ErrorKind | None) -> None:
    error = build_classifier(locks_each_request=False)(reply(method, status), b"")
    assert (error and error.kind) == kind
    assert error is None or " " in error.message


def test_failed_condition_means_the_reverse_when_it_was_that_the_file_is_there() -> None:
    error = build_classifier(locks_each_request=False)(reply("PUT", 412, conditional="yes"), b"")
    assert error is not None
    assert error.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("method", ["PUT", "MOVE", "DELETE", "MKCOL"])
def test_locked_is_worth_another_try_when_the_server_locks_each_request(method: str) -> None:
    error = build_classifier(locks_each_request=True)(reply(method, 423), b"")
    assert error is not None
    assert (error.kind, error.retry_after_seconds) == (ErrorKind.UNAVAILABLE, 0.2)


@pytest.mark.parametrize(
    ("location", "is_folders"),
    [
        ("http://cloud.example.com/dav/a%20(1)/", True),
        ("/dav/a%20%281%29/", True),
        ("http://internal:8080/dav/a%20(1)/", False),
        ("/dav/a%20(1)", False),
        ("/dav/b/", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_slash_at_the_end_is_the_only_redirect_that_is_understood(location: str, is_folders: bool) -> None:
    assert is_folder_redirect(reply("PROPFIND", 301, location=location)) == is_folders


@pytest.mark.parametrize("body", [b"", b"<html>", b'<multistatus xmlns="DAV:"/>'])
def test_nothing_failed_when_the_body_does_not_tell_of_it(body: bytes) -> None:
    assert read_partial_failure("DELETE", body) == (None, "")


def test_failure_is_named_when_its_status_means_nothing_to_us() -> None:
    member = b"<response><href>/a%20b</href><status>HTTP/1.1 418 No</status></response>"
    error, href = read_partial_failure("DELETE", b'<multistatus xmlns="DAV:">%s</multistatus>' % member)
    assert error is not None
    assert (error.kind, href) == (ErrorKind.UNEXPECTED, "/a%20b")
    assert error.message == "/a b: the server answered with status 418"
