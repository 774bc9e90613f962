"""Which services accounts can be connected to, for everybody to see, and their logos (contract 2.7)."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from app.accounts.clients import list_connectable
from app.catalog.schemas import CapabilityResult, ServiceList, ServiceProperties, ServiceReply
from app.core.errors import ApiError, ErrorCode
from app.core.http.paths import read_segment
from app.core.http.reading import Flag, Text
from app.core.http.replies import JsonReply, describe, get_request_state
from app.core.state import get_state
from connectors.core.manifest import Manifest

PREFIX = "/v1/public/services"
LOGOS_PATH = "/static/logos"
LOGO_SECONDS_MAX = 86_400
APIS = ("storage",)
CAPABILITIES = ("storage.folders.list", "storage.folders.read")
"""What the file picker 2.6.5 cannot do without; every connector has them."""

LOGOS = {path.name: path.read_bytes() for path in files("app.catalog").joinpath("logos").iterdir()}
LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

router = APIRouter(tags=["services"])

ApplicationId = Annotated[
    Text | None, Query(max_length=200, description="An application; OAuth clients of its own count, too.")
]
WithProperties = Annotated[Flag, Query(description="With what every account of a service can do.")]


def _build_reply(request: Request, manifest: Manifest, *, with_properties: bool) -> ServiceReply:
    origin = get_request_state(request).origin
    results = [CapabilityResult(admin=False, result=True)]
    return ServiceReply(
        name=manifest.service,
        friendly_name=manifest.title,
        category=manifest.category,
        logo_url=f"{origin}{LOGOS_PATH}/{manifest.category}.svg",
        apis=list(APIS),
        href=f"{origin}{PREFIX}/{manifest.service}",
        properties=ServiceProperties(dict.fromkeys(CAPABILITIES, results)) if with_properties else UNSET,
    )


@router.get(PREFIX, **describe(ServiceList, is_public=True))
async def list_services(
    request: Request,
    apis: Annotated[
        str | None, Query(max_length=200, description="Only services with one of these APIs, comma-separated.")
    ] = None,
    app_id: ApplicationId = None,
    retrieve_properties: WithProperties = False,
) -> Response:
    """Lists the services that accounts can be connected to.

    Services that only the operator adds are left out, and those for whose pages of consent no OAuth client is set up.
    """
    wanted = {api.strip() for api in (apis or "").split(",") if api.strip()}
    is_wanted = not wanted or wanted & set(APIS)
    manifests = await list_connectable(get_state(request), app_id) if is_wanted else []
    objects = [_build_reply(request, manifest, with_properties=retrieve_properties) for manifest in manifests]
    return JsonReply(ServiceList(api="meta", count=len(objects), page=1, next_page=None, objects=objects))


@router.get(PREFIX + "/{service_name}", **describe(ServiceReply, errors=(ErrorCode.NOT_FOUND,), is_public=True))
async def get_service(
    request: Request,
    service_name: Annotated[str, Path(description="The service's identifier.")],
    app_id: ApplicationId = None,
    retrieve_properties: WithProperties = False,
) -> Response:
    """A service that accounts can be connected to."""
    name = read_segment(service_name)
    for manifest in await list_connectable(get_state(request), app_id):
        if manifest.service == name:
            return JsonReply(_build_reply(request, manifest, with_properties=retrieve_properties))
    raise ApiError(ErrorCode.NOT_FOUND, "There is no such service.")


@router.get(LOGOS_PATH + "/{logo}", include_in_schema=False)
async def get_logo(logo: str) -> Response:
    """A drawing for a kind of service."""
    drawing = LOGOS.get(logo)
    if drawing is None:
        raise ApiError(ErrorCode.NOT_FOUND)
    headers = {"Cache-Control": f"public, max-age={LOGO_SECONDS_MAX}", "Content-Security-Policy": LOGO_POLICY}
    return Response(drawing, media_type="image/svg+xml", headers=headers)
