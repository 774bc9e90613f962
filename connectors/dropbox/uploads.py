"""Files on their way in: what fits into one request at once, all else in a session whose pieces come side by side.

Every piece goes with its hash, and the hash of the whole is compared with that of the file that Dropbox made of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from msgspec import structs

from connectors.core.bytesource import ByteSource, BytesSource, CheckedSource, StreamSource
from connectors.core.call import Repeat
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
from connectors.dropbox.reading import Reader, get_path

NUMBER_CHARACTERS_MAX = 10  # that Dropbox may put into a name to make it a free one
FREE_NAMES_TRIED_MAX = 100
CHUNK_BYTES = 256 * 1024
_COMMITS: dict[OnConflict, dict[str, Any]] = {
    OnConflict.FAIL: {
        "mode": write_tag("add"),
        "strict_conflict": True,
    },  # else it is a success if the same bytes are there
    OnConflict.RENAME: {"mode": write_tag("add"), "strict_conflict": True, "autorename": True},
    OnConflict.REPLACE: {"mode": write_tag("overwrite")},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A path, or the id of a file that must be there; `before` is what is replaced."""

    path: str
    on_conflict: OnConflict
    before: Entry | None = None
    known: dict[str, RawId]

    @property
    def commit(self) -> dict[str, Any]:
        return {"path": self.path, **_COMMITS[self.on_conflict]}

    @property
    def repeat(self) -> Repeat:
        return Repeat.UNSAFE if self.on_conflict is OnConflict.RENAME else Repeat.IDEMPOTENT


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
        """The file of all pieces."""
        file = session.state.get("file")
        target = (
            await self._aim_at(RawId(file))
            if file
            else await self._aim(session.parent, session.name, session.on_conflict)
        )
        size_bytes = sum(part.size_bytes for part in parts)
        if not size_bytes:
            return await self._put(target, b"")
        content_hash = join_blocks(",".join(part.receipt or "" for part in parts).split(","))
        if size_bytes % BLOCK_BYTES == 0:
            await self._append(session, size_bytes, b"", join_blocks([]), is_last=True)
        try:
            entry = await self.reader.api.finish_session(
                session.state["session"], size_bytes, target.commit, target.repeat
            )
        except ConnectorError as error:
            entry = await self._explain(target, error, content_hash)
        return await self._accept(target, entry, content_hash)

    async def _store(self, target: _Target, session: UploadSession, source: ByteSource) -> File:
        cutter = Cutter(CheckedSource(source))
        try:
            first = await cutter.cut(PART_BYTES)
            if not await cutter.has_more():
                return await self._put(target, first)
            rest = StreamSource(_chain(first, cutter), size_bytes=source.size_bytes)
            started = await self.start(structs.replace(session, size_bytes=source.size_bytes))
            return await upload_in_parts(
                self.connector, started.parent, started.name, rest, on_conflict=started.on_conflict, session=started
            )
        finally:
            await cutter.aclose()

    async def _put(self, target: _Target, data: bytes) -> File:
        content_hash = join_blocks(await hash_blocks(data))
        try:
            entry = await self.reader.api.upload(target.commit, data, content_hash, target.repeat)
        except ConnectorError as error:
            entry = await self._explain(target, error, content_hash)
        return await self._accept(target, entry, content_hash)

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
        path, before = f"{folder_path}/{name}", None
        if on_conflict is OnConflict.REPLACE:
            before = await self.reader.find(path)
            if before is not None and not before.is_file:
                raise ConnectorError(ErrorKind.ALREADY_EXISTS, "a folder has this name")
        elif on_conflict is OnConflict.RENAME:
            path = f"{folder_path}/{await find_free_name(self.reader, folder_path, name)}"
        return _Target(path=path, on_conflict=on_conflict, before=before, known={folder_path.lower(): parent})

    async def _aim_at(self, file: RawId) -> _Target:
        before = await self.reader.look(file, "file")
        return _Target(path=file, on_conflict=OnConflict.REPLACE, before=before, known={})

    async def _explain(self, target: _Target, error: ConnectorError, content_hash: str) -> Entry:
        """The file, if it was only the answer that got lost; else raises what the error means here."""
        is_by_id = target.path.startswith("id:")
        if error.is_replay and target.repeat is Repeat.IDEMPOTENT and not error.is_temporary:
            there = await self.reader.find(target.path)
            if there is not None and there.content_hash == content_hash:
                return there
            if there is None and error.kind is ErrorKind.ALREADY_EXISTS:
                raise error.restated(ErrorKind.NOT_FOUND, "it was stored, and is gone again") from error
        if is_by_id and read_reason(error).endswith("malformed_path"):
            raise error.restated(ErrorKind.NOT_FOUND, "the file is not there any more") from error
        raise error

    async def _accept(self, target: _Target, entry: Entry, content_hash: str) -> File:
        if entry.content_hash not in {content_hash, None}:
            with suppress(ConnectorError):
                await self._undo(target, entry)
            raise ConnectorError(ErrorKind.UNEXPECTED, "Dropbox stored other bytes than were sent; they were removed")
        file = await self.reader.describe(entry, target.known, is_replacement=target.before is not None)
        if not isinstance(file, File):
            raise build_unexpected()
        return file

    async def _undo(self, target: _Target, entry: Entry) -> None:
        before = target.before
        if before is None or before.rev is None:
            await self.reader.api.delete(entry.id, rev=entry.rev)
        else:
            await self.reader.api.restore(get_path(before), before.rev)


async def find_free_name(reader: Reader, folder_path: str, name: str, *, is_final: bool = False) -> str:
    """The name, for Dropbox to put a number into; of one without room for that, a shorter one that is free now.

    One that is final is free now, with a number of ours if need be.
    """
    room = (MANIFEST.limits.name_characters_max or 0) - NUMBER_CHARACTERS_MAX
    free_name = name
    for number in range(1, FREE_NAMES_TRIED_MAX):
        if (len(free_name) <= room and not is_final) or await reader.find(f"{folder_path}/{free_name}") is None:
            return free_name
        suffix = PurePosixPath(name).suffix
        suffix = suffix if len(suffix) < room // 2 else ""
        free_name = f"{name.removesuffix(suffix)[: room - len(suffix)]} ({number}){suffix}"
    raise ConnectorError(ErrorKind.ALREADY_EXISTS, "this name and many like it are taken")


async def _chain(first: bytes, cutter: Cutter) -> AsyncIterator[bytes]:
    async for chunk in BytesSource(first).open():
        yield chunk
    while await cutter.has_more():
        async for chunk in cutter.read(CHUNK_BYTES):
            yield chunk
