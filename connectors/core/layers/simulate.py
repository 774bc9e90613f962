"""Builds abilities that a provider lacks out of those it has, and recognises the answer to a repeated write."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from connectors.core.bytesource import StreamSource
from connectors.core.crew import Crew
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.delegate import DelegatingConnector
from connectors.core.manifest import Capabilities
from connectors.core.paging import walk
from connectors.core.resources import File, Folder, OnConflict, RawId, Ref, Resource

PATH_NAMES_MAX = 100
TREE_DEPTH_MAX = 100
TREE_RESOURCES_MAX = 10_000
TREE_CALLS_PARALLEL_MAX = 4
FREE_NAMES_TRIED_MAX = 100


@dataclass(frozen=True, slots=True)
class _Found:
    folder: RawId
    resource: Resource


class SimulatingConnector(DelegatingConnector):
    """Offers get_by_path, delete_recursive, copy and copy_folder whatever the provider does.

    What walks a tree reads all of it first, within limits, and changes nothing if it is too large. When a simulated
    folder copy or recursive delete fails on the way, what was done so far stays done.
    """

    @property
    def capabilities(self) -> Capabilities:
        return msgspec.structs.replace(
            self._inner.capabilities, get_by_path=True, delete_recursive=True, copy=True, copy_folder=True
        )

    async def create_folder(self, parent: RawId, name: str) -> Folder:
        try:
            return await super().create_folder(parent, name)
        except ConnectorError as error:
            if error.kind is not ErrorKind.ALREADY_EXISTS or not error.is_replay:
                raise
            if error.conflict is None:
                created = await self._find(parent, name, wants_folder=True)
            else:
                created = await self._inner.get(error.conflict)
            if not isinstance(created, Folder):
                raise
            return created

    async def delete(self, ref: Ref, *, is_recursive: bool = False, is_permanent: bool = False) -> None:
        is_native = ref.kind == "file" or self._inner.capabilities.delete_recursive
        try:
            if is_recursive and not is_native:
                await self._delete_content(ref.raw_id, is_permanent=is_permanent)
            await super().delete(ref, is_recursive=is_recursive and is_native, is_permanent=is_permanent)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND or not error.is_replay:
                raise

    async def get_by_path(self, path: str) -> Resource:
        if self._inner.capabilities.get_by_path:
            return await super().get_by_path(path)
        names = [name for name in path.split("/") if name]
        if len(names) > PATH_NAMES_MAX:
            raise ConnectorError(ErrorKind.INVALID_NAME, f"a path can have {PATH_NAMES_MAX} names")
        found: Resource | None = await self._inner.get(self.manifest.root)
        for index, name in enumerate(names):
            is_folder_needed = index < len(names) - 1 or path.endswith("/")
            found = await self._find(found.raw_id, name, wants_folder=is_folder_needed) if found else None
        if found is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "nothing stands at this path")
        return found

    async def copy(
        self, ref: Ref, *, parent: RawId, name: str | None = None, on_conflict: OnConflict = OnConflict.RENAME
    ) -> Resource:
        native = self._inner.capabilities
        if native.copy and (ref.kind == "file" or native.copy_folder):
            return await super().copy(ref, parent=parent, name=name, on_conflict=on_conflict)
        if name is None:
            name = (await self._inner.get(ref)).name
        if ref.kind == "file":
            return await self._copy_bytes(ref.raw_id, parent, name, on_conflict)
        return await self._copy_tree(ref.raw_id, parent, name, on_conflict)

    async def _copy_bytes(self, file: RawId, parent: RawId, name: str, on_conflict: OnConflict) -> File:
        async with self._inner.open_download(file) as download:
            source = StreamSource(download.chunks, size_bytes=download.length_bytes)
            return await self._inner.upload(parent, name, source, on_conflict=on_conflict)

    async def _copy_tree(self, folder: RawId, parent: RawId, name: str, on_conflict: OnConflict) -> Folder:
        levels = await self._read_tree(folder)
        if parent in {folder, *(found.resource.raw_id for level in levels for found in level)}:
            raise ConnectorError(ErrorKind.INVALID_TARGET, "a folder cannot be copied into itself")
        target = await self._create_folder_under_free_name(parent, name, on_conflict)
        targets = {folder: target.raw_id}
        for level in levels:
            async with Crew(TREE_CALLS_PARALLEL_MAX) as crew:
                for found in level:
                    await crew.wait_for_slot()
                    crew.start(self._copy_found(found, targets))
        return target

    async def _copy_found(self, found: _Found, targets: dict[RawId, RawId]) -> None:
        resource, parent = found.resource, targets[found.folder]
        if isinstance(resource, Folder):
            targets[resource.raw_id] = (await self.create_folder(parent, resource.name)).raw_id
        else:
            await self.copy(resource.ref, parent=parent, name=resource.name)

    async def _create_folder_under_free_name(self, parent: RawId, name: str, on_conflict: OnConflict) -> Folder:
        free_name = name
        for number in range(1, FREE_NAMES_TRIED_MAX + 1):
            try:
                return await self.create_folder(parent, free_name)
            except ConnectorError as error:
                is_last = number == FREE_NAMES_TRIED_MAX
                if error.kind is not ErrorKind.ALREADY_EXISTS or on_conflict is not OnConflict.RENAME or is_last:
                    raise
            free_name = f"{name} ({number})"
        raise AssertionError("the last try returns or raises")

    async def _delete_content(self, folder: RawId, *, is_permanent: bool) -> None:
        for level in reversed(await self._read_tree(folder)):
            async with Crew(TREE_CALLS_PARALLEL_MAX) as crew:
                for found in level:
                    await crew.wait_for_slot()
                    crew.start(self._delete_found(found.resource.ref, is_permanent=is_permanent))

    async def _delete_found(self, ref: Ref, *, is_permanent: bool) -> None:
        try:
            await self._inner.delete(ref, is_permanent=is_permanent)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise

    async def _read_tree(self, folder: RawId) -> list[list[_Found]]:
        """All that is below a folder: its own content first, then level by level. unsupported if there is too much."""
        levels: list[list[_Found]] = []
        folders, resources_count = [folder], 0
        while folders:
            level: list[_Found] = []
            for parent in folders:
                async with aclosing(self._walk_folder(parent)) as resources:
                    async for resource in resources:
                        level.append(_Found(parent, resource))
                        resources_count += 1
                        if resources_count > TREE_RESOURCES_MAX:
                            text = (
                                f"the folder holds more than {TREE_RESOURCES_MAX} files and folders; take smaller ones"
                            )
                            raise ConnectorError(ErrorKind.UNSUPPORTED, text)
            levels.append(level)
            if len(levels) > TREE_DEPTH_MAX:
                raise ConnectorError(ErrorKind.UNSUPPORTED, f"the folder is nested more than {TREE_DEPTH_MAX} deep")
            folders = [found.resource.raw_id for found in level if isinstance(found.resource, Folder)]
        return levels

    async def _find(self, folder: RawId, name: str, *, wants_folder: bool) -> Resource | None:
        async with aclosing(self._walk_folder(folder)) as resources:
            async for resource in resources:
                if resource.name == name and (isinstance(resource, Folder) or not wants_folder):
                    return resource
        return None

    def _walk_folder(self, folder: RawId) -> AsyncGenerator[Resource, None]:
        limit = self.manifest.limits.page_items_max
        return walk(lambda cursor: self._inner.list_folder(folder, cursor=cursor, limit=limit))
