"""Paths as one caller sees them: relative to the namespace that the request chose, without regard to capitals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulators.core.users import User
from simulators.dropbox.errors import BadRequestError, RouteError, refuse_path
from simulators.dropbox.space import Space
from simulators.dropbox.tree import (
    AccessLevel,
    File,
    Folder,
    Namespace,
    Resource,
    Trail,
    Version,
    build_inner_path,
    read_parts,
)

NAME_CHARACTERS_MAX = 255
PATH_CHARACTERS_MAX = 5000
DISALLOWED_NAMES = frozenset(
    {"desktop.ini", "thumbs.db", ".ds_store", "icon\r", ".dropbox", ".dropbox.attr", ".dropbox.cache"}
)
_NAMESPACE_PATH = re.compile(r"ns:([0-9]+)((?:/.*)?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is or could be: `resource` is None where nothing is; `folder` is None where no parent is.

    `parts` count from `root`; they are empty where that is what was asked for, and where there is no way from it.
    """

    parts: tuple[str, ...]
    folder: Folder | None
    resource: Resource | None
    namespace: Namespace
    inner_path: str
    root: Namespace

    @property
    def name(self) -> str:
        """As the caller wrote it."""
        return self.parts[-1]


@dataclass(frozen=True, slots=True)
class View:
    """What `user` sees below the namespace `root`."""

    space: Space
    user: User
    root: Namespace

    # ------------------------------------------------------------ from paths to resources

    def locate(self, path: str) -> Place:
        """What a path, id:… or ns:… means; RouteError("malformed_path") when it cannot mean anything."""
        if path.startswith("id:"):
            resource = self.find_by_id(path)
            if resource is None:
                raise RouteError("not_found")
            return self.build_place(resource)
        within = _NAMESPACE_PATH.fullmatch(path)
        if within is not None:
            namespace = self.space.namespaces.get(within[1])
            # Only what can be seen from the root has an ns: path, whatever the caller is a member of.
            if namespace is None or self.translate(namespace, "") is None:
                raise RouteError("not_found")
            return self.locate_below(namespace, _split(within[2]))
        return self.locate_below(self.root, _split(path))

    def locate_below(self, root: Namespace, parts: tuple[str, ...]) -> Place:
        """What these names lead to, counted from a namespace."""
        folder: Folder | None = root.root
        namespace = root
        resource: Resource | None = root.root
        inner: list[str] = []
        for part in parts:
            folder = resource if isinstance(resource, Folder) else None
            if folder is not None and folder.mount is not None:
                namespace, inner = folder.mount, []
            inner.append(part.lower())
            child = folder.children.get(part.lower()) if folder is not None else None
            resource = child if child is not None and self.is_visible(child) else None
        inner_path = "".join(f"/{part}" for part in inner)
        return Place(parts, folder if parts else None, resource, namespace, inner_path, root)

    def get(self, path: str) -> Resource:
        """The resource; RouteError("not_found")."""
        place = self.locate(path)
        if place.resource is None:
            raise RouteError("not_found")
        return place.resource

    def get_folder(self, path: str) -> Folder:
        """A folder; RouteError("not_found") or ("not_folder")."""
        resource = self.get(path)
        if isinstance(resource, File):
            raise RouteError("not_folder")
        return resource

    def get_version(self, path: str) -> tuple[File | None, Version]:
        """A file's present version, or the one that rev:… names; the file is None when that one is not its last."""
        if path.startswith("rev:"):
            known = self.space.versions.get(path.removeprefix("rev:"))
            if known is None or not self.can_read(known[0]):
                raise RouteError("not_found")
            file = self.space.resources.get(known[1].file_id)
            return (file if isinstance(file, File) else None), known[1]
        resource = self.get(path)
        if isinstance(resource, Folder):
            raise RouteError("not_file")
        return resource, resource.version

    def find_by_id(self, resource_id: str) -> Resource | None:
        """The resource if this user may know of it."""
        resource = self.space.resources.get(resource_id)
        if resource is None:
            return None
        if isinstance(resource, File) and self.user.number in resource.members:
            return resource
        if isinstance(resource, Folder) and (resource.mount is not None or resource.parent is None):
            # One id stands for the root of a namespace and for every folder that mounts it.
            resource = _get_inner(resource).mounts.get(self.user.number, resource)
        return resource if self.can_read(_get_inner(resource)) else None

    def find_gone(self, path: str) -> File | None:
        """The deleted file that an id stands for, if this user could see it."""
        gone = self.space.gone.get(path)
        return gone if gone is not None and self.can_read(self.space.versions[gone.version.rev][0]) else None

    def locate_gone(self, gone: File) -> Place:
        """Where a deleted file was; RouteError("not_found") when that is not to be seen from here."""
        namespace, version = self.space.versions[gone.version.rev]
        parts = self.translate(namespace, version.path)
        if parts is None:
            raise RouteError("not_found")
        return self.locate_below(self.root, (*parts[:-1], gone.name))

    def find_trail(self, place: Place) -> Trail | None:
        """What was there once, if nothing is."""
        trail = place.namespace.trails.get(place.inner_path)
        return trail if trail is not None and trail.deleted_at is not None else None

    # ------------------------------------------------------------ from resources to paths

    def build_parts(self, resource: Resource) -> tuple[str, ...] | None:
        """The names down to a resource; None when it is not to be seen from here."""
        parts: list[str] = []
        here = resource
        while here is not self.root.root:
            if here.parent is not None:
                parts.append(here.name)
                here = here.parent
                continue
            mounting = here.home.mounts.get(self.user.number)
            if mounting is None:
                return None
            here = mounting
        return tuple(reversed(parts))

    def build_place(self, resource: Resource) -> Place:
        """Where a resource is; without parts if it is not to be seen from here."""
        parts = self.build_parts(resource) or ()
        inner = build_inner_path(resource)
        return Place(parts, resource.parent, resource, resource.namespace, inner, self.root)

    def translate(self, namespace: Namespace, inner_path: str) -> tuple[str, ...] | None:
        """The names down to a path of a namespace; None when that one is not to be seen from here."""
        if namespace is self.root:
            return tuple(read_parts(inner_path))
        mounting = namespace.mounts.get(self.user.number)
        parts = None if mounting is None else self.build_parts(mounting)
        return None if parts is None else (*parts, *read_parts(inner_path))

    def list_children(self, folder: Folder) -> list[Resource]:
        """What the user sees in a folder: of a team space nothing that is mounted for others only."""
        return [child for child in folder.children.values() if self.is_visible(child)]

    def is_visible(self, resource: Resource) -> bool:
        """Mounted folders show to whom they are mounted for."""
        mount = resource.mount if isinstance(resource, Folder) else None
        return mount is None or mount.mounts.get(self.user.number) is resource

    # ------------------------------------------------------------ rights

    def can_read(self, namespace: Namespace) -> bool:
        """Is the user a member?"""
        return self.user.number in namespace.members

    def can_write(self, namespace: Namespace) -> bool:
        """Is the user a member who may change things?"""
        level = namespace.members.get(self.user.number)
        return level is not None and AccessLevel(level).can_write


def check_name(name: str) -> None:
    """RouteError if Dropbox would not store something of this name."""
    if len(name) > NAME_CHARACTERS_MAX:
        raise refuse_path(name)
    if name.lower() in DISALLOWED_NAMES:
        raise RouteError("disallowed_name")


def _split(path: str) -> tuple[str, ...]:
    if path == "/":
        raise BadRequestError('Specify the root folder as an empty string rather than as "/".')
    if not path:
        return ()
    # Slashes that follow each other count as one: rclone's "//folder" is known to work. One at the end does not.
    parts = tuple(read_parts(path))
    if len(path) > PATH_CHARACTERS_MAX or "\0" in path or path.endswith("/") or not {".", ".."}.isdisjoint(parts):
        raise refuse_path(path)
    return parts


def _get_inner(resource: Resource) -> Namespace:
    return resource.mount if isinstance(resource, Folder) and resource.mount is not None else resource.namespace
