"""Forms that browsers and clients send: small, read whole."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request

from app.core.errors import ApiError, ErrorCode
from app.core.http.replies import get_request_state


async def read_form(request: Request, *, bytes_max: int, fields_max: int) -> dict[str, str]:
    """The first value of each field that is not empty. ApiError 400, or 413, for more than there may be."""
    get_request_state(request).body_bytes_max = bytes_max
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, max_num_fields=fields_max)
    except ValueError:
        raise ApiError(ErrorCode.BAD_REQUEST, f"The form has more than {fields_max} fields.") from None
    return {name: values[0] for name, values in fields.items()}
