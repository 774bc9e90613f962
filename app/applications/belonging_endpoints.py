"""What belongs to an application: trusted domains, redirect URIs, service keys (contract 2.5, 6.2)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from app.applications import belongings
from app.applications.belongings import Owner
from app.applications.endpoints import META_ERRORS, PREFIX, ApplicationId, Developer
from app.applications.schemas import (
    RedirectUriCreate,
    RedirectUriPage,
    RedirectUriReply,
    ServiceKeyCreate,
    ServiceKeyPage,
    ServiceKeyReply,
    ServiceKeyUpdate,
    TrustedDomainCreate,
    TrustedDomainPage,
    TrustedDomainReply,
)
from app.core.errors import ErrorCode
from app.core.http.paths import read_number_segment, read_segment
from app.core.http.reading import PageNumber, PageSize
from app.core.http.replies import JsonReply, build_numbered_list, describe, empty_reply, get_request_state
from app.core.state import get_state
from app.models import RedirectUri, ServiceKey, TrustedDomain

router = APIRouter(tags=["applications"], prefix=PREFIX + "/{application_id}")


async def get_owner(developer: Developer, application_id: ApplicationId) -> Owner:
    """The application that the path names, as the caller's own."""
    return Owner(read_segment(application_id), developer.developer_id)


ApplicationOwner = Annotated[Owner, Depends(get_owner, scope="function")]
DomainId = Annotated[str, Path(description="The trusted domain's number.")]
RedirectUriId = Annotated[str, Path(description="The redirect URI's number.")]
ServiceKeyId = Annotated[str, Path(description="The service key's number.")]


def _href(request: Request, row: TrustedDomain | RedirectUri | ServiceKey) -> str:
    return f"{get_request_state(request).origin}{PREFIX}/{row.application_id}/{row.__tablename__}/{row.id}"


def _build_domain(request: Request, row: TrustedDomain) -> TrustedDomainReply:
    return TrustedDomainReply(id=row.id, domain=row.host, created=row.created_at, href=_href(request, row))


def _build_redirect(request: Request, row: RedirectUri) -> RedirectUriReply:
    return RedirectUriReply(id=row.id, url=row.uri, created=row.created_at, href=_href(request, row))


def _build_service_key(request: Request, row: ServiceKey) -> ServiceKeyReply:
    return ServiceKeyReply(
        id=row.id,
        service=row.service,
        client_id=row.client_id,
        client_secret=belongings.hide_secret(get_state(request), row),
        created=row.created_at,
        modified=row.modified_at,
        href=_href(request, row),
    )


@router.get("/trusted_domains", **describe(TrustedDomainPage, errors=META_ERRORS))
async def list_trusted_domains(
    request: Request,
    owner: ApplicationOwner,
    page: PageNumber = 1,
    page_size: PageSize = 100,
) -> Response:
    """Lists the hosts whose pages may receive tokens of this application's users, oldest first."""
    rows, total = await belongings.list_belongings(
        get_state(request), TrustedDomain, owner, offset=(page - 1) * page_size, limit=page_size
    )
    objects: list[object] = [_build_domain(request, row) for row in rows]
    return JsonReply(build_numbered_list(objects, total=total, page=page, page_size=page_size, api="meta"))


@router.post(
    "/trusted_domains",
    **describe(TrustedDomainReply, status=201, also={200: TrustedDomainReply}, errors=META_ERRORS),
)
async def create_trusted_domain(request: Request, owner: ApplicationOwner, body: TrustedDomainCreate) -> Response:
    """Trusts a host; one that is trusted already is returned with 200."""
    row, is_new = await belongings.add_trusted_domain(get_state(request), owner, host=body.domain)
    return JsonReply(_build_domain(request, row), 201 if is_new else 200)


@router.get("/trusted_domains/{domain_id}", **describe(TrustedDomainReply, errors=META_ERRORS))
async def get_trusted_domain(request: Request, owner: ApplicationOwner, domain_id: DomainId) -> Response:
    """A trusted host."""
    row = await belongings.get_belonging(get_state(request), TrustedDomain, owner, read_number_segment(domain_id))
    return JsonReply(_build_domain(request, row))


@router.delete("/trusted_domains/{domain_id}", **describe(status=204, errors=META_ERRORS))
async def delete_trusted_domain(request: Request, owner: ApplicationOwner, domain_id: DomainId) -> Response:
    """Trusts a host no more."""
    await belongings.delete_belonging(get_state(request), TrustedDomain, owner, read_number_segment(domain_id))
    return empty_reply()


@router.get("/redirect_uris", **describe(RedirectUriPage, errors=META_ERRORS))
async def list_redirect_uris(
    request: Request,
    owner: ApplicationOwner,
    page: PageNumber = 1,
    page_size: PageSize = 100,
) -> Response:
    """Lists where people may be sent back to after they connected an account, oldest first."""
    rows, total = await belongings.list_belongings(
        get_state(request), RedirectUri, owner, offset=(page - 1) * page_size, limit=page_size
    )
    objects: list[object] = [_build_redirect(request, row) for row in rows]
    return JsonReply(build_numbered_list(objects, total=total, page=page, page_size=page_size, api="meta"))


@router.post(
    "/redirect_uris", **describe(RedirectUriReply, status=201, also={200: RedirectUriReply}, errors=META_ERRORS)
)
async def create_redirect_uri(request: Request, owner: ApplicationOwner, body: RedirectUriCreate) -> Response:
    """Allows a redirect URI; one that is allowed already is returned with 200."""
    row, is_new = await belongings.add_redirect_uri(get_state(request), owner, uri=body.url)
    return JsonReply(_build_redirect(request, row), 201 if is_new else 200)


@router.get("/redirect_uris/{redirect_uri_id}", **describe(RedirectUriReply, errors=META_ERRORS))
async def get_redirect_uri(request: Request, owner: ApplicationOwner, redirect_uri_id: RedirectUriId) -> Response:
    """A redirect URI."""
    row = await belongings.get_belonging(get_state(request), RedirectUri, owner, read_number_segment(redirect_uri_id))
    return JsonReply(_build_redirect(request, row))


@router.delete("/redirect_uris/{redirect_uri_id}", **describe(status=204, errors=META_ERRORS))
async def delete_redirect_uri(request: Request, owner: ApplicationOwner, redirect_uri_id: RedirectUriId) -> Response:
    """Allows a redirect URI no more."""
    await belongings.delete_belonging(get_state(request), RedirectUri, owner, read_number_segment(redirect_uri_id))
    return empty_reply()


@router.get("/service_keys", **describe(ServiceKeyPage, errors=META_ERRORS))
async def list_service_keys(
    request: Request,
    owner: ApplicationOwner,
    page: PageNumber = 1,
    page_size: PageSize = 100,
) -> Response:
    """Lists the application's own OAuth clients, oldest first."""
    rows, total = await belongings.list_belongings(
        get_state(request), ServiceKey, owner, offset=(page - 1) * page_size, limit=page_size
    )
    objects: list[object] = [_build_service_key(request, row) for row in rows]
    return JsonReply(build_numbered_list(objects, total=total, page=page, page_size=page_size, api="meta"))


@router.post("/service_keys", **describe(ServiceKeyReply, status=201, errors=(*META_ERRORS, ErrorCode.NAMING_CONFLICT)))
async def create_service_key(request: Request, owner: ApplicationOwner, body: ServiceKeyCreate) -> Response:
    """Takes an OAuth client of your own for a service, one for each. Its secret is stored sealed."""
    row = await belongings.add_service_key(get_state(request), owner, body)
    return JsonReply(_build_service_key(request, row), 201)


@router.get("/service_keys/{service_key_id}", **describe(ServiceKeyReply, errors=META_ERRORS))
async def get_service_key(request: Request, owner: ApplicationOwner, service_key_id: ServiceKeyId) -> Response:
    """One of the application's own OAuth clients."""
    row = await belongings.get_belonging(get_state(request), ServiceKey, owner, read_number_segment(service_key_id))
    return JsonReply(_build_service_key(request, row))


@router.patch("/service_keys/{service_key_id}", **describe(ServiceKeyReply, errors=META_ERRORS))
async def update_service_key(
    request: Request,
    owner: ApplicationOwner,
    service_key_id: ServiceKeyId,
    body: ServiceKeyUpdate,
) -> Response:
    """Changes the fields that are given."""
    row = await belongings.update_service_key(get_state(request), owner, read_number_segment(service_key_id), body)
    return JsonReply(_build_service_key(request, row))


@router.delete("/service_keys/{service_key_id}", **describe(status=204, errors=META_ERRORS))
async def delete_service_key(request: Request, owner: ApplicationOwner, service_key_id: ServiceKeyId) -> Response:
    """Deletes one of the application's own OAuth clients."""
    await belongings.delete_belonging(get_state(request), ServiceKey, owner, read_number_segment(service_key_id))
    return empty_reply()
