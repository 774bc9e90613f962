"""Finding out what a server does, by trying: RFC 4918 leaves much open, and servers differ in more than that.

All is tried in one hidden folder, which is removed. Whatever cannot be found out stays at its cautious default.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from connectors.core.bytesource import ByteSource, BytesSource, StreamSource
from connectors.core.call import Repeat
from connectors.core.cleanup import giving_up
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import HIDDEN_PREFIX, Parts
from connectors.webdav.api import QUOTA, Server
from connectors.webdav.mapping import WEAK, read_etag, read_quota
from connectors.webdav.properties import Properties, find_live
from connectors.webdav.traits import Traits

PROBE_SECONDS_MAX = 90.0
HALF_BYTES = 256 * 1024  # of a file that stops in the middle: more than servers gather before they write
HALF_SECONDS_MAX = 10.0  # a server that answers nobody else meanwhile is not waited for longer
HALF_LOOKS = 3
READ_BYTES_MAX = 1024 * 1024

TEXT = b"0123456789"
SIGNS = '"#%*:;<>?\\|\t\r\n\x01'
"""What some servers do not store, or lose on the way. The last stands for the control characters not before it."""

_CONTROLS = "".join(map(chr, [*range(1, 0x20), 0x7F]))


class Prober:
    """Tries everything once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._folder: Parts = (f"{HIDDEN_PREFIX}probe-{secrets.token_hex(8)}".encode(),)
        self._learned: dict[str, Any] = {}

    async def run(self) -> Traits:
        """What was found out."""
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                await self._learn("has_quota", self._has_quota)
                await self._learn("can_write", self._can_write)
                if self._learned.get("can_write"):
                    await self._try_all()
                else:
                    await self._learn("gives_ranges", self._gives_ranges_of_any_file)
        except TimeoutError:
            pass
        finally:
            async with giving_up():
                await self._remove(self._folder)
        return Traits(**self._learned)

    async def _try_all(self) -> None:
        await self._learn("refuses_mkcol_over", self._refuses_mkcol_over)
        await self._learn("refuses_missing_parent", self._refuses_missing_parent)
        halves = _Halves(self._server, self._at("old"), self._at("new"))
        await self._learn("is_put_atomic", halves.are_unseen)
        self._learned["locks_each_request"] = halves.is_locked
        await self._learn("has_exact_etags", self._has_exact_etags)
        await self._learn("gives_ranges", self._gives_ranges_of_ours)
        await self._learn("refuses_put_over", self._refuses_put_over)
        await self._learn("refuses_move_over", self._refuses_move_over)
        await self._learn("takes_unknown_size", self._takes_unknown_size)
        await self._learn("copies_files", self._copies_files)
        await self._learn("copies_folders", self._copies_folders)
        await self._learn("deletes_full_folders", self._deletes_full_folders)
        await self._learn("live_properties", self._find_live_properties)
        await self._learn("keeps_properties", self._keeps_properties)
        await self._learn("characters_forbidden", self._find_lost_characters)
        if self._learned.get("is_put_atomic"):
            await self._learn("is_put_atomic", halves.left_nothing)

    async def _learn(self, trait: str, find_out: Callable[[], Awaitable[Any]]) -> None:
        self._learned.pop(trait, None)
        with suppress(ConnectorError):
            self._learned[trait] = await find_out()

    async def _can_write(self) -> bool:
        return not await _is_refused(self._server.make_folder(self._folder))

    async def _has_quota(self) -> bool:
        told = await self._server.describe((), is_folder=True, names=("resourcetype", *QUOTA))
        return read_quota(told.properties) is not None

    async def _refuses_mkcol_over(self) -> bool:
        return await _is_refused(self._server.make_folder(self._folder), ErrorKind.ALREADY_EXISTS)

    async def _refuses_missing_parent(self) -> bool:
        below_nothing = self._at("none", "a")
        return await _is_refused(self._server.make_folder(below_nothing)) and await _is_refused(
            self._server.put(below_nothing, BytesSource(TEXT), Repeat.IDEMPOTENT)
        )

    async def _has_exact_etags(self) -> bool:
        """Whether etags change with every write, those aside that the server itself calls weak."""
        seen: set[str] = set()
        for digit in (b"1", b"2", b"3", b"4"):
            await self._put("a", digit)
            told = (await self._server.look(self._at("a"), is_folder=False)).etag
            etag = read_etag(told)
            async with self._server.open_file(self._at("a"), {}) as reply:
                if told is None or etag is None or etag != read_etag(reply.headers.get("etag")):
                    return False
            if not told.startswith(WEAK):
                if etag in seen:
                    return False
                seen.add(etag)
        return True

    async def _gives_ranges(self, file: Parts) -> bool:
        whole = await self._read(file)
        async with self._server.open_file(file, {"Range": "bytes=1-2"}) as reply:
            is_part = reply.status_code == HTTPStatus.PARTIAL_CONTENT
            return is_part and await _read_bytes(reply.aiter_raw()) == whole[1:3]

    async def _gives_ranges_of_ours(self) -> bool:
        return await self._gives_ranges(await self._put("a", TEXT))

    async def _gives_ranges_of_any_file(self) -> bool:
        """For servers where nothing can be written: any short file will do."""
        for entry in (await self._server.list_members(())).entries:
            if not entry.is_folder and entry.size_bytes and len(TEXT) <= entry.size_bytes <= READ_BYTES_MAX:
                return await self._gives_ranges((entry.name,))
        return False

    async def _refuses_put_over(self) -> bool:
        file = await self._put("a", TEXT)
        put = self._server.put(file, BytesSource(b"other"), Repeat.IDEMPOTENT, {"If-None-Match": "*"})
        return await _is_refused(put, ErrorKind.ALREADY_EXISTS) and await self._read(file) == TEXT

    async def _refuses_move_over(self) -> bool:
        file = await self._put("a", TEXT)
        await self._put("moved", b"other")
        return await _is_refused(self._move("moved", file), ErrorKind.ALREADY_EXISTS) and await self._read(file) == TEXT

    async def _takes_unknown_size(self) -> bool:
        await self._server.put(self._at("chunked"), StreamSource(_stream(TEXT)), Repeat.IDEMPOTENT)
        await self._server.put(self._at("empty"), StreamSource(_stream()), Repeat.IDEMPOTENT)
        return (await self._read(self._at("chunked")), await self._read(self._at("empty"))) == (TEXT, b"")

    async def _copies_files(self) -> bool:
        await self._put("a", TEXT)
        await self._copy("a", "copy", is_folder=False)
        return await self._read(self._at("copy")) == TEXT

    async def _copies_folders(self) -> bool:
        await self._server.make_folder(self._at("folder"))
        await self._put("folder/inside", TEXT)
        await self._copy("folder", "folder copy", is_folder=True)
        return await self._read(self._at("folder copy", "inside")) == TEXT

    async def _deletes_full_folders(self) -> bool:
        full = self._at("full folder")
        await self._server.make_folder(full)
        await self._put("full folder/inside", TEXT)
        await self._server.delete(full, is_folder=True)
        return await self._server.find(full) is None

    async def _find_live_properties(self) -> tuple[str, ...]:
        file = await self._put("new properties", TEXT)
        return find_live((await self._server.describe(file, is_folder=False, names=None)).properties)

    async def _keeps_properties(self) -> bool:
        file = await self._put("properties", TEXT)
        properties = Properties(self._server, frozenset(self._learned["live_properties"]))
        changes = {"probe": " a <b> \N{LATIN SMALL LETTER E WITH ACUTE}\n", "{urn:kloudless:probe}other": "c"}
        kept = {each.key: each.value for each in await properties.change(file, changes, is_replacing=False)}
        left = await properties.change(file, {"probe": None}, is_replacing=False)
        return kept == changes and [each.key for each in left] == ["{urn:kloudless:probe}other"]

    async def _find_lost_characters(self) -> str:
        """Those that a name does not keep when something is moved to it."""
        await self._put("signs", TEXT)
        whole = f"signs {SIGNS} end".encode()
        await _is_refused(self._move("signs", self._at(whole)))
        if whole in await self._list_names():
            return ""
        wanted = {}
        for number, sign in enumerate(SIGNS):
            wanted[f"sign {number} {sign} end".encode()] = sign
            await self._put(f"signs {number}", TEXT)
            await _is_refused(self._move(f"signs {number}", self._at(f"sign {number} {sign} end")))
        names = await self._list_names()
        lost = "".join(sign for name, sign in wanted.items() if name not in names)
        return lost if SIGNS[-1] not in lost else "".join(sorted({*lost, *set(_CONTROLS) - set(SIGNS)}))

    async def _remove(self, folder: Parts) -> None:
        """Removes a folder of ours with all it holds, one by one where the server does not do it at once."""
        with suppress(ConnectorError):
            await self._server.delete(folder, is_folder=True)
            return
        members = await self._server.list_members(folder)
        for entry in (*members.entries, *members.hidden):
            with suppress(ConnectorError):
                inside = (*folder, entry.name)
                await (self._remove(inside) if entry.is_folder else self._server.delete(inside, is_folder=False))
        await self._server.delete(folder, is_folder=True)

    def _at(self, *names: str | bytes) -> Parts:
        return (*self._folder, *(name if isinstance(name, bytes) else name.encode() for name in names))

    async def _put(self, path: str, data: bytes) -> Parts:
        file = self._at(*path.split("/"))
        await self._server.put(file, BytesSource(data), Repeat.IDEMPOTENT)
        return file

    async def _move(self, name: str, target: Parts) -> None:
        await self._server.move(self._at(name), target, is_folder=False, repeat=Repeat.IDEMPOTENT, replaces=False)

    async def _copy(self, name: str, target: str, *, is_folder: bool) -> None:
        source, copied = self._at(name), self._at(target)
        await self._server.copy(source, copied, is_folder=is_folder, repeat=Repeat.IDEMPOTENT, replaces=True)

    async def _read(self, file: Parts) -> bytes:
        return await _read_file(self._server, file)

    async def _list_names(self) -> set[bytes]:
        return {entry.name for entry in (await self._server.list_members(self._folder)).entries}


@dataclass(slots=True)
class _Halves:
    """Two files that stop in the middle of being sent: over one that is there, and under a new name."""

    server: Server
    old: Parts
    new: Parts
    is_locked: bool = False
    text: bytes = field(default=b"o" * (2 * HALF_BYTES))

    async def are_unseen(self) -> bool:
        """True when nothing of them is seen while they are sent."""
        moved = (*self.old[:-1], b"half moved")
        await self.server.put(self.old, BytesSource(self.text), Repeat.IDEMPOTENT)
        await self.server.put(moved, BytesSource(TEXT), Repeat.IDEMPOTENT)
        try:
            async with asyncio.timeout(HALF_SECONDS_MAX), self._sending(self.old), self._sending(self.new):
                looks = [await self.left_nothing() for _ in range(HALF_LOOKS)]
                try:
                    await self.server.move(moved, self.old, is_folder=False, repeat=Repeat.UNSAFE, replaces=False)
                except ConnectorError as error:
                    self.is_locked = error.status == HTTPStatus.LOCKED
        except TimeoutError:
            return False
        return all(looks)

    async def left_nothing(self) -> bool:
        """True when all is as it was before."""
        try:
            is_same = await _read_file(self.server, self.old) == self.text
            return is_same and await self.server.find(self.new) is None
        except ConnectorError:
            return False

    @asynccontextmanager
    async def _sending(self, file: Parts) -> AsyncIterator[None]:
        source = _HalfSource()
        task = asyncio.create_task(self.server.put(file, source, Repeat.UNSAFE))
        half = asyncio.create_task(source.is_sent.wait())
        try:
            await asyncio.wait([task, half], return_when=asyncio.FIRST_COMPLETED)
            yield
        finally:
            for each in (task, half):
                each.cancel()
            await asyncio.gather(task, half, return_exceptions=True)


class _HalfSource(ByteSource):
    """Gives half of what it declares, then nothing more; `is_sent` is set when more is waited for."""

    is_replayable = False
    size_bytes: int = 2 * HALF_BYTES

    def __init__(self) -> None:
        self.is_sent = asyncio.Event()

    async def open(self) -> AsyncIterator[bytes]:
        yield b"n" * HALF_BYTES
        self.is_sent.set()
        await asyncio.Event().wait()


async def _is_refused(call: Awaitable[None], *kinds: ErrorKind) -> bool:
    """True when the server says no, in one of these ways; trouble on the way is raised."""
    try:
        await call
    except ConnectorError as error:
        if error.status is None or error.is_temporary:
            raise
        return not kinds or error.kind in kinds
    return False


async def _read_file(server: Server, file: Parts) -> bytes:
    async with server.open_file(file, {}) as reply:
        return await _read_bytes(reply.aiter_raw())


async def _read_bytes(chunks: AsyncIterator[bytes]) -> bytes:
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > READ_BYTES_MAX:
            break
    return bytes(data)


async def _stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
