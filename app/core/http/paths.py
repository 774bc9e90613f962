"""Paths as clients spell them: doubled and trailing slashes, encoded ids. One canonical path reaches the routes."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.errors import ApiError, ErrorCode

NUMBER_DIGITS_MAX = 16  # below 2^53, as clients can hold it


class CanonicalPaths:
    """Splits the raw path on "/", drops empty parts and decodes each; only "%" and "/" inside a part stay encoded,
    so that a parameter is read with `read_segment`.
    """

    def __init__(self, app: ASGIApp, *, aliases: Mapping[str, str]) -> None:
        self._app = app
        self._aliases = aliases  # older spellings of a path's beginning

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on under its canonical path."""
        if scope["type"] == "http":
            raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
            parts = [part for part in raw_path.decode("latin-1").split("/") if part]
            scope["path"] = "/" + "/".join(
                unquote(part).replace("%", "%25").replace("/", "%2F") if "%" in part else part for part in parts
            )
            for old, new in self._aliases.items():
                if scope["path"] == old or scope["path"].startswith(old + "/"):
                    scope["path"] = new + scope["path"].removeprefix(old)
        await self._app(scope, receive, send)


def read_segment(text: str) -> str:
    """A path parameter as the client meant it. ApiError 404 for a NUL, which no id has and not every database takes."""
    segment = unquote(text) if "%" in text else text
    if "\0" in segment:
        raise ApiError(ErrorCode.NOT_FOUND)
    return segment


def read_number_segment(text: str) -> int:
    """A path parameter that is a row's number. ApiError 404 for anything else: there is nothing of that name."""
    if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX:
        return int(text)
    raise ApiError(ErrorCode.NOT_FOUND)
