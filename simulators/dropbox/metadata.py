"""What Dropbox says about files, folders and what was deleted."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from PIL import Image, UnidentifiedImageError

from simulators.dropbox.state import build_account_id, format_time
from simulators.dropbox.tree import File, Folder, NamespaceKind, Resource, Trail, Version
from simulators.dropbox.views import View

PICTURE_BYTES_MAX = 20 * 1024 * 1024
PICTURE_ENDINGS = frozenset({"jpg", "jpeg", "png", "tiff", "tif", "gif", "webp", "ppm", "bmp"})
EXPORTS = {"paper": ("html", ("html", "md")), "gdoc": ("docx", ("docx",)), "gsheet": ("xlsx", ("xlsx",))}
"""Endings of files that are not downloaded but exported: the usual format, and all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a caller wants to hear beside the usual."""

    media_info: bool = False
    has_explicit_members: bool = False
    template_ids: tuple[str, ...] = ()
    restorable_info: bool = False


NO_WISHES = Wishes()


def build_metadata(view: View, resource: Resource, wishes: Wishes = NO_WISHES) -> dict[str, Any]:
    """A file or a folder with its tag, where the answer can be either."""
    if isinstance(resource, File):
        return {".tag": "file", **build_file(view, resource, wishes=wishes)}
    return {".tag": "folder", **build_folder(view, resource, wishes=wishes)}


def build_file(view: View, file: File, *, version: Version | None = None, wishes: Wishes = NO_WISHES) -> dict[str, Any]:
    """A file, or one of its versions, where the answer can be nothing else."""
    shown = version or file.version
    found = {
        "name": file.name,
        **_build_paths(view.build_parts(file)),
        **build_version(shown),
        **_build_file_sharing(view, file),
        **_build_properties(file, wishes),
    }
    if wishes.has_explicit_members:
        found["has_explicit_shared_members"] = bool(file.members or file.invitees)
    if wishes.media_info and is_picture(file.name):
        media_info = _build_media_info(shown)
        if media_info is not None:
            found["media_info"] = media_info
    return found


def build_version(version: Version, *, wishes: Wishes = NO_WISHES) -> dict[str, Any]:
    """What belongs to one revision of a file."""
    found: dict[str, Any] = {
        "id": version.file_id,
        "client_modified": format_time(version.client_modified),
        "server_modified": format_time(version.server_modified),
        "rev": version.rev,
        "size": version.content.size_bytes,
        "is_downloadable": True,
        "content_hash": version.content_hash,
    }
    if wishes.restorable_info:
        found["is_restorable"] = True
    exports = EXPORTS.get(get_ending(version.name))
    if exports is not None:
        found["is_downloadable"] = False
        found["export_info"] = {"export_as": exports[0], "export_options": list(exports[1])}
    return found


def build_gone_version(version: Version, parts: tuple[str, ...] | None, wishes: Wishes) -> dict[str, Any]:
    """A revision of a file at the path where it was, whether or not the file is there now."""
    name = parts[-1] if parts else version.name
    return {"name": name, **_build_paths(parts), **build_version(version, wishes=wishes)}


def build_folder(view: View, folder: Folder, *, wishes: Wishes = NO_WISHES) -> dict[str, Any]:
    """A folder, where the answer can be nothing else."""
    found = {
        "name": folder.name,
        **_build_paths(view.build_parts(folder)),
        "id": folder.resource_id,
        **_build_properties(folder, wishes),
    }
    shared = _find_shared(folder)
    parent = _find_parent_shared(folder)
    if shared is not None or parent is not None:
        info: dict[str, Any] = {
            "read_only": not view.can_write(folder.mount or folder.home),
            "traverse_only": False,
            "no_access": False,
        }
        if shared is not None:
            found["shared_folder_id"] = info["shared_folder_id"] = shared
        if parent is not None:
            found["parent_shared_folder_id"] = info["parent_shared_folder_id"] = parent
        found["sharing_info"] = info
    return found


def build_deleted(parts: Iterable[str], trail: Trail | None, wishes: Wishes = NO_WISHES) -> dict[str, Any]:
    """What is no longer there."""
    names = tuple(parts)
    if trail is not None:
        names = (*names[:-1], trail.name)
    found = {".tag": "deleted", "name": names[-1], **_build_paths(names)}
    if wishes.restorable_info:
        found["is_restorable"] = trail is not None and bool(trail.versions)
    return found


def get_ending(name: str) -> str:
    """A file's extension in small letters, without the dot."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def is_picture(name: str) -> bool:
    """Is there a thumbnail of it?"""
    return get_ending(name) in PICTURE_ENDINGS


def build_group_list(properties: dict[str, dict[str, str]], template_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The custom properties of these templates."""
    return [
        {
            "template_id": template_id,
            "fields": [{"name": name, "value": value} for name, value in properties[template_id].items()],
        }
        for template_id in template_ids
        if template_id in properties
    ]


def _build_paths(parts: tuple[str, ...] | None) -> dict[str, Any]:
    if parts is None:
        return {}
    path = "".join(f"/{part}" for part in parts)
    return {"path_lower": path.lower(), "path_display": path}


def _build_file_sharing(view: View, file: File) -> dict[str, Any]:
    shared = _find_parent_shared(file)
    if shared is None:
        return {}
    info: dict[str, Any] = {"read_only": not view.can_write(file.namespace), "parent_shared_folder_id": shared}
    owner = file.version.author_number or file.namespace.owner_number
    user = view.space.world.users.find(owner) if owner is not None else None
    if user is not None:
        info["modified_by"] = build_account_id(user)
    return {"parent_shared_folder_id": shared, "sharing_info": info}


def _find_shared(folder: Folder) -> str | None:
    mount = folder.mount
    return mount.namespace_id if mount is not None and mount.kind is not NamespaceKind.HOME else None


def _find_parent_shared(resource: Resource) -> str | None:
    namespace = resource.namespace
    if namespace.kind in {NamespaceKind.HOME, NamespaceKind.TEAM_ROOT}:
        return None
    return namespace.namespace_id


def _build_properties(resource: Resource, wishes: Wishes) -> dict[str, Any]:
    if not wishes.template_ids:
        return {}
    return {"property_groups": build_group_list(resource.properties, wishes.template_ids)}


def _build_media_info(version: Version) -> dict[str, Any] | None:
    if version.content.size_bytes > PICTURE_BYTES_MAX:
        return {".tag": "pending"}
    try:
        with Image.open(io.BytesIO(version.content.read())) as picture:
            width, height = picture.size
    except (UnidentifiedImageError, OSError):
        return None
    return {
        ".tag": "metadata",
        "metadata": {".tag": "photo", "dimensions": {"height": height, "width": width}},
    }
