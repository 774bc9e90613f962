"""Pages of the storage that hold nothing, of which clients should see as few as possible."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from app.storage.paging import EMPTY_PAGES_MAX, EMPTY_SECONDS_MAX, read_page
from connectors.core.clock import ManualClock
from connectors.core.resources import Folder, Page, RawId

FOLDER = Folder(raw_id=RawId("1"), name="a")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def build_fetch(empty_count: int, last: Page, clock: ManualClock) -> Callable[[str | None], Awaitable[Page]]:
    """So many empty pages, none of which takes long, then one that is given."""

    async def fetch(cursor: str | None) -> Page:
        number = int(cursor or 0)
        clock.advance(0.1)
        return last if number == empty_count else Page([], str(number + 1), is_partial=True)

    return fetch


@pytest.mark.parametrize("empty_count", [0, 1, EMPTY_PAGES_MAX - 1])
@pytest.mark.parametrize(
    "last", [Page([FOLDER], "on"), Page([FOLDER]), Page([]), Page([FOLDER], "on", is_partial=True)]
)
async def test_first_page_with_something_or_the_last_is_given_when_others_are_empty(
    clock: ManualClock, empty_count: int, last: Page
) -> None:
    assert await read_page(build_fetch(empty_count, last, clock), None, clock=clock) == last


async def test_empty_page_goes_on_when_too_many_are_empty(clock: ManualClock) -> None:
    page = await read_page(build_fetch(1000, Page([FOLDER]), clock), None, clock=clock)
    assert page == Page([], str(EMPTY_PAGES_MAX), is_partial=True)


async def test_empty_page_goes_on_when_it_took_too_long(clock: ManualClock) -> None:
    async def fetch(cursor: str | None) -> Page:
        clock.advance(EMPTY_SECONDS_MAX / 2)
        return Page([], str(int(cursor or 0) + 1))

    assert await read_page(fetch, "7", clock=clock) == Page([], "9", is_partial=True)
