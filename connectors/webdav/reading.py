"""Pages of folders and of trees, in the order of the paths' bytes, each on from the last path of the one before."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.paths import Parts
from connectors.core.resources import Page, Resource
from connectors.webdav.api import Members, Server
from connectors.webdav.cursors import Place, read_cursor, write_cursor
from connectors.webdav.listings import Key, Listings, put_in_order
from connectors.webdav.mapping import Above, Entry

TREE_FOLDERS_MAX = 100
"""How many folders one page of a tree asks the server about."""

TREE_SECONDS_MAX = 10.0
"""How long one page of a tree goes on asking."""

BATCH_ENTRIES = 1000

LEFTOVER_AGE_MIN = timedelta(days=1)
"""Unfinished files that nobody wrote to for so long are removed."""

LEFTOVERS_MAX = 10
"""How many are removed by one listing."""

_UNSEEN = frozenset({ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE, ErrorKind.PERMISSION_DENIED})


@dataclass(slots=True)
class _Level:
    """A folder on the way down: what is still to come of it, from behind `after` on."""

    folder: Parts
    after: bytes = b""
    batch: list[Entry] | None = None  # the next one last; None before it is read
    is_whole: bool = False  # nothing comes behind the batch
    answer: list[Entry] = field(default_factory=list)  # all of it, when it was asked for just now
    above: Above | None = None


@dataclass(slots=True)
class Reader:
    """Reads pages for one account."""

    server: Server
    listings: Listings
    account_key: str
    now: Callable[[], float] = time.monotonic

    async def list_folder(self, folder: Parts, cursor: str | None, limit: int) -> Page:
        """One page of a folder."""
        place = read_cursor("folder", folder, cursor)
        after = place.last[0] if place.last else b""
        key = Key(self.account_key, place.walk, folder)
        entries = None if cursor is None else await self.listings.read(key, after=after, limit=limit + 1)
        if entries is None:
            members = await self._list_members(folder)
            answer = await put_in_order(members.entries)
            entries = [entry for entry in answer if entry.name > after]
            if len(entries) > limit:
                await self.listings.keep(key, answer)
            await self._sweep(folder, members)
        above = self.server.mapper.build_above(folder)
        resources = [self.server.mapper.build(above, entry) for entry in entries[:limit]]
        if len(entries) <= limit:
            return Page(resources)
        return Page(resources, write_cursor("folder", folder, place.after((entries[limit - 1].name,))))

    async def list_recursive(self, folder: Parts, cursor: str | None, limit: int) -> Page:
        """One page of all that is below a folder."""
        walk = _TreeWalk(self, folder, read_cursor("tree", folder, cursor))
        return await walk.read(limit)

    async def read_level(self, key: Key, level: _Level) -> None:
        """Fills the level's batch, from what is kept if it is."""
        entries = await self.listings.read(key, after=level.after, limit=BATCH_ENTRIES)
        if entries is None:
            answer = await put_in_order((await self._list_members(level.folder)).entries)
            entries = [entry for entry in answer if entry.name > level.after]
            level.answer, level.is_whole = answer, True
        else:
            level.is_whole = len(entries) < BATCH_ENTRIES
        level.batch = entries[::-1]

    async def _list_members(self, folder: Parts) -> Members:
        """What a folder holds; wrong_type for a file, also where the server only says that it is no folder."""
        try:
            return await self.server.list_members(folder)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND or not folder:
                raise
            there = await self.server.find(folder)
            if there is None or there.is_folder:
                raise
            raise error.restated(ErrorKind.WRONG_TYPE, "this is a file, not a folder") from error

    async def _sweep(self, folder: Parts, members: Members) -> None:
        """Removes what writers that were killed left behind, by the server's own clock."""
        if members.as_of is None:
            return
        old = [
            entry
            for entry in members.hidden
            if entry.modified_at is not None and members.as_of - entry.modified_at > LEFTOVER_AGE_MIN
        ]
        for entry in old[:LEFTOVERS_MAX]:
            with suppress(ConnectorError):
                await self.server.delete((*folder, entry.name), is_folder=entry.is_folder)


class _TreeWalk:
    """One page's way through a tree: each folder before what it holds."""

    def __init__(self, reader: Reader, folder: Parts, place: Place) -> None:
        self._reader = reader
        self._folder = folder
        self._place = place
        last = place.last
        self._levels = [_Level((*folder, *last[:depth]), after=name) for depth, name in enumerate(last)]
        if not last or place.is_folder:
            self._levels.append(_Level((*folder, *last)))
        self._folders_count = 0
        self._ends_at = reader.now() + TREE_SECONDS_MAX

    async def read(self, limit: int) -> Page:
        resources: list[Resource] = []
        while len(resources) < limit and not self._is_over:
            level = self._levels[-1]
            if level.batch is None and self._is_spent:
                break
            if not level.batch:
                await self._read_level(level)
                continue
            entry = level.batch.pop()
            resources.append(self._build(level, entry))
            level.after, path = entry.name, (*level.folder, entry.name)
            self._place = self._place.after(path[len(self._folder) :], is_folder=entry.is_folder)
            if entry.is_folder:
                self._levels.append(_Level(path))
        if self._is_over:
            return Page(resources)
        await self._keep()
        cursor = write_cursor("tree", self._folder, self._place)
        return Page(resources, cursor, is_partial=len(resources) < limit)

    @property
    def _is_over(self) -> bool:
        """True when nothing is left; folders of which that is true are left behind on the way."""
        while self._levels and self._levels[-1].batch == [] and self._levels[-1].is_whole:
            left = self._levels.pop()
            if self._levels:
                self._place = self._place.after(left.folder[len(self._folder) :])
        return not self._levels

    @property
    def _is_spent(self) -> bool:
        if not self._folders_count:
            return False  # every page moves on
        return self._folders_count >= TREE_FOLDERS_MAX or self._reader.now() > self._ends_at

    async def _read_level(self, level: _Level) -> None:
        """A folder below that went, became a file, or may not be read holds nothing."""
        self._folders_count += 1
        try:
            await self._reader.read_level(self._build_key(level), level)
        except ConnectorError as error:
            if level.folder == self._folder or error.kind not in _UNSEEN:
                raise
            level.batch, level.is_whole = [], True

    def _build(self, level: _Level, entry: Entry) -> Resource:
        mapper = self._reader.server.mapper
        level.above = level.above or mapper.build_above(level.folder)
        return mapper.build(level.above, entry)

    async def _keep(self) -> None:
        for level in self._levels:
            if level.answer and level.batch:
                await self._reader.listings.keep(self._build_key(level), level.answer)

    def _build_key(self, level: _Level) -> Key:
        return Key(self._reader.account_key, self._place.walk, level.folder)
