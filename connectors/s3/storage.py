"""One account's store: what stands at a place, what a folder has in the way of a new name."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.manifest import Limits
from connectors.core.resources import Ref
from connectors.s3.account import Account
from connectors.s3.api import Api
from connectors.s3.dialect import Dialect
from connectors.s3.keys import Layout, Place, build_ref, is_hidden
from connectors.s3.mapping import Mapper
from connectors.s3.parts_api import PartsApi
from connectors.s3.payloads import Entry, Head, Step

FirstT = TypeVar("FirstT")
SecondT = TypeVar("SecondT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """All that operations need, for one account and request."""

    account: Account
    api: Api
    parts: PartsApi
    layout: Layout
    dialect: Dialect
    limits: Limits
    mapper: Mapper

    async def find_head(self, place: Place) -> Head | None:
        """The object whose key is exactly the place's; None when there is none."""
        if place.is_above_buckets or not place.key:
            return None
        if not place.can_be_sent:
            return await self._find_listed(place)
        try:
            return await self.api.head_object(place)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise

    async def find_file(self, place: Place) -> Head | None:
        """The file at a place; None for nothing, and for a key that only says that a folder is there."""
        head = await self.find_head(place)
        return None if head is None or (place.key.endswith("/") and not head.entry.size_bytes) else head

    async def get_file(self, raw_id: str) -> tuple[Place, Head]:
        """The file of that id; not_found, or wrong_type for a folder's."""
        place = self.layout.read(raw_id)
        head = await self.find_file(place)
        if head is None:
            if place.key.endswith("/") or not place.key:
                await self.check_folder(place)
                raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a folder, not a file")
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such file")
        return place, head

    async def get_folder(self, raw_id: str) -> Place:
        """The folder of that id, not yet looked for; wrong_type for a file's."""
        place = self.layout.read(raw_id)
        if place.key and not place.key.endswith("/"):
            if await self.find_file(place) is not None:
                raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a file, not a folder")
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such folder")
        return place

    async def has_folder(self, place: Place) -> bool:
        """True when the folder is there: by its marker, by what it holds, or because it is where the account begins."""
        if place == self.layout.root:
            return True
        if not place.is_short_enough:
            return False
        if place.is_bucket:
            return await self._has_bucket(place.bucket)
        if self.dialect.has_directories and place.can_be_sent:
            return await self.find_head(place) is not None
        listing = await self.api.list_objects(place, limit=1)
        return any(entry.key.startswith(place.key) for entry in listing.entries)

    async def check_folder(self, place: Place) -> None:
        """not_found when the folder is not there."""
        if not await self.has_folder(place):
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such folder")

    async def find_taken(self, folder: Place, name: str) -> tuple[Head | None, Ref | None]:
        """What has a name in a folder: the file, and how to name what stands in the way, a folder first."""
        below = folder.folder(name)
        if folder.is_above_buckets:
            return None, build_ref(self.layout, below, is_folder=True) if await self.has_folder(below) else None
        file = folder.file(name)
        head, has_folder = await together(self.find_file(file), self.has_folder(below))
        if has_folder:
            return head, build_ref(self.layout, below, is_folder=True)
        return head, None if head is None else build_ref(self.layout, file, is_folder=False)

    async def list_keys(self, folder: Place, step: Step | None, limit: int) -> tuple[list[Entry], Step | None]:
        """A page of all keys below a folder, and where the next one begins; None is the end.

        A full page is never the last, whatever the store says: one forgets folders that hold only folders.
        """
        step = step or Step()
        listing = await self.api.list_objects(folder, limit=limit, token=step.token, start_after=step.key)
        next_step = None
        if listing.token is not None:
            next_step = Step(token=listing.token)
        elif len(listing.entries) >= limit:
            next_step = Step(key=listing.entries[-1].key)
        if next_step == step:
            raise ConnectorError(ErrorKind.UNEXPECTED, "the store's listing goes round in circles")
        # Where versions are kept as files, what follows a key may begin with others that stood before it.
        entries = [entry for entry in listing.entries if step.key is None or self.is_behind(entry.key, step.key)]
        return [entry for entry in entries if entry.key.startswith(folder.key)], next_step

    def is_behind(self, key: str, other: str) -> bool:
        """True for a key that stands later in the order in which the store walks."""
        if self.dialect.walks_directories:
            return key.split("/") > other.split("/")
        return key.encode("utf-8", "surrogateescape") > other.encode("utf-8", "surrogateescape")

    async def _find_listed(self, place: Place) -> Head | None:
        listing = await self.api.list_objects(place, limit=1)
        found = [entry for entry in listing.entries if entry.key == place.key]
        return Head(entry=found[0]) if found else None

    async def _has_bucket(self, bucket: str) -> bool:
        try:
            await self.api.head_bucket(bucket)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return False
            raise
        return True

    def is_file(self, entry: Entry, top: Place) -> bool:
        """False for a key that only says that its folder is there, and for what is the connector's own."""
        is_marker = entry.key.endswith("/") and not entry.size_bytes
        return not is_marker and entry.key.startswith(top.key) and not is_hidden(entry.key[len(top.key) :])


async def together(first: Coroutine[Any, Any, FirstT], second: Coroutine[Any, Any, SecondT]) -> tuple[FirstT, SecondT]:
    """Two calls side by side; the first failure ends both."""
    results: dict[int, Any] = {}

    async def keep(number: int, call: Coroutine[Any, Any, object]) -> None:
        results[number] = await call

    async with Crew(2) as crew:
        for number, call in enumerate((first, second)):
            await crew.wait_for_slot()
            crew.start(keep(number, call))
    return results[0], results[1]
