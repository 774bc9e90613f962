"""Creating folders, deleting, moving, copying, restoring: one at a time and in batches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import msgspec

from simulators.dropbox.calls import (
    BATCH_COUNT_MAX,
    Argument,
    Call,
    PollArgument,
    Rev,
    Routes,
    WritePath,
    WritePathOrId,
)
from simulators.dropbox.errors import BadRequestError, RouteError, inside, refuse_path
from simulators.dropbox.metadata import build_file, build_folder, build_metadata
from simulators.dropbox.placing import find_free_name, prepare
from simulators.dropbox.tree import File, Folder, NamespaceKind, Resource, walk
from simulators.dropbox.views import Place

CREATE_COUNT_MAX = 10_000
RELOCATED_COUNT_MAX = 10_000
SYNCHRONOUS_COUNT_MAX = 3
"""Larger batches become jobs."""

routes = Routes()


class CreateFolderArgument(Argument):
    path: WritePath
    autorename: bool = False


class CreateFolderBatchArgument(Argument):
    paths: Annotated[list[WritePath], msgspec.Meta(max_length=CREATE_COUNT_MAX)]
    autorename: bool = False
    force_async: bool = False


class DeleteArgument(Argument):
    path: WritePathOrId
    parent_rev: Rev | None = None


class DeleteBatchArgument(Argument):
    entries: Annotated[list[DeleteArgument], msgspec.Meta(max_length=BATCH_COUNT_MAX)]


class RelocationPath(Argument):
    from_path: WritePathOrId
    to_path: WritePathOrId


class RelocationArgument(RelocationPath):
    allow_shared_folder: bool = False
    autorename: bool = False
    allow_ownership_transfer: bool = False


class RelocationBatchArgument(Argument):
    entries: Annotated[list[RelocationPath], msgspec.Meta(min_length=1, max_length=BATCH_COUNT_MAX)]
    autorename: bool = False
    allow_ownership_transfer: bool = False


class RestoreArgument(Argument):
    path: WritePath
    rev: Rev


# ---------------------------------------------------------------- one at a time


@routes.rpc("files/create_folder_v2", CreateFolderArgument, scope="files.content.write")
def create_folder(call: Call, argument: CreateFolderArgument) -> dict[str, Any]:
    """A new folder, with the parents that it lacks."""
    call.check_writes()
    return {"metadata": build_folder(call.view, _create_folder(call, argument.path, autorename=argument.autorename))}


@routes.rpc("files/delete_v2", DeleteArgument, scope="files.content.write")
def delete(call: Call, argument: DeleteArgument) -> dict[str, Any]:
    """Deletes with all that is inside; revisions of files stay."""
    call.check_writes()
    return {"metadata": _delete(call, argument)}


@routes.rpc("files/permanently_delete", DeleteArgument, scope="files.permanent_delete")
def permanently_delete(call: Call, argument: DeleteArgument) -> None:
    """Deletes for good, what is there or what was deleted before."""
    call.check_writes()
    with inside("path_lookup"):
        place = call.view.locate(argument.path)
    if place.resource is not None:
        _delete(call, argument)
    elif call.view.find_trail(place) is None:
        raise RouteError("path_lookup", "not_found")
    call.state.space.erase(place.namespace, place.inner_path)


@routes.rpc("files/move_v2", RelocationArgument, scope="files.content.write")
def move(call: Call, argument: RelocationArgument) -> dict[str, Any]:
    """Another place or name; the ids stay."""
    call.check_writes()
    moved = _relocate(call, argument, autorename=argument.autorename, is_move=True)
    return {"metadata": build_metadata(call.view, moved)}


@routes.rpc("files/copy_v2", RelocationArgument, scope="files.content.write")
def copy(call: Call, argument: RelocationArgument) -> dict[str, Any]:
    """The same once more, under new ids."""
    call.check_writes()
    copied = _relocate(call, argument, autorename=argument.autorename, is_move=False)
    return {"metadata": build_metadata(call.view, copied)}


@routes.rpc("files/restore", RestoreArgument, scope="files.content.write")
def restore(call: Call, argument: RestoreArgument) -> dict[str, Any]:
    """Brings a revision back, as a new one. A deleted file that comes back to its place has the id that it had."""
    call.check_writes()
    known = call.state.space.versions.get(argument.rev)
    if known is None or not call.view.can_read(known[0]):
        raise RouteError("invalid_revision")
    version = known[1]
    with inside("path_write"):
        place = prepare(call.view, argument.path)
        folder = place.folder
        there = place.resource
        if isinstance(there, Folder):
            raise RouteError("conflict", "folder")
    if folder is None:
        raise AssertionError("a prepared place has a folder")
    gone = call.state.space.gone.get(version.file_id)
    file = call.state.space.put_file(
        folder,
        place.name,
        version.content,
        version.content_hash,
        client_modified=version.client_modified,
        revived=gone if gone is not None and gone.version.path == place.inner_path else None,
    )
    return build_file(call.view, file)


# ---------------------------------------------------------------- batches


@routes.rpc("files/create_folder_batch", CreateFolderBatchArgument, scope="files.content.write")
def create_folder_batch(call: Call, argument: CreateFolderBatchArgument) -> dict[str, Any]:
    """Several folders; each has its own outcome."""
    call.check_writes()

    def create(path: str) -> dict[str, Any]:
        return {"metadata": build_folder(call.view, _create_folder(call, path, autorename=argument.autorename))}

    entries = [_try(partial(create, path)) for path in dict.fromkeys(argument.paths)]
    complete = {".tag": "complete", "entries": entries}
    if argument.force_async or len(entries) > SYNCHRONOUS_COUNT_MAX:
        return call.state.launch("create_folder_batch", call.user, complete)
    return complete


@routes.rpc("files/delete_batch", DeleteBatchArgument, scope="files.content.write")
def delete_batch(call: Call, argument: DeleteBatchArgument) -> dict[str, Any]:
    """Several deletions, always as a job."""
    call.check_writes()

    def delete_one(one: DeleteArgument) -> dict[str, Any]:
        return {"metadata": _delete(call, one)}

    entries = [_try(partial(delete_one, one)) for one in argument.entries]
    return call.state.launch("delete_batch", call.user, {".tag": "complete", "entries": entries})


@routes.rpc("files/move_batch_v2", RelocationBatchArgument, scope="files.content.write")
def move_batch(call: Call, argument: RelocationBatchArgument) -> dict[str, Any]:
    """Several moves."""
    return _relocate_batch(call, argument, is_move=True)


@routes.rpc("files/copy_batch_v2", RelocationBatchArgument, scope="files.content.write")
def copy_batch(call: Call, argument: RelocationBatchArgument) -> dict[str, Any]:
    """Several copies."""
    return _relocate_batch(call, argument, is_move=False)


def _add_check(name: str, kind: str) -> None:
    @routes.rpc(name, PollArgument, scope="files.content.write")
    def check(call: Call, argument: PollArgument) -> dict[str, Any]:
        return call.state.poll(kind, call.user, argument.async_job_id)


for _name in ("create_folder_batch", "delete_batch"):
    _add_check(f"files/{_name}/check", _name)
for _name in ("move_batch", "copy_batch"):
    _add_check(f"files/{_name}/check_v2", _name)


def _relocate_batch(call: Call, argument: RelocationBatchArgument, *, is_move: bool) -> dict[str, Any]:
    call.check_writes()

    def relocate(one: RelocationPath) -> dict[str, Any]:
        resource = _relocate(call, one, autorename=argument.autorename, is_move=is_move)
        return {"success": build_metadata(call.view, resource)}

    entries = [_try(partial(relocate, one), failure="relocation_error") for one in argument.entries]
    complete = {".tag": "complete", "entries": entries}
    if len(entries) > SYNCHRONOUS_COUNT_MAX:
        return call.state.launch("move_batch" if is_move else "copy_batch", call.user, complete)
    return complete


def _try(operation: Callable[[], dict[str, Any]], *, failure: str | None = None) -> dict[str, Any]:
    """One entry of a batch: its success, or its failure in the words of the same route for one."""
    try:
        return {".tag": "success", **operation()}
    except RouteError as error:
        if failure is None:
            return {".tag": "failure", "failure": error.error}
        return {".tag": "failure", "failure": {".tag": failure, failure: error.error}}


# ---------------------------------------------------------------- what is done


def _create_folder(call: Call, path: str, *, autorename: bool) -> Folder:
    with inside("path"):
        place = prepare(call.view, path)
        if place.folder is None:
            raise AssertionError("a prepared place has a folder")
        name = place.name
        if place.resource is not None:
            if not autorename:
                raise RouteError("conflict", "file" if isinstance(place.resource, File) else "folder")
            name = find_free_name(place.folder, name, is_folder=True)
        return call.state.space.make_folder(place.folder, name)


def _delete(call: Call, argument: DeleteArgument) -> dict[str, Any]:
    with inside("path_lookup"):
        place = call.view.locate(argument.path)
    resource = place.resource
    if resource is None:
        raise RouteError("path_lookup", "not_found")
    if resource.parent is None:
        raise BadRequestError("The root folder cannot be deleted.")
    if isinstance(resource, File) and argument.parent_rev not in {None, resource.version.rev}:
        raise RouteError("path_write", "conflict", "file")
    described = build_metadata(call.view, resource)
    mount = resource.mount if isinstance(resource, Folder) else None
    if mount is not None:
        if mount.kind is not NamespaceKind.SHARED_FOLDER:
            raise RouteError("path_write", "team_folder")
        call.state.space.unmount(mount, user_number=call.user.number)
        return described
    if not call.view.can_write(resource.namespace):
        raise RouteError("path_write", "no_write_permission")
    call.state.space.remove(resource)
    return described


def _relocate(call: Call, argument: RelocationPath, *, autorename: bool, is_move: bool) -> Resource:
    with inside("from_lookup"):
        source = call.view.locate(argument.from_path)
        if source.resource is None:
            raise RouteError("not_found")
    resource = source.resource
    if resource.parent is None:
        raise BadRequestError("The root folder cannot be moved or copied.")
    if is_move and not call.view.can_write(resource.namespace):
        raise RouteError("from_write", "no_write_permission")
    mount = resource.mount if isinstance(resource, Folder) else None
    if is_move and mount is not None and mount.kind is not NamespaceKind.SHARED_FOLDER:
        raise RouteError("from_write", "team_folder")
    if is_move and _is_same_place(call, argument, source):
        return resource  # also a name that differs in capitals only: the answer is a success, and nothing changes
    folder, name = _find_target(call, argument, source, autorename=autorename, is_move=is_move)
    if isinstance(resource, Folder):
        _check_folder(resource, folder, is_move=is_move)
    if is_move:
        call.state.space.move(resource, folder, name)
        return resource
    return call.state.space.copy(resource, folder, name)


def _is_same_place(call: Call, argument: RelocationPath, source: Place) -> bool:
    with inside("to"):
        return call.view.locate(argument.to_path).resource is source.resource


def _find_target(
    call: Call, argument: RelocationPath, source: Place, *, autorename: bool, is_move: bool
) -> tuple[Folder, str]:
    """The folder and the name to relocate to."""
    if argument.to_path.startswith("id:"):
        raise refuse_path(argument.to_path).within("to")
    with inside("to"):
        wanted = call.view.locate(argument.to_path)
    lower = tuple(part.lower() for part in wanted.parts)
    origin = tuple(part.lower() for part in source.parts)
    if isinstance(source.resource, Folder) and len(lower) > len(origin) and lower[: len(origin)] == origin:
        raise RouteError("duplicated_or_nested_paths" if not is_move else "cant_move_folder_into_itself")
    with inside("to"):
        place = prepare(call.view, argument.to_path)
        if place.folder is None:
            raise AssertionError("a prepared place has a folder")
        if place.resource is None:
            return place.folder, place.name
        if autorename:
            is_folder = isinstance(source.resource, Folder)
            return place.folder, find_free_name(place.folder, place.name, is_folder=is_folder)
        raise RouteError("conflict", "file" if isinstance(place.resource, File) else "folder")


def _check_folder(resource: Folder, target: Folder, *, is_move: bool) -> None:
    inside = list(walk(resource))
    if len(inside) > RELOCATED_COUNT_MAX:
        raise RouteError("too_many_files")
    target_namespace = target.mount or target.home
    shared = [one for one in (resource, *inside) if isinstance(one, Folder) and one.mount is not None]
    if is_move and shared and target_namespace.kind is not NamespaceKind.HOME:
        raise RouteError("cant_nest_shared_folder")
