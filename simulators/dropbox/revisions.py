"""The revisions of a file, by its path or by its id, also of one that was deleted."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from simulators.dropbox.calls import Argument, Call, ReadPath, Rev, Routes, Tagged, read_tag
from simulators.dropbox.errors import RouteError, inside
from simulators.dropbox.metadata import Wishes, build_gone_version
from simulators.dropbox.state import format_time
from simulators.dropbox.tree import File, Folder

PAGE_COUNT_MAX = 100

routes = Routes()


class RevisionsArgument(Argument):
    path: ReadPath
    mode: Tagged = "path"
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)] = 10
    before_rev: Rev | None = None
    include_restorable_info: bool = False


@routes.rpc("files/list_revisions", RevisionsArgument, scope="files.metadata.read")
def list_revisions(call: Call, argument: RevisionsArgument) -> dict[str, Any]:
    """The newest first; by path also of what was deleted there."""
    with inside("path"):
        gone = call.view.find_gone(argument.path)
        place = call.view.locate(argument.path) if gone is None else call.view.locate_gone(gone)
        if gone is None and isinstance(place.resource, Folder):
            raise RouteError("not_file")
        trail = place.namespace.trails.get(place.inner_path)
        if trail is None or not trail.versions:
            raise RouteError("not_found")
    mode, _ = read_tag(argument.mode, frozenset({"path", "id"}))
    file = place.resource
    known = gone or file
    versions = known.versions if mode == "id" and isinstance(known, File) else trail.versions
    newest_first = list(reversed(versions))
    if argument.before_rev is not None:
        if mode == "id":
            raise RouteError("before_rev_not_supported")
        revs = [version.rev for version in newest_first]
        if argument.before_rev not in revs:
            raise RouteError("invalid_before_rev")
        newest_first = newest_first[revs.index(argument.before_rev) + 1 :]
    page = newest_first[: argument.limit]
    wishes = Wishes(restorable_info=argument.include_restorable_info)
    parts = place.parts or None
    answer: dict[str, Any] = {
        "is_deleted": file is None or gone is not None,
        "entries": [build_gone_version(version, parts, wishes) for version in page],
        "has_more": len(newest_first) > argument.limit,
    }
    if trail.deleted_at is not None:
        answer["server_deleted"] = format_time(trail.deleted_at)
    return answer
