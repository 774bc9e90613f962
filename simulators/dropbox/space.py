"""All namespaces of the simulator, and the only place where anything in them is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from simulators.core.contents import Content
from simulators.core.users import User
from simulators.core.world import World
from simulators.dropbox.journal import Journal
from simulators.dropbox.tree import (
    AccessLevel,
    File,
    Folder,
    Namespace,
    NamespaceKind,
    Resource,
    Trail,
    Version,
    build_inner_path,
    invent_id,
)

FIRST_NAMESPACE_NUMBER = 3_235_641
SPACE_BYTES = 2 * 1024**4


@dataclass(slots=True, kw_only=True)
class Space:
    """What is stored, for everybody."""

    world: World
    journal: Journal = field(default_factory=Journal)
    space_bytes_max: int = SPACE_BYTES
    written_bytes: int = 0
    """All that was ever stored, what is gone included: as long as this fits nothing needs to be counted."""
    on_new_home: Callable[[Space, User], None] | None = None
    """Called once for each user, when the home is new: fills it with samples."""
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    versions: dict[str, tuple[Namespace, Version]] = field(default_factory=dict)
    gone: dict[str, File] = field(default_factory=dict)
    """Files that were deleted, by id, as long as a revision of them can be brought back."""
    _homes: dict[int, Namespace] = field(default_factory=dict)
    _team_roots: dict[str, Namespace] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    # ------------------------------------------------------------ namespaces

    @property
    def nowhere(self) -> Namespace:
        """What is seen by callers that are no user: nothing, and nothing can be put there."""
        now = self.world.clock.now()
        return Namespace(namespace_id="0", kind=NamespaceKind.HOME, name="", owner_number=None, created_at=now)

    def get_home(self, user: User) -> Namespace:
        """The user's own namespace; made, and filled, when it is first asked for."""
        home = self._homes.get(user.number)
        if home is None:
            home = self.add_namespace(NamespaceKind.HOME, user.name, owner=user)
            self._homes[user.number] = home
            if user.team is not None:
                self.mount(home, self.get_team_root(user.team).root, user.name, user_number=user.number)
            if self.on_new_home is not None:
                self.on_new_home(self, user)
        return home

    def get_root(self, user: User) -> Namespace:
        """The namespace above the user's home: the team's, or the home itself."""
        return self.get_home(user) if user.team is None else self.get_team_root(user.team)

    def get_team_root(self, team: str) -> Namespace:
        """The team space: member folders and team folders."""
        root = self._team_roots.get(team)
        if root is None:
            root = self._team_roots[team] = self.add_namespace(NamespaceKind.TEAM_ROOT, team, owner=None)
        for user in self.world.users.list_team(team):
            root.members[user.number] = AccessLevel.EDITOR if user.is_admin else AccessLevel.VIEWER
        return root

    def add_namespace(self, kind: NamespaceKind, name: str, *, owner: User | None) -> Namespace:
        """An empty one."""
        number = str(FIRST_NAMESPACE_NUMBER + next(self._numbers))
        namespace = Namespace(
            namespace_id=number,
            kind=kind,
            name=name,
            owner_number=owner.number if owner else None,
            created_at=self.world.clock.now(),
        )
        if owner is not None:
            namespace.members[owner.number] = AccessLevel.OWNER
        self.namespaces[number] = namespace
        self._keep(namespace.root)
        return namespace

    def add_team_folder(self, team: str, name: str) -> Namespace:
        """A folder of the team space that every member may write in."""
        namespace = self.add_namespace(NamespaceKind.TEAM_FOLDER, name, owner=None)
        root = self.get_team_root(team).root
        for user in self.world.users.list_team(team):
            namespace.members[user.number] = AccessLevel.EDITOR
            self.mount(namespace, root, name, user_number=user.number)
        return namespace

    def mount(self, namespace: Namespace, folder: Folder, name: str, *, user_number: int) -> Folder:
        """Shows a namespace as a folder of this name; users of one team share the folder in which a team's is shown."""
        there = folder.children.get(name.lower())
        if isinstance(there, Folder) and there.mount is namespace:
            mounting = there
        else:
            mounting = Folder(
                resource_id=namespace.root.resource_id,
                name=name,
                parent=folder.inner,
                home=folder.inner.home,
                created_at=self.world.clock.now(),
                mount=namespace,
            )
            self._attach(mounting)
        namespace.mounts[user_number] = mounting
        self._note(mounting, is_deep=True)
        return mounting

    def unmount(self, namespace: Namespace, *, user_number: int) -> None:
        """The user no longer sees it anywhere."""
        mounting = namespace.mounts.pop(user_number, None)
        if mounting is not None and mounting not in namespace.mounts.values():
            self._forget(mounting)
            self._keep(namespace.root)

    # ------------------------------------------------------------ changes

    def put_file(
        self,
        folder: Folder,
        name: str,
        content: Content,
        content_hash: str,
        *,
        client_modified: datetime | None = None,
        server_modified: datetime | None = None,
        revived: File | None = None,
    ) -> File:
        """A new file of this name, or a new version of the one that is there, or of one that was deleted."""
        there = folder.children.get(name.lower())
        now = server_modified or self.world.clock.now()
        if isinstance(there, File):
            file = there
        else:
            file = revived or File(resource_id=invent_id(), name=name, parent=folder.inner, versions=[])
            file.name, file.parent = name, folder.inner
            self.gone.pop(file.resource_id, None)
        version = Version(
            rev=self._invent_rev(),
            content=content,
            content_hash=content_hash,
            client_modified=client_modified or now,
            server_modified=now,
            file_id=file.resource_id,
            name=file.name,
            path=build_inner_path(file),
        )
        self.written_bytes += content.size_bytes
        self._add_version(file, version)
        self._attach(file)
        self._note(file)
        return file

    def make_folder(self, folder: Folder, name: str) -> Folder:
        """A new, empty folder."""
        made = Folder(
            resource_id=invent_id(),
            name=name,
            parent=folder.inner,
            home=folder.inner.home,
            created_at=self.world.clock.now(),
        )
        self._attach(made)
        self._note(made)
        return made

    def remove(self, resource: Resource) -> None:
        """Deletes it with all that is in it; the trails know how to bring files back. What was mounted lives on."""
        self._forget(resource)
        for gone in [resource, *(_walk_own(resource) if isinstance(resource, Folder) else ())]:
            self.resources.pop(gone.resource_id, None)
            if isinstance(gone, File):
                self.gone[gone.resource_id] = gone
            mount = gone.mount if isinstance(gone, Folder) else None
            if mount is not None:
                mount.mounts = {number: folder for number, folder in mount.mounts.items() if folder is not gone}
                self._keep(mount.root)

    def move(self, resource: Resource, folder: Folder, name: str) -> None:
        """Another place or another name, the same ids; each file gets a new revision there."""
        self._forget(resource)
        resource.parent = folder.inner
        resource.name = name
        for moved in [resource, *(_walk_own(resource) if isinstance(resource, Folder) else ())]:
            if isinstance(moved, File):
                self._renew(moved)
            else:
                moved.home = moved.parent.home if moved.parent else moved.home
                self._trace(moved)
        self._attach(resource)
        self._note(resource, is_deep=isinstance(resource, Folder))

    def copy(self, resource: Resource, folder: Folder, name: str) -> Resource:
        """The same bytes under new ids; what a folder mounts is copied as plain folders."""
        if isinstance(resource, File):
            version = resource.version
            return self.put_file(
                folder, name, version.content, version.content_hash, client_modified=version.client_modified
            )
        children = list(resource.children.values())
        made = self.make_folder(folder, name)
        for child in children:
            self.copy(child, made, child.name)
        return made

    def erase(self, namespace: Namespace, path: str) -> None:
        """Forgets what was deleted at a path and below: it cannot be brought back."""
        for gone in [trail for trail in namespace.trails if trail == path or trail.startswith(f"{path}/")]:
            for version in namespace.trails.pop(gone).versions:
                self.versions.pop(version.rev, None)
                self.gone.pop(version.file_id, None)

    def note(self, resource: Resource) -> None:
        """Something about it changed that feeds tell of, such as who shares it."""
        self._note(resource)

    def convert(self, folder: Folder, namespace: Namespace) -> None:
        """A plain folder becomes the place where this new namespace is mounted; its contents move in."""
        namespace.root.own_children = folder.own_children
        self.resources.pop(namespace.root.resource_id, None)
        namespace.root.resource_id = folder.resource_id
        folder.own_children = {}
        folder.mount = namespace
        self._rehome(namespace.root, namespace)
        self._note(folder, is_deep=True)

    def revert(self, folder: Folder) -> None:
        """The reverse of `convert`: the folder keeps its contents for itself."""
        namespace = folder.mount
        if namespace is None:
            raise ValueError("it mounts nothing")
        folder.mount = None
        folder.own_children = namespace.root.own_children
        namespace.root.own_children = {}
        self._rehome(folder, folder.home)
        self._keep(folder)
        self._note(folder, is_deep=True)

    # ------------------------------------------------------------ details

    def has_room(self, user: User, size_bytes: int) -> bool:
        """Does so much more fit into the user's space?"""
        if self.written_bytes + size_bytes <= self.space_bytes_max:
            return True
        return self.measure(self.get_home(user)) + size_bytes <= self.space_bytes_max

    def measure(self, namespace: Namespace) -> int:
        """The bytes of all files in a namespace, without those that it mounts."""
        return sum(child.version.content.size_bytes for child in _walk_own(namespace.root) if isinstance(child, File))

    def _rehome(self, folder: Folder, namespace: Namespace) -> None:
        for child in folder.own_children.values():
            child.parent = folder
        for child in _walk_own(folder):
            if isinstance(child, Folder):
                child.home = namespace
        for child in _walk_own(folder):
            self._trace(child)
            for version in child.versions if isinstance(child, File) else ():
                self.versions[version.rev] = (namespace, version)

    def _renew(self, file: File) -> None:
        last = file.version
        version = Version(
            rev=self._invent_rev(),
            content=last.content,
            content_hash=last.content_hash,
            client_modified=last.client_modified,
            server_modified=last.server_modified,
            file_id=file.resource_id,
            name=file.name,
            path=build_inner_path(file),
        )
        self._add_version(file, version)

    def _add_version(self, file: File, version: Version) -> None:
        file.versions.append(version)
        self.versions[version.rev] = (file.namespace, version)
        self._trace(file).versions.append(version)

    def _trace(self, resource: Resource) -> Trail:
        """The trail of a path, which says now that this is there."""
        is_folder = isinstance(resource, Folder)
        trails = resource.namespace.trails
        path = build_inner_path(resource)
        trail = trails.get(path)
        if trail is None:
            trail = trails[path] = Trail(name=resource.name, is_folder=is_folder)
        trail.name, trail.is_folder, trail.deleted_at = resource.name, is_folder, None
        return trail

    def _attach(self, resource: Resource) -> None:
        if resource.parent is not None:
            resource.parent.own_children[resource.name.lower()] = resource
        self._keep(resource)
        self._trace(resource)

    def _forget(self, resource: Resource) -> None:
        now = self.world.clock.now()
        namespace = resource.namespace
        for gone in [resource, *(_walk_own(resource) if isinstance(resource, Folder) else ())]:
            trail = namespace.trails.get(build_inner_path(gone))
            if trail is not None:
                trail.deleted_at = now
        path = build_inner_path(resource)
        if resource.parent is not None:
            resource.parent.own_children.pop(resource.name.lower(), None)
        self.journal.add(namespace, path)

    def _keep(self, resource: Resource) -> None:
        self.resources[resource.resource_id] = resource

    def _note(self, resource: Resource, *, is_deep: bool = False) -> None:
        self.journal.add(resource.namespace, build_inner_path(resource), is_deep=is_deep)

    def _invent_rev(self) -> str:
        return f"01{next(self._numbers):013x}"


def _walk_own(folder: Folder) -> list[Resource]:
    """All below a folder in the same namespace; nothing of what it mounts."""
    if folder.mount is not None:
        return []
    found: list[Resource] = []
    for child in folder.own_children.values():
        found.append(child)
        if isinstance(child, Folder):
            found += _walk_own(child)
    return found
