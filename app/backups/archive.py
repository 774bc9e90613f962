"""The file of a backup: a ZIP of `tables/<name>.jsonl`, a row a line, and `manifest.json`, which is written last."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES_MAX = 16 * 2**20
ROW_BYTES_MAX = 256 * 2**20
COMPRESSION_LEVEL = 6


class BackupError(Exception):
    """A backup cannot be made or restored; the message says why and what to do."""


class TableManifest(Struct, frozen=True, kw_only=True):
    """What a table's lines hold."""

    name: str
    columns: tuple[str, ...]
    rows_count: int
    sha256: str  # of the lines
    last_id: int | None  # the highest number ever given here, also to rows that are gone


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup is: enough to say whether, and with which keys, it can be used."""

    format: int
    version: str
    revision: str
    database: str
    created_at: datetime
    sealing_key_ids: tuple[str, ...]  # all that are needed to open what is stored
    id_key_check: str | None  # None if the keys were not at hand
    tables: tuple[TableManifest, ...]

    @property
    def rows_count(self) -> int:
        """All rows of all tables."""
        return sum(table.rows_count for table in self.tables)


class TableWriter:
    """Takes a table's rows and knows what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._encoder = msgspec.json.Encoder()
        self.rows_count = 0

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Appends rows: values in the order of the columns."""
        lines = self._encoder.encode_lines([list(row) for row in rows])
        self._digest.update(lines)
        self._file.write(lines)
        self.rows_count += len(rows)

    @property
    def sha256(self) -> str:
        """Of everything so far."""
        return self._digest.hexdigest()


class ArchiveWriter:
    """Writes tables one after the other, then the manifest."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    @contextmanager
    def table(self, name: str) -> Iterator[TableWriter]:
        """Open one at a time."""
        with self._file.open(_member(name), "w", force_zip64=True) as member:
            yield TableWriter(member)

    def finish(self, manifest: Manifest) -> None:
        """Nothing comes after it."""
        self._file.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))


@contextmanager
def creating(path: Path) -> Iterator[ArchiveWriter]:
    """A new archive, mode 0600, which appears under its name when it is complete and was read again."""
    if path.exists():
        raise BackupError(f"{path} exists; a backup never replaces a file. Name another.")
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as file:
                yield ArchiveWriter(file)
            raw.flush()
            os.fsync(raw.fileno())
        verify(partial)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


class Archive:
    """An open backup."""

    def __init__(self, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self._file = file
        self.manifest = manifest

    def read_rows(self, table: TableManifest) -> Iterator[list[Any]]:
        """The rows one by one; BackupError at the end when they are not those that were written."""
        digest, rows_count = hashlib.sha256(), 0
        decoder = msgspec.json.Decoder(list[Any])
        with _readable(), self._file.open(_member(table.name)) as member:
            while line := member.readline(ROW_BYTES_MAX):
                digest.update(line)
                rows_count += 1
                yield decoder.decode(line)
        if digest.hexdigest() != table.sha256 or rows_count != table.rows_count:
            raise BackupError(f"The backup is damaged: the rows of {table.name} are not those that were written.")


@contextmanager
def opening(path: Path) -> Iterator[Archive]:
    """A backup to read from; BackupError when it is none, is damaged, or has a form that is not known here."""
    with _readable(), zipfile.ZipFile(path) as file:
        if file.getinfo(MANIFEST).file_size > MANIFEST_BYTES_MAX:
            raise BackupError("The backup's manifest is too large to be one.")
        text = file.read(MANIFEST)
        if (found := msgspec.json.decode(text, type=_Form).format) != FORMAT:
            raise BackupError(f"The backup has form {found}, this version reads form {FORMAT}: use a newer version.")
        yield Archive(file, msgspec.json.decode(text, type=Manifest))


def verify(path: Path) -> Manifest:
    """Reads everything again; BackupError when anything is not as it was written."""
    with opening(path) as archive:
        for table in archive.manifest.tables:
            for _ in archive.read_rows(table):
                pass
        return archive.manifest


class _Form(Struct):
    format: int


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, msgspec.DecodeError) as error:
        raise BackupError(f"This is no backup of ours, or it is damaged: {error}") from error


def _member(table: str) -> str:
    return f"tables/{table}.jsonl"
