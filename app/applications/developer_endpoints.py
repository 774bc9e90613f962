"""Developers, each for itself (contract 6.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.applications import developers
from app.applications.endpoints import META_ERRORS, Developer
from app.applications.schemas import DeveloperPage, DeveloperReply, DeveloperUpdate
from app.applications.service import DeveloperCaller
from app.core.errors import ApiError, ErrorCode
from app.core.http.paths import read_number_segment
from app.core.http.reading import PageNumber, PageSize
from app.core.http.replies import JsonReply, build_numbered_list, describe, get_request_state
from app.core.state import get_state
from app.models import Developer as DeveloperRow

PREFIX = "/v1/meta/developers"

router = APIRouter(tags=["developers"], prefix=PREFIX)

DeveloperId = Annotated[str, Path(description="The developer's number, or `me`.")]


def _build_reply(request: Request, row: DeveloperRow) -> DeveloperReply:
    return DeveloperReply(
        id=row.id,
        name=row.name,
        first_name=row.first_name,
        last_name=row.last_name,
        created=row.created_at,
        modified=row.modified_at or row.created_at,
        href=f"{get_request_state(request).origin}{PREFIX}/{row.id}",
    )


def _read_own_number(text: str, developer: DeveloperCaller) -> int:
    if text != "me" and read_number_segment(text) != developer.developer_id:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such developer.")
    return developer.developer_id


@router.get("", **describe(DeveloperPage, errors=META_ERRORS))
async def list_developers(
    request: Request, developer: Developer, page: PageNumber = 1, page_size: PageSize = 100
) -> Response:
    """Lists the developers you may see, which is yourself."""
    row = await developers.get_developer(get_state(request), developer.developer_id)
    objects: list[object] = [_build_reply(request, row)] if page == 1 else []
    return JsonReply(build_numbered_list(objects, total=1, page=page, page_size=page_size, api="meta"))


@router.get("/{developer_id}", **describe(DeveloperReply, errors=META_ERRORS))
async def get_developer(request: Request, developer: Developer, developer_id: DeveloperId) -> Response:
    """A developer: yourself."""
    number = _read_own_number(developer_id, developer)
    return JsonReply(_build_reply(request, await developers.get_developer(get_state(request), number)))


@router.patch("/{developer_id}", **describe(DeveloperReply, errors=META_ERRORS))
async def update_developer(
    request: Request, developer: Developer, developer_id: DeveloperId, body: DeveloperUpdate
) -> Response:
    """Changes the fields that are given."""
    number = _read_own_number(developer_id, developer)
    return JsonReply(_build_reply(request, await developers.update_developer(get_state(request), number, body)))
