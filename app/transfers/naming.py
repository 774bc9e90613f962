"""Names at the target: the first that is free, and what stands under a name there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from os.path import splitext

from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Limits
from connectors.core.paging import walk
from connectors.core.resources import Folder, RawId, Ref, Resource

NAMES_TRIED_MAX = 100


def build_names(name: str, limits: Limits, *, is_folder: bool) -> Iterator[str]:
    """The name, then "a (1).txt", "a (2).txt", …; a stem that gets too long for the storage is shortened."""
    yield name
    stem, extension = (name, "") if is_folder else splitext(name)  # noqa: PTH122 - a name, not a path
    for number in range(1, NAMES_TRIED_MAX):
        yield _shorten(stem, f" ({number}){extension}", limits.name_bytes_max)


def _shorten(stem: str, suffix: str, bytes_max: int | None) -> str:
    if bytes_max is not None:
        room_bytes = max(0, bytes_max - len(suffix.encode()))
        stem = stem.encode()[:room_bytes].decode(errors="ignore")
    return stem + suffix


def build_name_error(name: str) -> ConnectorError:
    """No name is free."""
    return ConnectorError(ErrorKind.ALREADY_EXISTS, f"{name!r} and {NAMES_TRIED_MAX - 1} names like it are taken")


async def find_child(connector: Connector, parent: RawId, name: str) -> Resource | None:
    """What stands under a name in a folder; None when the name is free, or the folder is gone."""
    try:
        if connector.manifest.capabilities.get_by_path:
            folder = await connector.get(Ref("folder", parent))
            path = folder.path if isinstance(folder, Folder) else None
            if path is not None:
                return await connector.get_by_path(f"{path.rstrip('/')}/{name}")
        limit = connector.manifest.limits.page_items_max
        async with aclosing(
            walk(lambda cursor: connector.list_folder(parent, cursor=cursor, limit=limit))
        ) as resources:
            async for resource in resources:
                if resource.name == name:
                    return resource
    except ConnectorError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
    return None


async def find_free_name(connector: Connector, parent: RawId, name: str, *, is_folder: bool) -> str:
    """The first name like this that nothing has at the moment."""
    for candidate in build_names(name, connector.manifest.limits, is_folder=is_folder):
        if await find_child(connector, parent, candidate) is None:
            return candidate
    raise build_name_error(name)
