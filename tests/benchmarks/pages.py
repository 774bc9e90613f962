"""What the origin holds: files, and listings in the JSON of a made-up provider and in S3's XML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import msgspec

from tests.benchmarks.measuring import MIB

FILL_BYTES = 2**20
WRITTEN_BYTES_MAX = 512 * MIB
"""Larger files are holes: they read as zeros, and cost no disk."""

LISTING_ENTRIES_COUNT = 1000
ONE_ENTRY = "one"
"""The id of the only entry that can be asked for by itself."""

BUCKET = "bench"
FOLDER_SIZES = (10, 1000, 100_000)
QUICK_FOLDER_SIZES = (10, 1000, 3000)


def file_name(size_mib: int) -> str:
    """What the file of that size is called."""
    return f"{size_mib}-mib.bin"


def write_file(path: Path, size_bytes: int) -> None:
    """A file with something in it, unless it is very large."""
    fill = bytes(range(256)) * (FILL_BYTES // 256)
    with path.open("wb") as file:
        if size_bytes <= WRITTEN_BYTES_MAX:
            for _ in range(size_bytes // FILL_BYTES):
                file.write(fill)
            file.write(fill[: size_bytes % FILL_BYTES])
        else:
            file.truncate(size_bytes)


def write_listings(folder: Path) -> None:
    """The made-up provider's listings, and one entry by itself."""
    (folder / "listings").mkdir(parents=True)
    (folder / "entries").mkdir()
    for count in (1, LISTING_ENTRIES_COUNT):
        entries = [_build_entry(number) for number in range(count)]
        (folder / "listings" / f"top-{count}").write_bytes(msgspec.json.encode({"entries": entries, "cursor": None}))
    (folder / "entries" / ONE_ENTRY).write_bytes(msgspec.json.encode(_build_entry(1) | {"id": ONE_ENTRY}))


def write_s3_listings(folder: Path, sizes: tuple[int, ...]) -> None:
    """Pages of S3: a folder `n<count>/` for each count, each page in a file that its continuation token names."""
    for count in (0, *sizes):
        name = f"n{count}" if count else "root"
        (folder / "s3" / name).mkdir(parents=True)
        for token, page in _build_pages(name, count):
            (folder / "s3" / name / token).write_text(page)


def _build_entry(number: int) -> dict[str, object]:
    """An entry such as providers send: half of it is of no use to us. Each tenth is a folder."""
    is_folder = number % 10 == 0
    name = f"Folder {number}" if is_folder else f"Résumé of quarter {number}, final.pdf"
    entry: dict[str, object] = {
        "kind": "folder" if is_folder else "file",
        "id": f"id:a4ayc_80_OEAAAAAAAA{number:07d}",
        "name": name,
        "parent_id": "top",
        "path": f"/Finance/{2000 + number % 25}/{name}",
        "created_at": "2026-03-17T09:26:53Z",
        "modified_at": f"2026-10-{1 + number % 28:02d}T12:00:00Z",
        "owner": f"dbid:AAH4f99T0taONIb-OurWxbNQ6ywGRopQ{number % 7}",
        "sharing": {"read_only": False, "parent_shared_folder_id": "84528192421", "modified_by": "dbid:AAH4f99T0taONI"},
        "permissions": [{"action": "edit_contents", "allow": True}, {"action": "share", "allow": True}],
    }
    if not is_folder:
        entry |= {"size": 7212 + number, "media_type": "application/pdf", "etag": f"0123456789abcdef{number:016x}"}
    return entry


def _build_pages(name: str, count: int) -> Iterator[tuple[str, str]]:
    for first in range(0, max(count, 1), LISTING_ENTRIES_COUNT):
        numbers = range(first, min(first + LISTING_ENTRIES_COUNT, count))
        is_last = numbers.stop >= count
        yield str(first), _build_page(name, numbers, next_token=None if is_last else str(numbers.stop))


def _build_page(name: str, numbers: range, *, next_token: str | None) -> str:
    contents = "".join(
        f"<Contents><Key>{name}/{quote_plus(f'Résumé of quarter {number:07d}, final.pdf')}</Key>"
        f"<LastModified>2026-10-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:07.000Z</LastModified>"
        f"<ETag>&quot;0123456789abcdef{number:016x}&quot;</ETag>"
        f"<Size>{7212 + number}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for number in numbers
    )
    following = f"<NextContinuationToken>{next_token}</NextContinuationToken>" if next_token else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><Prefix>{name}/</Prefix><KeyCount>{len(numbers)}</KeyCount>"
        "<MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>"
        f"<IsTruncated>{str(next_token is not None).lower()}</IsTruncated>{following}{contents}</ListBucketResult>"
    )
