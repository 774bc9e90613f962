"""Listing folders, and what changed in them since: one kind of cursor for both.

A cursor first walks through the folder by name, then through the journal from where that stood at the beginning, so
that what is written meanwhile is told once more rather than not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import msgspec

from simulators.core.faults import FaultKind, count_stale_seconds, take_fault
from simulators.dropbox.calls import NOBODY, Argument, Call, FolderPath, ReadPath, Routes, Tagged, read_tag
from simulators.dropbox.cursors import read_cursor, write_cursor
from simulators.dropbox.errors import BadRequestError, RouteError, inside
from simulators.dropbox.metadata import NO_WISHES, Wishes, build_deleted, build_gone_version, build_metadata
from simulators.dropbox.sharing_links import open_link
from simulators.dropbox.tree import File, Folder, Resource, Trail, build_inner_path, read_parts
from simulators.dropbox.views import View

LIST_LIMIT = 500
LIST_LIMIT_MAX = 2000
LONGPOLL_SECONDS_MIN = 30
LONGPOLL_SECONDS_MAX = 480

routes = Routes()

Key = tuple[str, ...]


class LinkArgument(Argument):
    url: str
    password: str | None = None


class ListFolderArgument(Argument):
    path: FolderPath
    recursive: bool = False
    include_media_info: bool = False
    include_deleted: bool = False
    include_has_explicit_shared_members: bool = False
    include_mounted_folders: bool = True
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIST_LIMIT_MAX)] | None = None
    shared_link: LinkArgument | None = None
    include_property_groups: Tagged | None = None
    include_non_downloadable_files: bool = True
    include_restorable_info: bool = False


class CursorArgument(Argument):
    cursor: Annotated[str, msgspec.Meta(min_length=1)]


class LongpollArgument(CursorArgument):
    timeout: Annotated[int, msgspec.Meta(ge=LONGPOLL_SECONDS_MIN, le=LONGPOLL_SECONDS_MAX)] = LONGPOLL_SECONDS_MIN


class MetadataArgument(Argument):
    path: ReadPath
    include_media_info: bool = False
    include_deleted: bool = False
    include_has_explicit_shared_members: bool = False
    include_property_groups: Tagged | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Something to tell of: what is there now, or what was."""

    key: Key
    parts: tuple[str, ...]
    resource: Resource | None
    trail: Trail | None = None


@routes.rpc("files/get_metadata", MetadataArgument, scope="files.metadata.read")
def get_metadata(call: Call, argument: MetadataArgument) -> dict[str, Any]:
    """One file or folder; the root has none."""
    wishes = Wishes(
        media_info=argument.include_media_info,
        has_explicit_members=argument.include_has_explicit_shared_members,
        template_ids=read_template_filter(argument.include_property_groups),
    )
    if argument.path.startswith("rev:"):
        with_path = _find_version(call.view, argument.path)
        return {".tag": "file", **with_path}
    with inside("path"):
        place = call.view.locate(argument.path)
    if place.resource is not None and place.resource.parent is None and place.resource is call.view.root.root:
        raise BadRequestError("The root folder is unsupported.")
    if place.resource is not None:
        _refuse_stale(call, place.resource)
        return build_metadata(call.view, place.resource, wishes)
    trail = call.view.find_trail(place) if argument.include_deleted else None
    if trail is None:
        raise RouteError("path", "not_found")
    return build_deleted(place.parts, trail, wishes)


@routes.rpc("files/list_folder", ListFolderArgument, scope="files.metadata.read", auth="app, user")
def list_folder(call: Call, argument: ListFolderArgument) -> dict[str, Any]:
    """The first page."""
    if argument.shared_link is not None:
        return _list_shared(call, argument)
    if call.user is NOBODY:
        raise call.route.refuse("without a user there are only shared links to list")
    return _list_page(call, _begin(call, argument, with_listing=True))


@routes.rpc("files/list_folder/get_latest_cursor", ListFolderArgument, scope="files.metadata.read")
def get_latest_cursor(call: Call, argument: ListFolderArgument) -> dict[str, Any]:
    """A cursor for what is still to come."""
    position = _begin(call, argument, with_listing=False)
    return {"cursor": write_cursor(call.state, "list_folder", call.user, position)}


@routes.rpc("files/list_folder/continue", CursorArgument, scope="files.metadata.read", auth="app, user")
def list_folder_continue(call: Call, argument: CursorArgument) -> dict[str, Any]:
    """The next page of the listing, or what has changed."""
    position = read_cursor(call.state, "list_folder", argument.cursor, user=call.user)
    if take_fault(call.request, FaultKind.CURSOR_RESET) is not None:
        call.state.space.journal.forget()
    if not call.state.space.journal.knows(position["since"]):
        raise RouteError("reset")
    return _list_page(call, position)


@routes.rpc("files/list_folder/longpoll", LongpollArgument, scope="files.metadata.read", auth="noauth", host="notify")
async def longpoll(call: Call, argument: LongpollArgument) -> dict[str, Any]:
    """Waits until the cursor has something to tell; needs no token."""
    position = read_cursor(call.state, "list_folder", argument.cursor, user=None)
    journal = call.state.space.journal
    user = call.state.world.users.get(position["user"])
    root = call.state.space.namespaces[position["root"]]
    view = View(call.state.space, user, root)
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + min(argument.timeout, call.state.settings.longpoll_seconds_max or argument.timeout)
    while True:
        if not journal.knows(position["since"]):
            raise RouteError("reset")
        if position.get("after") is not None or _list_changes(view, position):
            return {"changes": True}
        left = ends_at - loop.time()
        if left <= 0 or await call.request.is_disconnected():
            return {"changes": False}
        await journal.wait(left)


def read_template_filter(value: Tagged | None) -> tuple[str, ...]:
    """The ids of templates whose properties are wanted."""
    if value is None:
        return ()
    tag, fields = read_tag(value)
    return tuple(fields.get("filter_some", ())) if tag == "filter_some" else ()


# ---------------------------------------------------------------- pages


def _begin(call: Call, argument: ListFolderArgument, *, with_listing: bool) -> dict[str, Any]:
    with inside("path"):
        folder = call.view.get_folder(argument.path)
        parts = call.view.build_parts(folder)
    if parts is None:
        raise RouteError("path", "not_found")
    return {
        "root": call.view.root.namespace_id,
        "path": [part.lower() for part in parts],
        "recursive": argument.recursive,
        "deleted": argument.include_deleted,
        "mounted": argument.include_mounted_folders,
        "members": argument.include_has_explicit_shared_members,
        "templates": read_template_filter(argument.include_property_groups),
        "restorable": argument.include_restorable_info,
        "downloadable_only": not argument.include_non_downloadable_files,
        "limit": argument.limit or LIST_LIMIT,
        "after": [] if with_listing else None,
        "since": call.state.space.journal.number,
        "told": None,
    }


def _list_page(call: Call, position: dict[str, Any]) -> dict[str, Any]:
    root = call.state.space.namespaces[position["root"]]
    view = View(call.state.space, call.user, root)
    place = view.locate("".join(f"/{part}" for part in position["path"]))
    if not isinstance(place.resource, Folder):
        raise RouteError("path", "not_found")
    limit = position["limit"]
    if position["after"] is not None:
        after = tuple(position["after"])
        found = sorted(
            (one for one in _list_present(view, place.resource, position) if one.key > after), key=lambda one: one.key
        )
        page = found[:limit]
        has_more = len(found) > limit
        position["after"] = list(page[-1].key) if has_more else None
    else:
        changes = _list_changes(view, position)
        page = [one for _, one in changes[:limit]]
        has_more = len(changes) > limit
        # A change of a whole folder can fill several pages: the next one goes on within it, after the last name.
        number, last = changes[limit - 1] if has_more else (call.state.space.journal.number + 1, None)
        position["since"] = number - 1
        position["told"] = [number, list(last.key)] if last is not None else None
    return {
        "entries": [_describe(view, one, position) for one in page if not _is_hidden(call, one)],
        "cursor": write_cursor(call.state, "list_folder", call.user, position),
        "has_more": has_more,
    }


def _list_present(view: View, folder: Folder, position: dict[str, Any]) -> Iterator[Found]:
    parts = view.build_parts(folder) or ()
    if position["recursive"] and parts:
        yield _found(parts, folder)
    yield from _list_below(view, folder, parts, position)


def _list_below(view: View, folder: Folder, parts: tuple[str, ...], position: dict[str, Any]) -> Iterator[Found]:
    for child in view.list_children(folder):
        if not position["mounted"] and isinstance(child, Folder) and child.mount is not None:
            continue
        if position["downloadable_only"] and isinstance(child, File) and not _is_downloadable(view, child):
            continue
        below = (*parts, child.name)
        yield _found(below, child)
        if position["recursive"] and isinstance(child, Folder):
            yield from _list_below(view, child, below, position)
    if position["deleted"]:
        yield from _list_deleted(folder, parts, is_recursive=position["recursive"])


def _list_deleted(folder: Folder, parts: tuple[str, ...], *, is_recursive: bool) -> Iterator[Found]:
    """What was in a folder; with all that was in folders that went with it."""
    namespace = folder.mount or folder.home
    prefix = tuple(read_parts(build_inner_path(folder.inner)))
    here = tuple(part.lower() for part in parts)
    for path, trail in namespace.trails.items():
        names = tuple(read_parts(path))
        below = names[len(prefix) :]
        is_within = names[: len(prefix)] == prefix and below and (is_recursive or len(below) == 1)
        is_others = len(below) > 1 and isinstance(folder.children.get(below[0]), Folder)
        if trail.deleted_at is not None and is_within and not is_others:
            yield Found((*here, *below), (*parts, *below[:-1], trail.name), None, trail)


def _list_changes(view: View, position: dict[str, Any]) -> list[tuple[int, Found]]:
    """What a cursor has to tell, each path once, at its latest change; in order, parents before what is in them."""
    latest: dict[Key, tuple[int, Found]] = {}
    for change in view.space.journal.list_after(position["since"]):
        parts = view.translate(change.namespace, change.path)
        if not parts:
            continue
        place = view.locate("".join(f"/{part}" for part in parts))
        found = [_found(parts, place.resource, place.namespace.trails.get(place.inner_path))]
        if place.resource is not None:
            shown = view.build_parts(place.resource) or parts
            found = [_found(shown, place.resource)]
            if change.is_deep and isinstance(place.resource, Folder):
                found += _list_below(view, place.resource, shown, {**position, "recursive": True, "deleted": False})
        for one in found:
            if _is_within(one.key, position):
                latest[one.key] = (change.number, one)
    told = position.get("told") or [0, []]
    changes = sorted(latest.values(), key=lambda change: (change[0], change[1].key))
    return [change for change in changes if (change[0], change[1].key) > (told[0], tuple(told[1]))]


def _is_within(key: Key, position: dict[str, Any]) -> bool:
    path = tuple(position["path"])
    if position["recursive"]:
        return key[: len(path)] == path
    return key[:-1] == path


def _is_downloadable(view: View, file: File) -> bool:
    return bool(build_metadata(view, file)["is_downloadable"])


def _describe(view: View, found: Found, position: dict[str, Any]) -> dict[str, Any]:
    wishes = Wishes(
        has_explicit_members=position["members"],
        template_ids=tuple(position["templates"]),
        restorable_info=position["restorable"],
    )
    if found.resource is None:
        return build_deleted(found.parts, found.trail, wishes)
    return build_metadata(view, found.resource, wishes)


def _found(parts: tuple[str, ...], resource: Resource | None, trail: Trail | None = None) -> Found:
    return Found(tuple(part.lower() for part in parts), parts, resource, trail)


# ---------------------------------------------------------------- shared links, versions, staleness


def _list_shared(call: Call, argument: ListFolderArgument) -> dict[str, Any]:
    link = argument.shared_link
    if link is None:
        raise AssertionError("called without a link")
    if argument.recursive:
        raise BadRequestError("Recursive listing is not supported for shared links.")
    try:
        resource = open_link(call, link.url, argument.path, link.password)
    except RouteError as error:
        raise RouteError("path", "not_found") from error
    if not isinstance(resource, Folder):
        raise RouteError("path", "not_folder")
    entries = [build_metadata(call.view, child, NO_WISHES) for child in resource.children.values()]
    for entry in entries:
        entry.pop("path_lower", None)
        entry.pop("path_display", None)
    position = {"root": call.view.root.namespace_id, "since": call.state.space.journal.number, "after": None}
    return {
        "entries": entries,
        "cursor": write_cursor(call.state, "list_shared", call.user, position),
        "has_more": False,
    }


def _find_version(view: View, path: str) -> dict[str, Any]:
    with inside("path"):
        file, version = view.get_version(path)
    parts = None if file is None else view.build_parts(file)
    return build_gone_version(version, parts, NO_WISHES)


def _is_hidden(call: Call, found: Found) -> bool:
    """With the fault `stale` nothing shows that was written a moment ago."""
    fault = take_fault(call.request, FaultKind.STALE)
    if fault is None or found.resource is None:
        return False
    return _is_younger(call, found.resource, count_stale_seconds(fault))


def _refuse_stale(call: Call, resource: Resource) -> None:
    if _is_hidden(call, _found((), resource)):
        raise RouteError("path", "not_found")


def _is_younger(call: Call, resource: Resource, seconds: float) -> bool:
    written_at = resource.version.server_modified if isinstance(resource, File) else resource.created_at
    return written_at > call.state.world.clock.now() - timedelta(seconds=seconds)
