"""Folders, quota and look-up by path (contract 4.1, 4.2, 4.9)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.accounts.creating import CreatingRoute
from app.accounts.endpoints import ACCOUNT_ERRORS
from app.core.errors import ErrorCode
from app.core.http.reading import PAGE_SIZE_MAX, Flag, read_flag, read_number
from app.core.http.replies import DirectRoute, JsonReply, describe
from app.storage import service
from app.storage.moving import answer_copy, answer_deletion, answer_update
from app.storage.opening import Storage, open_storage, read_ref
from app.storage.paging import FIRST_PAGE
from app.storage.schemas import (
    PATH_CHARACTERS_MAX,
    ContentsPage,
    FileReply,
    FolderCreate,
    FolderReply,
    QuotaReply,
    ResourceCopy,
    ResourceUpdate,
    TaskReply,
)
from app.storage.tasking import TaskWish
from connectors.core.resources import Ref

STORAGE_PREFIX = "/v1/accounts/{account_id}/storage"
OPENED_ERRORS = (*ACCOUNT_ERRORS, ErrorCode.NOT_IMPLEMENTED)
"""Of routes that open an account and ask its storage for nothing."""
STORAGE_ERRORS = (
    ErrorCode.INVALID_RESOURCE_TYPE,
    ErrorCode.AUTHENTICATION_REQUIRED,
    ErrorCode.UNAUTHORIZED,
    ErrorCode.SERVICE_UNAUTHORIZED,
    ErrorCode.FORBIDDEN,
    ErrorCode.PERMISSION_DENIED,
    ErrorCode.NOT_FOUND,
    ErrorCode.TOO_MANY_SERVICE_REQUESTS,
    ErrorCode.NOT_IMPLEMENTED,
    ErrorCode.BAD_GATEWAY,
    ErrorCode.GATEWAY_TIMEOUT,
)
WRITE_ERRORS = (
    *STORAGE_ERRORS,
    ErrorCode.INVALID_PARENT_FOLDER,
    ErrorCode.NAMING_CONFLICT,
    ErrorCode.INSUFFICIENT_STORAGE,
)
TASK_ERRORS = (*WRITE_ERRORS, ErrorCode.REQUEST_FAILED, ErrorCode.REQUEST_TOO_LARGE, ErrorCode.TOO_MANY_REQUESTS)
Resource = FileReply | FolderReply


async def get_storage(
    request: Request,
    account_id: Annotated[str, Path(description="The account's number, or `me` with a bearer token.")],  # noqa: ARG001 - documented here, read by open_storage
) -> Storage:
    """The storage that the path names."""
    return await open_storage(request)


AccountStorage = Annotated[Storage, Depends(get_storage, scope="function")]


async def get_folder_ref(
    request: Request,
    storage: AccountStorage,
    folder_id: Annotated[str, Path(description="A folder's id, or `root`.")],  # noqa: ARG001 - documented here, read by read_ref
) -> Ref:
    """The folder that the path names."""
    return read_ref(request, storage, kind="folder")


FolderRef = Annotated[Ref, Depends(get_folder_ref, scope="function")]

ACCOUNT_ID_PARAMETER = {
    "name": "account_id",
    "in": "path",
    "required": True,
    "description": "The account's number, or `me` with a bearer token.",
    "schema": {"type": "string"},
}


def describe_parameter(name: str, where: str, description: str, **schema: object) -> dict[str, object]:
    """A parameter of a direct route, for the document."""
    return {"name": name, "in": where, "required": where == "path", "description": description, "schema": schema}


PAGE_PARAMETERS = (
    describe_parameter("page", "query", "`next_page` of the reply before; nothing for the first.", type="string"),
    describe_parameter(
        "page_size",
        "query",
        "Most objects on a page.",
        type="integer",
        minimum=1,
        maximum=PAGE_SIZE_MAX,
        default=PAGE_SIZE_MAX,
    ),
)
FOLDER_ID_PARAMETER = describe_parameter("folder_id", "path", "A folder's id, or `root`.", type="string")

router = APIRouter(prefix=STORAGE_PREFIX, tags=["storage"], route_class=CreatingRoute)
direct = APIRouter(prefix=STORAGE_PREFIX, tags=["storage"], route_class=DirectRoute)


@router.post(
    "/folders", **describe(FolderReply, status=201, also={200: FolderReply}, errors=WRITE_ERRORS, takes_key=True)
)
async def create_folder(
    storage: AccountStorage,
    body: FolderCreate,
    conflict_if_exists: Annotated[Flag, Query(description="409 if the name is taken.")] = False,
) -> Response:
    """Creates a folder. An existing folder of that name is returned, unless `conflict_if_exists` asks for a 409."""
    folder, is_new = await service.create_folder(storage, body, fails_if_exists=conflict_if_exists)
    return JsonReply(storage.present.build(folder), 201 if is_new else 200)


@direct.get(
    "/folders/{folder_id}",
    **describe(FolderReply, errors=STORAGE_ERRORS, parameters=(ACCOUNT_ID_PARAMETER, FOLDER_ID_PARAMETER)),
)
async def get_folder(request: Request) -> Response:
    """A folder; `root` is the account's top folder."""
    storage = await open_storage(request)
    ref = read_ref(request, storage, kind="folder")
    return JsonReply(storage.present.build(await storage.connector.get(ref)))


@direct.get(
    "/folders/{folder_id}/contents",
    **describe(
        ContentsPage,
        errors=STORAGE_ERRORS,
        parameters=(
            ACCOUNT_ID_PARAMETER,
            FOLDER_ID_PARAMETER,
            *PAGE_PARAMETERS,
            describe_parameter(
                "recursive",
                "query",
                "All that is below the folder, at any depth; a folder comes before what it holds.",
                type="boolean",
                default=False,
            ),
        ),
    ),
)
async def list_contents(request: Request) -> Response:
    """Lists a folder's files and folders, mixed, in pages; with `recursive` also those of the folders below.

    Whatever changes meanwhile: what stays is listed exactly once.
    """
    storage = await open_storage(request)
    ref = read_ref(request, storage, kind="folder")
    limit = read_number(request, "page_size", default=PAGE_SIZE_MAX, minimum=1, maximum=PAGE_SIZE_MAX)
    page = request.query_params.get("page")
    found, next_page = await service.list_folder(
        storage, folder=ref.raw_id, page=page, limit=limit, is_recursive=read_flag(request, "recursive")
    )
    return JsonReply(
        ContentsPage(
            api="storage",
            count=len(found.resources),
            page=page or FIRST_PAGE,
            next_page=next_page,
            objects=storage.present.build_all(found.resources),
            partial=found.is_partial,
        )
    )


@router.patch("/folders/{folder_id}", **describe(FolderReply, also={202: TaskReply}, errors=TASK_ERRORS))
async def update_folder(
    request: Request, storage: AccountStorage, ref: FolderRef, body: ResourceUpdate, has_wish: TaskWish
) -> Response:
    """Renames a folder, or moves it, also to another account of the application. Its id may change."""
    return await answer_update(request, storage, ref, body, has_wish=has_wish)


@router.post(
    "/folders/{folder_id}/copy",
    **describe(FolderReply, status=201, also={202: TaskReply}, errors=TASK_ERRORS, takes_key=True),
)
async def copy_folder(
    request: Request, storage: AccountStorage, ref: FolderRef, body: ResourceCopy, has_wish: TaskWish
) -> Response:
    """Copies a folder with all it holds, also to another account; under a free name if the name is taken."""
    return await answer_copy(request, storage, ref, body, has_wish=has_wish)


@router.delete(
    "/folders/{folder_id}",
    **describe(status=204, also={202: TaskReply}, errors=(*STORAGE_ERRORS, ErrorCode.FOLDER_NOT_EMPTY)),
)
async def delete_folder(
    request: Request,
    storage: AccountStorage,
    ref: FolderRef,
    has_wish: TaskWish,
    recursive: Annotated[Flag, Query(description="Delete what the folder holds, too.")] = False,
    permanent: Annotated[Flag, Query(description="Not to the storage's trash.")] = False,
) -> Response:
    """Deletes a folder, which must be empty unless `recursive`."""
    return await answer_deletion(
        request, storage, ref, is_recursive=recursive, is_permanent=permanent, has_wish=has_wish
    )


@router.get("/quota", **describe(QuotaReply, errors=STORAGE_ERRORS))
async def get_quota(storage: AccountStorage) -> Response:
    """How much space the account has, in bytes."""
    quota = await storage.connector.get_quota()
    return JsonReply(
        QuotaReply(
            total=quota.total_bytes,
            used=quota.used_bytes,
            remaining=quota.remaining_bytes,
            href=storage.present.href("quota"),
        )
    )


@router.get("/path", **describe(Resource, errors=STORAGE_ERRORS))
async def get_by_path(
    storage: AccountStorage,
    path: Annotated[
        str,
        Query(
            min_length=1,
            max_length=PATH_CHARACTERS_MAX,
            json_schema_extra={"pattern": "^/"},
            description="Such as `/a/b.txt`.",
        ),
    ],
) -> Response:
    """The file or folder at a path from the account's root, with its id."""
    return JsonReply(storage.present.build(await storage.connector.get_by_path(path)))
