"""The demo's files: a handful of real ones of several kinds, made once."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

_PICTURE_PIXELS = 64


def seed_folder(folder: Path) -> None:
    """Makes the folder and, if it is empty, its files; a folder that holds anything is left as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    for path, content in _build_files().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _build_files() -> dict[str, bytes]:
    orders = [{"number": number, "city": city, "paid": number % 2 == 0} for number, city in enumerate(_CITIES, 1)]
    table = "number,city,paid\n" + "".join(f"{o['number']},{o['city']},{str(o['paid']).lower()}\n" for o in orders)
    return {
        "Welcome.md": _WELCOME.encode(),
        "empty.txt": b"",
        "orders.csv": table.encode(),
        "orders.json": json.dumps({"orders": orders}, ensure_ascii=False, indent=2).encode(),
        "report.pdf": build_pdf("A report of one page"),
        "Bilder/Sonnenaufgang über dem Meer.png": build_png(),
        "日本語/メモ.txt": "これは小さなメモです。\n".encode(),
        "Projects/2024/notes/deep/idea 💡.txt": b"Files may lie as deep as they like.\n",
        "Projects/2024/plan (draft).txt": b"1. look around\n2. rename this file\n3. delete it\n",
    }


_CITIES = ("Zürich", "São Paulo", "Kraków", "東京")
_WELCOME = """# Welcome

These files are real: they lie in a folder of this machine, and whatever the API does to them happens there.

- Put files of your own into the folder and list it again.
- Rename, move, copy and delete; nothing here is needed for anything.
"""


def build_png() -> bytes:
    """A picture of a sunrise, 64 by 64."""
    size = _PICTURE_PIXELS
    rows = b"".join(
        b"\0" + b"".join(bytes((255 - y * 2, 140 + (x * y) % 64, 60 + y * 3)) for x in range(size)) for y in range(size)
    )
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)  # 8 bits a channel, red green blue
    chunks = (_png_chunk(b"IHDR", head), _png_chunk(b"IDAT", zlib.compress(rows, 9)), _png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def build_pdf(text: str) -> bytes:
    """A page of A5 with one line of ASCII text without brackets."""
    drawing = f"BT /F1 24 Tf 40 520 Td ({text}) Tj ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents 4 0 R /Resources <</Font <</F1 5 0 R>>>> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    document = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(document))
    return document + b"xref\n0 %d\n0000000000 65535 f \n" % count + entries + trailer
