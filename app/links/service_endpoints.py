"""Links that the storage itself has to files and folders (contract 4.2: service links), and beside it their making."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path
from starlette.responses import Response

from app.core.clock import now
from app.core.http.paths import read_segment
from app.core.http.replies import JsonReply, build_numbered_list, describe, empty_reply
from app.links import service_links
from app.links.schemas import ServiceLinkPage, ServiceLinkReply, ServiceLinkWish
from app.storage.endpoints import STORAGE_ERRORS, STORAGE_PREFIX, AccountStorage, FolderRef
from app.storage.file_endpoints import FileRef
from app.storage.opening import Storage
from connectors.core.resources import Ref
from connectors.core.sharing import SharedLink

router = APIRouter(prefix=STORAGE_PREFIX, tags=["links"])

ServiceLinkId = Annotated[str, Path(description="The link's id, as the list of its file or folder has it.")]


@router.get("/files/{file_id}/links", **describe(ServiceLinkPage, errors=STORAGE_ERRORS))
async def list_service_links(storage: AccountStorage, ref: FileRef) -> Response:
    """Links to a file that the storage itself has; none where the storage has no such links. Those that applications
    make here are below `/storage/links`.
    """
    return await _list(storage, ref)


@router.post("/files/{file_id}/links", **describe(ServiceLinkReply, status=201, errors=STORAGE_ERRORS))
async def create_service_link(storage: AccountStorage, ref: FileRef, body: ServiceLinkWish) -> Response:
    """Has the storage make a link of its own to a file. Where there is one already, that one is changed and returned:
    asking again makes no second one.

    501, and nothing made, where the storage or the account's plan there has no such links.
    """
    return await _create(storage, ref, body)


@router.patch("/files/{file_id}/links/{service_link_id}", **describe(ServiceLinkReply, errors=STORAGE_ERRORS))
async def update_service_link(
    storage: AccountStorage, ref: FileRef, service_link_id: ServiceLinkId, body: ServiceLinkWish
) -> Response:
    """Changes what is given of a storage's link to a file; its address stays."""
    return await _update(storage, ref, service_link_id, body)


@router.delete("/files/{file_id}/links/{service_link_id}", **describe(status=204, errors=STORAGE_ERRORS))
async def delete_service_link(storage: AccountStorage, ref: FileRef, service_link_id: ServiceLinkId) -> Response:
    """Ends a storage's link to a file. The file stays."""
    return await _delete(storage, ref, service_link_id)


@router.get("/folders/{folder_id}/links", **describe(ServiceLinkPage, errors=STORAGE_ERRORS))
async def list_folder_service_links(storage: AccountStorage, ref: FolderRef) -> Response:
    """Links to a folder that the storage itself has, as for files."""
    return await _list(storage, ref)


@router.post("/folders/{folder_id}/links", **describe(ServiceLinkReply, status=201, errors=STORAGE_ERRORS))
async def create_folder_service_link(storage: AccountStorage, ref: FolderRef, body: ServiceLinkWish) -> Response:
    """Has the storage make a link of its own to a folder, as for files."""
    return await _create(storage, ref, body)


@router.patch("/folders/{folder_id}/links/{service_link_id}", **describe(ServiceLinkReply, errors=STORAGE_ERRORS))
async def update_folder_service_link(
    storage: AccountStorage, ref: FolderRef, service_link_id: ServiceLinkId, body: ServiceLinkWish
) -> Response:
    """Changes what is given of a storage's link to a folder, as for files."""
    return await _update(storage, ref, service_link_id, body)


@router.delete("/folders/{folder_id}/links/{service_link_id}", **describe(status=204, errors=STORAGE_ERRORS))
async def delete_folder_service_link(
    storage: AccountStorage, ref: FolderRef, service_link_id: ServiceLinkId
) -> Response:
    """Ends a storage's link to a folder, as for files."""
    return await _delete(storage, ref, service_link_id)


def build_service_link_reply(storage: Storage, ref: Ref, link: SharedLink) -> ServiceLinkReply:
    """A storage's link as the API shows it."""
    public_id, is_file = storage.present.encode(ref), ref.kind == "file"
    place = f"{'files' if is_file else 'folders'}/{public_id}/links"
    return ServiceLinkReply(
        id=link.raw_id,
        file_id=public_id if is_file else None,
        folder_id=None if is_file else public_id,
        url=link.url,
        account=storage.row.id,
        active=link.expires_at is None or link.expires_at > now(),
        created=None,
        modified=None,
        expiration=link.expires_at,
        password=link.has_password,
        direct=False,
        audience=link.audience,
        role=link.role,
        downloadable=link.can_download,
        href=storage.present.href(f"{place}/{quote(link.raw_id, safe='')}"),
    )


async def _list(storage: Storage, ref: Ref) -> Response:
    links = await service_links.list_links(storage, ref)
    objects: list[object] = [build_service_link_reply(storage, ref, link) for link in links]
    numbered = build_numbered_list(objects, total=len(objects), page=1, page_size=max(1, len(objects)), api="storage")
    return JsonReply(numbered)


async def _create(storage: Storage, ref: Ref, body: ServiceLinkWish) -> Response:
    link = await storage.connector.create_link(ref, service_links.build_change(body))
    return JsonReply(build_service_link_reply(storage, ref, link), 201)


async def _update(storage: Storage, ref: Ref, link_id: str, body: ServiceLinkWish) -> Response:
    link = await storage.connector.update_link(ref, read_segment(link_id), service_links.build_change(body))
    return JsonReply(build_service_link_reply(storage, ref, link))


async def _delete(storage: Storage, ref: Ref, link_id: str) -> Response:
    await storage.connector.delete_link(ref, read_segment(link_id))
    return empty_reply()
