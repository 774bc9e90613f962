"""Walks for the engine's tests: storages of several kinds, limits, and a reader of all pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from connectors.core.clock import ManualClock
from connectors.core.layers.walking import WalkingConnector, WalkLimits
from connectors.core.manifest import Capabilities
from connectors.core.resources import Page, RawId, Resource
from connectors.core.treewalk import Effort
from tests.connectors.core.fakes import build_manifest
from tests.connectors.core.memory import ROOT, MemoryConnector, Node

PAGES_MAX = 5000


def effort(*, calls_max: int = 10**6, seconds_max: float = 1e9, resources_max: int = 10**9) -> Effort:
    """A limit, or none."""
    return Effort(calls_max=calls_max, seconds_max=seconds_max, resources_max=resources_max)


ENDLESS = effort()


def build(
    memory: MemoryConnector, *, page: Effort = ENDLESS, recent: Effort = ENDLESS, clock: ManualClock | None = None
) -> WalkingConnector:
    """The layer around a storage."""
    return WalkingConnector(memory, clock=clock or ManualClock(), limits=WalkLimits(page=page, recent=recent))


def fill(memory: MemoryConnector, *paths: str) -> None:
    """Puts files, and folders where a path ends in a slash."""
    for path in paths:
        memory.add(path, None if path.endswith("/") else b"data")


@dataclass
class Walked:
    """All pages of one listing."""

    pages: list[Page] = field(default_factory=list)

    @property
    def resources(self) -> list[Resource]:
        return [resource for page in self.pages for resource in page.resources]

    @property
    def raw_ids(self) -> list[RawId]:
        return [resource.raw_id for resource in self.resources]

    @property
    def names(self) -> list[str]:
        return [resource.name for resource in self.resources]


async def walk_pages(
    read: Callable[[str | None], Awaitable[Page]], change: Callable[[], None] = lambda: None
) -> Walked:
    """Reads to the end, and makes a change after each page."""
    walked = Walked()
    cursor: str | None = None
    while not walked.pages or cursor is not None:
        assert len(walked.pages) < PAGES_MAX
        page = await read(cursor)
        assert page.next_cursor is None or page.next_cursor != cursor
        walked.pages.append(page)
        cursor = page.next_cursor
        change()
    return walked


class Native(MemoryConnector):
    """Lists everything by itself, and says so."""

    manifest = build_manifest(capabilities=Capabilities(list_recursive=True))

    async def list_recursive(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        start = int(cursor or 0)
        below = [self._resource(raw_id) for raw_id in self.nodes if raw_id not in {ROOT, folder}]
        self.calls.append(("list_recursive", limit))
        return Page(below[start : start + limit], str(start + limit) if start + limit < len(below) else None)


class Renamed(MemoryConnector):
    """Another storage under other ids."""

    def __init__(self, memory: MemoryConnector, named: dict[RawId, RawId]) -> None:
        super().__init__()
        self.__dict__.update(memory.__dict__)
        named = {**named, ROOT: ROOT}
        self.nodes = {
            named[raw_id]: Node(node.kind, node.name, named[node.parent]) for raw_id, node in memory.nodes.items()
        }

    async def list_folder(self, folder: RawId, *, cursor: str | None = None, limit: int = 1000) -> Page:
        self.calls.append(("list_folder", folder))
        inside = sorted(raw_id for raw_id, node in self.nodes.items() if node.parent == folder and raw_id != ROOT)
        raw_ids = [raw_id for raw_id in inside if cursor is None or raw_id > cursor]
        page = [self._resource(raw_id) for raw_id in raw_ids[:limit]]
        return Page(page, page[-1].raw_id if len(raw_ids) > limit else None)
