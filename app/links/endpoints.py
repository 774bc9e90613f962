"""Links to files: making, listing, changing and ending them (contract 4.8)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from app.accounts.creating import CreatingRoute
from app.core.errors import ErrorCode
from app.core.http.paths import read_segment
from app.core.http.reading import Flag, PageNumber, PageSize
from app.core.http.replies import JsonReply, build_numbered_list, describe, empty_reply, get_request_state
from app.core.state import get_state
from app.links import service
from app.links.repository import LinkRepository
from app.links.schemas import LinkCreate, LinkPage, LinkReply, LinkUpdate, Ordering
from app.models import Link
from app.storage.endpoints import OPENED_ERRORS, STORAGE_ERRORS, STORAGE_PREFIX, AccountStorage
from app.storage.opening import Storage
from app.storage.several import AccountError, AccountStorages
from connectors.core.resources import RawId, Ref

PUBLIC_PREFIX = "/l"

router = APIRouter(prefix=STORAGE_PREFIX, tags=["links"], route_class=CreatingRoute)

LinkId = Annotated[str, Path(description="The link's id.")]


def build_link_reply(request: Request, storage: Storage, link: Link) -> LinkReply:
    """A link as the API shows it; its address starts with the origin that the caller used."""
    token = service.open_token(storage.state, link)
    return LinkReply(
        id=link.id,
        file_id=storage.present.encode(Ref("file", RawId(link.file_raw_id))),
        url=f"{get_request_state(request).origin}{PUBLIC_PREFIX}/{token}",
        account=link.account_id,
        active=link.is_active,
        created=link.created_at,
        modified=link.modified_at,
        expiration=link.expires_at,
        password=link.password_hash is not None,
        direct=link.is_direct,
        href=storage.present.href(f"links/{link.id}"),
    )


def build_page(
    objects: list[object], *, total: int, page: int, page_size: int, errors: list[AccountError] | UnsetType = UNSET
) -> LinkPage:
    """A page of links, with what went wrong if several accounts were asked."""
    numbered = build_numbered_list(objects, total=total, page=page, page_size=page_size, api="storage")
    return LinkPage(**msgspec.structs.asdict(numbered), errors=errors)


@router.get("/links", **describe(LinkPage, errors=OPENED_ERRORS))
async def list_links(
    request: Request,
    storages: AccountStorages,
    active: Annotated[Flag | None, Query(description="Only those that are, or are not, active.")] = None,
    ordering: Annotated[Ordering, Query(description="What comes first; with - the newest.")] = "-created",
    page: PageNumber = 1,
    page_size: PageSize = 100,
) -> Response:
    """Lists the account's links, also those that have expired; of several accounts all together."""
    by_account = {storage.row.id: storage for storage in storages.opened}
    async with get_state(request).db.reading() as session:
        links, total = await LinkRepository(session).list_page(
            by_account.keys(), is_active=active, ordering=ordering, offset=(page - 1) * page_size, limit=page_size
        )
    objects: list[object] = [build_link_reply(request, by_account[link.account_id], link) for link in links]
    errors = storages.errors if storages.is_many else UNSET
    return JsonReply(build_page(objects, total=total, page=page, page_size=page_size, errors=errors))


@router.post(
    "/links",
    **describe(LinkReply, status=201, errors=(*STORAGE_ERRORS, ErrorCode.REQUEST_FAILED), takes_key=True),
)
async def create_link(request: Request, storage: AccountStorage, body: LinkCreate) -> Response:
    """Makes a public address for a file. Whoever has it can read the file, without any account.

    It shows a page with a download button, or with `direct` gives the bytes themselves; with a `password` it asks for
    that first. The link belongs to the file's id: where a storage knows files by their path, renaming or moving the
    file ends the link. It also ends with the account. An account has at most 10,000 links.
    """
    return JsonReply(build_link_reply(request, storage, await service.create_link(storage, body)), 201)


@router.get("/links/{link_id}", **describe(LinkReply, errors=OPENED_ERRORS))
async def get_link(request: Request, storage: AccountStorage, link_id: LinkId) -> Response:
    """One link."""
    return JsonReply(build_link_reply(request, storage, await service.get_link(storage, read_segment(link_id))))


@router.patch("/links/{link_id}", **describe(LinkReply, errors=OPENED_ERRORS))
async def update_link(request: Request, storage: AccountStorage, link_id: LinkId, body: LinkUpdate) -> Response:
    """Changes the fields that are given, at once. The address and its file stay."""
    link = await service.update_link(storage, read_segment(link_id), body)
    return JsonReply(build_link_reply(request, storage, link))


@router.delete("/links/{link_id}", **describe(status=204, errors=OPENED_ERRORS))
async def delete_link(storage: AccountStorage, link_id: LinkId) -> Response:
    """Ends a link for ever, at once. The file stays."""
    await service.delete_link(storage, read_segment(link_id))
    return empty_reply()
