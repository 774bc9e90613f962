"""How a result goes back: in an address, to the page that opened the window, or to be copied (contract 2.2)."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from app.connect import pages
from app.connect.service import Result
from app.connect.wishes import ReturnPath, WishError
from app.core.errors import ApiError, ErrorCode
from app.core.http.pages import HEADERS

CANCELLED = WishError("access_denied", "The account was not connected: it was cancelled.")


def build_success(back: ReturnPath, result: Result) -> Response:
    """Hands over a code or a token."""
    values: dict[str, str | None] = {}
    if back.response_type == "code":
        values["code"] = result.secret
    else:
        values |= {"access_token": result.secret, "token_type": "Bearer", "scope": result.scope}
    if not back.is_out_of_band:
        return _redirect(back, values)
    if back.origin is None:
        return pages.build_secret_page(back, result)
    values |= {"service": result.account.service, "state": back.state}
    return pages.build_message_page(back, values, title="Connected", text="You can close this window.")


def build_failure(back: ReturnPath, error: WishError) -> Response:
    """Says what went wrong."""
    values: dict[str, str | None] = {"error": error.code, "error_description": error.description}
    if not back.is_out_of_band:
        return _redirect(back, values)
    if back.origin is None:
        return pages.build_refusal_page(ApiError(ErrorCode.INVALID_PARAMETERS, error.description))
    return pages.build_message_page(
        back, {**values, "state": back.state}, title="Not connected", text=error.description
    )


def _redirect(back: ReturnPath, values: dict[str, str | None]) -> Response:
    """Codes and errors of codes go into the query, tokens and theirs into the fragment, which no server sees."""
    given = {**values, "state": back.state}
    text = urlencode({name: value for name, value in given.items() if value is not None})
    in_query = "&" if "?" in back.redirect_uri else "?"
    separator = "#" if back.response_type == "token" else in_query
    headers = {**HEADERS, "Cache-Control": "no-store", "Location": f"{back.redirect_uri}{separator}{text}"}
    return Response(status_code=303, headers=headers)
