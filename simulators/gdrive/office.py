"""Files of office programs, as small as they can be and still open: PDF, OOXML, OpenDocument, EPUB."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from lxml import etree

from simulators.gdrive.errors import DriveError

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
OPEN = "urn:oasis:names:tc:opendocument:xmlns"
MEMBER_BYTES_MAX = 50 * 1024 * 1024
LINES_PER_PAGE = 50


def write_zip(members: Mapping[str, bytes | str], *, mime_type: str | None = None) -> bytes:
    """The same bytes for the same members; a format's own type comes first and uncompressed."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        if mime_type is not None:
            archive.writestr(zipfile.ZipInfo("mimetype"), mime_type, zipfile.ZIP_STORED)
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def write_pdf(lines: Sequence[str]) -> bytes:
    """Plain pages of text; what Latin-1 lacks becomes a question mark."""
    pages = [lines[at : at + LINES_PER_PAGE] for at in range(0, len(lines), LINES_PER_PAGE)] or [[]]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, page in enumerate(pages):
        stream = b"BT /F1 11 Tf 50 790 Td 14 TL\n" + b"".join(map(_write_line, page)) + b"ET"
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {5 + 2 * number} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>".encode()
        )
        objects.append(f"<</Length {len(stream)}>>stream\n".encode() + stream + b"\nendstream")
    return _number_objects(objects)


def write_docx(lines: Iterable[str]) -> bytes:
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{_escape(line)}</w:t></w:r></w:p>' for line in lines)
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return write_zip(
        {
            "[Content_Types].xml": _write_types({"/word/document.xml": kind}),
            "_rels/.rels": _write_relations("officeDocument", "word/document.xml"),
            "word/document.xml": f'{XML}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
        }
    )


def read_docx(data: bytes) -> list[str]:
    """Its paragraphs."""
    document = _read_member(data, "word/document.xml")
    return ["".join(paragraph.itertext(f"{{{WORD}}}t")) for paragraph in document.iter(f"{{{WORD}}}p")]


def write_xlsx(rows: Iterable[Iterable[str]]) -> bytes:
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{_escape(cell)}</t></is></c>' for cell in row) + "</row>"
        for row in rows
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return write_zip(
        {
            "[Content_Types].xml": _write_types(
                {
                    "/xl/workbook.xml": f"{kind}.sheet.main+xml",
                    "/xl/worksheets/sheet1.xml": f"{kind}.worksheet+xml",
                }
            ),
            "_rels/.rels": _write_relations("officeDocument", "xl/workbook.xml"),
            "xl/workbook.xml": f'{XML}<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>'
            '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": _write_relations("worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": f'{XML}<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData></worksheet>',
        }
    )


def read_xlsx(data: bytes) -> list[list[str]]:
    """The cells of its first sheet that say their text themselves."""
    sheet = _read_member(data, "xl/worksheets/sheet1.xml")
    return [
        ["".join(cell.itertext(f"{{{SHEET}}}t", f"{{{SHEET}}}v")) for cell in row.iter(f"{{{SHEET}}}c")]
        for row in sheet.iter(f"{{{SHEET}}}row")
    ]


def write_odt(lines: Iterable[str]) -> bytes:
    body = "".join(f"<text:p>{_escape(line)}</text:p>" for line in lines)
    return _write_open("application/vnd.oasis.opendocument.text", f"<office:text>{body}</office:text>")


def write_ods(rows: Iterable[Iterable[str]]) -> bytes:
    cells = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{_escape(cell)}</text:p></table:table-cell>" for cell in row)
        + "</table:table-row>"
        for row in rows
    )
    body = f'<office:spreadsheet><table:table table:name="Sheet1">{cells}</table:table></office:spreadsheet>'
    return _write_open("application/vnd.oasis.opendocument.spreadsheet", body)


def write_epub(lines: Iterable[str]) -> bytes:
    body = "".join(f"<p>{_escape(line)}</p>" for line in lines)
    container = (
        f'{XML}<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
        '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    book = (
        f'{XML}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">document</dc:identifier>'
        "<dc:title>Document</dc:title><dc:language>en</dc:language></metadata><manifest>"
        '<item id="text" href="text.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="text"/></spine></package>'
    )
    page = f'{XML}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Document</title></head><body>{body}</body></html>'
    members = {"META-INF/container.xml": container, "book.opf": book, "text.xhtml": page}
    return write_zip(members, mime_type="application/epub+zip")


def _write_open(mime_type: str, body: str) -> bytes:
    names = " ".join(f'xmlns:{name}="{OPEN}:{name}:1.0"' for name in ("office", "text", "table"))
    manifest = (
        f'{XML}<manifest:manifest xmlns:manifest="{OPEN}:manifest:1.0" manifest:version="1.2">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime_type}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    content = (
        f'{XML}<office:document-content {names} office:version="1.2">'
        f"<office:body>{body}</office:body></office:document-content>"
    )
    return write_zip({"content.xml": content, "META-INF/manifest.xml": manifest}, mime_type=mime_type)


def _write_types(parts: Mapping[str, str]) -> str:
    overrides = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in parts.items())
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'{XML}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="{relations}"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _write_relations(kind: str, target: str) -> str:
    relation = f'<Relationship Id="rId1" Type="{OFFICE}/{kind}" Target="{target}"/>'
    return f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{relation}</Relationships>'


def _write_line(line: str) -> bytes:
    text = line.encode("cp1252", "replace")
    for special in (b"\\", b"(", b")"):
        text = text.replace(special, b"\\" + special)
    return b"(" + text + b") Tj T*\n"


def _number_objects(objects: Sequence[bytes]) -> bytes:
    target = io.BytesIO()
    target.write(b"%PDF-1.4\n")
    places = []
    for number, part in enumerate(objects, 1):
        places.append(target.tell())
        target.write(f"{number} 0 obj\n".encode() + part + b"\nendobj\n")
    table = target.tell()
    target.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    target.write("".join(f"{place:010} 00000 n \n" for place in places).encode())
    target.write(f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n".encode())
    return target.getvalue()


def _read_member(data: bytes, name: str) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as member:
            content = member.read(MEMBER_BYTES_MAX)
        return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    except (zipfile.BadZipFile, KeyError, etree.XMLSyntaxError):
        raise DriveError.bad_request("Bad Request") from None


def _escape(text: str) -> str:
    return escape("".join(character for character in text if character >= " " or character == "\t"))
