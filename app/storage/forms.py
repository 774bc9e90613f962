"""A file sent as multipart/form-data (contract D16), passed on as it arrives; nothing is kept on disk or whole."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from app.core.errors import ApiError, ErrorCode
from connectors.core.bytesource import ByteSource, StreamSource
from connectors.core.errors import ConnectorError, ErrorKind

FIELD_BYTES_MAX = 64 * 1024
FIELDS_MAX = 20
FILE_FIELD = "file"
METADATA_FIELD = "metadata"


@dataclass(slots=True)
class _Part:
    header_name: bytes = b""
    header_value: bytes = b""
    name: str = ""
    filename: str | None = None
    size_bytes: int = 0
    value: bytearray = field(default_factory=bytearray)


class FormUpload:
    """Reads the form up to its file; then `source` gives the file's bytes. `metadata` must come before the file."""

    def __init__(self, request: Request, body: ByteSource, *, size_bytes_max: int) -> None:
        _, options = parse_options_header(request.headers["content-type"])
        boundary = options.get(b"boundary")
        if not boundary:
            raise ApiError(ErrorCode.BAD_REQUEST, "The form's Content-Type has no boundary.")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise ApiError(ErrorCode.BAD_REQUEST, "The form's boundary is too long.") from error
        self._body = body.open()
        self._size_bytes_max = size_bytes_max
        self._part = _Part()
        self._parts_count = 0
        self._file_chunks: deque[bytes] = deque()
        self._has_file = False
        self._is_complete = False
        self.metadata: dict[str, Any] | None = None
        self.filename: str | None = None

    async def read_to_file(self) -> None:
        """Reads until the file begins. ApiError 400 for a form without one, or one that is not well formed."""
        while not self._has_file and await self._feed():
            pass
        if not self._has_file:
            raise ApiError(ErrorCode.INVALID_PARAMETERS, f"The form has no field {FILE_FIELD!r} that holds a file.")

    @property
    def source(self) -> StreamSource:
        """The file's bytes. A form that stops before its last boundary is a failed source."""
        return StreamSource(self._read_file(), size_bytes_max=self._size_bytes_max)

    async def _read_file(self) -> AsyncIterator[bytes]:
        while True:
            while self._file_chunks:
                yield self._file_chunks.popleft()
            if not await self._feed():
                break
        if not self._is_complete:
            raise ConnectorError(ErrorKind.SOURCE_FAILED, "The form ended before its closing boundary.")

    async def _feed(self) -> bool:
        chunk = await anext(self._body, None)
        if chunk is None:
            return False
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise ConnectorError(ErrorKind.SOURCE_FAILED, "The form is not well formed.") from error
        return True

    def _on_part_begin(self) -> None:
        self._part = _Part()
        self._parts_count += 1
        if self._parts_count > FIELDS_MAX:
            raise ApiError(ErrorCode.BAD_REQUEST, f"The form has more than {FIELDS_MAX} fields.")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]
        if len(self._part.header_value) > FIELD_BYTES_MAX:
            raise ApiError(ErrorCode.BAD_REQUEST, "A header inside the form is too long.")

    def _on_header_end(self) -> None:
        part = self._part
        if part.header_name.lower() == b"content-disposition":
            _, options = parse_options_header(part.header_value)
            part.name = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                part.filename = options[b"filename"].decode("utf-8", "replace")
            if part.name == FILE_FIELD:
                if self._has_file:
                    raise ApiError(ErrorCode.BAD_REQUEST, "The form holds more than one file; send one at a time.")
                self._has_file = True
                self.filename = part.filename
        part.header_name = part.header_value = b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == FILE_FIELD:
            self._file_chunks.append(bytes(data[start:end]))
            return
        self._part.value += data[start:end]
        if len(self._part.value) > FIELD_BYTES_MAX:
            raise ApiError(ErrorCode.REQUEST_TOO_LARGE, f"A field of the form is larger than {FIELD_BYTES_MAX} bytes.")

    def _on_part_end(self) -> None:
        if self._part.name == METADATA_FIELD:
            if self._has_file:
                raise ApiError(ErrorCode.BAD_REQUEST, "Send the field 'metadata' before the field 'file'.")
            try:
                value = msgspec.json.decode(self._part.value)
            except (msgspec.DecodeError, RecursionError):
                value = None
            if not isinstance(value, dict):
                raise ApiError(ErrorCode.INVALID_PARAMETERS, "The field 'metadata' must hold a JSON object.")
            self.metadata = value

    def _on_end(self) -> None:
        self._is_complete = True
