"""Every public error: its code, its status, and which connector error becomes which (contract 1.11)."""

from __future__ import annotations

from enum import Enum

from fastapi import HTTPException
from msgspec import UNSET, Struct, UnsetType

from connectors.core.errors import ConnectorError, ErrorKind


class ErrorCode(Enum):
    """The `error_code` of a body, with its status and when it is sent."""

    BAD_REQUEST = ("bad_request", 400, "The request is malformed.")
    INVALID_PARAMETERS = ("invalid_parameters", 400, "A parameter is missing or wrong; the message names it.")
    INVALID_PARENT_FOLDER = ("invalid_parent_folder", 400, "`parent_id` is not a folder of this account.")
    INVALID_RESOURCE_TYPE = ("invalid_resource_type", 400, "A file where a folder is needed, or the reverse.")
    REQUEST_FAILED = ("request_failed", 400, "The operation failed; the message says why.")
    UNAUTHORIZED = ("unauthorized", 401, "The API key or token is wrong or revoked.")
    AUTHENTICATION_REQUIRED = ("authentication_required", 401, "No Authorization header was sent.")
    SERVICE_UNAUTHORIZED = (
        "service_unauthorized",
        401,
        "The storage refuses the account's credentials: reconnect it.",
    )
    INVALID_TOKEN = ("invalid_token", 400, "The token that was to be verified is not valid.")
    FORBIDDEN = ("forbidden", 403, "This caller may not do that.")
    PERMISSION_DENIED = ("permission_denied", 403, "The account may not do that at its storage.")
    FOLDER_NOT_EMPTY = (
        "folder_not_empty",
        403,
        "The folder is not empty; `recursive=true` deletes what it holds.",
    )
    NOT_FOUND = ("not_found", 404, "There is no such thing, or not for this caller.")
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405, "This path does not have that method.")
    REQUEST_TIMEOUT = ("request_timeout", 408, "The body of the request stopped arriving.")
    NAMING_CONFLICT = (
        "naming_conflict",
        409,
        "The name is taken; `conflicting_resource_id` says by what, when known.",
    )
    CONFLICT = ("conflict", 409, "Something else is happening to this right now; look again, then repeat.")
    PRECONDITION_FAILED = ("precondition_failed", 412, "The file is not the version that was asked for.")
    REQUEST_TOO_LARGE = (
        "request_too_large",
        413,
        "The body is larger than the limit that the message names.",
    )
    RANGE_NOT_SATISFIABLE = ("range_not_satisfiable", 416, "The range touches no byte of the file.")
    IDEMPOTENCY_MISMATCH = (
        "idempotency_mismatch",
        422,
        "The Idempotency-Key came before with another request; every request has its own.",
    )
    TOO_MANY_REQUESTS = ("too_many_requests", 429, "Too many requests; `Retry-After` says when to come back.")
    TOO_MANY_SERVICE_REQUESTS = ("too_many_service_requests", 429, "The storage asks to slow down.")
    INTERNAL_ERROR = ("internal_error", 500, "A fault of the server; the log has it under the body's `id`.")
    NOT_IMPLEMENTED = ("not_implemented", 501, "This storage, or this server, does not offer that.")
    BAD_GATEWAY = ("bad_gateway", 502, "The storage gave an answer that makes no sense.")
    SERVICE_NOT_AVAILABLE = (
        "service_not_available",
        503,
        "The storage or the database cannot be reached; try later.",
    )
    GATEWAY_TIMEOUT = ("gateway_timeout", 504, "The storage did not answer in time.")
    INSUFFICIENT_STORAGE = ("insufficient_storage", 507, "The storage is full.")

    def __init__(self, code: str, status: int, when: str) -> None:
        self.code = code
        self.status = status
        self.when = when


class ApiError(HTTPException):
    """Answers the request with a v1 error; the message is shown to the application's developer."""

    def __init__(
        self,
        code: ErrorCode,
        message: str = "",
        *,
        headers: dict[str, str] | None = None,
        conflicting_resource_id: str | None = None,
    ) -> None:
        super().__init__(code.status, message or code.when, headers)
        self.code = code
        self.message = message or code.when
        self.conflicting_resource_id = conflicting_resource_id


class ErrorBody(Struct):
    """What every error answers."""

    status_code: int
    error_code: str
    message: str
    id: str
    conflicting_resource_id: str | UnsetType = UNSET


CODE_OF_KIND: dict[ErrorKind, ErrorCode] = {
    ErrorKind.NOT_FOUND: ErrorCode.NOT_FOUND,
    ErrorKind.ALREADY_EXISTS: ErrorCode.NAMING_CONFLICT,
    ErrorKind.FOLDER_NOT_EMPTY: ErrorCode.FOLDER_NOT_EMPTY,
    ErrorKind.WRONG_TYPE: ErrorCode.INVALID_RESOURCE_TYPE,
    ErrorKind.INVALID_NAME: ErrorCode.INVALID_PARAMETERS,
    ErrorKind.INVALID_TARGET: ErrorCode.INVALID_PARENT_FOLDER,
    ErrorKind.PERMISSION_DENIED: ErrorCode.PERMISSION_DENIED,
    ErrorKind.GRANT_REVOKED: ErrorCode.SERVICE_UNAUTHORIZED,
    ErrorKind.TOKEN_EXPIRED: ErrorCode.SERVICE_UNAUTHORIZED,
    ErrorKind.RATE_LIMITED: ErrorCode.TOO_MANY_SERVICE_REQUESTS,
    ErrorKind.QUOTA_EXCEEDED: ErrorCode.INSUFFICIENT_STORAGE,
    ErrorKind.TOO_LARGE: ErrorCode.REQUEST_TOO_LARGE,
    ErrorKind.PRECONDITION_FAILED: ErrorCode.PRECONDITION_FAILED,
    ErrorKind.RANGE_INVALID: ErrorCode.RANGE_NOT_SATISFIABLE,
    ErrorKind.FORMAT_INVALID: ErrorCode.INVALID_PARAMETERS,
    ErrorKind.CURSOR_INVALID: ErrorCode.INVALID_PARAMETERS,
    ErrorKind.CURSOR_RESET: ErrorCode.INVALID_PARAMETERS,
    ErrorKind.INVALID_PARTS: ErrorCode.INVALID_PARAMETERS,
    ErrorKind.SOURCE_FAILED: ErrorCode.BAD_REQUEST,
    ErrorKind.ADDRESS_REFUSED: ErrorCode.FORBIDDEN,
    ErrorKind.UNSUPPORTED: ErrorCode.NOT_IMPLEMENTED,
    ErrorKind.UNAVAILABLE: ErrorCode.SERVICE_NOT_AVAILABLE,
    ErrorKind.TIMED_OUT: ErrorCode.GATEWAY_TIMEOUT,
    ErrorKind.UNEXPECTED: ErrorCode.BAD_GATEWAY,
}
"""Connector error to public error. NOT_MODIFIED is missing on purpose: connectors are never asked for it by the API."""


def build_api_error(error: ConnectorError, *, conflicting_resource_id: str | None = None) -> ApiError:
    """The public face of a connector's error."""
    code = CODE_OF_KIND.get(error.kind, ErrorCode.INTERNAL_ERROR)
    headers: dict[str, str] = {}
    if error.retry_after_seconds is not None and code.status in {429, 503}:
        headers["Retry-After"] = str(max(1, -int(-error.retry_after_seconds // 1)))
    if error.kind is ErrorKind.RANGE_INVALID and error.size_bytes is not None:
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return ApiError(code, error.message, headers=headers, conflicting_resource_id=conflicting_resource_id)
