"""Bodies of several parts: one that is streamed (metadata, then a file), and whole ones (batches)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from simulators.gdrive.errors import DriveError

PART_HEADERS_BYTES_MAX = 16 * 1024
PARTS_COUNT_MAX = 1000


@dataclass(slots=True)
class Part:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class PartReader:
    """Is fed a body piece by piece and hands on the bytes of its parts: `take(number, headers, data)`, with empty data
    when a part begins.
    """

    def __init__(self, content_type: str, take: Callable[[int, dict[str, str], bytes], None]) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise _refuse()
        self.parts_count = 0
        self.is_complete = False
        self._take = take
        self._headers: dict[str, str] = {}
        self._name = self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_name,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": lambda: self._take(self.parts_count, self._headers, b""),
                "on_part_data": lambda data, start, end: self._take(self.parts_count, self._headers, data[start:end]),
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except MultipartParseError:
            raise _refuse() from None

    def close(self, *, parts_count: int | None = None) -> None:
        """The body has ended; refuses one whose last boundary is missing, or with another number of parts."""
        if not self.is_complete or parts_count not in {None, self.parts_count}:
            raise _refuse()

    def _begin(self) -> None:
        self.parts_count += 1
        self._headers = {}
        if self.parts_count > PARTS_COUNT_MAX:
            raise _refuse()

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._check_size()

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_size()

    def _end_header(self) -> None:
        self._headers[self._name.decode("latin-1").strip().lower()] = self._value.decode("latin-1").strip()
        self._name = self._value = b""

    def _end(self) -> None:
        self.is_complete = True

    def _check_size(self) -> None:
        if len(self._name) + len(self._value) > PART_HEADERS_BYTES_MAX:
            raise _refuse()


class Base64Reader:
    """Decodes Base64 that comes in pieces."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._rest = b""

    def feed(self, data: bytes) -> None:
        data = self._rest + b"".join(data.split())
        whole = len(data) - len(data) % 4
        self._rest = data[whole:]
        try:
            self._write(base64.b64decode(data[:whole], validate=True))
        except binascii.Error:
            raise _refuse() from None


def read_parts(content_type: str, body: bytes) -> list[Part]:
    """All parts of a body that is there as a whole."""
    parts: list[Part] = []

    def take(number: int, headers: dict[str, str], data: bytes) -> None:
        if number > len(parts):
            parts.append(Part(headers))
        parts[number - 1].body.extend(data)

    reader = PartReader(content_type, take)
    reader.feed(body)
    reader.close()
    return parts


def write_parts(parts: list[tuple[dict[str, str], bytes]]) -> tuple[str, bytes]:
    """A boundary and the body that consists of these parts."""
    boundary = f"batch_{secrets.token_urlsafe(16)}"
    pieces = []
    for headers, body in parts:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        pieces.append(f"--{boundary}\r\n{head}\r\n".encode() + body + b"\r\n")
    return boundary, b"".join(pieces) + f"--{boundary}--\r\n".encode()


def _refuse() -> DriveError:
    return DriveError.bad_request("Malformed multipart body.")
