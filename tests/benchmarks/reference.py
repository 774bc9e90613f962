"""The same listing as FastAPI's users would write it: Pydantic models upstream and down, and `response_model`.

Server, edge, authorization, connector's layers, transport, ids and the garbage collector's settings are the product's,
so that the difference is the mapping alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from app.core.http.edge import Edge
from app.core.http.paths import CanonicalPaths
from app.core.http.reading import PAGE_SIZE_MAX
from app.core.http.replies import get_request_state
from app.core.ids import ROOT_ID, IdCodec
from app.core.settings import Settings
from app.core.state import build_state
from app.main import _build_lifespan
from app.requests.service import RequestLog
from app.storage.endpoints import STORAGE_PREFIX
from app.storage.opening import open_storage
from connectors.core.resources import RawId, Ref
from connectors.core.service import Registry
from tests.benchmarks.connector import MANIFEST, BenchConnector


class Entry(BaseModel):
    """A file or folder of the origin."""

    kind: Literal["file", "folder"]
    id: str
    name: str
    parent_id: str
    path: str | None = None
    size: int | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    media_type: str | None = None
    etag: str | None = None
    owner: str | None = None


class Listing(BaseModel):
    """A page of the origin."""

    entries: list[Entry]
    cursor: str | None = None


class Parent(BaseModel):
    """The folder that holds something."""

    id: str
    name: str | None = None
    type: str = "folder"
    id_type: str = "default"


class Person(BaseModel):
    """A user at the storage."""

    id: str


class Shared(BaseModel):
    """What files and folders have in common."""

    id: str
    name: str
    created: datetime | None
    modified: datetime | None
    account: int
    parent: Parent | None
    ancestors: list[Parent] | None = None
    path: str | None
    raw_id: str
    owner: Person | None
    creator: Person | None = None
    last_modifier: Person | None = None
    ids: dict[str, str]
    href: str
    id_type: str = "default"
    api: str = "storage"


class FileModel(Shared):
    """A file."""

    type: Literal["file"] = "file"
    size: int | None
    mime_type: str | None
    downloadable: bool = True


class FolderModel(Shared):
    """A folder."""

    type: Literal["folder"] = "folder"
    size: None = None
    can_create_folders: bool = True
    can_upload_files: bool = True
    can_list_recursively: bool = True


class ListModel(BaseModel):
    """A list of files and folders."""

    type: str = "object_list"
    api: str = "storage"
    count: int
    page: str
    next_page: str | None
    objects: list[Annotated[FileModel | FolderModel, Field(discriminator="type")]]
    partial: bool = False


class Mapper:
    """Makes one account's models."""

    def __init__(self, *, ids: IdCodec, account_id: int, origin: str) -> None:
        self._ids = ids
        self._account_id = account_id
        self._prefix = f"{origin}{STORAGE_PREFIX.format(account_id=account_id)}"

    def build_list(self, content: bytes) -> ListModel:
        """The reply, from the origin's JSON."""
        listing = Listing.model_validate_json(content)
        objects = [self._build(entry) for entry in listing.entries]
        return ListModel(count=len(objects), page="1", next_page=listing.cursor, objects=objects)

    def _build(self, entry: Entry) -> FileModel | FolderModel:
        public_id = self._ids.encode(self._account_id, Ref(entry.kind, RawId(entry.id)))
        shared: dict[str, Any] = {
            "id": public_id,
            "name": entry.name,
            "created": entry.created_at,
            "modified": entry.modified_at,
            "account": self._account_id,
            "parent": Parent(id=ROOT_ID),  # the one folder of the benchmark
            "path": entry.path,
            "raw_id": entry.id,
            "owner": None if entry.owner is None else Person(id=entry.owner),
            "ids": {"default": public_id},
            "href": f"{self._prefix}/{entry.kind}s/{public_id}",
        }
        if entry.kind == "folder":
            return FolderModel(**shared)
        return FileModel(**shared, size=entry.size, mime_type=entry.media_type)


def build_app(settings: Settings, registry: Registry, origin_url: str) -> Edge:
    """The product's stack around one route."""
    state = build_state(settings, registry=registry)
    app = FastAPI(lifespan=_build_lifespan(state))
    app.state.kloudless = state
    app.state.request_log = RequestLog(state)

    @app.get(STORAGE_PREFIX + "/folders/{folder_id}/contents", response_model=ListModel)
    async def list_contents(request: Request, folder_id: str, page_size: int = PAGE_SIZE_MAX) -> ListModel:
        storage = await open_storage(request)
        folder = storage.present.decode(folder_id, kind="folder")
        connector = BenchConnector(origin_url, state.runtime.build_send(MANIFEST, f"account:{storage.row.id}"))
        content = await connector.read(f"/listings/{folder.raw_id}-{page_size}")
        mapper = Mapper(ids=state.ids, account_id=storage.row.id, origin=get_request_state(request).origin)
        return mapper.build_list(content)

    return Edge(CanonicalPaths(app, aliases={}), state)
