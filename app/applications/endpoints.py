"""Applications and their API keys, for their developer (contract 6.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.applications import service
from app.applications.repository import ApplicationRepository
from app.applications.schemas import (
    ApiKeyPage,
    ApiKeyReply,
    ApplicationCreate,
    ApplicationPage,
    ApplicationReply,
    ApplicationUpdate,
)
from app.applications.service import DeveloperCaller
from app.core.errors import ApiError, ErrorCode
from app.core.http.credentials import read_credentials
from app.core.http.limits import LoginWatch, admit_application
from app.core.http.paths import read_segment
from app.core.http.reading import Flag, PageNumber, PageSize
from app.core.http.replies import (
    JsonReply,
    build_numbered_list,
    describe,
    empty_reply,
    get_request_state,
)
from app.core.state import get_state
from app.models import ApiKey, Application

PREFIX = "/v1/meta/applications"
AUTH_ERRORS = (ErrorCode.UNAUTHORIZED, ErrorCode.AUTHENTICATION_REQUIRED)
META_ERRORS = (*AUTH_ERRORS, ErrorCode.NOT_FOUND)

router = APIRouter(tags=["applications"], prefix=PREFIX)

ApplicationId = Annotated[str, Path(description="The application's id.")]
ActiveOnly = Annotated[Flag | None, Query(description="Only those that are, or are not, active.")]


async def get_developer(request: Request) -> DeveloperCaller:
    """The developer whose Meta token came with the request."""
    credentials = read_credentials(request)
    watch = LoginWatch(request, credentials.secret)
    try:
        developer = await service.authenticate_developer(get_state(request), credentials, before_look_up=watch.check)
    except ApiError as error:
        if error.code is ErrorCode.UNAUTHORIZED:
            watch.note(is_good=False)
        raise
    watch.note(is_good=True)
    admit_application(request, f"developer:{developer.developer_id}")
    return developer


Developer = Annotated[DeveloperCaller, Depends(get_developer, scope="function")]


def build_application_reply(request: Request, row: Application) -> ApplicationReply:
    """An application as the API shows it."""
    return ApplicationReply(
        id=row.id,
        name=row.name,
        description=row.description,
        logo_url=row.logo_url,
        active=row.is_active,
        implicit_grant_enabled=row.implicit_grant_enabled,
        recent_enabled=row.recent_enabled,
        events_grant_enabled=row.events_grant_enabled,
        created=row.created_at,
        modified=row.modified_at,
        href=f"{get_request_state(request).origin}{PREFIX}/{row.id}",
    )


def _build_key_reply(request: Request, row: ApiKey, key: str) -> ApiKeyReply:
    origin = get_request_state(request).origin
    return ApiKeyReply(
        key=key,
        created=row.created_at,
        modified=row.modified_at,
        href=f"{origin}{PREFIX}/{row.application_id}/apikeys/{key}",
    )


@router.get("", **describe(ApplicationPage, errors=META_ERRORS))
async def list_applications(
    request: Request,
    developer: Developer,
    active: ActiveOnly = None,
    page: PageNumber = 1,
    page_size: PageSize = 100,
) -> Response:
    """Lists your applications, oldest first."""
    async with get_state(request).db.reading() as session:
        rows, total = await ApplicationRepository(session).list_page(
            developer_id=developer.developer_id, is_active=active, offset=(page - 1) * page_size, limit=page_size
        )
    objects: list[object] = [build_application_reply(request, row) for row in rows]
    return JsonReply(build_numbered_list(objects, total=total, page=page, page_size=page_size, api="meta"))


@router.post("", **describe(ApplicationReply, status=201, errors=AUTH_ERRORS))
async def create_application(request: Request, developer: Developer, body: ApplicationCreate) -> Response:
    """Creates an application; it has one API key from the start."""
    state = get_state(request)
    async with state.db.writing() as session:
        row, _ = await service.create_application(state, session, developer_id=developer.developer_id, create=body)
    return JsonReply(build_application_reply(request, row), 201)


@router.get("/{application_id}", **describe(ApplicationReply, errors=META_ERRORS))
async def get_application(request: Request, developer: Developer, application_id: ApplicationId) -> Response:
    """One of your applications."""
    async with get_state(request).db.reading() as session:
        row = await ApplicationRepository(session).get(
            read_segment(application_id), developer_id=developer.developer_id
        )
    return JsonReply(build_application_reply(request, row))


@router.patch("/{application_id}", **describe(ApplicationReply, errors=META_ERRORS))
async def update_application(
    request: Request, developer: Developer, application_id: ApplicationId, body: ApplicationUpdate
) -> Response:
    """Changes the fields that are given."""
    row = await service.update_application(
        get_state(request), caller=developer, application_id=read_segment(application_id), update=body
    )
    return JsonReply(build_application_reply(request, row))


@router.delete("/{application_id}", **describe(status=204, errors=META_ERRORS))
async def delete_application(request: Request, developer: Developer, application_id: ApplicationId) -> Response:
    """Deletes an application; its keys and tokens stop working at once."""
    await service.delete_application(get_state(request), caller=developer, application_id=read_segment(application_id))
    return empty_reply()


@router.get("/{application_id}/apikeys", **describe(ApiKeyPage, errors=META_ERRORS))
async def list_keys(
    request: Request,
    developer: Developer,
    application_id: ApplicationId,
    page: PageNumber = 1,
    page_size: PageSize = 100,
) -> Response:
    """Lists an application's API keys, oldest first."""
    rows, total = await service.list_keys(
        get_state(request),
        developer_id=developer.developer_id,
        application_id=read_segment(application_id),
        offset=(page - 1) * page_size,
        limit=page_size,
    )
    objects: list[object] = [_build_key_reply(request, row, key) for row, key in rows]
    return JsonReply(build_numbered_list(objects, total=total, page=page, page_size=page_size, api="meta"))


@router.post("/{application_id}/apikeys", **describe(ApiKeyReply, status=201, errors=META_ERRORS))
async def create_key(request: Request, developer: Developer, application_id: ApplicationId) -> Response:
    """Creates a further API key."""
    row, key = await service.create_key(
        get_state(request), developer_id=developer.developer_id, application_id=read_segment(application_id)
    )
    return JsonReply(_build_key_reply(request, row, key), 201)


@router.delete("/{application_id}/apikeys/{key}", **describe(status=204, errors=META_ERRORS))
async def delete_key(
    request: Request,
    developer: Developer,
    application_id: ApplicationId,
    key: Annotated[str, Path(description="The key itself.")],
) -> Response:
    """Revokes an API key at once."""
    await service.delete_key(
        get_state(request),
        developer_id=developer.developer_id,
        application_id=read_segment(application_id),
        key=read_segment(key),
    )
    return empty_reply()
