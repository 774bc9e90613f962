"""Reading what clients send: flags, pages, JSON in headers. Bad input becomes 400 with what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import Query
from pydantic import AfterValidator, BeforeValidator, Strict
from starlette.requests import Request

from app.core.errors import ApiError, ErrorCode

PAGE_SIZE_MAX = 1000
JSON_DEPTH_MAX = 64
JSON_INTEGER_MIN, JSON_INTEGER_MAX = -(2**63), 2**63 - 1


def parse_flag(value: object) -> object:
    """Booleans as clients write them: any case of true, false, 1, 0 (contract 1.8)."""
    if isinstance(value, str):
        lowered = value.strip().lower()
        if lowered in {"true", "1"}:
            return True
        if lowered in {"false", "0"}:
            return False
    return value


Flag = Annotated[bool, Strict(), BeforeValidator(parse_flag)]


def check_text(text: str) -> str:
    """The text, if both databases can hold it; ValueError for NUL and halves of surrogate pairs."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds a character that cannot be stored")
    return text


def check_json(value: Any, depth: int = 0) -> Any:
    """The value, if both databases can hold it as JSON and give it back; ValueError says what is in the way."""
    if depth > JSON_DEPTH_MAX:
        raise ValueError(f"is nested deeper than {JSON_DEPTH_MAX} levels")
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, int) and not JSON_INTEGER_MIN <= value <= JSON_INTEGER_MAX:
        raise ValueError("holds a number of more than 64 bits")
    elif isinstance(value, dict):
        for name, inner in value.items():
            check_text(name)
            check_json(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            check_json(inner, depth + 1)
    return value


Text = Annotated[str, AfterValidator(check_text)]
JsonObject = Annotated[dict[str, Any], AfterValidator(check_json)]
PageNumber = Annotated[int, Query(ge=1, le=2**31, description="Page to return, from 1.")]
PageToken = Annotated[str | None, Query(description="`next_page` of the reply before; nothing for the first.")]
PageSize = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="Most objects on a page.")]


def read_flag(request: Request, name: str, *, default: bool = False) -> bool:
    """A flag of the query; ApiError names it when it is neither true nor false."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    value = parse_flag(text)
    if not isinstance(value, bool):
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{name} must be true or false.")
    return value


def read_header_flag(request: Request, name: str) -> bool:
    """A flag in a header; anything that is not true is false, as clients expect."""
    return parse_flag(request.headers.get(name, "")) is True


def read_text(request: Request, name: str) -> str | None:
    """A text of the query, also one that the client did not encode: UTF-8, or else latin-1 (contract 4.5)."""
    query: bytes = request.scope["query_string"]
    value = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")).get(name)
    if value is None:
        return None
    raw = value.encode("latin-1")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = value
    if "\0" in text:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{name} holds a character that no text has.")
    return text


def read_number(request: Request, name: str, *, default: int, minimum: int, maximum: int) -> int:
    """A whole number of the query within bounds."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    # int() accepts spaces, signs, underscores and other scripts' digits; a number in a query is plain digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and minimum <= int(text) <= maximum):  # noqa: PLR2004 - fits 64 bits
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{name} must be a whole number from {minimum} to {maximum}.")
    return int(text)


def read_json_header(request: Request, name: str) -> dict[str, Any] | None:
    """A JSON object in a header, None if the header is missing. UTF-8 first, then latin-1 (contract 1.3)."""
    text = request.headers.get(name)
    if text is None:
        return None
    raw = text.encode("latin-1")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raw = text.encode("utf-8")
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"{name} must hold a JSON object.")
    return value


def read_time(text: str) -> datetime:
    """An ISO time; naive ones are UTC (contract 1.7). ValueError for anything else."""
    value = datetime.fromisoformat(text)
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:  # in its own zone it is still inside the calendar
        raise ValueError("is outside the calendar") from error
