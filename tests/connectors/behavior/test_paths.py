from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from tests.connectors.behavior.space import Space, as_known, refused

pytestmark = pytest.mark.needs("get_by_path")


@pytest.fixture
async def path(space: Space) -> str:
    """The case's folder as a path."""
    folder = [each async for each in space.walk(space.connector.manifest.root.raw_id) if each.raw_id == space.folder]
    return f"/{folder[0].name}"


async def test_root_is_found_when_path_is_a_slash(space: Space) -> None:
    root = await space.connector.get_by_path("/")
    assert root.ref == space.connector.manifest.root


@pytest.mark.parametrize("name", ["a.txt", "100% ünïcode ≠ 日本 + ?#.txt", " spaces ", "%2e%2e", "...", "~"])
async def test_file_is_found_when_path_leads_to_it(space: Space, path: str, name: str) -> None:
    name = "".join(each for each in name if each not in space.target.limits.name_characters_forbidden)
    folder = await space.make("a b")
    file = await space.put(name, parent=folder.raw_id)
    found = await space.connector.get_by_path(f"{path}/a b/{name}")
    assert as_known(await space.connector.get(file.ref), found) == found
    assert found.path in {None, f"{path}/a b/{name}"}


async def test_folder_is_found_when_path_ends_with_or_without_slash(space: Space, path: str) -> None:
    folder = await space.make("a")
    for each in (f"{path}/a", f"{path}/a/"):
        assert (await space.connector.get_by_path(each)).ref == folder.ref


async def test_path_leads_to_the_new_place_when_moved(space: Space, path: str) -> None:
    file, folder = await space.put("a.txt"), await space.make("to")
    moved = await space.connector.update(file.ref, name="b.txt", parent=folder.raw_id)
    assert (await space.connector.get_by_path(f"{path}/to/b.txt")).ref == moved.ref
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.get_by_path(f"{path}/a.txt")


@pytest.mark.parametrize("rest", ["/none", "/none/none", "/a.txt/below", "/a.txt/", "/A.TXT.none", "/a"])
async def test_not_found_when_nothing_stands_there(space: Space, path: str, rest: str) -> None:
    await space.put("a.txt")
    with refused(ErrorKind.NOT_FOUND):
        await space.connector.get_by_path(path + rest)


@pytest.mark.parametrize("path", ["", "a.txt", "./a", "/a/../b", "/..", "/./a", "/a//b", "/a\0b", "/\ud800"])
async def test_refused_when_it_is_no_absolute_path(space: Space, path: str) -> None:
    with refused(ErrorKind.INVALID_NAME, ErrorKind.NOT_FOUND):
        await space.connector.get_by_path(path)
