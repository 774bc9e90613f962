"""Pages of a folder, of a tree and of a search: in order of the names' bytes, each on from the last one's last name."""

from __future__ import annotations

import base64
import heapq
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b

from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.folding import fold
from connectors.core.resources import Page, Resource
from connectors.local.mapping import Above, Mapper
from connectors.local.names import Parts, is_hidden, show, split_path
from connectors.local.threads import Stop
from connectors.local.tree import Tree, read_names
from connectors.local.writes import sweep

WALK_ENTRIES_MAX = 200_000
"""How many names one page of a tree or a search looks at."""

WALK_SECONDS_MAX = 5.0
"""How long one page of a tree or a search looks."""

_CURSOR_VERSION = b"\x01"
_SCOPE_BYTES = 8


def list_page(tree: Tree, mapper: Mapper, folder: Parts, cursor: str | None, limit: int) -> Page:
    """One page of a folder. Only this page's files are looked at; leftovers of killed writers are swept on the way."""
    after = b"/".join(_read_cursor(cursor, b"list", folder))
    with tree.open_folder(folder) as opened:
        names = read_names(opened.descriptor)
        hidden = {name for name in names if name.startswith(b".") and is_hidden(name)}
        sweep(opened.descriptor, hidden)
        if names and names[0] > names[-1]:
            names.reverse()  # falling order, as disks in memory give it, is the slowest to choose from
        names = heapq.nsmallest(limit + 1, (name for name in names if name > after and name not in hidden))
        above = Above.build(folder, mapper.root_name)
        resources = [
            resource
            for name in names[:limit]
            if (resource := _look(tree, mapper, above, opened.descriptor, name)) is not None
        ]
    next_cursor = _write_cursor(b"list", folder, names[limit - 1]) if len(names) > limit else None
    return Page(resources, next_cursor)


def _look(tree: Tree, mapper: Mapper, above: Above, folder: int, name: bytes) -> Resource | None:
    """The resource, through a link if need be; None for what is gone, leads nowhere or is no file or folder."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        try:
            with tree.find((*above.parts, name)) as found:
                status = found.status
        except (OSError, ConnectorError):
            return None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        return None
    return mapper.build_child(above, name, status)


@dataclass(slots=True)
class Walk:
    """One page of what is below a folder, or of that whose name holds the query: each folder before what it holds.

    Links are found, not followed.
    """

    tree: Tree
    mapper: Mapper
    folder: Parts
    cursor: str | None
    limit: int
    query: str | None = None
    seen: int = 0
    started_at: float = field(default_factory=time.monotonic)

    def run(self, stop: Stop) -> Page:
        """The page. When a limit ends it early it is partial, and its cursor goes on from there."""
        wanted = None if self.query is None else fold(self.query)
        scope = b"walk" if wanted is None else b"search\0" + wanted.encode("utf-8", "surrogatepass")
        last: Parts = ()
        resources: list[Resource] = []
        for parts in self._walk(_read_cursor(self.cursor, scope, self.folder), stop):
            if len(resources) == self.limit or self._is_spent:
                next_cursor = _write_cursor(scope, self.folder, b"/".join(last))
                return Page(resources, next_cursor, is_partial=len(resources) < self.limit)
            self.seen += 1
            last = parts[len(self.folder) :]
            if wanted is None or wanted in fold(show(parts[-1])):
                resources += self._build(parts)
        return Page(resources)

    @property
    def _is_spent(self) -> bool:
        if not self.seen:
            return False  # every page moves on by at least one name
        return self.seen >= WALK_ENTRIES_MAX or time.monotonic() - self.started_at > WALK_SECONDS_MAX

    def _build(self, parts: Parts) -> Iterator[Resource]:
        with suppress(OSError, ConnectorError), self.tree.find(parts) as found:
            if found.kind:
                yield self.mapper.build(parts, found.status)

    def _walk(self, done: Parts, stop: Stop) -> Iterator[Parts]:
        """Every path below the folder, from behind the path `done` on."""
        pending = [_Names(self.folder + done[:depth], after=name) for depth, name in enumerate(done)]
        pending.append(_Names(self.folder + done))
        while pending:
            stop.check()
            level = pending[-1]
            if level.names is None:
                level.names = self._read_names(level)
            if not level.names:
                pending.pop()
                continue
            name, is_folder = level.names.pop()
            parts = (*level.folder, name)
            yield parts
            if is_folder:
                pending.append(_Names(parts))

    def _read_names(self, level: _Names) -> list[tuple[bytes, bool]]:
        """The names after the level's, last first. A folder that is gone, is a link or may not be read has none."""
        try:
            with self.tree.find(level.folder, follow=level.folder == self.folder) as found:
                names = _scan(found.open_folder())
        except (OSError, ConnectorError):
            if level.folder == self.folder:
                raise
            return []
        return sorted((entry for entry in names if entry[0] > level.after and not is_hidden(entry[0])), reverse=True)


@dataclass(slots=True)
class _Names:
    folder: Parts
    after: bytes = b""
    names: list[tuple[bytes, bool]] | None = None


def _scan(folder: int) -> list[tuple[bytes, bool]]:
    """The names in an open folder, and which of them are folders; closes it."""
    try:
        with os.scandir(folder) as entries:
            return [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
    finally:
        os.close(folder)


def _scope(kind: bytes, folder: Parts) -> bytes:
    return blake2b(b"\0".join([kind, *folder]), digest_size=_SCOPE_BYTES).digest()


def _write_cursor(kind: bytes, folder: Parts, last: bytes) -> str:
    return base64.urlsafe_b64encode(_CURSOR_VERSION + _scope(kind, folder) + last).decode()


def _read_cursor(cursor: str | None, kind: bytes, folder: Parts) -> Parts:
    """The last path of the page before, from the folder on; empty at the beginning."""
    if cursor is None:
        return ()
    head = _CURSOR_VERSION + _scope(kind, folder)
    try:
        data = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    last = split_path(b"/" + data.removeprefix(head)) if data.startswith(head) else None
    if last is None:
        raise ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a listing like this")
    return last
