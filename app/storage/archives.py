"""A folder, or a choice of files and folders, as one zip archive that is made while it is sent."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath

from starlette.types import Send

from app.core.http.streams import StreamReply
from app.storage.downloads import build_headers
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paging import walk
from connectors.core.resources import File, Folder, Page, RawId, Resource

ENTRIES_MAX = 100_000
MEDIA_TYPE = "application/zip"
NOTE_NAME = "not included.txt"
ZIP_YEAR_MIN = 1980  # the format's clock starts here
FOLDER_MODE = 0o40755 << 16 | 0x10
FILE_MODE = 0o100644 << 16
SKIPPED_KINDS = frozenset({ErrorKind.NOT_FOUND, ErrorKind.PERMISSION_DENIED, ErrorKind.INVALID_NAME})


class ArchiveReply(StreamReply):
    """Streams a zip archive (with zip64 where it has to be) of what is given, folders with all they hold.

    - Nothing is packed: what users keep is mostly packed already, and the sizes stay what the storage says.
    - What cannot be read, or is gone when its turn comes, is named in a text file at the end. Any other failure cuts
      the connection, so that a client never takes a part for the whole.
    """

    def __init__(self, connector: Connector, resources: Sequence[Resource], *, name: str) -> None:
        super().__init__()
        self._archive = Archive(connector)
        self._resources = resources
        self._name = name

    async def stream_response(self, send: Send) -> None:
        headers = build_headers(
            name=f"{self._name}.zip", media_type=MEDIA_TYPE, length_bytes=None, etag=None, modified_at=None
        )
        del headers["Accept-Ranges"]
        raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        has_begun = False
        async with aclosing(self._archive.build(self._resources)) as pieces:
            async for piece in pieces:
                if not has_begun:
                    await send({"type": "http.response.start", "status": 200, "headers": raw_headers})
                    has_begun = True
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)  # once the client has left, sending waits for nothing
        await send({"type": "http.response.body", "body": b""})


class Archive:
    """One archive in the making."""

    def __init__(self, connector: Connector, *, entries_max: int = ENTRIES_MAX) -> None:
        self._connector = connector
        self._entries_max = entries_max
        self._sink = _Sink()
        self._paths: set[str] = set()
        self._folders: dict[RawId, str] = {}
        self._skipped: list[str] = []

    async def build(self, resources: Sequence[Resource]) -> AsyncGenerator[bytes, None]:
        """The archive's bytes. `too_large` before the first byte, or a cut, when there are too many entries."""
        with zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            async with aclosing(self._walk(resources)) as found:
                async for resource, above in found:
                    if isinstance(resource, Folder):
                        self._add_folder(archive, resource, above)
                        continue
                    async with aclosing(self._add_file(archive, resource, above)) as pieces:
                        async for piece in pieces:
                            yield piece
            if self._skipped:
                text = "These could not be read and are not in this archive:\n\n" + "\n".join(self._skipped) + "\n"
                archive.writestr(self._build_info(self._choose_path("", NOTE_NAME), datetime.now(UTC)), text)
        yield self._sink.take()

    async def _walk(self, resources: Sequence[Resource]) -> AsyncGenerator[tuple[Resource, str], None]:
        """What goes in, each with the path of what it stands in; a folder before what it holds."""
        for top in resources:
            yield top, ""
            if isinstance(top, Folder):
                async with aclosing(walk(partial(self._list, top.raw_id))) as below:
                    async for found in below:
                        parent = found.parent.raw_id if found.parent is not None else top.raw_id
                        yield found, self._folders.get(parent, self._folders[top.raw_id])

    async def _list(self, folder: RawId, cursor: str | None) -> Page:
        limit = self._connector.manifest.limits.page_items_max
        return await self._connector.list_recursive(folder, cursor=cursor, limit=limit)

    def _add_folder(self, archive: zipfile.ZipFile, folder: Folder, above: str) -> None:
        path = ""
        if folder.ref != self._connector.manifest.root:
            path = self._choose_path(above, folder.name) + "/"
            info = self._build_info(path, folder.modified_at)
            info.external_attr = FOLDER_MODE
            archive.writestr(info, b"")
        self._folders[folder.raw_id] = path

    async def _add_file(self, archive: zipfile.ZipFile, file: File, above: str) -> AsyncGenerator[bytes, None]:
        if not file.is_downloadable:
            self._skipped.append(above + file.name)
            return
        async with AsyncExitStack() as stack:
            try:
                download = await stack.enter_async_context(self._connector.open_download(file.raw_id))
            except ConnectorError as error:
                if error.kind not in SKIPPED_KINDS:
                    raise
                self._skipped.append(f"{above}{file.name}: {error.message}")
                return
            info = self._build_info(self._choose_path(above, file.name), file.modified_at)
            # The size is known for sure only at the end, so each entry is written ready for more than 4 GiB.
            with archive.open(info, "w", force_zip64=True) as entry:
                async for chunk in download.chunks:
                    entry.write(chunk)
                    yield self._sink.take()

    def _choose_path(self, above: str, name: str) -> str:
        """A path that no entry has yet and that stays below where the archive is unpacked."""
        if len(self._paths) >= self._entries_max:
            text = f"the archive would have more than {self._entries_max} entries; take smaller folders"
            raise ConnectorError(ErrorKind.TOO_LARGE, text)
        safe = "".join("_" if c in "/\\\0" else c for c in name.encode("utf-8", "replace").decode())
        safe = "_" if safe in {"", ".", ".."} else safe
        path, stem, suffix = above + safe, PurePosixPath(safe).stem, PurePosixPath(safe).suffix
        number = 0
        while path.casefold() in self._paths:
            number += 1
            path = f"{above}{stem} ({number}){suffix}"
        self._paths.add(path.casefold())
        return path

    def _build_info(self, path: str, modified_at: datetime | None) -> zipfile.ZipInfo:
        moment = modified_at or datetime.now(UTC)
        info = zipfile.ZipInfo(path)
        if moment.year >= ZIP_YEAR_MIN:
            info.date_time = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
        info.external_attr = FILE_MODE
        return info


class _Sink(io.RawIOBase):
    """Where the zip writer writes; it cannot go back, so sizes follow each entry's bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # whatever has bytes, says the base class
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        """What was written since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
