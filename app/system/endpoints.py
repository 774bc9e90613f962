"""Whether the process lives, whether it can serve, and the documentation page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from app.core.http.replies import JsonReply, describe
from app.core.state import get_state

DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
ASSETS_PATH = "/docs/assets"  # Swagger UI's files, from the package fastapi-swagger

router = APIRouter(tags=["system"])


class Health(Struct):
    """The process answers."""

    status: str = "ok"


class Readiness(Struct):
    """The process can serve."""

    status: str = "ready"
    database: str = "ok"


@router.get("/health", **describe(Health, is_public=True))
async def get_health() -> Response:
    """Says that the process answers; asks nothing else."""
    return JsonReply(Health())


@router.get("/ready", **describe(Readiness, is_public=True))
async def get_readiness(request: Request) -> Response:
    """Says that requests can be served now; 503 while the database cannot be reached."""
    await get_state(request).db.check()
    return JsonReply(Readiness())


@router.get("/docs", include_in_schema=False)
async def get_docs() -> Response:
    """The documentation page; everything it loads comes from this server."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Kloudless API",
        swagger_js_url=f"{ASSETS_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS_PATH}/favicon-32x32.png",
        swagger_ui_parameters={"validatorUrl": None, "filter": True, "displayRequestDuration": True},
    )
    page.headers["Content-Security-Policy"] = DOCS_POLICY
    return page


@router.get("/", include_in_schema=False)
async def get_start() -> Response:
    """Sends people to the documentation."""
    return RedirectResponse("/docs", 307)
