"""Versions of files: what was kept, its bytes, and going back to it. Beside the contract."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.core.errors import ErrorCode
from app.core.http.paths import read_segment
from app.core.http.reading import PAGE_SIZE_MAX, PageSize, PageToken
from app.core.http.replies import DirectRoute, JsonReply, describe
from app.storage.downloads import DownloadReply, Source, build_head_reply, build_version_source
from app.storage.endpoints import (
    ACCOUNT_ID_PARAMETER,
    STORAGE_ERRORS,
    STORAGE_PREFIX,
    AccountStorage,
    describe_parameter,
)
from app.storage.file_endpoints import CONTENTS, FILE_ID_PARAMETER, FileRef
from app.storage.opening import Storage, open_storage, read_ref
from app.storage.paging import FIRST_PAGE
from app.storage.schemas import FileReply, PersonReply
from app.versions import service
from app.versions.schemas import VersionPage, VersionReply
from connectors.core.resources import Ref, Version

PREFIX = STORAGE_PREFIX + "/files/{file_id}/versions"
VERSION_ID_PARAMETER = describe_parameter("version_id", "path", "A version's id.", type="string")

router = APIRouter(prefix=PREFIX, tags=["versions"])
direct = APIRouter(prefix=PREFIX, tags=["versions"], route_class=DirectRoute)

PublicVersionId = Annotated[str, Path(description="A version's id.")]


def build_version_reply(storage: Storage, ref: Ref, version: Version) -> VersionReply:
    """A version as the API shows it."""
    file_id = storage.present.encode(ref)
    version_id = storage.state.ids.encode_version(storage.row.id, ref.raw_id, version.raw_id)
    return VersionReply(
        id=version_id,
        file_id=file_id,
        account=storage.row.id,
        size=version.size_bytes,
        modified=version.modified_at,
        modifier=None if version.modifier_id is None else PersonReply(version.modifier_id),
        current=version.is_current,
        raw_id=version.raw_id,
        href=storage.present.href(f"files/{file_id}/versions/{version_id}"),
    )


@router.get("", **describe(VersionPage, errors=STORAGE_ERRORS))
async def list_versions(
    storage: AccountStorage,
    ref: FileRef,
    page: PageToken = None,
    page_size: PageSize = PAGE_SIZE_MAX,
) -> Response:
    """Lists the versions of a file that the storage has kept, newest first; the current one is among them.

    Ids of versions belong to the file's id: where a storage knows files by their path, both change with the name.
    """
    versions, next_page = await service.list_versions(storage, ref.raw_id, page=page, limit=page_size)
    objects = [build_version_reply(storage, ref, version) for version in versions]
    return JsonReply(
        VersionPage(api="storage", count=len(objects), page=page or FIRST_PAGE, next_page=next_page, objects=objects)
    )


@router.get("/{version_id}", **describe(VersionReply, errors=STORAGE_ERRORS))
async def get_version(storage: AccountStorage, ref: FileRef, version_id: PublicVersionId) -> Response:
    """One version of a file."""
    version = service.decode_version(storage, ref.raw_id, read_segment(version_id))
    found = await service.get_version(storage, ref.raw_id, version)
    return JsonReply(build_version_reply(storage, ref, found))


@direct.get(
    "/{version_id}/contents",
    **describe(
        CONTENTS,
        also={206: CONTENTS, 304: None},
        errors=(*STORAGE_ERRORS, ErrorCode.RANGE_NOT_SATISFIABLE, ErrorCode.PRECONDITION_FAILED),
        parameters=(
            ACCOUNT_ID_PARAMETER,
            FILE_ID_PARAMETER,
            VERSION_ID_PARAMETER,
            describe_parameter("Range", "header", "One range, such as bytes=0-99.", type="string"),
            describe_parameter("If-None-Match", "header", "ETags you have: 304 if one is good.", type="string"),
        ),
    ),
)
async def download_version(request: Request) -> Response:
    """Streams the bytes of one version, whole or one range of them."""
    return DownloadReply(await _open_source(request), request.headers)


@direct.head(
    "/{version_id}/contents",
    **describe(
        CONTENTS,
        also={304: None},
        errors=(*STORAGE_ERRORS, ErrorCode.PRECONDITION_FAILED),
        parameters=(ACCOUNT_ID_PARAMETER, FILE_ID_PARAMETER, VERSION_ID_PARAMETER),
    ),
)
async def head_version(request: Request) -> Response:
    """The headers of a version's download without the bytes."""
    return await build_head_reply(await _open_source(request), request.headers)


@router.post("/{version_id}/restore", **describe(FileReply, errors=(*STORAGE_ERRORS, ErrorCode.INSUFFICIENT_STORAGE)))
async def restore_version(storage: AccountStorage, ref: FileRef, version_id: PublicVersionId) -> Response:
    """Makes the bytes of a version the current ones, as a new version; nothing is lost. Returns the file."""
    version = service.decode_version(storage, ref.raw_id, read_segment(version_id))
    return JsonReply(storage.present.build(await storage.connector.restore_version(ref.raw_id, version)))


async def _open_source(request: Request) -> Source:
    storage = await open_storage(request)
    file = read_ref(request, storage, kind="file").raw_id
    version = service.decode_version(storage, file, read_segment(request.path_params["version_id"]))
    return build_version_source(storage.connector, file, version)
