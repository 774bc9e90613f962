"""Documents of Drive's own, which have no bytes until they are exported: which formats there are, both ways.

A document is kept as UTF-8 text, a spreadsheet as CSV; office.py writes the formats of office programs.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html import escape, unescape
from pathlib import PurePosixPath
from textwrap import wrap

from simulators.gdrive import office
from simulators.gdrive.errors import DriveError
from simulators.gdrive.records import NATIVE_PREFIX

DOCUMENT = NATIVE_PREFIX + "document"
SPREADSHEET = NATIVE_PREFIX + "spreadsheet"
PRESENTATION = NATIVE_PREFIX + "presentation"
DRAWING = NATIVE_PREFIX + "drawing"
NATIVE_TYPES = (DOCUMENT, SPREADSHEET, PRESENTATION, DRAWING)
EXPORT_BYTES_MAX = 10 * 1024 * 1024
IMPORT_BYTES_MAX = 50 * 1024 * 1024

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/x-vnd.oasis.opendocument.spreadsheet"


def _write_plain(text: str) -> bytes:
    return b"\xef\xbb\xbf" + "\r\n".join(text.splitlines()).encode()


def _write_html(text: str) -> bytes:
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines())
    return f'<html><head><meta charset="utf-8"></head><body>{paragraphs}</body></html>'.encode()


def _write_rtf(text: str) -> bytes:
    def write(character: str) -> str:
        if character in "\\{}":
            return "\\" + character
        if ord(character) < 128:  # noqa: PLR2004 - ASCII
            return character
        units = character.encode("utf-16-le")
        pairs = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2))
        return "".join(f"\\u{unit}?" for unit in pairs)

    body = "\\par\n".join("".join(map(write, line)) for line in text.splitlines())
    return f"{{\\rtf1\\ansi\\deff0{{\\fonttbl{{\\f0 Arial;}}}}\n{body}\n}}".encode("ascii")


def _write_table(text: str, delimiter: str) -> bytes:
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter).writerows(_read_rows(text))
    return target.getvalue().encode()


def _write_svg(text: str) -> bytes:
    lines = "".join(
        f'<text x="20" y="{30 + 20 * number}">{escape(line)}</text>' for number, line in enumerate(text.splitlines())
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="960" height="720">{lines}</svg>'.encode()


def _write_pdf(text: str) -> bytes:
    return office.write_pdf([part for line in text.splitlines() for part in wrap(line, 90) or [""]])


EXPORTS: dict[str, dict[str, Callable[[str], bytes]]] = {
    DOCUMENT: {
        DOCX: lambda text: office.write_docx(text.splitlines()),
        ODT: lambda text: office.write_odt(text.splitlines()),
        "application/rtf": _write_rtf,
        PDF: _write_pdf,
        "text/plain": _write_plain,
        "text/html": _write_html,
        "text/markdown": lambda text: text.encode(),
        "application/zip": lambda text: office.write_zip({"document.html": _write_html(text)}),
        "application/epub+zip": lambda text: office.write_epub(text.splitlines()),
    },
    SPREADSHEET: {
        XLSX: lambda text: office.write_xlsx(_read_rows(text)),
        ODS: lambda text: office.write_ods(_read_rows(text)),
        PDF: _write_pdf,
        "text/csv": lambda text: _write_table(text, ","),
        "text/tab-separated-values": lambda text: _write_table(text, "\t"),
        "application/zip": lambda text: office.write_zip({"sheet.html": _write_html(text)}),
    },
    PRESENTATION: {PDF: _write_pdf, "text/plain": _write_plain},
    DRAWING: {PDF: _write_pdf, "image/svg+xml": _write_svg},
}
IMPORTS: dict[str, str] = {
    "text/plain": DOCUMENT,
    "text/html": DOCUMENT,
    "text/markdown": DOCUMENT,
    "text/csv": SPREADSHEET,
    "text/tab-separated-values": SPREADSHEET,
    DOCX: DOCUMENT,
    XLSX: SPREADSHEET,
}


def export(mime_type: str, data: bytes, target: str) -> bytes:
    """A document in another format; refuses what it cannot become, and what becomes too big."""
    write = EXPORTS.get(mime_type, {}).get(target)
    if write is None:
        raise DriveError.bad_request("The requested conversion is not supported.")
    exported = write(data.decode())
    if len(exported) > EXPORT_BYTES_MAX:
        raise DriveError.forbidden("exportSizeLimitExceeded", "This file is too large to be exported.")
    return exported


def convert(source: str, data: bytes, target: str) -> bytes:
    """The text that a document keeps of bytes that were uploaded to become one."""
    if IMPORTS.get(source) != target:
        raise DriveError.bad_request("Bad Request")
    if source == DOCX:
        return "\n".join(office.read_docx(data)).encode()
    if source == XLSX:
        return _write_table("\n".join(",".join(row) for row in office.read_xlsx(data)), ",")
    text = data.decode("utf-8-sig", "replace")
    if source == "text/html":
        text = unescape(re.sub(r"<[^>]*>", "", re.sub(r"(?i)<(?:br|/p|/h\d|/li|/div)[^>]*>", "\n", text)))
    elif source == "text/tab-separated-values":
        text = _write_table("\n".join(line.replace("\t", ",") for line in text.splitlines()), ",").decode()
    return text.encode()


def get_extension(name: str) -> str:
    """`gz` of `a.tar.gz`."""
    return PurePosixPath(name).suffix.removeprefix(".")


def _read_rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))
