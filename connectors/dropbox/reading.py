"""Looking at things: one by one, page by page, and what has changed; and whose parent is which, told by paths only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import Change, ChangePage, Kind, Page, RawId, Resource
from connectors.dropbox.api import Api
from connectors.dropbox.mapping import ROOT, build_resource, build_root, read_raw_id, split_path
from connectors.dropbox.payloads import Entry, Found, Listing

CALLS_PARALLEL_MAX = 8
SKIP_DIGITS_MAX = 9
TREE_COUNT_MAX = 20_000  # of what is compared with another tree
WHOLE_LIMIT = 1000  # of a page of the whole account, of which little may be wanted
_DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class _Answer:
    entries: list[Entry]
    cursor: str | None  # of the next one


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads for one account."""

    api: Api

    async def look(self, raw_id: str, kind: Kind | None = None) -> Entry:
        """What is there now. not_found; wrong_type for the root, which can only be listed, and for the other kind."""
        asked = read_raw_id(raw_id)
        if not asked:
            raise ConnectorError(ErrorKind.WRONG_TYPE, "this is the root folder")
        entry = await self.api.get_metadata(asked)
        if kind is not None and entry.is_file != (kind == "file"):
            raise ConnectorError(ErrorKind.WRONG_TYPE, f"this is no {kind}")
        return entry

    async def find(self, path: str) -> Entry | None:
        """What stands at a path, or None."""
        try:
            return await self.api.get_metadata(path)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            return None

    async def get_folder_path(self, raw_id: str) -> str:
        """Where a folder to put something into is, "" for the root. Dropbox itself would make one that is not there."""
        if raw_id == ROOT:
            return ""
        entry = await self.look(raw_id)
        if entry.is_file:
            raise ConnectorError(ErrorKind.INVALID_TARGET, "what should hold it is a file")
        return get_path(entry)

    async def get(self, raw_id: str, kind: Kind) -> Resource:
        """A file or folder with its parent."""
        if raw_id == ROOT and kind == "folder":
            return build_root()
        return await self.describe(await self.look(raw_id, kind))

    async def describe(
        self, entry: Entry, known: Mapping[str, RawId] | None = None, *, is_replacement: bool = False
    ) -> Resource:
        """The resource, its parent looked up unless its id is among those known by path."""
        ids = await self._find_parents([entry], known or {})
        return build_resource(entry, ids.get(_parent_path(entry)), is_replacement=is_replacement)

    async def get_by_path(self, path: str) -> Resource:
        """What stands at an absolute path; with a slash at its end only a folder."""
        if not path.strip("/"):
            return build_root()
        entry = await self.api.get_metadata(path.rstrip("/"))
        if entry.is_file and path.endswith("/"):
            raise ConnectorError(ErrorKind.NOT_FOUND, "a file stands at this path, not a folder")
        return await self.describe(entry)

    # ---- pages

    async def list_folder(self, folder: RawId, cursor: str | None, limit: int, *, is_recursive: bool) -> Page:
        """A page of what is in a folder, or at any depth below it."""
        asked = read_raw_id(folder)

        async def begin() -> _Answer:
            return self._read_listing(await self.api.list_folder(asked, is_recursive=is_recursive, limit=limit))

        scope = _build_scope("tree" if is_recursive else "folder", folder)
        entries, next_cursor = await self._read_page(scope, cursor, limit, begin, self._continue)
        shown = [entry for entry in entries if entry.tag != _DELETED and entry.id != folder]
        known = {_parent_path(entry): folder for entry in shown} if not is_recursive else {}
        return Page(await self.describe_all(shown, known), next_cursor)

    async def search(self, query: str, folder: RawId, cursor: str | None, limit: int) -> Page:
        """A page of what is found by name or content."""
        asked = read_raw_id(folder)

        async def begin() -> _Answer:
            return self._read_found(await self.api.search(query, asked, limit=limit))

        async def go_on(position: str) -> _Answer:
            return self._read_found(await self.api.continue_search(position))

        scope = _build_scope("search", folder, query)
        entries, next_cursor = await self._read_page(scope, cursor, limit, begin, go_on)
        shown = [entry for entry in entries if entry.tag != _DELETED and entry.id != folder]
        return Page(await self.describe_all(shown, {}), next_cursor)

    async def list_changes(self, cursor: str | None, limit: int) -> ChangePage:
        """What changed in the whole account; of what is gone Dropbox tells the path only."""
        scope = _build_scope("changes")
        if cursor is None:
            return ChangePage([], _write_cursor(scope, 0, await self.api.get_latest_cursor("", limit=limit)))
        skip, position = _read_cursor(scope, cursor)
        listing = await self.api.continue_list(position)
        entries = [self.api.read(raw) for raw in listing.entries]
        is_cut = len(entries) > skip + limit
        taken = entries[skip : skip + limit]
        resources = iter(await self.describe_all([entry for entry in taken if entry.tag != _DELETED], {}))
        changes = [
            Change(path=entry.path_display or entry.path_lower)
            if entry.tag == _DELETED
            else Change(resource=next(resources))
            for entry in taken
        ]
        next_cursor = (
            _write_cursor(scope, skip + limit, position) if is_cut else _write_cursor(scope, 0, listing.cursor)
        )
        return ChangePage(changes, next_cursor, has_more=is_cut or listing.has_more)

    async def list_deleted(self, cursor: str | None, limit: int) -> tuple[list[Entry], str | None]:
        """A page of what was anywhere in the account, told by its path only; Dropbox tells it among all that is."""

        async def begin() -> _Answer:
            listed = await self.api.list_folder("", is_recursive=True, limit=WHOLE_LIMIT, includes_deleted=True)
            return select(self._read_listing(listed))

        async def go_on(position: str) -> _Answer:
            return select(await self._continue(position))

        def select(answer: _Answer) -> _Answer:
            return _Answer([entry for entry in answer.entries if entry.tag == _DELETED], answer.cursor)

        return await self._read_page(_build_scope("deleted"), cursor, limit, begin, go_on)

    async def list_tree(self, folder: Entry) -> set[tuple[str, str | None]]:
        """Where all is that a folder holds, seen from there, and the hash of each file; unsupported if it is much."""
        start, found = len(folder.path_lower or ""), set()
        answer = self._read_listing(await self.api.list_folder(folder.id, is_recursive=True, limit=WHOLE_LIMIT))
        while True:
            kept = (entry for entry in answer.entries if entry.tag != _DELETED)
            found |= {((entry.path_lower or "")[start:], entry.content_hash) for entry in kept}
            if answer.cursor is None:
                return found
            if len(found) > TREE_COUNT_MAX:
                raise ConnectorError(ErrorKind.UNSUPPORTED, f"more than {TREE_COUNT_MAX} files and folders")
            answer = await self._continue(answer.cursor)

    async def _read_page(
        self,
        scope: str,
        cursor: str | None,
        limit: int,
        begin: Callable[[], Awaitable[_Answer]],
        go_on: Callable[[str], Awaitable[_Answer]],
    ) -> tuple[list[Entry], str | None]:
        """At most `limit` entries. Dropbox's limits are approximate, and are those of the first page for all others:
        of an answer that holds more the rest is taken when it is asked for again.
        """
        skip, position = (0, "") if cursor is None else _read_cursor(scope, cursor)
        answer = await (go_on(position) if position else begin())
        end = skip + limit
        if len(answer.entries) > end:
            return answer.entries[skip:end], _write_cursor(scope, end, position)
        next_cursor = None if answer.cursor is None else _write_cursor(scope, 0, answer.cursor)
        return answer.entries[skip:], next_cursor

    async def _continue(self, position: str) -> _Answer:
        try:
            return self._read_listing(await self.api.continue_list(position))
        except ConnectorError as error:
            if error.kind is not ErrorKind.CURSOR_RESET:
                raise
            raise error.restated(ErrorKind.CURSOR_INVALID, "the listing must begin anew") from error

    def _read_listing(self, listing: Listing) -> _Answer:
        entries = [self.api.read(raw) for raw in listing.entries]
        return _Answer(entries, listing.cursor if listing.has_more else None)

    def _read_found(self, found: Found) -> _Answer:
        shown = [match.metadata.metadata for match in found.matches]
        return _Answer([self.api.read(raw) for raw in shown if bytes(raw)], found.cursor if found.has_more else None)

    # ---- parents, which Dropbox tells by path only

    async def describe_all(self, entries: list[Entry], known: Mapping[str, RawId]) -> list[Resource]:
        """The resources, each parent looked up once."""
        ids = await self._find_parents(entries, known)
        return [build_resource(entry, ids.get(_parent_path(entry))) for entry in entries]

    async def _find_parents(self, entries: Iterable[Entry], known: Mapping[str, RawId]) -> dict[str, RawId]:
        """The ids of all folders that hold these entries, by path; those among the entries need no asking."""
        entries = list(entries)
        ids = {"": ROOT, **known}
        ids.update({entry.path_lower: RawId(entry.id) for entry in entries if entry.path_lower and not entry.is_file})
        missing = {_parent_path(entry) for entry in entries if entry.path_lower} - ids.keys()

        async def find(path: str) -> None:
            entry = await self.find(path)
            if entry is not None and not entry.is_file:
                ids[path] = RawId(entry.id)

        async with Crew(CALLS_PARALLEL_MAX) as crew:
            for path in missing:
                await crew.wait_for_slot()
                crew.start(find(path))
        return ids


def get_path(entry: Entry) -> str:
    """Where it is; not_found when it cannot be reached from the account's root."""
    if entry.path_display is None:
        raise ConnectorError(ErrorKind.NOT_FOUND, "it is not among this account's own files and folders")
    return entry.path_display


def _parent_path(entry: Entry) -> str:
    return "\0" if entry.path_lower is None else split_path(entry.path_lower)[0]  # no path is like the former


def _build_scope(*words: str) -> str:
    return blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _write_cursor(scope: str, skip: int, position: str) -> str:
    return f"{scope}.{skip}.{position}"


def _read_cursor(scope: str, cursor: str) -> tuple[int, str]:
    """How many entries of an answer were taken, and what asks for that answer; cursor_invalid for anything else."""
    given, _, rest = cursor.partition(".")
    digits, _, position = rest.partition(".")
    skip = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= SKIP_DIGITS_MAX else -1
    if given != scope or skip < 0 or (not position and not skip):
        raise ConnectorError(ErrorKind.CURSOR_INVALID, "this cursor is not from a listing like this")
    return skip, position
