"""What takes one call in a thread: get, create, move, copy, delete. Blocking; never on the event loop."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Kind, OnConflict, Quota, RawId, Ref, Resource
from connectors.local.copying import copy_file, copy_folder
from connectors.local.deleting import delete_tree
from connectors.local.mapping import Mapper
from connectors.local.names import Parts, read_name, read_raw_id, write_raw_id
from connectors.local.renames import rename_exclusive
from connectors.local.threads import Stop
from connectors.local.tree import Found, OpenFolder, Tree, read_names
from connectors.local.writes import check_free, remove_leftovers


def check_kind(found: Found, kind: Kind) -> None:
    """wrong_type when it is of the other kind."""
    if found.kind != kind:
        raise ConnectorError(ErrorKind.WRONG_TYPE, f"this is a {found.kind}, not a {kind}")


@contextmanager
def naming(tree: Tree, parts: Parts) -> Iterator[None]:
    """A block that gives a path to something; what stands there already is named in already_exists."""
    try:
        yield
    except FileExistsError:
        conflict = None
        try:
            with tree.find(parts) as found:
                conflict = Ref(found.kind, write_raw_id(parts))
        except (OSError, ConnectorError):  # gone again, or nothing that is ever shown
            pass
        raise ConnectorError(ErrorKind.ALREADY_EXISTS, "the name is taken", conflict=conflict) from None


def get(tree: Tree, mapper: Mapper, ref: Ref) -> Resource:
    """The file or folder as it is now."""
    parts = read_raw_id(ref.raw_id)
    with tree.find(parts) as found:
        check_kind(found, ref.kind)
        return mapper.build(parts, found.status)


def get_by_path(tree: Tree, mapper: Mapper, parts: Parts, *, is_folder: bool) -> Resource:
    """What stands at a path; not_found for a file where the path says folder."""
    with tree.find(parts) as found:
        if is_folder and found.kind != "folder":
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such folder")
        return mapper.build(parts, found.status)


def get_quota(tree: Tree) -> Quota:
    """The space of the disk that the account's folder is on."""
    with tree.find(()) as found:
        space = os.fstatvfs(found.folder)
    total_bytes = space.f_blocks * space.f_frsize
    used_bytes = total_bytes - space.f_bfree * space.f_frsize
    return Quota(total_bytes, used_bytes, space.f_bavail * space.f_frsize)


def create_folder(tree: Tree, mapper: Mapper, parent: RawId, name: str) -> Resource:
    """A new folder."""
    above = read_raw_id(parent)
    encoded = read_name(name, parent=above)
    parts = (*above, encoded)
    with tree.open_target(above) as folder, naming(tree, parts):
        os.mkdir(encoded, dir_fd=folder.descriptor)
        os.fsync(folder.descriptor)
        status = os.stat(encoded, dir_fd=folder.descriptor, follow_symlinks=False)
    return mapper.build(parts, status)


def update(tree: Tree, mapper: Mapper, ref: Ref, name: str | None, parent: RawId | None) -> Resource:
    """Renames and moves in one step; a link itself, not what it leads to."""
    parts = read_raw_id(ref.raw_id)
    with tree.find(parts) as seen:
        check_kind(seen, ref.kind)
        status = seen.status
    above = parts[:-1] if parent is None else read_raw_id(parent)
    with tree.find(parts, follow=False) as source, tree.open_target(above) as target:
        encoded = source.name if name is None else read_name(name, parent=above)
        _refuse_inside_itself(source, target)
        with naming(tree, (*above, encoded)):
            _rename(source, target, encoded)
    return mapper.build((*above, encoded), status)


def _refuse_inside_itself(source: Found, target: OpenFolder) -> None:
    if stat.S_ISDIR(source.status.st_mode) and target.real[: len(source.real)] == source.real:
        raise ConnectorError(ErrorKind.INVALID_TARGET, "a folder cannot be put into itself")


def _rename(source: Found, target: OpenFolder, name: bytes) -> None:
    is_same_folder = os.path.samestat(os.fstat(source.folder), os.fstat(target.descriptor))
    if is_same_folder and name == source.name:
        return
    is_folder = stat.S_ISDIR(source.status.st_mode)
    try:
        rename_exclusive(source.folder, source.name, target.descriptor, name, is_folder=is_folder)
    except FileExistsError:
        if not is_same_folder or not _is_same_entry(source, target, name):
            raise
        os.rename(source.name, name, src_dir_fd=source.folder, dst_dir_fd=target.descriptor)
    os.fsync(target.descriptor)
    if not is_same_folder:
        _sync_folder(source.folder)


def _is_same_entry(source: Found, target: OpenFolder, name: bytes) -> bool:
    """True when the disk takes the new name for the old one, differing in case only; two hard links are two entries."""
    there = os.stat(name, dir_fd=target.descriptor, follow_symlinks=False)
    return os.path.samestat(there, source.status) and name not in read_names(target.descriptor)


def _sync_folder(folder: int) -> None:
    opened = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def copy(
    tree: Tree, mapper: Mapper, ref: Ref, parent: RawId, name: str | None, on_conflict: OnConflict, stop: Stop
) -> Resource:
    """A copy, unseen until it is whole."""
    parts, above = read_raw_id(ref.raw_id), read_raw_id(parent)
    if not parts:
        raise ConnectorError(ErrorKind.INVALID_TARGET, "a folder cannot be put into itself")
    encoded = parts[-1] if name is None else read_name(name, parent=above)
    with tree.find(parts) as source:
        check_kind(source, ref.kind)
        opened = source.open_folder() if ref.kind == "folder" else source.open_file()
        try:
            with (
                tree.open_place(above, encoded, on_conflict) as (target, real_name),
                naming(tree, (*above, encoded)),
            ):
                _refuse_inside_itself(source, target)
                check_free(target.descriptor, real_name, on_conflict)
                copy_opened = copy_folder if ref.kind == "folder" else copy_file
                published = copy_opened(opened, target.descriptor, real_name, on_conflict, stop)
        finally:
            os.close(opened)
    return mapper.build((*above, published.seen_as(encoded).name), published.status)


def delete(tree: Tree, ref: Ref) -> None:
    """Deletes a file or an empty folder; a link itself, not what it leads to."""
    with _deleting(tree, ref) as found:
        if stat.S_ISDIR(found.status.st_mode):
            _delete_empty(found)
        else:
            os.unlink(found.name, dir_fd=found.folder)


def delete_all(tree: Tree, ref: Ref, stop: Stop) -> None:
    """Deletes a folder with all it holds; a link itself, not what it leads to."""
    with _deleting(tree, ref) as found:
        if stat.S_ISDIR(found.status.st_mode):
            delete_tree(found.folder, found.name, stop)
        else:
            os.unlink(found.name, dir_fd=found.folder)


@contextmanager
def _deleting(tree: Tree, ref: Ref) -> Iterator[Found]:
    """Holds what is to be deleted, and makes the deletion last."""
    parts = read_raw_id(ref.raw_id)
    with tree.find(parts) as seen:
        check_kind(seen, ref.kind)
    with tree.find(parts, follow=False) as found:
        yield found
        _sync_folder(found.folder)


def _delete_empty(found: Found) -> None:
    try:
        os.rmdir(found.name, dir_fd=found.folder)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        opened = found.open_folder()
        try:
            was_leftovers_only = remove_leftovers(opened)
        finally:
            os.close(opened)
        if not was_leftovers_only:
            raise
        os.rmdir(found.name, dir_fd=found.folder)
