"""Builds what looks at everything below a folder out of listings, where the provider has nothing for it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import msgspec

from connectors.core.clock import Clock, SystemClock
from connectors.core.connector import Connector
from connectors.core.folding import fold
from connectors.core.frames import Frame, build_scope, read_cursor, write_cursor
from connectors.core.layers.delegate import DelegatingConnector
from connectors.core.manifest import Capabilities
from connectors.core.resources import File, Page, RawId, Resource
from connectors.core.treewalk import Effort, TreeWalk


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkLimits:
    """What a reply may cost before it ends early: a page of a listing or a search, and a list of recent files."""

    page: Effort
    recent: Effort


WALK_LIMITS = WalkLimits(
    page=Effort(calls_max=50, seconds_max=10.0, resources_max=10_000),
    recent=Effort(calls_max=200, seconds_max=20.0, resources_max=100_000),
)
_NEVER = datetime.min.replace(tzinfo=UTC)


class WalkingConnector(DelegatingConnector):
    """Offers list_recursive, search and list_recent whatever the provider does.

    - Pages that end early are partial and go on from their cursor, which holds the whole place: nothing is kept here.
    - Folders that go meanwhile, or may not be read, hold nothing. unsupported for trees deeper than can be walked.
    - Search finds names that contain the query, whatever the case or Unicode composition. A provider's own search is
      used where it can be kept to the folder.
    - Files whose time is unknown are the least recent of all, and not later than any `after`.
    """

    def __init__(self, inner: Connector, *, clock: Clock | None = None, limits: WalkLimits = WALK_LIMITS) -> None:
        super().__init__(inner)
        self._clock = clock or SystemClock()
        self._limits = limits

    @property
    def capabilities(self) -> Capabilities:
        return msgspec.structs.replace(self._inner.capabilities, list_recursive=True, search=True, list_recent=True)

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        if self._inner.capabilities.list_recursive:
            return await super().list_recursive(folder, cursor=cursor, limit=limit)
        return await self._fill_page(folder, build_scope("list", folder), cursor, limit)

    async def search(
        self, query: str, *, folder: RawId | None = None, cursor: str | None = None, limit: int = 1000
    ) -> Page:
        native = self._inner.capabilities
        if native.search and (native.search_below or folder in {None, self.manifest.root.raw_id}):
            return await super().search(query, folder=folder, cursor=cursor, limit=limit)
        folder, wanted = folder or self.manifest.root.raw_id, fold(query)
        scope = build_scope("flat search" if native.list_recursive else "search", folder, wanted)
        return await self._fill_page(folder, scope, cursor, limit, lambda resource: wanted in fold(resource.name))

    async def list_recent(self, *, after: datetime | None = None, limit: int = 1000) -> Page:
        if self._inner.capabilities.list_recent:
            return await super().list_recent(after=after, limit=limit)
        walk = self._build_walk([Frame(self.manifest.root.raw_id)], self._limits.recent, is_resumable=False)
        newest: list[Resource] = []
        while not walk.is_over and not walk.is_spent:
            fresh = [
                resource
                for resource in await walk.step()
                if isinstance(resource, File) and (after is None or _read_time(resource) > after)
            ]
            newest = heapq.nlargest(limit, chain(newest, fresh), key=_read_time)
        return Page(newest, is_partial=not walk.is_over)

    async def _fill_page(
        self,
        folder: RawId,
        scope: bytes,
        cursor: str | None,
        limit: int,
        wants: Callable[[Resource], bool] | None = None,
    ) -> Page:
        frames = [Frame(folder)] if cursor is None else read_cursor(scope, cursor)
        walk = self._build_walk(frames, self._limits.page)
        found: list[Resource] = []
        while not walk.is_over and not walk.is_spent and len(found) < limit:
            found += await walk.step(limit=limit - len(found), wants=wants)
        if walk.is_over:
            return Page(found)
        return Page(found, write_cursor(scope, walk.frames), is_partial=len(found) < limit)

    def _build_walk(self, frames: list[Frame], effort: Effort, *, is_resumable: bool = True) -> TreeWalk:
        is_flat = self._inner.capabilities.list_recursive
        return TreeWalk(
            read_page=self._inner.list_recursive if is_flat else self._inner.list_folder,
            frames=frames,
            effort=effort,
            clock=self._clock,
            page_items_max=self.manifest.limits.page_items_max,
            descends=not is_flat,
            is_resumable=is_resumable,
        )


def _read_time(resource: Resource) -> datetime:
    return resource.modified_at or _NEVER
