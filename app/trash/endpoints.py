"""The storage's trash: what was deleted and can come back. Beside the contract."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from app.core.http.reading import PAGE_SIZE_MAX, PageSize, PageToken
from app.core.http.replies import JsonReply, describe
from app.storage.endpoints import STORAGE_ERRORS, STORAGE_PREFIX, AccountStorage, FolderRef
from app.storage.file_endpoints import FileRef
from app.storage.paging import FIRST_PAGE
from app.storage.schemas import ContentsPage, FileReply, FolderReply
from app.trash import service

router = APIRouter(prefix=STORAGE_PREFIX, tags=["trash"])


@router.get("/trash", **describe(ContentsPage, errors=STORAGE_ERRORS))
async def list_trash(
    storage: AccountStorage,
    page: PageToken = None,
    page_size: PageSize = PAGE_SIZE_MAX,
) -> Response:
    """Lists the files and folders that were deleted and can be restored, in no particular order.

    What was deleted with its folder may be listed with it or not. 501 where the storage has no such list.
    """
    found, next_page = await service.list_trash(storage, page=page, limit=page_size)
    objects = list(map(storage.present.build, found.resources))
    return JsonReply(
        ContentsPage(
            api="storage",
            count=len(objects),
            page=page or FIRST_PAGE,
            next_page=next_page,
            objects=objects,
            partial=found.is_partial,
        )
    )


@router.post("/files/{file_id}/restore", **describe(FileReply, errors=STORAGE_ERRORS))
async def restore_file(storage: AccountStorage, ref: FileRef) -> Response:
    """Takes a file out of the trash and returns it as it is now: where it was, or where the storage puts it if that
    place is gone or taken. A file that is not in the trash is returned as it is.
    """
    return JsonReply(storage.present.build(await storage.connector.restore(ref)))


@router.post("/folders/{folder_id}/restore", **describe(FolderReply, errors=STORAGE_ERRORS))
async def restore_folder(storage: AccountStorage, ref: FolderRef) -> Response:
    """Takes a folder out of the trash, with all that went with it. 501 where only files can be restored."""
    return JsonReply(storage.present.build(await storage.connector.restore(ref)))
