from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.core.resources import File, RawId, Resource
from tests.connectors.behavior.space import Space, as_known

pytestmark = pytest.mark.needs("list_recent")


@pytest.fixture
async def files(space: Space) -> list[File]:
    """Five files, some of them in folders, in the order in which they were stored."""
    a = await space.make("a")
    b = await space.make("b", parent=a.raw_id)
    parents = [space.folder, b.raw_id, a.raw_id, space.folder, b.raw_id]
    files = [await space.put(f"file {number}", parent=parent) for number, parent in enumerate(parents)]
    await space.settled(lambda: list_own(space, files), {file.raw_id for file in files})
    return await read_again(space, files)


async def read_again(space: Space, files: list[File]) -> list[File]:
    """As they are now: some storages settle a file's time afterwards."""
    stored = [await space.connector.get(file.ref) for file in files]
    return [file for file in stored if isinstance(file, File)]


async def list_own(space: Space, files: list[File], *, after: datetime | None = None) -> set[RawId]:
    """Which of these files are among the recent ones; the account may hold others."""
    page = await space.connector.list_recent(after=after)
    return {resource.raw_id for resource in page.resources} & {file.raw_id for file in files}


def read_time(resource: Resource) -> datetime:
    return resource.modified_at or datetime.min.replace(tzinfo=UTC)


def choose_later(files: list[File], after: datetime) -> set[RawId]:
    return {file.raw_id for file in files if read_time(file) > after}


async def test_only_files_come_and_the_newest_first(space: Space, files: list[File]) -> None:
    page = await space.connector.list_recent()
    assert page.next_cursor is None
    assert all(isinstance(resource, File) for resource in page.resources)
    times = [read_time(resource) for resource in page.resources]
    assert times == sorted(times, reverse=True)


async def test_resources_equal_those_of_get_when_listed(space: Space, files: list[File]) -> None:
    own = {file.raw_id for file in files}
    for resource in (await space.connector.list_recent()).resources:
        if resource.raw_id in own:
            assert as_known(await space.connector.get(resource.ref), resource) == resource


async def test_no_more_come_than_asked_for(space: Space, files: list[File]) -> None:
    page = await space.connector.list_recent(limit=2)
    assert len(page.resources) == 2
    times = map(min, map(read_time, files), map(read_time, await read_again(space, files)))
    newest = sorted(times, reverse=True)[:2]
    assert [read_time(resource) for resource in page.resources] >= newest


@pytest.mark.parametrize("number", [0, 2, 4])
async def test_only_later_ones_come_when_a_time_is_given(space: Space, files: list[File], number: int) -> None:
    after = read_time(files[number])
    page = await space.connector.list_recent(after=after)
    assert all(read_time(resource) > after for resource in page.resources)
    listed = await list_own(space, files, after=after)
    before, now = choose_later(files, after), choose_later(await read_again(space, files), after)
    assert before & now <= listed <= before | now


async def test_nothing_comes_when_the_time_is_yet_to_come(space: Space, files: list[File]) -> None:
    page = await space.connector.list_recent(after=datetime(2200, 1, 1, tzinfo=UTC))
    assert page.resources == []


async def test_file_is_not_recent_any_more_when_it_is_deleted(space: Space, files: list[File]) -> None:
    await space.connector.delete(files[1].ref)
    left = {file.raw_id for file in files if file is not files[1]}
    await space.settled(lambda: list_own(space, files), left)
