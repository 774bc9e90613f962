"""What a bad reply means: WebDAV's statuses say different things for different methods (RFC 4918, 9 and 11)."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import unquote, unquote_to_bytes

import httpx

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.classify import ClassifyReply
from connectors.webdav.multistatus import read_multistatus

PLACES = frozenset({"MKCOL", "PUT", "COPY", "MOVE"})  # that put something below a folder

LOCKED_ONE_REQUEST_SECONDS = 0.2  # some servers lock a name while a request writes it, and only so long

_EXISTS = (ErrorKind.ALREADY_EXISTS, "the name is taken")
_NO_FOLDER = (ErrorKind.NOT_FOUND, "the folder to put it into is not there")
_LOCKED = (ErrorKind.PERMISSION_DENIED, "it is locked by somebody; try again when the lock is gone")

_NOTHING = (ErrorKind.NOT_FOUND, "there is nothing of that name")
_ELSEWHERE = (
    ErrorKind.UNSUPPORTED,
    "the server takes the target for another server's; a proxy before it should rewrite the Destination header",
)

_MEANINGS: dict[tuple[str, int], tuple[ErrorKind, str]] = {
    ("PROPFIND", 400): _NOTHING,  # what is asked for is below a file, on some servers
    ("GET", 400): _NOTHING,
    ("GET", 405): (ErrorKind.WRONG_TYPE, "this is a folder, not a file"),
    ("MKCOL", 405): _EXISTS,
    ("COPY", 502): _ELSEWHERE,
    ("MOVE", 502): _ELSEWHERE,
    **{(method, 409): _NO_FOLDER for method in PLACES},
    **{(method, 412): _EXISTS for method in PLACES},
}
_MEANINGS_FOR_ALL: dict[int, tuple[ErrorKind, str]] = {
    403: (ErrorKind.PERMISSION_DENIED, "the server does not let this user do this"),
    404: _NOTHING,
    405: (ErrorKind.UNSUPPORTED, "the server does not do this here"),
    411: (ErrorKind.UNSUPPORTED, "the server takes only files whose size is said beforehand"),
    414: (ErrorKind.INVALID_NAME, "the path is longer than the server takes"),
    423: _LOCKED,
    507: (ErrorKind.QUOTA_EXCEEDED, "the server has no space left for this user"),
}
_FAILED_TOGETHER = frozenset({HTTPStatus.MULTI_STATUS, HTTPStatus.FAILED_DEPENDENCY})


def build_classifier(*, locks_each_request: bool) -> ClassifyReply:
    """The kind of a bad reply; None where the common table is right.

    A server that locks the names of each request says "locked" of what is free in a moment: worth another try.
    """

    def classify_reply(reply: httpx.Response, body: bytes) -> ConnectorError | None:
        method, status = reply.request.method, reply.status_code
        if status == HTTPStatus.FAILED_DEPENDENCY:
            return read_partial_failure(method, body)[0] or ConnectorError(*_LOCKED)
        if reply.is_redirect:
            return classify_redirect(reply)
        if status == HTTPStatus.LOCKED and locks_each_request:
            text = _LOCKED[1]
            return ConnectorError(ErrorKind.UNAVAILABLE, text, retry_after_seconds=LOCKED_ONE_REQUEST_SECONDS)
        if status == HTTPStatus.PRECONDITION_FAILED and "if-match" in reply.request.headers:
            return ConnectorError(*_NOTHING)
        meaning = find_meaning(method, status)
        return None if meaning is None else ConnectorError(*meaning)

    return classify_reply


def settle(error: ConnectorError) -> None:
    """What is locked still, after some tries, is locked by somebody."""
    if error.status == HTTPStatus.LOCKED and error.kind is ErrorKind.UNAVAILABLE:
        error.kind, error.is_persistent = ErrorKind.PERMISSION_DENIED, False


def find_meaning(method: str, status: int) -> tuple[ErrorKind, str] | None:
    """Kind and words for a method's status; None where the common table is right."""
    return _MEANINGS.get((method, status)) or _MEANINGS_FOR_ALL.get(status)


def is_folder_redirect(reply: httpx.Response) -> bool:
    """True when a reply says: the same, with a slash at its end."""
    try:
        target = reply.request.url.join(reply.headers.get("location", ""))
    except (httpx.InvalidURL, ValueError):
        return False
    asked = reply.request.url  # the server spells it in its own way
    return target.host == asked.host and unquote_to_bytes(target.raw_path) == unquote_to_bytes(asked.raw_path) + b"/"


def classify_redirect(reply: httpx.Response) -> ConnectorError:
    """Where a redirect leads, without what might be secret in it; none is followed."""
    location = reply.headers.get("location")
    if is_folder_redirect(reply) or (location is None and reply.request.method in {"COPY", "MOVE"}):
        return ConnectorError(ErrorKind.WRONG_TYPE, "a folder has this name")  # the latter means the target's
    try:
        target = reply.request.url.join(location or "")
        shown = f"{target.scheme}://{target.netloc.decode('ascii')}{target.path}"
    except (httpx.InvalidURL, ValueError):
        shown = "an address that cannot be read"
    return ConnectorError(ErrorKind.UNSUPPORTED, f"the server redirects to {shown}; enter that address instead")


def read_partial_failure(method: str, body: bytes) -> tuple[ConnectorError | None, str]:
    """The error of the first member that a multistatus says failed, naming it, and its href; None if none did."""
    try:
        members = read_multistatus(body)
    except ConnectorError:
        return None, ""
    for member in members:
        if member.failure is not None and member.failure not in _FAILED_TOGETHER:
            kind, text = find_meaning(method, member.failure) or (
                ErrorKind.UNEXPECTED,
                f"the server answered with status {member.failure}",
            )
            return ConnectorError(kind, f"{unquote(member.href)}: {text}", status=member.failure), member.href
    return None, ""
