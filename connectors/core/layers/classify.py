"""Turns a bad HTTP reply into a ConnectorError, so that everything above reasons about kinds and not about statuses.

The provider's own function decides first; what it leaves open, this table decides:

    status               kind                 remark
    2xx                  (the reply passes)   so does every status that the request expects, 304 and 308 too
    401                  token_expired        never leaves the stack
    403 451              permission_denied
    404 410              not_found
    408 504              timed_out            may have been applied
    409                  already_exists
    412                  precondition_failed
    413                  too_large
    416                  range_invalid        size from Content-Range
    423                  permission_denied    locked by somebody
    425                  unavailable          refused, nothing happened
    429 509              rate_limited         refused, nothing happened
    501                  unsupported
    503 + Retry-After    unavailable          refused, nothing happened
    507                  quota_exceeded
    other 5xx            unavailable          may have been applied
    other 3xx 4xx        unexpected
    400 403 409          unavailable          if the reason that the provider's function reads broke off; once nobody
                                              tries again as above
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from connectors.core.call import Send
from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError, ErrorKind

ERROR_BODY_BYTES_MAX = 64 * 1024
ERROR_BODY_SECONDS_MAX = 5.0
RETRY_AFTER_SECONDS_CAP = 86_400.0  # more is no information, and must not overflow anybody's arithmetic
REQUEST_ID_CHARACTERS_MAX = 100
CODING_HEADERS = frozenset({"content-encoding", "transfer-encoding"})

EXPECTED_STATUSES = "kloudless.expected_statuses"
"""Where a request's extensions list bad-looking statuses that its sender handles itself, such as a 302 it follows."""

WHOLE_BODY_BYTES_MAX = "kloudless.whole_body_bytes_max"
"""Where a request's extensions say that a good reply is a document of at most so many bytes. It is read within the
attempt, so that one that breaks off is repeated like any other failure, and shown to the provider's own reading, since
some providers say 200 and tell of a failure in the body.
"""

READ_REPLY = "kloudless.read_reply"
"""Where a request's extensions have a function that reads a good reply while it comes, within the attempt: what it
raises is an answer like any other, so that a reply that breaks off is asked for again. Each attempt begins it anew.
"""

ReadReply = Callable[[httpx.Response], Awaitable[None]]
"""Takes all that it wants of a reply; closing it is not its business."""

ClassifyReply = Callable[[httpx.Response, bytes], ConnectorError | None]
"""A provider's own reading of a bad reply and the start of its body; None leaves it to the common table."""

KIND_BY_STATUS: Mapping[int, ErrorKind] = {
    401: ErrorKind.TOKEN_EXPIRED,
    403: ErrorKind.PERMISSION_DENIED,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMED_OUT,
    409: ErrorKind.ALREADY_EXISTS,
    410: ErrorKind.NOT_FOUND,
    412: ErrorKind.PRECONDITION_FAILED,
    413: ErrorKind.TOO_LARGE,
    416: ErrorKind.RANGE_INVALID,
    423: ErrorKind.PERMISSION_DENIED,
    425: ErrorKind.UNAVAILABLE,
    429: ErrorKind.RATE_LIMITED,
    451: ErrorKind.PERMISSION_DENIED,
    501: ErrorKind.UNSUPPORTED,
    504: ErrorKind.TIMED_OUT,
    507: ErrorKind.QUOTA_EXCEEDED,
    509: ErrorKind.RATE_LIMITED,
}

_VAGUE_STATUSES = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT})
"""What providers answer to all sorts of things, from a full storage to too many requests."""

_DOUBTFUL_KINDS = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMED_OUT, ErrorKind.UNEXPECTED})


def classify(
    send: Send[httpx.Request, httpx.Response], *, clock: Clock, classify_reply: ClassifyReply | None = None
) -> Send[httpx.Request, httpx.Response]:
    """Passes good and expected replies on untouched; closes every other one and raises what it means."""

    async def send_classified(request: httpx.Request) -> httpx.Response:
        reply = await send(request)
        status = reply.status_code
        if reply.is_success or status in request.extensions.get(EXPECTED_STATUSES, ()):
            read_reply = request.extensions.get(READ_REPLY)
            if read_reply is not None:
                return await _read_with(read_reply, reply)
            bytes_max = request.extensions.get(WHOLE_BODY_BYTES_MAX)
            if bytes_max is None:
                return reply
            reply = await _read_whole(reply, bytes_max, request)
            error = classify_reply(reply, reply.content) if classify_reply and reply.is_success else None
            if error is None:
                return reply
            raise _complete(error, reply, clock.now())
        body, is_whole = await _read_start_and_close(reply)
        error = classify_reply(reply, body) if classify_reply else None
        is_explained = error is not None and error.kind is not ErrorKind.UNEXPECTED
        if classify_reply and not is_explained and not is_whole and status in _VAGUE_STATUSES:
            text = f"the provider refused this (status {status}), and the answer that says why broke off"
            error = ConnectorError(ErrorKind.UNAVAILABLE, text)
            error.final_kind = KIND_BY_STATUS.get(status, ErrorKind.UNEXPECTED)
        raise _complete(error or _classify_status(reply), reply, clock.now())

    return send_classified


def read_retry_after(reply: httpx.Response, now: datetime) -> float | None:
    """Seconds that the reply asks to wait; None for no hint, or a senseless one. A date counts from the reply's own."""
    value = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return min(float(value), RETRY_AFTER_SECONDS_CAP)
    at = _read_date(value)
    if at is None:
        return None
    seconds = (at - (_read_date(reply.headers.get("date", "")) or now)).total_seconds()
    return min(seconds, RETRY_AFTER_SECONDS_CAP) if seconds >= 0 else None


def _read_date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def _read_start_and_close(reply: httpx.Response) -> tuple[bytes, bool]:
    """As much as may be kept, and whether it came as far as that."""
    if reply.is_stream_consumed:
        return reply.content[:ERROR_BODY_BYTES_MAX], True
    start, is_whole = bytearray(), True
    try:
        async with asyncio.timeout(ERROR_BODY_SECONDS_MAX):
            async for chunk in reply.aiter_raw():
                start += chunk
                if len(start) >= ERROR_BODY_BYTES_MAX:
                    break
    except (ConnectorError, httpx.HTTPError, TimeoutError):
        is_whole = False
    finally:
        await reply.aclose()
    return bytes(start[:ERROR_BODY_BYTES_MAX]), is_whole


async def _read_with(read_reply: ReadReply, reply: httpx.Response) -> httpx.Response:
    try:
        await read_reply(reply)
    finally:
        await reply.aclose()
    return reply


async def _read_whole(reply: httpx.Response, bytes_max: int, request: httpx.Request) -> httpx.Response:
    """The same reply with its body in memory, as it came; unexpected if it is larger than expected."""
    if reply.is_stream_consumed:
        return reply
    body = bytearray()
    try:
        async for chunk in reply.aiter_raw():
            body += chunk
            if len(body) > bytes_max:
                text = f"the provider answered with more than {bytes_max} bytes where a short answer was expected"
                raise ConnectorError(ErrorKind.UNEXPECTED, text, maybe_applied=True)
    finally:
        await reply.aclose()
    headers = [(name, value) for name, value in reply.headers.multi_items() if name not in CODING_HEADERS]
    return httpx.Response(reply.status_code, headers=headers, content=bytes(body), request=request)


def _classify_status(reply: httpx.Response) -> ConnectorError:
    status = reply.status_code
    kind = KIND_BY_STATUS.get(status)
    if kind is None:
        kind = ErrorKind.UNAVAILABLE if reply.is_server_error else ErrorKind.UNEXPECTED
    if reply.is_redirect and status != HTTPStatus.NOT_MODIFIED:
        message = f"the provider redirected (status {status}) where no redirect is followed"
    else:
        message = f"the provider answered with status {status}"
    return ConnectorError(kind, message)


def _complete(error: ConnectorError, reply: httpx.Response, now: datetime) -> ConnectorError:
    """Adds what the head of the reply says, whoever chose the kind."""
    status = error.status = reply.status_code
    retry_after_seconds = read_retry_after(reply, now)
    if error.retry_after_seconds is None and error.kind in (ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE):
        error.retry_after_seconds = retry_after_seconds
    is_refusal = status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after_seconds is not None
    is_doubtful = reply.is_server_error or status == HTTPStatus.REQUEST_TIMEOUT
    if error.kind in _DOUBTFUL_KINDS and is_doubtful and not is_refusal:
        error.maybe_applied = True
    if error.kind is ErrorKind.RANGE_INVALID and error.size_bytes is None:
        size = re.fullmatch(r"bytes \*/([0-9]{1,19})", reply.headers.get("content-range", ""))
        error.size_bytes = int(size[1]) if size else None
    error.context.setdefault("status", str(status))
    for name, value in reply.headers.items():
        if name.endswith("request-id"):
            error.context.setdefault("request_id", value[:REQUEST_ID_CHARACTERS_MAX])
    return error
