"""Files on their way in: what fits into one request at once, all else in a session whose pieces come side by side.

Every piece goes with its hash, and the hash of the whole is compared with that of the file that Dropbox made of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from connectors.core.bytesource import ByteSource, BytesSource, CheckedSource, StreamSource
from connectors.core.connector import Connector
from connectors.core.cutter import Cutter
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import File, OnConflict, Part, RawId, UploadSession
from connectors.core.uploads import choose_part_bytes, read_part, upload_in_parts
from connectors.dropbox.api import write_tag
from connectors.dropbox.errors import build_unexpected, read_reason
from connectors.dropbox.hashing import hash_blocks, join_blocks
from connectors.dropbox.manifest import BLOCK_BYTES, MANIFEST, PART_BYTES
from connectors.dropbox.payloads import Entry
from connectors.dropbox.places import Place, Places, find_places, list_names, put
from connectors.dropbox.reading import Reader, get_path
from connectors.dropbox.versions import bring_back

CHUNK_BYTES = 256 * 1024
_ADD = {"mode": write_tag("add"), "strict_conflict": True}  # else it is a success if the same bytes are there
_OVERWRITE = {"mode": write_tag("overwrite")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where a file may go, and what is known of the folder that holds it."""

    places: Places
    commit: dict[str, Any]
    known: dict[str, RawId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Uploader:
    """Stores files for one account; `connector` is who is asked for parts."""

    reader: Reader
    connector: Connector

    async def store(self, parent: RawId, name: str, source: ByteSource, on_conflict: OnConflict) -> File:
        """A file of this name in a folder."""
        target = await self._aim(parent, name, on_conflict)
        session = UploadSession(parent=parent, name=name, on_conflict=on_conflict, part_size_bytes=PART_BYTES)
        return await self._store(target, session, source)

    async def replace(self, file: RawId, source: ByteSource) -> File:
        """New bytes of a file that is there."""
        target = await self._aim_at(file)
        session = UploadSession(
            parent=file, name="", on_conflict=OnConflict.REPLACE, part_size_bytes=PART_BYTES, state={"file": file}
        )
        return await self._store(target, session, source)

    async def start(self, session: UploadSession) -> UploadSession:
        """The same session, begun at Dropbox."""
        return structs.replace(
            session,
            part_size_bytes=choose_part_bytes(MANIFEST.limits, session.size_bytes),
            state={**session.state, "session": await self.reader.api.start_session()},
        )

    async def put_part(self, session: UploadSession, number: int, source: ByteSource) -> Part:
        """A piece at its place. One that is no multiple of 4 MiB is the last and closes the session for its like."""
        data = await read_part(source, bytes_max=session.part_size_bytes)
        blocks = await hash_blocks(data)
        part = Part(number, len(data), ",".join(blocks))
        offset, is_last = (number - 1) * session.part_size_bytes, len(data) % BLOCK_BYTES > 0
        if data:
            await self._append(session, offset, data, join_blocks(blocks), is_last=is_last)
        return part

    async def finish(self, session: UploadSession, parts: list[Part]) -> File:
        """The file of all pieces, or what an earlier finish made of the same bytes."""
        blocks = [block for part in parts for block in (part.receipt or "").split(",") if block]
        content_hash = join_blocks(blocks)
        made = await self._find_made(session, content_hash) if session.was_finishing else None
        if made is not None:
            return made
        file = session.state.get("file")
        target = (
            await self._aim_at(RawId(file))
            if file
            else await self._aim(session.parent, session.name, session.on_conflict)
        )
        size_bytes = sum(part.size_bytes for part in parts)
        if not size_bytes:
            return await self._put(target, b"")
        if size_bytes % BLOCK_BYTES == 0:
            await self._append(session, size_bytes, b"", join_blocks([]), is_last=True)

        async def finish(commit: dict[str, Any]) -> Entry:
            return await self.reader.api.finish_session(session.state["session"], size_bytes, commit)

        return await self._commit(target, content_hash, finish)

    async def _find_made(self, session: UploadSession, content_hash: str) -> File | None:
        """The first of these bytes before a name that is free."""
        folder_path = await self.reader.get_folder_path(session.parent)
        for name in list_names(session.name, session.on_conflict, is_folder=False):
            there = await self.reader.find(f"{folder_path}/{name}")
            if there is None:
                return None
            if there.content_hash == content_hash:
                return await self._describe(there, {folder_path.lower(): session.parent})
        return None

    async def _store(self, target: _Target, session: UploadSession, source: ByteSource) -> File:
        cutter = Cutter(CheckedSource(source))
        try:
            first = await cutter.cut(PART_BYTES)
            if not await cutter.has_more():
                return await self._put(target, first)
            async with aclosing(target.places) as places:
                await anext(places)  # if there is none that is heard before all is sent; the end looks again
            rest = StreamSource(_chain(first, cutter), size_bytes=source.size_bytes)
            started = await self.start(structs.replace(session, size_bytes=source.size_bytes))
            return await upload_in_parts(
                self.connector, started.parent, started.name, rest, on_conflict=started.on_conflict, session=started
            )
        finally:
            await cutter.aclose()

    async def _put(self, target: _Target, data: bytes) -> File:
        content_hash = join_blocks(await hash_blocks(data))

        async def upload(commit: dict[str, Any]) -> Entry:
            return await self.reader.api.upload(commit, data, content_hash)

        return await self._commit(target, content_hash, upload)

    async def _append(
        self, session: UploadSession, offset: int, data: bytes, content_hash: str, *, is_last: bool
    ) -> None:
        """What is sent again to its end is there already; other bytes than before are found out by the hash."""
        session_id = session.state["session"]
        try:
            await self.reader.api.append(session_id, offset, data, content_hash, is_last=is_last)
        except ConnectorError as error:
            if not is_last or not read_reason(error).endswith("closed"):
                raise

    async def _aim(self, parent: RawId, name: str, on_conflict: OnConflict) -> _Target:
        folder_path = await self.reader.get_folder_path(parent)
        return _Target(
            places=find_places(self.reader, folder_path, name, on_conflict),
            commit=_OVERWRITE if on_conflict is OnConflict.REPLACE else _ADD,
            known={folder_path.lower(): parent},
        )

    async def _aim_at(self, file: RawId) -> _Target:
        before = await self.reader.look(file, "file")

        async def give() -> Places:
            yield Place(file, before)

        return _Target(places=give(), commit=_OVERWRITE)

    async def _commit(
        self, target: _Target, content_hash: str, send: Callable[[dict[str, Any]], Awaitable[Entry]]
    ) -> File:
        async def send_to(place: Place) -> Entry:
            try:
                return await send({"path": place.path, **target.commit})
            except ConnectorError as error:
                if place.path.startswith("id:") and read_reason(error).endswith("malformed_path"):
                    raise error.restated(ErrorKind.NOT_FOUND, "the file is not there any more") from error
                raise

        async def is_own(there: Entry) -> bool:
            return there.content_hash == content_hash

        place, entry = await put(self.reader, target.places, send_to, is_own)
        if entry.content_hash not in {content_hash, None}:
            with suppress(ConnectorError):
                await self._undo(place, entry)
            raise ConnectorError(ErrorKind.UNEXPECTED, "Dropbox stored other bytes than were sent; they were removed")
        return await self._describe(entry, target.known, is_replacement=place.before is not None)

    async def _describe(self, entry: Entry, known: dict[str, RawId], *, is_replacement: bool = False) -> File:
        file = await self.reader.describe(entry, known, is_replacement=is_replacement)
        if not isinstance(file, File):
            raise build_unexpected()
        return file

    async def _undo(self, place: Place, entry: Entry) -> None:
        before = place.before
        if before is None:
            await self.reader.api.delete(entry.id, rev=entry.rev)
        else:
            await bring_back(self.reader, get_path(before), before, entry.rev)


async def _chain(first: bytes, cutter: Cutter) -> AsyncIterator[bytes]:
    async for chunk in BytesSource(first).open():
        yield chunk
    while await cutter.has_more():
        async for chunk in cutter.read(CHUNK_BYTES):
            yield chunk
