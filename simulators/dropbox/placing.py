"""Where new things go: their parents, their names, and what is in the way."""

from __future__ import annotations

from itertools import count

from simulators.dropbox.errors import RouteError, refuse_path
from simulators.dropbox.tree import File, Folder
from simulators.dropbox.views import Place, View, check_name


def prepare(view: View, path: str) -> Place:
    """The place that a path names, with its parents: they are made where they are missing. RouteError as WriteError."""
    place = _locate(view, path)
    if isinstance(place.resource, File) and not place.parts:
        # Shared with the user, and not among the user's own files.
        level = place.resource.members.get(view.user.number)
        if level is None or not level.can_write:
            raise RouteError("no_write_permission")
        return place
    if not place.parts:
        raise RouteError("conflict", "folder")
    for part in place.parts:
        check_name(part)
    if place.folder is None:
        place = _make_parents(view, place)
    if not view.can_write(place.namespace):
        raise RouteError("no_write_permission")
    return place


def find_free_name(folder: Folder, name: str, *, is_folder: bool = False, suffix: str = "") -> str:
    """`report.txt` becomes `report (1).txt`, or with a suffix `report (conflicted copy).txt`; the first free one."""
    stem, dot, ending = name.rpartition(".")
    if is_folder or not stem:
        stem, dot, ending = name, "", ""
    if suffix:
        candidate = f"{stem} ({suffix}){dot}{ending}"
        if candidate.lower() not in folder.children:
            return candidate
        stem = f"{stem} ({suffix}"
        numbered = (f"{stem} {number}){dot}{ending}" for number in count(1))
    else:
        numbered = (f"{stem} ({number}){dot}{ending}" for number in count(1))
    return next(candidate for candidate in numbered if candidate.lower() not in folder.children)


def _locate(view: View, path: str) -> Place:
    try:
        place = view.locate(path)
    except RouteError as error:
        # Nothing can be written to an id or a namespace that is not there; WriteError has no word of its own for it.
        raise (refuse_path(path) if error.tags == ("not_found",) else error) from error
    if path.startswith("id:") and not isinstance(place.resource, File):
        raise refuse_path(path)
    return place


def _make_parents(view: View, place: Place) -> Place:
    """Walks down again and makes what is missing; a file in between is a conflict."""
    folder = place.root.root
    for part in place.parts[:-1]:
        child = folder.children.get(part.lower())
        if isinstance(child, File):
            raise RouteError("conflict", "file_ancestor")
        if child is None or not view.is_visible(child):
            if not view.can_write(folder.mount or folder.home):
                raise RouteError("no_write_permission")
            child = view.space.make_folder(folder, part)
        folder = child
    return view.locate_below(place.root, place.parts)
