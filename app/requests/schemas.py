"""What the API says of requests that callers made."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from app.core.http.replies import ObjectList

Time = Annotated[datetime, Meta(tz=True)]


class RequestReply(Struct, kw_only=True):
    """One request that is over. `status` is null when the client left before it was answered.

    The route is a template: what stood in its place, and what was asked for or sent, is not kept.
    """

    id: str
    method: str
    route: str
    account: int | None
    service: str | None
    status: int | None
    error_code: str | None
    started: Time
    duration_ms: float
    bytes_in: int
    bytes_out: int
    provider_calls: int
    href: str
    type: str = "request"
    api: str = "meta"


class RequestPage(ObjectList[RequestReply], kw_only=True, gc=False):
    """A page of requests, the newest first."""
