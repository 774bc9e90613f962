"""Range and conditional requests for a file's bytes, as RFC 9110 sections 13 and 14 want them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers

from app.core.errors import ApiError, ErrorCode
from connectors.core.resources import ByteRange, Download, File

_RANGE = re.compile(r"bytes=\s*(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))\s*", re.ASCII | re.IGNORECASE)
_ETAGS = re.compile(r'(?:W/)?"([^"]*)"')


def parse_range(headers: Headers) -> ByteRange | None:
    """The one range that is asked for; None for none, for several (the whole file is a fair answer) or another unit.

    ApiError 416 for a range that says nothing sensible.
    """
    text = headers.get("range", "")
    if not text.lower().startswith("bytes=") or "," in text:
        return None
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ApiError(ErrorCode.RANGE_NOT_SATISFIABLE, "Range must look like bytes=0-99, bytes=100- or bytes=-100.")
    if match[3] is not None:
        return ByteRange(None, int(match[3]))
    start, end = int(match[1]), int(match[2]) if match[2] else None
    if end is not None and end < start:
        raise ApiError(ErrorCode.RANGE_NOT_SATISFIABLE, "The range ends before it starts.")
    return ByteRange(start, end)


def quote_etag(etag: str) -> str:
    """The etag as a header's value; characters that may not stand there are escaped."""
    return '"' + "".join(c if "!" <= c <= "~" and c not in '"%' else f"%{ord(c):02X}" for c in etag) + '"'


def _matches(header: str, etag: str | None, *, weakly: bool) -> bool:
    if header.strip() == "*":
        return True
    if etag is None:
        return False
    quoted = quote_etag(etag)[1:-1]
    return any(match[1] == quoted and (weakly or not match[0].startswith("W/")) for match in _ETAGS.finditer(header))


def _parse_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_unmodified(headers: Headers, file: File | Download) -> bool:
    """True if the client's copy is still good: 304. ApiError 412 if it wanted another version."""
    if (wanted := headers.get("if-match")) is not None:
        if not _matches(wanted, file.etag, weakly=False):
            raise ApiError(ErrorCode.PRECONDITION_FAILED)
    elif (
        (since := _parse_date(headers.get("if-unmodified-since", "")))
        and file.modified_at
        and file.modified_at.replace(microsecond=0) > since
    ):
        raise ApiError(ErrorCode.PRECONDITION_FAILED)
    if (known := headers.get("if-none-match")) is not None:
        return _matches(known, file.etag, weakly=True)
    since = _parse_date(headers.get("if-modified-since", ""))
    return since is not None and file.modified_at is not None and file.modified_at.replace(microsecond=0) <= since


def is_range_fresh(headers: Headers, file: File | Download) -> bool:
    """False if `If-Range` names another version, so that the whole file must be sent (RFC 9110 13.1.5)."""
    text = headers.get("if-range")
    if text is None:
        return True
    if '"' in text:
        return _matches(text, file.etag, weakly=False)
    date = _parse_date(text)
    return date is not None and file.modified_at is not None and file.modified_at.replace(microsecond=0) == date


def format_date(moment: datetime) -> str:
    """A time as headers write it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
