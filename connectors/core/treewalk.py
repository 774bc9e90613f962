"""Walks all that is below a folder, a page of the provider at a time, within what one reply may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from connectors.core.clock import Clock
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.frames import CURSOR_CHARACTERS_AIM, DEPTH_MAX, Frame, count_characters
from connectors.core.resources import Folder, Page, RawId, Resource

UNSEEN_KINDS = frozenset({ErrorKind.NOT_FOUND, ErrorKind.WRONG_TYPE, ErrorKind.PERMISSION_DENIED})
"""A folder on the way that went, became a file, or may not be read holds nothing for the walk."""


class ReadPage(Protocol):
    """One call at the provider."""

    async def __call__(self, folder: RawId, *, cursor: str | None, limit: int) -> Page:
        """The page of the folder that the cursor names."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What one reply may cost. It always makes a step, whatever that takes."""

    calls_max: int
    seconds_max: float
    resources_max: int


@dataclass(slots=True, kw_only=True)
class TreeWalk:
    """From where `frames` stand on: each folder before what it holds, and what stays there throughout exactly once.

    With `descends` False a page already holds what is below at any depth. With `is_resumable` the frames stay small
    enough for a cursor: where a page brings too many folders to remember, less of it is taken.
    """

    read_page: ReadPage
    frames: list[Frame]
    effort: Effort
    clock: Clock
    page_items_max: int
    descends: bool = True
    is_resumable: bool = True
    _calls_count: int = field(default=0, init=False)
    _seen_count: int = field(default=0, init=False)
    _started_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._started_at = self.clock.monotonic()

    @property
    def is_over(self) -> bool:
        """True when nothing is left."""
        return not self.frames

    @property
    def is_spent(self) -> bool:
        """True when this reply has cost enough."""
        if not self._calls_count:
            return False
        return (
            self._calls_count >= self.effort.calls_max
            or self._seen_count >= self.effort.resources_max
            or self.clock.monotonic() - self._started_at >= self.effort.seconds_max
        )

    async def step(
        self, *, limit: int | None = None, wants: Callable[[Resource], bool] | None = None
    ) -> list[Resource]:
        """Reads on by a page: those of its resources that are wanted, at most `limit`; maybe none."""
        frame = self.frames[-1]
        if len(self.frames) > DEPTH_MAX + 1:
            text = f"folders lie more than {DEPTH_MAX} deep here; list folders below this one"
            raise ConnectorError(ErrorKind.UNSUPPORTED, text)
        page = await self._read(frame, limit, wants)
        if page is not None:
            frame.cursor, frame.is_read = page.next_cursor, True
            frame.pending = self._find_folders(page.resources)[::-1]
            self._seen_count += len(page.resources)
        self._advance()
        return [] if page is None else [resource for resource in page.resources if wants is None or wants(resource)]

    async def _read(self, frame: Frame, limit: int | None, wants: Callable[[Resource], bool] | None) -> Page | None:
        """The next page, asked for again while it holds too much; None when there is no such folder any more."""
        items_max = min(self.page_items_max, self.effort.resources_max - self._seen_count)
        if limit is not None and wants is None:
            items_max = min(items_max, limit)
        while True:
            self._calls_count += 1
            try:
                page = await self.read_page(frame.folder, cursor=frame.cursor, limit=items_max)
            except ConnectorError as error:
                if len(self.frames) == 1 or error.kind not in UNSEEN_KINDS:
                    raise
                frame.cursor, frame.is_read = None, True
                return None
            if page.next_cursor is not None and page.next_cursor == frame.cursor:
                raise ConnectorError(ErrorKind.UNEXPECTED, "the provider's listing goes round in circles")
            fitting_count = min(self._count_wanted(page, limit, wants), self._count_remembered(frame, page))
            if fitting_count >= min(len(page.resources), items_max):  # who gives more than asked for gives it again
                return page
            items_max = fitting_count

    def _count_wanted(self, page: Page, limit: int | None, wants: Callable[[Resource], bool] | None) -> int:
        """How many of the page's resources can be taken before more than `limit` of them are wanted."""
        if limit is None or wants is None:
            return len(page.resources)
        wanted = [place for place, resource in enumerate(page.resources) if wants(resource)]
        return wanted[limit] if len(wanted) > limit else len(page.resources)

    def _count_remembered(self, frame: Frame, page: Page) -> int:
        """How many of the page's resources, at least one, can be taken before their folders are too many to remember.

        A folder may use half of what those above it left, so that there is room for those below.
        """
        folders = self._find_folders(page.resources)
        if not self.is_resumable or not folders:
            return len(page.resources)
        before = count_characters(self.frames)
        characters_max = before + max(CURSOR_CHARACTERS_AIM - before, 0) // 2
        kept_count = len(folders)
        while kept_count:
            taken = Frame(frame.folder, page.next_cursor, is_read=True, pending=folders[:kept_count])
            if count_characters([*self.frames[:-1], taken]) <= characters_max:
                break
            kept_count //= 2
        if kept_count == len(folders):
            return len(page.resources)
        first_left_out = [resource.raw_id for resource in page.resources].index(folders[kept_count])
        return max(first_left_out, 1)

    def _find_folders(self, resources: list[Resource]) -> list[RawId]:
        """Those to enter; one that is on the way here already would lead round in circles."""
        if not self.descends:
            return []
        above = {frame.folder for frame in self.frames}
        return [
            resource.raw_id for resource in resources if isinstance(resource, Folder) and resource.raw_id not in above
        ]

    def _advance(self) -> None:
        """Goes to the next folder with a page to read: first down, then on, then up."""
        while self.frames:
            frame = self.frames[-1]
            if frame.pending:
                self.frames.append(Frame(frame.pending.pop()))
                return
            if frame.has_pages:
                return
            self.frames.pop()
