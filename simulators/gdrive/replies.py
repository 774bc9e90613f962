"""Refusals as answers, and how Drive words the faults of the wire."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulators.gdrive.errors import DriveError

OAUTH_PATHS = frozenset({"/token", "/oauth2/v4/token", "/revoke"})
REASONS = {500: ("internalError", "Internal Error"), 502: ("backendError", "Bad Gateway")}


def refuse(error: DriveError) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'} if error.status == 401 else {}  # noqa: PLR2004 - HTTP's number
    content = json.dumps(error.build_body(), ensure_ascii=False, indent=1)
    return Response(content, error.status, headers, "application/json; charset=UTF-8")


class Replies:
    """For the fault layer."""

    def rate_limited(self, request: Request, seconds: float | None) -> Response:
        """With a hint it is 429; as a rule Drive gives none, and says 403."""
        if request.url.path in OAUTH_PATHS:
            return JSONResponse({"error": "rate_limit_exceeded"}, status_code=429)
        if seconds is None:
            return refuse(DriveError.rate_limited())
        answer = refuse(DriveError.too_many_requests())
        answer.headers["Retry-After"] = str(max(0, round(seconds)))
        return answer

    def unavailable(self, request: Request, status: int) -> Response:
        if request.url.path in OAUTH_PATHS:
            return JSONResponse({"error": "internal_failure"}, status_code=status)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return refuse(DriveError.too_many_requests())
        reason, message = REASONS.get(status, ("backendError", "Backend Error"))
        return refuse(DriveError(status, reason, message))
