"""What is behind a link's address: a page, a password form, or the file's bytes. No credentials but the address."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.clock import now
from app.core.errors import ApiError, ErrorCode
from app.core.http.forms import read_form
from app.core.http.pages import HEADERS
from app.core.http.paths import read_segment
from app.core.http.replies import DirectRoute, build_schema, describe, get_request_state
from app.core.state import get_state
from app.links import pages
from app.links.endpoints import PUBLIC_PREFIX
from app.links.passes import COOKIE_NAME, PASS_SECONDS, build_pass, is_pass_good
from app.links.schemas import LinkPassword
from app.links.visiting import Visit, build_source, find_signed_url, get_file, open_visit, try_password
from app.storage.downloads import DownloadReply, build_head_reply
from app.storage.endpoints import describe_parameter
from app.storage.file_endpoints import CONTENTS

FORM_BYTES_MAX = 8192
FORM_FIELDS_MAX = 10
FORM_TYPE = "application/x-www-form-urlencoded"
WRONG_PASSWORD = "This is not the password. Check it and try again."  # noqa: S105 - what is said of a wrong one
NEEDS_PASSWORD = "This link needs a password. Open it in a browser."  # noqa: S105 - what is said without one

PAGE = {"text/html": {"schema": {"type": "string"}}}
TOKEN_PARAMETER = describe_parameter("token", "path", "The secret part of the link's address.", type="string")
RANGE_PARAMETER = describe_parameter(
    "Range", "header", "One range of a file's bytes, such as bytes=0-99.", type="string"
)
LINK_ERRORS = (
    ErrorCode.FORBIDDEN,
    ErrorCode.NOT_FOUND,
    ErrorCode.GATEWAY_TIMEOUT,
)
BYTES_ERRORS = (*LINK_ERRORS, ErrorCode.PRECONDITION_FAILED, ErrorCode.RANGE_NOT_SATISFIABLE)

direct = APIRouter(prefix=PUBLIC_PREFIX, tags=["public links"], route_class=DirectRoute)


@direct.get(
    "/{token}",
    **describe(
        PAGE | CONTENTS,
        also={206: CONTENTS, 302: None, 304: None},
        errors=BYTES_ERRORS,
        parameters=(TOKEN_PARAMETER, RANGE_PARAMETER),
        is_public=True,
        has_error_pages=True,
    ),
)
async def open_link(request: Request) -> Response:
    """What a link's address gives to anybody who has it: a page with the file's name and a button, or the bytes.

    With `direct` it is the bytes, or for a moment (302) an address at the storage itself, unless the request says
    `Prefer: relay`. Until its password was given it is a form for that. Errors are pages where HTML is accepted.
    """
    visit = await _open_visit(request)
    if not _is_unlocked(request, visit):
        return _ask_for_password(request, visit)
    if visit.link.is_direct:
        return await _give_bytes(request, visit)
    return pages.build_file_page(await get_file(visit), download_path=f"{_get_path(request)}/download")


@direct.head(
    "/{token}",
    **describe(PAGE | CONTENTS, also={304: None}, errors=BYTES_ERRORS, parameters=(TOKEN_PARAMETER,), is_public=True),
)
async def head_link(request: Request) -> Response:
    """The headers of what a link's address gives."""
    visit = await _open_visit(request)
    if not _is_unlocked(request, visit):
        return _ask_for_password(request, visit)
    if visit.link.is_direct:
        return await build_head_reply(build_source(visit), request.headers, extra_headers=HEADERS)
    return pages.build_file_page(await get_file(visit), download_path=f"{_get_path(request)}/download")


@direct.post(
    "/{token}",
    **describe(
        PAGE,
        also={303: None},
        errors=(*LINK_ERRORS, ErrorCode.REQUEST_TOO_LARGE, ErrorCode.REQUEST_TIMEOUT, ErrorCode.TOO_MANY_REQUESTS),
        parameters=(TOKEN_PARAMETER,),
        body={
            "required": True,
            "content": {FORM_TYPE: {"schema": build_schema(LinkPassword)}},
        },
        is_public=True,
        has_error_pages=True,
    ),
)
async def unlock_link(request: Request) -> Response:
    """Takes the password that the form asks for, and remembers for an hour, in a cookie, that it was right.

    After 10 wrong ones within 10 minutes, whoever tried them, the answer is 429 for the rest of these.
    """
    visit = await _open_visit(request)
    state, link = visit.state, visit.link
    password = await _read_password(request)
    if not await try_password(state, link, password, now=now()):
        if not _wants_page(request):
            raise ApiError(ErrorCode.FORBIDDEN, WRONG_PASSWORD)
        return pages.build_password_page(
            path=_get_path(request), problem=WRONG_PASSWORD, status=ErrorCode.FORBIDDEN.status
        )
    if link.is_direct and _wants_page(request):
        reply = pages.build_starting_page(download_path=f"{_get_path(request)}/download")
    else:
        reply = _redirect(_get_path(request), 303)
    if link.password_hash is not None:
        reply.set_cookie(
            COOKIE_NAME,
            build_pass(state.keys, link, now=now()),
            max_age=PASS_SECONDS,
            path=_get_path(request),
            secure=_is_secure(request),
            httponly=True,
            samesite="lax",
        )
    return reply


@direct.get(
    "/{token}/download",
    **describe(
        CONTENTS,
        also={206: CONTENTS, 302: None, 303: None, 304: None},
        errors=BYTES_ERRORS,
        parameters=(TOKEN_PARAMETER, RANGE_PARAMETER),
        is_public=True,
        has_error_pages=True,
    ),
)
async def download_link(request: Request) -> Response:
    """The bytes of a link's file, as an attachment: what the page's button leads to.

    Before its password was given, browsers are sent to the form.
    """
    visit = await _open_visit(request)
    if _is_unlocked(request, visit):
        return await _give_bytes(request, visit)
    return _send_to_form(request)


@direct.head(
    "/{token}/download",
    **describe(
        CONTENTS,
        also={303: None, 304: None},
        errors=BYTES_ERRORS,
        parameters=(TOKEN_PARAMETER,),
        is_public=True,
        has_error_pages=True,
    ),
)
async def head_link_download(request: Request) -> Response:
    """The headers of a link's file without the bytes."""
    visit = await _open_visit(request)
    if _is_unlocked(request, visit):
        return await build_head_reply(build_source(visit), request.headers, extra_headers=HEADERS)
    return _send_to_form(request)


async def _open_visit(request: Request) -> Visit:
    if _wants_page(request):
        request.scope["state"]["build_error_page"] = pages.build_refusal_page
    return await open_visit(get_state(request), _read_token(request), now=now())


async def _give_bytes(request: Request, visit: Visit) -> Response:
    if "relay" not in request.headers.get("prefer", "").lower():
        url = await find_signed_url(visit, is_secure=_is_secure(request), now=now())
        if url is not None:
            return _redirect(url, 302)
    return DownloadReply(build_source(visit), request.headers, extra_headers=HEADERS)


def _ask_for_password(request: Request, visit: Visit) -> Response:
    # A program that follows a direct link would take the form for the file.
    if visit.link.is_direct and not _wants_page(request):
        raise ApiError(ErrorCode.FORBIDDEN, NEEDS_PASSWORD)
    return pages.build_password_page(path=_get_path(request))


def _send_to_form(request: Request) -> Response:
    if not _wants_page(request):
        raise ApiError(ErrorCode.FORBIDDEN, NEEDS_PASSWORD)
    return _redirect(_get_path(request), 303)


def _redirect(url: str, status: int) -> Response:
    location = quote(url, safe=":/%#?=@[]!$&'()*+,;~")
    return Response(status_code=status, headers={**HEADERS, "Location": location, "Cache-Control": "no-store"})


def _is_unlocked(request: Request, visit: Visit) -> bool:
    if visit.link.password_hash is None:
        return True
    return is_pass_good(visit.state.keys, visit.link, request.cookies.get(COOKIE_NAME), now=now())


async def _read_password(request: Request) -> str:
    form = await read_form(request, bytes_max=FORM_BYTES_MAX, fields_max=FORM_FIELDS_MAX)
    return form.get("password", "")


def _read_token(request: Request) -> str:
    return read_segment(request.path_params["token"])


def _get_path(request: Request) -> str:
    return f"{PUBLIC_PREFIX}/{quote(_read_token(request), safe='')}"


def _is_secure(request: Request) -> bool:
    return get_request_state(request).origin.startswith("https://")


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
