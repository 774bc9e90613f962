"""Uploads in parts (contract 4.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.accounts.creating import CreatingRoute
from app.core.errors import ApiError, ErrorCode
from app.core.http.paths import read_segment
from app.core.http.reading import Flag
from app.core.http.replies import DirectRoute, JsonReply, describe, empty_reply
from app.models import UploadSession
from app.storage.endpoints import (
    ACCOUNT_ID_PARAMETER,
    OPENED_ERRORS,
    STORAGE_ERRORS,
    STORAGE_PREFIX,
    WRITE_ERRORS,
    AccountStorage,
    describe_parameter,
)
from app.storage.file_endpoints import BYTES
from app.storage.opening import Storage, open_storage, read_body_source
from app.storage.schemas import FileReply
from app.uploads import service
from app.uploads.schemas import UploadSessionReply, UploadStart

UPLOAD_ID_DIGITS_MAX = 16
UPLOAD_ERRORS = (*WRITE_ERRORS, ErrorCode.CONFLICT)

router = APIRouter(prefix=STORAGE_PREFIX + "/multipart", tags=["multipart"], route_class=CreatingRoute)
direct = APIRouter(prefix=STORAGE_PREFIX + "/multipart", tags=["multipart"], route_class=DirectRoute)

UploadId = Annotated[str, Path(description="The upload's number.")]


def read_upload_id(text: str) -> int:
    """The number in a path; ApiError 404 for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= UPLOAD_ID_DIGITS_MAX:
        return int(text)
    raise ApiError(ErrorCode.NOT_FOUND, "There is no such upload.")


def build_upload_reply(storage: Storage, row: UploadSession) -> UploadSessionReply:
    """An upload as the API shows it."""
    return UploadSessionReply(
        id=row.id,
        account=row.account_id,
        name=row.name,
        part_size=row.part_size_bytes,
        parallel_uploads=storage.connector.capabilities.upload_parts_parallel,
        size=row.size_bytes,
        created=row.created_at,
        expires=row.expires_at,
        href=storage.present.href(f"multipart/{row.id}"),
    )


@router.post("", **describe(UploadSessionReply, status=201, errors=WRITE_ERRORS, takes_key=True))
async def start_upload(
    storage: AccountStorage,
    body: UploadStart,
    overwrite: Annotated[Flag, Query(description="Replace a file of that name.")] = False,
) -> Response:
    """Begins an upload in parts; nothing is visible until it is completed."""
    row = await service.start(storage, body, is_overwriting=overwrite)
    return JsonReply(build_upload_reply(storage, row), 201)


@router.get("/{upload_id}", **describe(UploadSessionReply, errors=OPENED_ERRORS))
async def get_upload(storage: AccountStorage, upload_id: UploadId) -> Response:
    """A started upload."""
    row = await service.get(storage, read_upload_id(read_segment(upload_id)))
    return JsonReply(build_upload_reply(storage, row))


@direct.put(
    "/{upload_id}",
    **describe(
        UploadSessionReply,
        errors=(*UPLOAD_ERRORS, ErrorCode.REQUEST_TOO_LARGE, ErrorCode.REQUEST_TIMEOUT),
        parameters=(
            ACCOUNT_ID_PARAMETER,
            describe_parameter("upload_id", "path", "The upload's number.", type="string"),
            describe_parameter("part_number", "query", "From 1; required.", type="integer", minimum=1, maximum=10_000),
        ),
        body={"required": True, "content": BYTES},
    ),
)
async def put_part(request: Request) -> Response:
    """Stores one part from the body, in any order and at the same time as others. The same number again replaces it.

    Where `parallel_uploads` is false they are stored in order: one waits for those before it that are on their way. If
    the one before does not come, this one is a 409, and can be sent again after it.
    """
    storage = await open_storage(request)
    parts_max = storage.connector.manifest.limits.upload_parts_max
    text = request.query_params.get("part_number", "")
    if not (text.isascii() and text.isdigit() and len(text) <= UPLOAD_ID_DIGITS_MAX and 1 <= int(text) <= parts_max):
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"part_number must be a whole number from 1 to {parts_max}.")
    row = await service.get(storage, read_upload_id(read_segment(request.path_params["upload_id"])))
    source = read_body_source(request, size_bytes_max=row.part_size_bytes)
    await service.put_part(storage, row, int(text), source)
    return JsonReply(build_upload_reply(storage, row))


@router.post("/{upload_id}/complete", **describe(FileReply, status=201, also={200: FileReply}, errors=UPLOAD_ERRORS))
async def complete_upload(storage: AccountStorage, upload_id: UploadId) -> Response:
    """Makes the file of its parts. Repeating it gives the same file."""
    file = await service.complete(storage, read_upload_id(read_segment(upload_id)))
    return JsonReply(storage.present.build(file), 200 if file.is_replacement else 201)


@router.delete("/{upload_id}", **describe(status=204, errors=(*STORAGE_ERRORS, ErrorCode.CONFLICT)))
async def abort_upload(storage: AccountStorage, upload_id: UploadId) -> Response:
    """Ends an upload and frees what it held."""
    await service.abort(storage, read_upload_id(read_segment(upload_id)))
    return empty_reply()
