"""How Dropbox says no: a tagged error with 409, plain text with 400, and the few statuses with a shape of their own.

https://www.dropbox.com/developers/documentation/http/documentation#error-handling
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

INVALID_PATH_ROOT_STATUS = 422
SUMMARY_END = "/.."


class RouteError(Exception):
    """A documented error of a route: nested tags from the outside in, and the fields of the innermost one.

    `RouteError("path", "conflict", "file")` is {".tag": "path", "path": {".tag": "conflict", "conflict": {…}}}.
    """

    def __init__(self, *tags: str, **fields: Any) -> None:
        super().__init__("/".join(tags))
        self.tags = tags
        self.error = build_tagged(*tags, **fields)
        self.status = 409

    def within(self, tag: str) -> RouteError:
        """The same error inside another union, as routes wrap each other's."""
        outer = RouteError(tag)
        outer.tags = (tag, *self.tags)
        outer.error = {".tag": tag, tag: self.error}
        return outer

    def build_response(self) -> Response:
        """The reply; its summary ends in dots that clients must not compare."""
        content = {"error_summary": "/".join(self.tags) + SUMMARY_END, "error": self.error}
        return JSONResponse(content, status_code=self.status)


class UploadFailedError(RouteError):
    """An upload whose bytes are kept in a session, although they could not become a file."""

    def __init__(self, reason: RouteError, session_id: str) -> None:
        super().__init__("path")
        self.tags = ("path", *reason.tags)
        self.error = {".tag": "path", "reason": reason.error, "upload_session_id": session_id}


class TokenError(RouteError):
    """The access token does not let the caller do this."""

    def __init__(self, *tags: str, **fields: Any) -> None:
        super().__init__(*tags, **fields)
        self.status = 401


class PathRootError(RouteError):
    """The Dropbox-API-Path-Root header names a root that is not the caller's."""

    def __init__(self, *tags: str, **fields: Any) -> None:
        super().__init__(*tags, **fields)
        self.status = INVALID_PATH_ROOT_STATUS


class BadRequestError(Exception):
    """The request itself is wrong; the message goes out as plain text."""

    def build_response(self) -> Response:
        """The reply."""
        return PlainTextResponse(str(self), status_code=400)


class RateLimitedError(Exception):
    """Too many requests, or writes that meet each other."""

    def __init__(self, reason: str, seconds: float | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds

    def build_response(self) -> Response:
        """With a hint both in a header and in the body; without one there is no JSON either."""
        if self.seconds is None:
            return PlainTextResponse("", status_code=429)
        seconds = max(0, round(self.seconds))
        content = {
            "error_summary": self.reason + SUMMARY_END,
            "error": {"reason": {".tag": self.reason}, "retry_after": seconds},
        }
        return JSONResponse(content, status_code=429, headers={"Retry-After": str(seconds)})


def refuse_path(path: str) -> RouteError:
    """The path cannot be one."""
    return RouteError("malformed_path", malformed_path=path)


@contextmanager
def inside(tag: str) -> Iterator[None]:
    """Errors of the block come out inside another union."""
    try:
        yield
    except RouteError as error:
        raise error.within(tag) from error


def build_tagged(*tags: str, **fields: Any) -> dict[str, Any]:
    """Unions in unions: each tag holds the next one under its own name."""
    first, *rest = tags
    if rest:
        return {".tag": first, first: build_tagged(*rest, **fields)}
    return {".tag": first, **fields}
