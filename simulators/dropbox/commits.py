"""Bytes become a file: what is in the way decides, and the mode of the write.

https://www.dropbox.com/developers/documentation/http/documentation#files-upload
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from simulators.core.contents import REWRITTEN_TAIL, Content
from simulators.core.faults import FaultKind, take_fault
from simulators.dropbox.calls import Argument, Call, Tagged, WritePathOrId, read_tag
from simulators.dropbox.errors import BadRequestError, RouteError, inside
from simulators.dropbox.groups import GroupArgument, check_groups, write_groups
from simulators.dropbox.hashing import hash_content
from simulators.dropbox.placing import find_free_name, prepare
from simulators.dropbox.tree import File, Folder

MODES = frozenset({"add", "overwrite", "update"})
CONFLICT_SUFFIX = "conflicted copy"


class CommitArgument(Argument):
    """Where bytes go, and what happens if something is there."""

    path: WritePathOrId
    mode: Tagged = "add"
    autorename: bool = False
    client_modified: str | None = None
    mute: bool = False
    property_groups: list[GroupArgument] | None = None
    strict_conflict: bool = False


async def commit(call: Call, argument: CommitArgument, content: Content) -> File:
    """Stores the content at its path. RouteError as WriteError, or with "properties_error" in front."""
    if take_fault(call.request, FaultKind.REWRITTEN_BYTES) is not None:
        content = await asyncio.to_thread(_rewrite, call, content)
    content_hash = await asyncio.to_thread(hash_content, content)
    mode, fields = read_tag(argument.mode, MODES)
    client_modified = _read_time(argument.client_modified)
    place = prepare(call.view, argument.path)
    there = place.resource
    if isinstance(there, File) and there.version.content_hash == content_hash and not argument.strict_conflict:
        return there
    folder, name = place.folder, there.name if isinstance(there, File) else place.name
    if folder is None:
        raise AssertionError("a prepared place has a folder")
    if _is_in_the_way(there, mode, fields, argument):
        if not argument.autorename:
            raise RouteError("conflict", "folder" if isinstance(there, Folder) else "file")
        name = find_free_name(folder, name, suffix=CONFLICT_SUFFIX if mode == "update" else "")
    _check_space(call, content)
    with inside("properties_error"):
        check_groups(call, argument.property_groups or [])
    file = call.state.space.put_file(folder, name, content, content_hash, client_modified=client_modified)
    file.version.author_number = call.user.number
    write_groups(file, argument.property_groups or [])
    return file


def _is_in_the_way(there: File | Folder | None, mode: str, fields: dict[str, Any], argument: CommitArgument) -> bool:
    if isinstance(there, Folder):
        return True
    if there is None:
        return mode == "update" and argument.strict_conflict
    if mode == "update":
        return bool(fields.get("update") != there.version.rev)
    return mode == "add"


def _check_space(call: Call, content: Content) -> None:
    if not call.state.space.has_room(call.user, content.size_bytes):
        raise RouteError("insufficient_space")


def _read_time(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadRequestError(
            f"client_modified: time data {value!r} does not match format '%Y-%m-%dT%H:%M:%SZ'"
        ) from error


def _rewrite(call: Call, content: Content) -> Content:
    return call.state.world.contents.keep(content.read() + REWRITTEN_TAIL)
