"""Where something new goes. Who has the path is looked up before, so that one's own is known after a lost answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import PurePosixPath

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import OnConflict, RawId, Ref
from connectors.dropbox.manifest import MANIFEST
from connectors.dropbox.payloads import Entry
from connectors.dropbox.reading import Reader

FREE_NAMES_TRIED_MAX = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A path, or the id of a file that must be there; `before` is what is replaced."""

    path: str
    before: Entry | None = None


Places = AsyncGenerator[Place, None]


async def find_places(
    reader: Reader, folder_path: str, name: str, on_conflict: OnConflict, *, is_folder: bool = False
) -> Places:
    """Where it may go: with RENAME the next free one each time, else one at most; already_exists if there is none."""
    renames = on_conflict is OnConflict.RENAME
    for candidate in list_names(name, on_conflict, is_folder=is_folder):
        path = f"{folder_path}/{candidate}"
        there = await reader.find(path)
        if there is None or (on_conflict is OnConflict.REPLACE and there.is_file and not is_folder):
            yield Place(path, there)
        elif not renames:
            conflict = Ref("file" if there.is_file else "folder", RawId(there.id))
            raise ConnectorError(ErrorKind.ALREADY_EXISTS, "the name is taken", conflict=conflict)
    if renames:
        raise ConnectorError(ErrorKind.ALREADY_EXISTS, "this name and many like it are taken")


async def find_place(reader: Reader, folder_path: str, name: str, on_conflict: OnConflict) -> Place:
    """The first of them."""
    async with aclosing(find_places(reader, folder_path, name, on_conflict)) as places:
        return await anext(places)


async def put(
    reader: Reader,
    places: Places,
    send: Callable[[Place], Awaitable[Entry]],
    is_own: Callable[[Entry], Awaitable[bool]],
) -> tuple[Place, Entry]:
    """Makes it at the first place that nobody takes meanwhile; `is_own` says whether what is there after a repeat is
    what the lost answer was about.
    """
    taken: ConnectorError | None = None
    async with aclosing(places):
        async for place in places:
            try:
                return place, await send(place)
            except ConnectorError as error:
                there = await find_after(reader, place.path, error)
                if there is not None and await is_own(there):
                    return place, there
                if error.kind is not ErrorKind.ALREADY_EXISTS:
                    raise
                taken = error
    raise taken or AssertionError("there is a place, or an error says why there is none")


async def find_after(reader: Reader, path: str, error: ConnectorError) -> Entry | None:
    """What is at a path, if an earlier attempt may have put it there; an error in doubt if nobody can tell."""
    if not error.is_replay:
        return None
    try:
        there = await reader.find(path)
    except ConnectorError as failure:
        failure.maybe_applied = failure.is_replay = True
        raise
    if there is None and error.kind is ErrorKind.ALREADY_EXISTS:
        doubt = error.restated(ErrorKind.UNAVAILABLE, "what had the name is gone again, and was perhaps this")
        doubt.maybe_applied = doubt.is_persistent = True
        raise doubt from error
    return there


def list_names(name: str, on_conflict: OnConflict, *, is_folder: bool) -> Iterable[str]:
    """What it may be called, in turn."""
    return number_names(name, is_folder=is_folder) if on_conflict is OnConflict.RENAME else [name]


def number_names(name: str, *, is_folder: bool) -> Iterator[str]:
    """The name, "a (1).txt", "a (2).txt", …, in larger steps the more are taken; too long ones are shortened."""
    yield name
    characters_max = MANIFEST.limits.name_characters_max or 0
    suffix = "" if is_folder else PurePosixPath(name).suffix
    suffix = suffix if len(suffix) < characters_max // 2 else ""
    number = 1
    for _ in range(1, FREE_NAMES_TRIED_MAX):
        end = f" ({number}){suffix}"
        yield name.removesuffix(suffix)[: characters_max - len(end)] + end
        number += 1 + number // 8
