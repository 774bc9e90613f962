"""Refusals in Drive's own shape: a status, a reason that programs read, and where the fault lies."""

from __future__ import annotations

from typing import Any, Self

STATUS_NAMES = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 501: "NOT_IMPLEMENTED"}
"""Only refusals that are made before the service itself is reached carry such a name."""


class DriveError(Exception):
    """Drive refuses a request."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        location: str = "",
        location_type: str = "parameter",
        domain: str = "global",
        is_named: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.location = location
        self.location_type = location_type
        self.domain = domain
        self.is_named = is_named

    def build_body(self) -> dict[str, Any]:
        detail = {"message": self.message, "domain": self.domain, "reason": self.reason}
        if self.location:
            detail |= {"location": self.location, "locationType": self.location_type}
        error: dict[str, Any] = {"code": self.status, "message": self.message, "errors": [detail]}
        if self.is_named and self.status in STATUS_NAMES:
            error["status"] = STATUS_NAMES[self.status]
        return {"error": error}

    @classmethod
    def not_found(cls, file_id: str) -> Self:
        return cls(404, "notFound", f"File not found: {file_id}.", location="fileId")

    @classmethod
    def missing(cls, kind: str, wanted: str, *, location: str) -> Self:
        return cls(404, "notFound", f"{kind} not found: {wanted}.", location=location)

    @classmethod
    def invalid(cls, location: str, message: str = "Invalid Value") -> Self:
        return cls(400, "invalid", message, location=location)

    @classmethod
    def bad_request(cls, message: str) -> Self:
        return cls(400, "badRequest", message)

    @classmethod
    def required(cls, location: str, message: str = "Required") -> Self:
        return cls(400, "required", message, location=location)

    @classmethod
    def forbidden(cls, reason: str, message: str, *, location: str = "") -> Self:
        return cls(403, reason, message, location=location)

    @classmethod
    def insufficient(cls) -> Self:
        message = "The user does not have sufficient permissions for this file."
        return cls(403, "insufficientFilePermissions", message)

    @classmethod
    def unauthorized(cls) -> Self:
        return cls(
            401,
            "authError",
            "Invalid Credentials",
            location="Authorization",
            location_type="header",
            is_named=True,
        )

    @classmethod
    def rate_limited(cls) -> Self:
        return cls(403, "userRateLimitExceeded", "User Rate Limit Exceeded.", domain="usageLimits")

    @classmethod
    def too_many_requests(cls) -> Self:
        return cls(429, "rateLimitExceeded", "Rate Limit Exceeded", domain="usageLimits")
