"""Files: metadata, bytes in and out, renaming, copying, deleting (contract 4.3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.accounts.creating import CreatingDirectRoute, CreatingRoute
from app.core.errors import ApiError, ErrorCode
from app.core.http.reading import Flag, read_flag, read_json_header
from app.core.http.replies import JsonReply, build_schema, describe, empty_reply
from app.storage import service
from app.storage.downloads import (
    DownloadReply,
    Source,
    build_export_source,
    build_file_source,
    build_head_reply,
)
from app.storage.endpoints import (
    ACCOUNT_ID_PARAMETER,
    STORAGE_ERRORS,
    STORAGE_PREFIX,
    TASK_ERRORS,
    WRITE_ERRORS,
    AccountStorage,
    describe_parameter,
)
from app.storage.forms import FormUpload
from app.storage.moving import answer_copy, answer_fetch, answer_update
from app.storage.opening import open_storage, read_body_source, read_ref
from app.storage.schemas import (
    FileFetch,
    FileForm,
    FileReply,
    ResourceCopy,
    ResourceUpdate,
    TaskReply,
    UploadUrlCreate,
    UploadUrlReply,
)
from app.storage.tasking import ASYNC_HEADER, TaskWish
from connectors.core.resources import Ref

FILE_ID_PARAMETER = describe_parameter("file_id", "path", "A file's id.", type="string")
EXPORT_FORMAT = "export_format"
EXPORT_FORMAT_PARAMETER = describe_parameter(
    EXPORT_FORMAT, "query", "For documents of the storage's own: an ending such as pdf, or a media type.", type="string"
)
METADATA_HEADER = "X-Kloudless-Metadata"
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
CONTENTS = {**BYTES, "*/*": {"schema": {"type": "string", "format": "binary"}}}
"""A file's bytes with the type that its storage, or its name, gives it."""


async def get_file_ref(
    request: Request,
    storage: AccountStorage,
    file_id: Annotated[str, Path(description="A file's id.")],  # noqa: ARG001 - documented here, read by read_ref
) -> Ref:
    """The file that the path names."""
    return read_ref(request, storage, kind="file")


FileRef = Annotated[Ref, Depends(get_file_ref, scope="function")]

router = APIRouter(prefix=STORAGE_PREFIX, tags=["storage"], route_class=CreatingRoute)
direct = APIRouter(prefix=STORAGE_PREFIX, tags=["storage"], route_class=CreatingDirectRoute)


@direct.post(
    "/files",
    **describe(
        FileReply,
        status=201,
        also={200: FileReply, 202: TaskReply},
        errors=(*TASK_ERRORS, ErrorCode.REQUEST_TIMEOUT),
        takes_key=True,
        parameters=(
            ACCOUNT_ID_PARAMETER,
            describe_parameter(
                METADATA_HEADER, "header", 'JSON such as {"name": "a.txt", "parent_id": "root"}.', type="string"
            ),
            describe_parameter(
                "overwrite", "query", "Replace a file of that name instead of storing under a free one.", type="boolean"
            ),
            describe_parameter("return_type", "query", "`task`: with a `url`, answer 202 at once.", type="string"),
            describe_parameter(ASYNC_HEADER, "header", "`true`: as `return_type=task`.", type="string"),
        ),
        body={
            "required": True,
            "content": {
                **BYTES,
                "application/json": {"schema": build_schema(FileFetch)},
                "multipart/form-data": {"schema": build_schema(FileForm)},
            },
        },
    ),
)
async def upload_file(request: Request) -> Response:
    """Stores a file from the request's body: its bytes with the metadata header, a form with a field `file`, or JSON
    that says from which `url` to fetch it. The last is a task, for which the request waits unless a task is wished for.

    If the name is taken the file is stored under a free one, or replaces it with `overwrite=true` (200).
    """
    storage = await open_storage(request)
    is_overwriting = read_flag(request, "overwrite")
    metadata = read_json_header(request, METADATA_HEADER)
    size_bytes_max = storage.state.settings.upload_bytes_max
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    filename = None
    if content_type == "multipart/form-data":
        source = read_body_source(request, size_bytes_max=size_bytes_max)
        form = FormUpload(request, source, size_bytes_max=size_bytes_max)
        await form.read_to_file()
        metadata, filename, source = metadata or form.metadata or {}, form.filename, form.source
    elif metadata is not None:
        source = read_body_source(request, size_bytes_max=size_bytes_max)
    elif content_type in {"", "application/json"}:
        return await answer_fetch(request, storage, is_overwriting=is_overwriting)
    else:
        raise ApiError(
            ErrorCode.INVALID_PARAMETERS,
            f'Say where to store it: {METADATA_HEADER}: {{"name": "a.txt", "parent_id": "root"}}; '
            "or send JSON with a url, and the header `Content-Type: application/json`.",
        )
    parent, name = service.parse_upload_metadata(storage, metadata, filename=filename)
    file = await service.upload(storage, parent=parent, name=name, source=source, is_overwriting=is_overwriting)
    return JsonReply(storage.present.build(file), 200 if file.is_replacement else 201)


@router.post("/files/upload_url", **describe(UploadUrlReply, errors=WRITE_ERRORS))
async def create_upload_url(storage: AccountStorage, body: UploadUrlCreate) -> Response:
    """Makes an address at the storage that takes a file's bytes directly, without a key, until it expires.

    What has that name is replaced. Whoever has the address can use it. 501 where the storage has no such addresses.
    """
    signed = await service.create_upload_url(storage, body)
    return JsonReply(
        UploadUrlReply(
            url=signed.url,
            method=signed.method,
            headers=signed.headers,
            expires=signed.expires_at,
            account=storage.row.id,
        )
    )


@direct.get(
    "/files/{file_id}",
    **describe(FileReply, errors=STORAGE_ERRORS, parameters=(ACCOUNT_ID_PARAMETER, FILE_ID_PARAMETER)),
)
async def get_file(request: Request) -> Response:
    """A file's metadata."""
    storage = await open_storage(request)
    ref = read_ref(request, storage, kind="file")
    return JsonReply(storage.present.build(await storage.connector.get(ref)))


@direct.get(
    "/files/{file_id}/contents",
    **describe(
        CONTENTS,
        also={206: CONTENTS, 304: None},
        errors=(*STORAGE_ERRORS, ErrorCode.RANGE_NOT_SATISFIABLE, ErrorCode.PRECONDITION_FAILED),
        parameters=(
            ACCOUNT_ID_PARAMETER,
            FILE_ID_PARAMETER,
            describe_parameter("Range", "header", "One range, such as bytes=0-99.", type="string"),
            describe_parameter("If-Range", "header", "ETag or date that the range belongs to.", type="string"),
            describe_parameter("If-None-Match", "header", "ETags you have: 304 if one is good.", type="string"),
            EXPORT_FORMAT_PARAMETER,
        ),
    ),
)
async def download_file(request: Request) -> Response:
    """Streams a file's bytes, whole or one range of them.

    A document of the storage's own, which has no bytes until it is exported, comes in the format that the server's
    operator chose, or as `export_format` wishes: one of the file's `export_formats`. It always comes whole.
    """
    return DownloadReply(await _open_source(request), request.headers)


@direct.head(
    "/files/{file_id}/contents",
    **describe(
        CONTENTS,
        also={304: None},
        errors=(*STORAGE_ERRORS, ErrorCode.PRECONDITION_FAILED),
        parameters=(ACCOUNT_ID_PARAMETER, FILE_ID_PARAMETER, EXPORT_FORMAT_PARAMETER),
    ),
)
async def head_file(request: Request) -> Response:
    """The headers of a download without the bytes."""
    return await build_head_reply(await _open_source(request), request.headers)


async def _open_source(request: Request) -> Source:
    storage = await open_storage(request)
    file = read_ref(request, storage, kind="file").raw_id
    export_format = request.query_params.get(EXPORT_FORMAT)
    if export_format is None:
        return build_file_source(storage.connector, file)
    return build_export_source(storage.connector, file, export_format)


@direct.put(
    "/files/{file_id}",
    **describe(
        FileReply,
        errors=(
            *STORAGE_ERRORS,
            ErrorCode.INSUFFICIENT_STORAGE,
            ErrorCode.REQUEST_TOO_LARGE,
            ErrorCode.REQUEST_TIMEOUT,
        ),
        parameters=(ACCOUNT_ID_PARAMETER, FILE_ID_PARAMETER),
        body={"required": True, "content": BYTES},
    ),
)
async def replace_file(request: Request) -> Response:
    """Replaces a file's bytes with the body; readers see the old bytes or the new, never a mix."""
    storage = await open_storage(request)
    ref = read_ref(request, storage, kind="file")
    source = read_body_source(request, size_bytes_max=storage.state.settings.upload_bytes_max)
    return JsonReply(storage.present.build(await storage.connector.replace(ref.raw_id, source)))


@router.patch("/files/{file_id}", **describe(FileReply, also={202: TaskReply}, errors=TASK_ERRORS))
async def update_file(
    request: Request, storage: AccountStorage, ref: FileRef, body: ResourceUpdate, has_wish: TaskWish
) -> Response:
    """Renames a file, or moves it, also to another account of the application. Its id may change."""
    return await answer_update(request, storage, ref, body, has_wish=has_wish)


@router.post(
    "/files/{file_id}/copy",
    **describe(FileReply, status=201, also={202: TaskReply}, errors=TASK_ERRORS, takes_key=True),
)
async def copy_file(
    request: Request, storage: AccountStorage, ref: FileRef, body: ResourceCopy, has_wish: TaskWish
) -> Response:
    """Copies a file, also to another account; under a free name if the name is taken."""
    return await answer_copy(request, storage, ref, body, has_wish=has_wish)


@router.delete("/files/{file_id}", **describe(status=204, errors=STORAGE_ERRORS))
async def delete_file(
    storage: AccountStorage,
    ref: FileRef,
    permanent: Annotated[Flag, Query(description="Not to the storage's trash.")] = False,
) -> Response:
    """Deletes a file."""
    await storage.connector.delete(ref, is_permanent=permanent)
    return empty_reply()
