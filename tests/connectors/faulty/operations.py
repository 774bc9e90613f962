"""What is done while something goes wrong, and what the place holds before and after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from connectors.core.bytesource import ByteSource, BytesSource, StreamSource
from connectors.core.connector import Connector
from connectors.core.paging import walk
from connectors.core.resources import ByteRange, File, OnConflict, Page, Part, RawId, Resource
from tests.connectors.faulty.subject import FOLDER, Place, Tree, digest

MIB = 2**20
CHUNK_BYTES = 64 * 1024

OLD = bytes(range(256)) * 400
INNER = b"inner bytes\n" * 100
NEW = b"new bytes!" * 20_000
LARGE = bytes(range(256)) * (9 * MIB // 256)  # more than one part, where there are parts

FILES = {"old.txt": OLD, "folder/inner.txt": INNER}
FOLDERS = ("empty",)
BEFORE: Tree = {"old.txt": digest(OLD), "folder": FOLDER, "folder/inner.txt": digest(INNER), "empty": FOLDER}


@dataclass(frozen=True, slots=True)
class Stage:
    """An account whose place holds FILES and FOLDERS."""

    connector: Connector
    place: Place

    @property
    def root(self) -> RawId:
        return self.connector.manifest.root.raw_id

    def file(self, path: str) -> RawId:
        return self.place.ref(path).raw_id

    def folder(self, path: str) -> RawId:
        return self.place.ref(path, is_folder=True).raw_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing to do. What `run` gives is the same whenever it succeeds.

    - `after` is what the place holds then.
    - `is_body_once`: it sends bytes that can be read only once.
    - `is_stepwise`: when it fails on the way, some of it may have been done.
    """

    name: str
    run: Callable[[Stage], Awaitable[object]]
    after: Tree = field(default_factory=lambda: BEFORE)
    needs: tuple[str, ...] = ()
    is_body_once: bool = False
    is_stepwise: bool = False

    @property
    def is_reading(self) -> bool:
        """It changes nothing."""
        return self.after == BEFORE


async def stream(data: bytes) -> AsyncIterator[bytes]:
    """The bytes as they would come from a network."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def build_stream(data: bytes) -> StreamSource:
    """Bytes that can be read only once."""
    return StreamSource(stream(data), size_bytes=len(data))


def describe(resource: Resource) -> tuple[str, int | None]:
    """What tells resources apart here."""
    return resource.name, resource.size_bytes if isinstance(resource, File) else None


async def get_file(stage: Stage) -> object:
    return describe(await stage.connector.get(stage.place.ref("old.txt")))


async def get_folder(stage: Stage) -> object:
    return describe(await stage.connector.get(stage.place.ref("folder", is_folder=True)))


async def get_by_path(stage: Stage) -> object:
    return describe(await stage.connector.get_by_path("/folder/inner.txt"))


async def _collect(fetch_page: Callable[[str | None], Awaitable[Page]]) -> object:
    return sorted([describe(resource) async for resource in walk(fetch_page)])


async def list_folder(stage: Stage) -> object:
    return await _collect(lambda cursor: stage.connector.list_folder(stage.root, cursor=cursor, limit=2))


async def list_empty_folder(stage: Stage) -> object:
    return await _collect(lambda cursor: stage.connector.list_folder(stage.folder("empty"), cursor=cursor))


async def list_recursive(stage: Stage) -> object:
    return await _collect(lambda cursor: stage.connector.list_recursive(stage.root, cursor=cursor, limit=2))


async def search(stage: Stage) -> object:
    return await _collect(lambda cursor: stage.connector.search("inner", cursor=cursor))


async def download(stage: Stage) -> object:
    async with stage.connector.open_download(stage.file("old.txt")) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def download_range(stage: Stage) -> object:
    part = ByteRange(1000, 59_999)
    async with stage.connector.open_download(stage.file("old.txt"), byte_range=part) as download:
        return download.content_range, b"".join([chunk async for chunk in download.chunks])


def upload(name: str, build: Callable[[], ByteSource], on_conflict: OnConflict) -> Callable[[Stage], Awaitable[object]]:
    """Stores a file at the top."""

    async def run(stage: Stage) -> object:
        return describe(await stage.connector.upload(stage.root, name, build(), on_conflict=on_conflict))

    return run


def replace(build: Callable[[], ByteSource]) -> Callable[[Stage], Awaitable[object]]:
    """Replaces a file's bytes."""

    async def run(stage: Stage) -> object:
        return describe(await stage.connector.replace(stage.file("old.txt"), build()))

    return run


async def upload_in_parts(stage: Stage) -> object:
    session = await stage.connector.start_upload(
        stage.root, "new.txt", size_bytes=len(LARGE), on_conflict=OnConflict.FAIL
    )
    try:
        sizes = range(0, len(LARGE), session.part_size_bytes)
        parts: list[Part] = []
        for number, start in enumerate(sizes, start=1):
            source, previous = BytesSource(LARGE[start : start + session.part_size_bytes]), parts[-1] if parts else None
            parts.append(await stage.connector.put_part(session, number, source, previous=previous))
        return describe(await stage.connector.finish_upload(session, parts))
    except BaseException:
        await stage.connector.abort_upload(session)
        raise


async def create_folder(stage: Stage) -> object:
    return describe(await stage.connector.create_folder(stage.root, "new"))


async def rename_file(stage: Stage) -> object:
    return describe(await stage.connector.update(stage.place.ref("old.txt"), name="new.txt"))


async def move_file(stage: Stage) -> object:
    return describe(await stage.connector.update(stage.place.ref("old.txt"), parent=stage.folder("folder")))


async def copy_file(stage: Stage) -> object:
    ref = stage.place.ref("old.txt")
    return describe(await stage.connector.copy(ref, parent=stage.root, name="new.txt", on_conflict=OnConflict.FAIL))


async def copy_file_beside(stage: Stage) -> object:
    copy = await stage.connector.copy(stage.place.ref("old.txt"), parent=stage.root, name="new.txt")
    return describe(copy)


async def rename_folder(stage: Stage) -> object:
    return describe(await stage.connector.update(stage.place.ref("folder", is_folder=True), name="new"))


async def copy_folder(stage: Stage) -> object:
    ref = stage.place.ref("folder", is_folder=True)
    return describe(await stage.connector.copy(ref, parent=stage.root, name="new", on_conflict=OnConflict.FAIL))


async def delete_file(stage: Stage) -> None:
    await stage.connector.delete(stage.place.ref("old.txt"))


async def delete_folder(stage: Stage) -> None:
    await stage.connector.delete(stage.place.ref("folder", is_folder=True), is_recursive=True)


async def delete_empty_folder(stage: Stage) -> None:
    await stage.connector.delete(stage.place.ref("empty", is_folder=True))


def without(*paths: str) -> Tree:
    """The place before, but for some."""
    return {path: found for path, found in BEFORE.items() if path not in paths}


ADDED: Tree = {**BEFORE, "new.txt": digest(NEW)}
COPIED: Tree = {**BEFORE, "new.txt": digest(OLD)}
REPLACED: Tree = {**BEFORE, "old.txt": digest(NEW)}
NEW_FOLDER: Tree = {"new": FOLDER, "new/inner.txt": digest(INNER)}
FAIL, REPLACE, RENAME = OnConflict.FAIL, OnConflict.REPLACE, OnConflict.RENAME


def build_bytes() -> BytesSource:
    """Few bytes that can be read again."""
    return BytesSource(NEW)


def build_once() -> StreamSource:
    """The same bytes, readable once."""
    return build_stream(NEW)


READING = (
    Operation(name="get file", run=get_file),
    Operation(name="get folder", run=get_folder),
    Operation(name="get by path", run=get_by_path),
    Operation(name="list folder", run=list_folder),
    Operation(name="list empty folder", run=list_empty_folder),
    Operation(name="list tree", run=list_recursive),
    Operation(name="search", run=search),
    Operation(name="download", run=download),
    Operation(name="download part", run=download_range, needs=("download_range",)),
)
STORING = (
    Operation(name="upload", run=upload("new.txt", build_bytes, FAIL), after=ADDED),
    Operation(name="upload once", run=upload("new.txt", build_once, FAIL), after=ADDED, is_body_once=True),
    Operation(name="upload over", run=upload("old.txt", build_bytes, REPLACE), after=REPLACED),
    Operation(
        name="upload beside", run=upload("old.txt", build_bytes, RENAME), after={**BEFORE, "old (1).txt": digest(NEW)}
    ),
    Operation(name="replace", run=replace(build_bytes), after=REPLACED),
    Operation(name="replace once", run=replace(build_once), after=REPLACED, is_body_once=True),
)
STORING_LARGE = (
    Operation(
        name="upload large once",
        run=upload("new.txt", lambda: build_stream(LARGE), FAIL),
        after={**BEFORE, "new.txt": digest(LARGE)},
        is_body_once=True,
    ),
    Operation(
        name="replace large once",
        run=replace(lambda: build_stream(LARGE)),
        after={**BEFORE, "old.txt": digest(LARGE)},
        is_body_once=True,
    ),
    Operation(
        name="upload in parts",
        run=upload_in_parts,
        after={**BEFORE, "new.txt": digest(LARGE)},
        needs=("start_upload",),
    ),
)
CHANGING = (
    Operation(name="create folder", run=create_folder, after={**BEFORE, "new": FOLDER}),
    Operation(
        name="rename file",
        run=rename_file,
        after={**without("old.txt"), "new.txt": digest(OLD)},
        is_stepwise=True,
    ),
    Operation(
        name="move file",
        run=move_file,
        after={**without("old.txt"), "folder/old.txt": digest(OLD)},
        is_stepwise=True,
    ),
    Operation(name="copy file", run=copy_file, after=COPIED, needs=("copy",)),
    Operation(name="copy file beside", run=copy_file_beside, after=COPIED, needs=("copy",)),
    Operation(
        name="rename folder",
        run=rename_folder,
        after={**without("folder", "folder/inner.txt"), **NEW_FOLDER},
        needs=("move_folder",),
        is_stepwise=True,
    ),
    Operation(
        name="copy folder",
        run=copy_folder,
        after={**BEFORE, **NEW_FOLDER},
        needs=("copy_folder",),
        is_stepwise=True,
    ),
    Operation(name="delete file", run=delete_file, after=without("old.txt")),
    Operation(name="delete folder", run=delete_folder, after=without("folder", "folder/inner.txt"), is_stepwise=True),
    Operation(name="delete empty folder", run=delete_empty_folder, after=without("empty")),
)
ALL = (*READING, *STORING, *STORING_LARGE, *CHANGING)
DOWNLOADS = tuple(each for each in READING if each.name in {"download", "download part"})
"""Their bytes are handed on while they come, so what breaks off in the middle has broken off."""

TREES = tuple(each for each in READING if each.name in {"list tree", "search"})
"""A folder of a tree that may not be read holds nothing, which is no error."""


def find(name: str) -> Operation:
    """The operation of that name."""
    (found,) = (each for each in ALL if each.name == name)
    return found
