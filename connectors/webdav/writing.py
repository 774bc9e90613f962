"""Storing, copying and moving so that nobody sees a part of anything, whatever the server does by itself.

A server that shows a file while it is written, or keeps what was cut off, is sent it under a hidden name, and moves it
to its place once it is whole. A repeated move that finds its source gone has been done.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from connectors.core.bytesource import ByteSource
from connectors.core.call import Repeat
from connectors.core.cleanup import giving_up
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.media_types import read_media_type
from connectors.core.paths import HIDDEN_PREFIX, Parts, number_name, show, write_raw_id
from connectors.core.resources import OnConflict, Ref
from connectors.webdav.api import Server
from connectors.webdav.manifest import MANIFEST
from connectors.webdav.mapping import Entry
from connectors.webdav.properties import Properties
from connectors.webdav.traits import Traits

FREE_NAMES_TRIED_MAX = 100
PUBLISH_TRIES_MAX = 3  # while others create and delete what stands in the way
NAME_BYTES_MAX = MANIFEST.limits.name_bytes_max or 255

_TAKEN = frozenset({ErrorKind.ALREADY_EXISTS, ErrorKind.WRONG_TYPE})
_UNEXPLAINED = _TAKEN | {
    ErrorKind.NOT_FOUND,
    ErrorKind.PERMISSION_DENIED,
    ErrorKind.UNAVAILABLE,
    ErrorKind.UNEXPECTED,
    ErrorKind.UNSUPPORTED,
}
"""What servers answer when something is in the way, or the folder to write to is not there or a file."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where something stands now, and whether it replaced a file."""

    parts: Parts
    is_replacement: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes for one account."""

    server: Server
    traits: Traits
    properties: Properties

    async def upload(self, above: Parts, name: bytes, source: ByteSource, on_conflict: OnConflict) -> Placed:
        """A file of the source's bytes."""
        target = (*above, name)
        if on_conflict is OnConflict.REPLACE:
            return await self._replace(target, source, is_there=False)
        if on_conflict is OnConflict.FAIL:
            if self.traits.is_put_atomic and self.traits.refuses_put_over:
                return await self._put_new(target, source)
            await self._refuse_taken(target)
        async with self._hidden(above) as hidden:
            await self.server.put(hidden, source, Repeat.IDEMPOTENT, _describe(name))
            return await self._publish(hidden, target, on_conflict)

    async def replace(self, file: Parts, source: ByteSource) -> Placed:
        """The source's bytes instead of a file's."""
        return await self._replace(file, source, is_there=True)

    async def copy(self, parts: Parts, target: Parts, on_conflict: OnConflict, *, is_folder: bool) -> Placed:
        """A copy, unseen until it is whole. Nothing takes a folder's place."""
        if is_folder and on_conflict is OnConflict.REPLACE:
            on_conflict = OnConflict.FAIL
        if on_conflict is OnConflict.FAIL:
            await self._refuse_taken(target)
        async with self._hidden(target[:-1], is_folder=is_folder) as hidden:
            await self.server.copy(parts, hidden, is_folder=is_folder, repeat=Repeat.IDEMPOTENT, replaces=True)
            return await self._publish(hidden, target, on_conflict, is_folder=is_folder)

    async def move(self, parts: Parts, target: Parts, *, is_folder: bool) -> None:
        """Another name or folder; never in somebody's place."""
        if not self.traits.refuses_move_over:
            await self._refuse_taken(target)
        await self._need_folder(target[:-1])
        async with self._explained(target, is_new=True):
            await self._move(parts, target, is_folder=is_folder, replaces=False)

    async def make_folder(self, target: Parts) -> None:
        """A new folder."""
        if not self.traits.refuses_mkcol_over:
            await self._refuse_taken(target)
        await self._need_folder(target[:-1])
        async with self._explained(target, is_new=True):
            await self.server.make_folder(target)

    async def _put_new(self, target: Parts, source: ByteSource) -> Placed:
        await self._need_folder(target[:-1])
        async with self._explained(target, is_new=True):
            await self.server.put(target, source, Repeat.UNSAFE, {**_describe(target[-1]), "If-None-Match": "*"})
        return Placed(target)

    async def _replace(self, target: Parts, source: ByteSource, *, is_there: bool) -> Placed:
        there = await self._find_replaceable(target, is_there=is_there)
        if not self.traits.is_put_atomic:
            async with self._hidden(target[:-1]) as hidden:
                await self.server.put(hidden, source, Repeat.IDEMPOTENT, _describe(target[-1]))
                if there is not None and self.traits.keeps_properties:
                    await self.properties.carry_over(target, hidden)
                return await self._publish(hidden, target, OnConflict.REPLACE, is_there=is_there)
        await self._need_folder(target[:-1])
        headers = {**_describe(target[-1]), **({"If-Match": "*"} if is_there else {})}
        async with self._explained(target):
            await self.server.put(target, source, Repeat.IDEMPOTENT, headers)
        return Placed(target, there is not None)

    @asynccontextmanager
    async def _hidden(self, above: Parts, *, is_folder: bool = False) -> AsyncIterator[Parts]:
        """A name that nobody sees; what goes wrong in the block is explained, and leaves nothing under it."""
        await self._need_folder(above)
        hidden = (*above, f"{HIDDEN_PREFIX}{secrets.token_hex(12)}".encode())
        async with self._explained(hidden):
            try:
                yield hidden
            except BaseException:
                await self._discard(hidden, is_folder=is_folder)
                raise

    async def _publish(
        self,
        hidden: Parts,
        target: Parts,
        on_conflict: OnConflict,
        *,
        is_folder: bool = False,
        is_there: bool = False,
    ) -> Placed:
        if on_conflict is OnConflict.REPLACE:
            return await self._publish_over(hidden, target, is_there=is_there)
        if on_conflict is OnConflict.FAIL:
            await self._publish_new(hidden, target, is_folder=is_folder)
            return Placed(target)
        above, name = target[:-1], target[-1]
        taken: set[bytes] | None = None
        for number in range(FREE_NAMES_TRIED_MAX):
            try:
                await self._publish_new(hidden, target, is_folder=is_folder)
            except ConnectorError as error:
                if error.kind is not ErrorKind.ALREADY_EXISTS:
                    raise
            else:
                return Placed(target)
            if taken is None:
                members = await self.server.list_members(above)
                taken = {entry.name for entry in members.entries}
            taken.add(target[-1])
            target = (*above, _find_free_name(name, taken, is_folder=is_folder, first_number=number + 1))
        raise ConnectorError(ErrorKind.ALREADY_EXISTS, f"{FREE_NAMES_TRIED_MAX} names in a row were taken")

    async def _publish_over(self, hidden: Parts, target: Parts, *, is_there: bool) -> Placed:
        for _ in range(PUBLISH_TRIES_MAX):
            there = await self._find_replaceable(target, is_there=is_there)
            try:
                await self._move(hidden, target, is_folder=False, replaces=there is not None, is_ours=True)
            except ConnectorError as error:
                if error.kind is not ErrorKind.ALREADY_EXISTS:
                    raise
            else:
                return Placed(target, there is not None)
        raise ConnectorError(ErrorKind.UNAVAILABLE, "others keep creating and deleting what has this name")

    async def _publish_new(self, hidden: Parts, target: Parts, *, is_folder: bool) -> None:
        if not self.traits.refuses_move_over:
            await self._refuse_taken(target)
        async with self._explained(target, is_new=True):
            await self._move(hidden, target, is_folder=is_folder, replaces=False, is_ours=True)

    async def _move(
        self, parts: Parts, target: Parts, *, is_folder: bool, replaces: bool, is_ours: bool = False
    ) -> None:
        """Moves. What went meanwhile is not_found, whatever the server calls it; unless its target is there after an
        attempt that may have moved it, which has been done. What is ours alone nobody took: there it is unavailable.
        Some servers remove a file when they notice late that an earlier attempt to write it was broken off.

        Over something a move is never repeated blindly: some servers delete the target before they miss the source.
        """
        repeat = Repeat.UNSAFE if replaces else Repeat.IDEMPOTENT
        try:
            await self.server.move(parts, target, is_folder=is_folder, repeat=repeat, replaces=replaces)
        except ConnectorError as error:
            may_be_done = error.is_replay or error.maybe_applied
            is_doubtful = may_be_done or (error.status is not None and error.kind in _UNEXPLAINED - _TAKEN)
            if not is_doubtful or await self._find_after(parts, may_be_done=may_be_done) is not None:
                raise
            if not may_be_done or await self._find_after(target, may_be_done=may_be_done) is None:
                if is_ours:
                    raise error.restated(ErrorKind.UNAVAILABLE, "the server lost what it was given") from error
                raise error.restated(ErrorKind.NOT_FOUND, "it is not there any more") from error

    async def _find_after(self, parts: Parts, *, may_be_done: bool) -> Entry | None:
        """What is there now; who cannot tell leaves the attempt in doubt."""
        try:
            return await self.server.find(parts)
        except ConnectorError as failure:
            failure.maybe_applied = failure.maybe_applied or may_be_done
            raise

    async def _find_replaceable(self, target: Parts, *, is_there: bool) -> Entry | None:
        """The file that is to be replaced, if there is one; a folder in its place is in the way."""
        there = await self.server.find(target)
        if there is None and is_there:
            raise ConnectorError(ErrorKind.NOT_FOUND, "there is nothing of that name")
        if there is not None and there.is_folder:
            if is_there:
                raise ConnectorError(ErrorKind.WRONG_TYPE, "this is a folder, not a file")
            raise _taken(target, there)
        return there

    async def _refuse_taken(self, target: Parts) -> None:
        there = await self.server.find(target)
        if there is not None:
            raise _taken(target, there)

    async def _need_folder(self, above: Parts) -> None:
        """Some servers make the folders that are missing; those that refuse need not be asked."""
        if self.traits.refuses_missing_parent:
            return
        there = await self.server.look(above, is_folder=None)
        if not there.is_folder:
            raise _no_folder(None)

    @asynccontextmanager
    async def _explained(self, target: Parts, *, is_new: bool = False) -> AsyncIterator[None]:
        """A block whose refusals say what is wrong with the place; for something new that is also if it is taken."""
        try:
            yield
        except ConnectorError as error:
            explained = await self._explain(error, target, is_new=is_new)
            if explained is error:
                raise
            raise explained from error

    async def _explain(self, error: ConnectorError, target: Parts, *, is_new: bool) -> ConnectorError:
        """What a refused write means, by looking at what is there now."""
        if error.status is None or error.conflict is not None or error.kind not in _UNEXPLAINED:
            return error  # no answer, or one that was explained already, or one that needs no explaining
        is_refused = error.status == HTTPStatus.METHOD_NOT_ALLOWED
        try:
            there = await self.server.find(target) if is_new or is_refused or error.kind in _TAKEN else None
            is_explained = is_new or (there is not None and there.is_folder) or error.kind in _TAKEN
            is_own = error.maybe_applied and error.kind is ErrorKind.UNAVAILABLE  # or so it may be
            if there is not None and is_explained and not is_own:
                return _taken(target, there, error)
            above = await self.server.find(target[:-1])
        except ConnectorError:
            return error  # the first one says more
        if above is None:
            return error.restated(ErrorKind.NOT_FOUND, "the folder to put it into is not there")
        if above.is_folder and is_refused and self.traits.can_write:
            return error.restated(ErrorKind.UNAVAILABLE, "the server could not write this now")
        return error if above.is_folder else _no_folder(error)

    async def _discard(self, hidden: Parts, *, is_folder: bool) -> None:
        """Removes what was not finished; what stays, because the server is gone, is swept later."""
        async with giving_up():
            await self.server.delete(hidden, is_folder=is_folder)


def _describe(name: bytes) -> dict[str, str]:
    """What a server that keeps types should keep: not what a hidden name would make it think."""
    media_type = read_media_type(show(name))
    return {} if media_type is None else {"Content-Type": media_type}


def _find_free_name(name: bytes, taken: set[bytes], *, is_folder: bool, first_number: int) -> bytes:
    number = first_number
    while True:
        free = number_name(name, number, is_folder=is_folder, name_bytes_max=NAME_BYTES_MAX)
        if free not in taken:
            return free
        number += 1


def _taken(target: Parts, there: Entry, error: ConnectorError | None = None) -> ConnectorError:
    """already_exists, with what is in the way; the other facts are the error's."""
    text = "a folder has this name" if there.is_folder else "a file has this name"
    known = (error or ConnectorError(ErrorKind.ALREADY_EXISTS)).restated(ErrorKind.ALREADY_EXISTS, text)
    known.conflict = Ref("folder" if there.is_folder else "file", write_raw_id(target))
    return known


def _no_folder(error: ConnectorError | None) -> ConnectorError:
    text = "what should hold it is a file, not a folder"
    return (error or ConnectorError(ErrorKind.INVALID_TARGET)).restated(ErrorKind.INVALID_TARGET, text)
