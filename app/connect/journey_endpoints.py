"""The pages on which people connect an account for an application (contract 2.1, 2.2)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.clients import list_connectable, list_missing_clients
from app.accounts.scopes import SCOPES_CHARACTERS_MAX
from app.applications.addresses import URI_CHARACTERS_MAX
from app.connect import consents, pages, results, service
from app.connect.pages import PREFIX
from app.connect.service import Visit
from app.connect.wishes import (
    ECHO_CHARACTERS_MAX,
    JSON_CHARACTERS_MAX,
    RAW_CHARACTERS_MAX,
    WishError,
    read_return_path,
    read_wishes,
)
from app.core.errors import ApiError, ErrorCode
from app.core.http.forms import read_form
from app.core.http.limits import admit_application
from app.core.http.pages import HEADERS
from app.core.http.paths import read_segment
from app.core.http.replies import DirectRoute, describe, get_request_state
from app.core.state import get_state
from app.core.tokens import generate_token
from connectors.core.errors import ConnectorError
from connectors.core.manifest import Manifest, OAuth2

CALLBACK_PATH = f"{PREFIX}/callback"
COOKIE_NAME = "kloudless_connect"
COOKIE_CHARACTERS_MAX = 100
FORM_BYTES_MAX = 262_144
FORM_FIELDS_MAX = 100
PAGE = {"text/html": {"schema": {"type": "string"}}}


def _describe(name: str, description: str, characters_max: int, *, is_required: bool = False) -> dict[str, object]:
    schema = {"type": "string", "maxLength": characters_max}
    return {"name": name, "in": "query", "required": is_required, "description": description, "schema": schema}


PARAMETERS = (
    _describe("client_id", "The application's id.", 64, is_required=True),
    {
        "name": "response_type",
        "in": "query",
        "required": True,
        "description": "What comes back: a code for the application's server, or a bearer token for a browser.",
        "schema": {"type": "string", "enum": ["code", "token"]},
    },
    _describe(
        "redirect_uri",
        "Where people are sent back to: one of the application's redirect URIs, or `urn:ietf:wg:oauth:2.0:oob`, which "
        "is meant without one when a token is asked for.",
        URI_CHARACTERS_MAX,
    ),
    _describe(
        "scope",
        "Which services to choose from, such as `all`, `storage`, or a service's identifier.",
        SCOPES_CHARACTERS_MAX,
    ),
    _describe("state", "Comes back as it is; compare it.", ECHO_CHARACTERS_MAX),
    _describe(
        "origin",
        "Of the page that opened the window and gets the result as a message; one of the trusted domains.",
        URI_CHARACTERS_MAX,
    ),
    _describe("request_id", "Comes back as the message's `id`.", ECHO_CHARACTERS_MAX),
    _describe("form_data", "A JSON object with values to fill into the form; no secrets.", JSON_CHARACTERS_MAX),
    _describe("extra_data", "An older name of `form_data`.", JSON_CHARACTERS_MAX),
    _describe("custom_properties", "A JSON object to keep with the account.", JSON_CHARACTERS_MAX),
    _describe(
        "raw[login_hint]",
        "What the provider's page of consent is told; any name may stand for `login_hint`.",
        RAW_CHARACTERS_MAX,
    ),
    *(
        _describe(name, "What older clients say beside it; it changes nothing here.", ECHO_CHARACTERS_MAX)
        for name in ("oob_loading_delay", "referrer", "account_key")
    ),
)

direct = APIRouter(prefix=PREFIX, tags=["connecting"], route_class=DirectRoute)


@direct.get(
    "",
    **describe(
        PAGE,
        also={303: None},
        errors=(ErrorCode.FORBIDDEN,),
        parameters=PARAMETERS,
        is_public=True,
        has_error_pages=True,
    ),
)
async def start_connecting(request: Request) -> Response:
    """Opens the pages on which somebody connects an account for the application. To be opened in a browser.

    The result goes to `redirect_uri`: `code` and `state` in its query, or `access_token`, `token_type`, `scope` and
    `state` in its fragment, which needs the application's `implicit_grant_enabled`; what went wrong as `error` and
    `error_description`. Out of band it is a message to the window that opened this one, or shown to be copied.
    """
    _show_errors_as_pages(request)
    state, query = get_state(request), request.query_params
    back = read_return_path(query)
    application = await service.find_application(state, query.get("client_id") or "", back)
    admit_application(request, application.id)
    try:
        if back.response_type == "token" and not back.is_out_of_band and not application.implicit_grant_enabled:
            raise WishError(  # noqa: TRY301 - one way out for all of them
                "unsupported_response_type", "The application has not switched on implicit_grant_enabled."
            )
        offered = await list_connectable(state, application.id)
        wishes = read_wishes(query, back, offered, sorted(await list_missing_clients(state, application.id)))
    except WishError as error:
        return results.build_failure(back, error)
    browser = _read_browser(request) or generate_token()
    path = f"{PREFIX}/journeys/{await service.start(state, application.id, browser, wishes)}"
    if len(wishes.services) == 1:
        path = f"{path}/services/{wishes.services[0]}"
    reply = _redirect(path)
    reply.set_cookie(
        COOKIE_NAME,
        browser,
        path=PREFIX,
        secure=get_request_state(request).origin.startswith("https://"),
        httponly=True,
        samesite="lax",
    )
    return reply


@direct.get("/journeys/{journey}", include_in_schema=False)
async def choose_service(request: Request) -> Response:
    """A choice of the services that the application wants."""
    visit = await _find(request)
    offered = await list_connectable(get_state(request), visit.journey.application_id)
    manifests = [each for each in offered if each.service in visit.wishes.services]
    return pages.build_services_page(visit, _get_path(request), manifests)


@direct.get("/journeys/{journey}/services/{service}", include_in_schema=False)
async def open_service(request: Request) -> Response:
    """The form of one service, or the way to the provider's page of consent."""
    visit = await _find(request)
    manifest = await _find_manifest(request, visit)
    if isinstance(manifest.auth, OAuth2):
        return await _leave_for_consent(request, visit, manifest)
    return pages.build_credentials_page(visit, _get_path(request), manifest, values=visit.wishes.form_data)


@direct.post("/journeys/{journey}/services/{service}", include_in_schema=False)
async def submit_service(request: Request) -> Response:
    """Tries what was filled in: the result, or the form again with what is wrong."""
    visit = await _find(request)
    manifest = await _find_manifest(request, visit)
    if isinstance(manifest.auth, OAuth2):
        raise ApiError(ErrorCode.NOT_FOUND, "This service has no form.")
    form = await read_form(request, bytes_max=FORM_BYTES_MAX, fields_max=FORM_FIELDS_MAX)
    given = {field.name: form.get(field.name, "").strip("\r\n\0") for field in manifest.auth.fields}
    problems = {
        field.name: f"One of: {', '.join(field.choices)}." if given[field.name] else "This is needed."
        for field in manifest.auth.fields
        if (field.is_required and not given[field.name])
        or (field.choices and given[field.name] not in {"", *field.choices})
    }
    if not problems:
        credentials = {name: value for name, value in given.items() if value}
        try:
            result = await service.connect(get_state(request), visit, manifest, credentials)
        except ConnectorError as error:
            problems = _place_problem(manifest, error.message)
        else:
            return results.build_success(visit.wishes.back, result)
    return pages.build_credentials_page(visit, _get_path(request), manifest, values=given, problems=problems)


async def _leave_for_consent(request: Request, visit: Visit, manifest: Manifest) -> Response:
    redirect_url = f"{get_request_state(request).origin}{CALLBACK_PATH}"
    try:
        url = await consents.begin(get_state(request), visit, manifest, redirect_url=redirect_url)
    except WishError as error:
        await service.cancel(get_state(request), visit)
        return results.build_failure(visit.wishes.back, error)
    return _redirect(url)


@direct.get("/callback", include_in_schema=False)
async def come_back_from_consent(request: Request) -> Response:
    """Where providers send people after their page of consent: the result, or what went wrong there."""
    _show_errors_as_pages(request)
    state, query = get_state(request), request.query_params
    back = await consents.take(state, query.get("state") or "", _read_browser(request))
    admit_application(request, back.visit.journey.application_id)
    found = state.registry.find(back.consent.service)
    if found is None:
        raise ApiError(ErrorCode.NOT_FOUND, "This service is not offered any more.")
    wishes = back.visit.wishes
    try:
        result = await consents.finish(state, back, found.manifest, query)
    except WishError as error:
        await service.cancel(state, back.visit)
        return results.build_failure(wishes.back, error)
    return results.build_success(wishes.back, result)


@direct.post("/journeys/{journey}/cancel", include_in_schema=False)
async def cancel_connecting(request: Request) -> Response:
    """Ends it; the application hears that it was cancelled."""
    visit = await _find(request)
    await service.cancel(get_state(request), visit)
    return results.build_failure(visit.wishes.back, results.CANCELLED)


def _place_problem(manifest: Manifest, message: str) -> dict[str, str]:
    """Connectors begin with the field's name when they know which one is wrong."""
    name, separator, rest = message.partition(": ")
    is_field = bool(separator) and any(field.name == name for field in manifest.auth.fields)
    text = rest if is_field else message
    return {name if is_field else "": f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"}


async def _find(request: Request) -> Visit:
    _show_errors_as_pages(request)
    name = read_segment(request.path_params["journey"])
    visit = await service.find(get_state(request), name, _read_browser(request))
    admit_application(request, visit.journey.application_id)
    return visit


async def _find_manifest(request: Request, visit: Visit) -> Manifest:
    name = read_segment(request.path_params["service"])
    for manifest in await list_connectable(get_state(request), visit.journey.application_id):
        if manifest.service == name and name in visit.wishes.services:
            return manifest
    raise ApiError(ErrorCode.NOT_FOUND, "The application did not ask for this service.")


def _read_browser(request: Request) -> str | None:
    value = request.cookies.get(COOKIE_NAME)
    return value if value and len(value) <= COOKIE_CHARACTERS_MAX else None


def _show_errors_as_pages(request: Request) -> None:
    request.scope["state"]["build_error_page"] = pages.build_refusal_page


def _get_path(request: Request) -> str:
    return f"{PREFIX}/journeys/{read_segment(request.path_params['journey'])}"


def _redirect(path: str) -> Response:
    return RedirectResponse(path, status_code=303, headers={**HEADERS, "Cache-Control": "no-store"})
