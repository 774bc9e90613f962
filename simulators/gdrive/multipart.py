"""Bodies of several parts: one that is streamed (metadata, then a file), and whole ones (batches)."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from python_multipart.multipart import parse_options_header

from simulators.gdrive.errors import DriveError

PART_HEADERS_BYTES_MAX = 16 * 1024
PARTS_COUNT_MAX = 1000


@dataclass(slots=True)
class Part:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class PartReader:
    """Is fed a body piece by piece and hands on the bytes of its parts: `take(number, headers, data)`, with empty data
    when a part begins. Lines end in CR LF or in LF alone, as the first one does: some clients write the latter.
    """

    def __init__(self, content_type: str, take: Callable[[int, dict[str, str], bytes], None]) -> None:
        boundary = _read_boundary(content_type)
        if not boundary:
            raise _refuse()
        self.parts_count = 0
        self._boundary = b"--" + boundary
        self._newline = b""
        self._take = take
        self._headers: dict[str, str] = {}
        self._buffer = bytearray()
        self._go_on: Callable[[], bool] = self._read_first_line

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while self._go_on():
            pass

    def close(self, *, parts_count: int | None = None) -> None:
        """The body has ended; refuses one whose last boundary is missing, or with another number of parts."""
        if self._go_on != self._ignore or parts_count not in {None, self.parts_count}:
            raise _refuse()

    def _read_first_line(self) -> bool:
        line, found, rest = self._buffer.partition(b"\n")
        if not found:
            self._check_size()
            return False
        if line.rstrip() == self._boundary:
            self._newline = b"\r\n" if line.endswith(b"\r") else b"\n"
            self._go_on = self._read_headers
        elif line.strip():
            raise _refuse()
        self._buffer = rest
        return True

    def _read_headers(self) -> bool:
        end = self._newline * 2
        at = self._buffer.find(end) if not self._buffer.startswith(self._newline) else 0
        if at < 0:
            self._check_size()
            return False
        lines = re.sub(rb"\r?\n[ \t]+", b" ", bytes(self._buffer[:at])).decode("latin-1").splitlines()
        del self._buffer[: at + len(end) if lines else len(self._newline)]
        pairs = [line.partition(":") for line in lines]
        self._headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.parts_count += 1
        if self.parts_count > PARTS_COUNT_MAX:
            raise _refuse()
        self._take(self.parts_count, self._headers, b"")
        # An empty part has its boundary where its first line would be.
        self._buffer[:0] = self._newline
        self._go_on = self._skip_newline
        return True

    def _skip_newline(self) -> bool:
        delimiter = self._newline + self._boundary
        if len(self._buffer) < len(delimiter):
            return False
        if not self._buffer.startswith(delimiter):
            del self._buffer[: len(self._newline)]
        self._go_on = self._read_data
        return True

    def _read_data(self) -> bool:
        delimiter = self._newline + self._boundary
        at = self._buffer.find(delimiter)
        if at < 0:
            ready = len(self._buffer) - len(delimiter)
            if ready > 0:
                self._hand_on(ready)
            return False
        if at:
            self._hand_on(at)
        del self._buffer[: len(delimiter)]
        self._go_on = self._read_delimiter_end
        return True

    def _read_delimiter_end(self) -> bool:
        if len(self._buffer) < 2:  # noqa: PLR2004 - as long as the two hyphens of the last one
            return False
        if self._buffer.startswith(b"--"):
            self._go_on = self._ignore
            return True
        line, found, rest = self._buffer.partition(b"\n")
        if not found:
            self._check_size()
            return False
        if line.strip():
            raise _refuse()
        self._buffer = rest
        self._go_on = self._read_headers
        return True

    def _ignore(self) -> bool:
        self._buffer.clear()
        return False

    def _hand_on(self, length: int) -> None:
        self._take(self.parts_count, self._headers, bytes(self._buffer[:length]))
        del self._buffer[:length]

    def _check_size(self) -> None:
        if len(self._buffer) > PART_HEADERS_BYTES_MAX:
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


def _read_boundary(content_type: str) -> bytes:
    return parse_options_header(content_type)[1].get(b"boundary", b"")


def _refuse() -> DriveError:
    return DriveError.bad_request("Malformed multipart body.")
