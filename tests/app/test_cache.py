from __future__ import annotations

import asyncio

import pytest

from app.core import cache
from app.core.cache import RowCache


@pytest.fixture
def rows() -> RowCache:
    return RowCache(seconds_max=60)


class Source:
    """Gives a value and counts how often it was asked."""

    def __init__(self, value: str | None = "value") -> None:
        self.value = value
        self.asked_count = 0

    async def __call__(self) -> str | None:
        self.asked_count += 1
        return self.value


async def test_value_is_loaded_once_while_it_is_remembered(rows: RowCache) -> None:
    source = Source()
    assert [await rows.get("a", source) for _ in range(3)] == ["value"] * 3
    assert source.asked_count == 1


async def test_what_is_not_there_is_never_remembered(rows: RowCache) -> None:
    source = Source(None)
    assert [await rows.get("a", source) for _ in range(2)] == [None, None]
    source.value = "made meanwhile"
    assert await rows.get("a", source) == "made meanwhile"


@pytest.mark.parametrize("is_all", [False, True])
async def test_value_is_loaded_again_when_it_was_dropped(rows: RowCache, *, is_all: bool) -> None:
    source = Source()
    await rows.get("a", source)
    if is_all:
        rows.clear()
    else:
        rows.drop("a")
    await rows.get("a", source)
    assert source.asked_count == 2


@pytest.mark.parametrize("is_all", [False, True])
async def test_stale_value_is_not_remembered_when_it_changed_while_it_was_read(rows: RowCache, *, is_all: bool) -> None:
    may_answer = asyncio.Event()

    async def read_slowly() -> str:
        await may_answer.wait()
        return "stale"

    reading = asyncio.create_task(rows.get("a", read_slowly))
    await asyncio.sleep(0)
    if is_all:
        rows.clear()
    else:
        rows.drop("a")
    may_answer.set()
    assert await reading == "stale"
    assert await rows.get("a", Source("fresh")) == "fresh"


class SlowSource(Source):
    """Answers when it may, with what there was when it was asked."""

    def __init__(self, value: str | None = "value") -> None:
        super().__init__(value)
        self.may_answer = asyncio.Event()

    async def __call__(self) -> str | None:
        value = await super().__call__()
        await self.may_answer.wait()
        return value


async def test_database_is_asked_once_when_many_ask_at_the_same_time(rows: RowCache) -> None:
    source, checked = SlowSource(), []
    asking = [asyncio.create_task(rows.get("a", source, before_load=lambda: checked.append(1))) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await asyncio.gather(*asking[1:]) == ["value"] * 49
    assert asking[0].cancelled()
    assert (source.asked_count, len(checked)) == (1, 50)


async def test_answer_is_not_shared_with_whoever_asks_after_a_change(rows: RowCache) -> None:
    old, new = SlowSource("old"), Source("new")
    first = asyncio.create_task(rows.get("a", old))
    await asyncio.sleep(0)
    rows.drop("b")
    assert await rows.get("a", new) == "new"
    old.may_answer.set()
    assert await first == "old"
    assert await rows.get("a", Source("newest")) == "new"


async def test_absence_is_not_shared_so_that_what_is_made_meanwhile_is_found(rows: RowCache) -> None:
    old, new = SlowSource(None), Source("new")
    first = asyncio.create_task(rows.get("a", old))
    await asyncio.sleep(0)
    second = asyncio.create_task(rows.get("a", new))
    await asyncio.sleep(0)
    old.may_answer.set()
    assert (await first, await second) == (None, "new")


async def test_failure_is_told_to_all_who_wait_and_not_remembered(rows: RowCache) -> None:
    async def fail() -> str | None:
        await asyncio.sleep(0)
        raise OSError("away")

    answers = await asyncio.gather(*(rows.get("a", fail) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError] * 3
    assert await rows.get("a", Source()) == "value"


async def test_nothing_is_remembered_when_the_time_is_none() -> None:
    rows, source = RowCache(seconds_max=0), Source()
    await rows.get("a", source)
    await rows.get("a", source)
    assert source.asked_count == 2


async def test_value_is_forgotten_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch, rows: RowCache) -> None:
    moment = 1000.0
    monkeypatch.setattr(cache, "monotonic", lambda: moment)
    source = Source()
    await rows.get("a", source)
    moment += 59.9
    await rows.get("a", source)
    assert source.asked_count == 1
    moment += 0.1
    await rows.get("a", source)
    assert source.asked_count == 2


async def test_oldest_value_is_forgotten_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch, rows: RowCache
) -> None:
    monkeypatch.setattr(cache, "ENTRIES_MAX", 2)
    source = Source()
    for name in ("a", "b", "c", "b", "c"):
        await rows.get(name, source)
    assert source.asked_count == 3
    await rows.get("a", source)
    assert source.asked_count == 4
