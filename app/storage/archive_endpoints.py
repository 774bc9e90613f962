"""Folders and choices of files as one zip archive; beside the contract, which has nothing like it."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from app.core.errors import ApiError, ErrorCode
from app.core.http.replies import describe
from app.storage.archives import MEDIA_TYPE, ArchiveReply
from app.storage.endpoints import STORAGE_ERRORS, STORAGE_PREFIX, AccountStorage, FolderRef
from app.storage.schemas import ID_CHARACTERS_MAX, NAME_CHARACTERS_MAX, Body
from connectors.core.crew import Crew
from connectors.core.resources import Resource

CHOSEN_MAX = 100
LOOKS_PARALLEL_MAX = 4
ZIP = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}

router = APIRouter(prefix=STORAGE_PREFIX, tags=["storage"])


class ArchiveCreate(Body):
    """What goes into the archive."""

    file_ids: list[str] = Field(default_factory=list, max_length=CHOSEN_MAX)
    folder_ids: list[str] = Field(default_factory=list, max_length=CHOSEN_MAX)
    name: str = Field("files", min_length=1, max_length=NAME_CHARACTERS_MAX, description="Without `.zip`.")


@router.get("/folders/{folder_id}/archive", **describe(ZIP, errors=(*STORAGE_ERRORS, ErrorCode.REQUEST_TOO_LARGE)))
async def download_folder(storage: AccountStorage, ref: FolderRef) -> Response:
    """A folder with all it holds as a zip archive, made while it is sent. A connection that is cut means that it
    failed; what cannot be read is named in a text file at its end.
    """
    folder = await storage.connector.get(ref)
    return ArchiveReply(storage.connector, [folder], name=folder.name or storage.row.label)


@router.post("/archive", **describe(ZIP, errors=(*STORAGE_ERRORS, ErrorCode.REQUEST_TOO_LARGE)))
async def download_chosen(storage: AccountStorage, body: ArchiveCreate) -> Response:
    """Chosen files and folders as one zip archive, as above."""
    refs = [
        *(storage.present.decode(file_id[:ID_CHARACTERS_MAX], kind="file") for file_id in body.file_ids),
        *(storage.present.decode(folder_id[:ID_CHARACTERS_MAX], kind="folder") for folder_id in body.folder_ids),
    ]
    if not refs:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "Name at least one file or folder in file_ids or folder_ids.")
    found: dict[int, Resource] = {}

    async def look(index: int) -> None:
        found[index] = await storage.connector.get(refs[index])

    async with Crew(LOOKS_PARALLEL_MAX) as crew:
        for index in range(len(refs)):
            await crew.wait_for_slot()
            crew.start(look(index))
    return ArchiveReply(storage.connector, [found[index] for index in range(len(refs))], name=body.name)
