from __future__ import annotations

import pytest

from connectors.core.errors import ErrorKind
from connectors.core.resources import File, Property, RawId
from tests.connectors.behavior.space import Space, refused

pytestmark = pytest.mark.needs("list_properties")


@pytest.fixture
async def file(space: Space) -> File:
    return await space.put("a.txt", b"bytes")


async def read(space: Space, file: File) -> dict[str, str]:
    """The properties as they are now."""
    return as_dict(await space.connector.list_properties(file.raw_id))


def as_dict(properties: list[Property]) -> dict[str, str]:
    found = {each.key: each.value for each in properties}
    assert len(found) == len(properties)
    return found


async def test_there_are_none_when_file_is_new(space: Space, file: File) -> None:
    assert await space.connector.list_properties(file.raw_id) == []


async def test_they_are_there_when_they_were_set(space: Space, file: File) -> None:
    wanted = {"color": "red", "reviewed-by": "somebody"}
    returned = await space.connector.update_properties(file.raw_id, wanted)
    assert as_dict(returned) == await read(space, file) == wanted


async def test_bytes_and_place_stay_when_properties_change(space: Space, file: File) -> None:
    await space.connector.update_properties(file.raw_id, {"color": "red"})
    after = await space.connector.get(file.ref)
    assert isinstance(after, File)
    assert (after.raw_id, after.name, after.size_bytes) == (file.raw_id, "a.txt", 5)
    assert await space.read(file.raw_id) == b"bytes"
    await space.holds("a.txt")


async def test_only_what_is_named_changes_when_others_are_there(space: Space, file: File) -> None:
    await space.connector.update_properties(file.raw_id, {"a": "1", "b": "2", "c": "3"})
    returned = await space.connector.update_properties(file.raw_id, {"a": None, "b": "two", "d": "4"})
    assert as_dict(returned) == await read(space, file) == {"b": "two", "c": "3", "d": "4"}


async def test_it_is_no_error_when_one_is_deleted_that_is_not_there(space: Space, file: File) -> None:
    await space.connector.update_properties(file.raw_id, {"a": "1"})
    await space.connector.update_properties(file.raw_id, {"gone": None})
    assert await read(space, file) == {"a": "1"}


async def test_no_other_stays_when_all_are_replaced(space: Space, file: File) -> None:
    await space.connector.update_properties(file.raw_id, {"a": "1", "b": "2"})
    await space.connector.update_properties(file.raw_id, {"c": "3"}, is_replacing=True)
    assert await read(space, file) == {"c": "3"}
    await space.connector.update_properties(file.raw_id, {}, is_replacing=True)
    assert await read(space, file) == {}


@pytest.mark.parametrize("value", ["", "two words", "a=b c=d", "Gr\u00f6\u00dfe", "1+1 = 2", "https://example.com/x_y"])
async def test_value_comes_back_as_it_was_when_it_is_odd(space: Space, file: File, value: str) -> None:
    await space.connector.update_properties(file.raw_id, {"a key": value})
    assert await read(space, file) == {"a key": value}


async def test_invalid_name_and_nothing_changes_when_a_limit_is_passed(space: Space, file: File) -> None:
    limits = space.target.limits
    await space.connector.update_properties(file.raw_id, {"a": "1"})
    too_much: list[dict[str, str | None]] = [{"": "no key"}]
    if limits.property_key_characters_max is not None:
        too_much.append({"k" * (limits.property_key_characters_max + 1): "1"})
    if limits.property_value_characters_max is not None:
        too_much.append({"b": "v" * (limits.property_value_characters_max + 1)})
    if limits.properties_max is not None:
        too_much.append({f"key {number}": "1" for number in range(limits.properties_max)})  # with the one that is there
    for changes in too_much:
        with refused(ErrorKind.INVALID_NAME):
            await space.connector.update_properties(file.raw_id, changes)
    assert await read(space, file) == {"a": "1"}


async def test_as_many_and_as_long_ones_are_kept_as_the_limits_allow(space: Space, file: File) -> None:
    limits = space.target.limits
    key_characters = min(limits.property_key_characters_max or 100, 1000)
    value_characters = min(limits.property_value_characters_max or 1000, 10_000)
    names = [f"{number:02}" for number in range(min(limits.properties_max or 20, 100))]
    wanted = {name.rjust(key_characters, "k"): name.rjust(value_characters, "v") for name in names}
    await space.connector.update_properties(file.raw_id, {**wanted})
    assert await read(space, file) == wanted


async def test_not_found_when_file_is_gone(space: Space, file: File) -> None:
    await space.connector.delete(file.ref)
    for raw_id in (file.raw_id, RawId("no such id")):
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.list_properties(raw_id)
        with refused(ErrorKind.NOT_FOUND):
            await space.connector.update_properties(raw_id, {"a": "1"})
    await space.holds()
