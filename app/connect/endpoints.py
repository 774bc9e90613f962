"""Bearer tokens: for a code, verified, revoked (contract 2.3). A wrong token is 400 here: the JS client reads it so."""

from __future__ import annotations

from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from app.accounts import service
from app.accounts.callers import Caller, admit, find_token_caller
from app.accounts.schemas import TokenReply
from app.applications.addresses import OUT_OF_BAND
from app.applications.service import find_application_id_by_key
from app.connect.service import redeem
from app.core.errors import ApiError, ErrorBody, ErrorCode
from app.core.http.credentials import read_credentials
from app.core.http.forms import read_form
from app.core.http.limits import LoginWatch
from app.core.http.replies import JsonReply, describe, empty_reply, get_request_state
from app.core.state import get_state

FORM_BYTES_MAX = 65_536
FORM_FIELDS_COUNT_MAX = 20
FORM_TYPE = "application/x-www-form-urlencoded"
FORM_FIELDS = ("grant_type", "code", "redirect_uri", "client_id", "client_secret")

_ERRORS = (ErrorCode.INVALID_TOKEN, ErrorCode.AUTHENTICATION_REQUIRED)

router = APIRouter(prefix="/v1/oauth/token", tags=["tokens"])


class TokenErrorBody(ErrorBody, kw_only=True):
    """An error with the two fields that clients of OAuth 2 look for (RFC 6749, section 5.2)."""

    error: str
    error_description: str


class TokenInfo(Struct, kw_only=True):
    """Whose token it is."""

    client_id: str
    account_id: int
    scope: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires: None = None


async def _read_token(request: Request) -> Caller:
    credentials = read_credentials(request)
    caller = None
    if credentials.scheme == "bearer":
        watch = LoginWatch(request, credentials.secret)
        caller = await find_token_caller(get_state(request), credentials.secret, before_look_up=watch.check)
        watch.note(is_good=caller is not None)
    if caller is None:
        raise ApiError(ErrorCode.INVALID_TOKEN, "The token is wrong or revoked.")
    admit(request, caller)
    return caller


@router.post(
    "",
    **describe(
        TokenReply,
        errors=(ErrorCode.REQUEST_FAILED, ErrorCode.UNAUTHORIZED),
        body={
            "content": {
                FORM_TYPE: {
                    "schema": {
                        "type": "object",
                        "properties": {name: {"type": "string"} for name in FORM_FIELDS},
                        "required": ["grant_type", "code"],
                    }
                }
            }
        },
        is_public=True,
    ),
)
async def exchange_code(request: Request) -> Response:
    """Gives a bearer token for the code that connecting an account ended with; once, within a minute.

    The fields may stand in the query, too. `client_secret` is an API key of the application; it may instead be sent as
    `Authorization: APIKey`. `redirect_uri` is the one that the pages were opened with. Errors
    also have the fields `error` and `error_description` of OAuth 2 (RFC 6749, section 5.2).
    """
    fields = await _read_fields(request)
    if (grant_type := fields.get("grant_type")) != "authorization_code":
        return _refuse(request, "unsupported_grant_type", f"grant_type must be authorization_code, not {grant_type!r}.")
    if not fields.get("code"):
        return _refuse(request, "invalid_request", "code is required.")
    application_id = await _find_application(request, fields)
    if application_id is None:
        return _refuse(
            request,
            "invalid_client",
            "client_id must be the application's id, and client_secret one of its API keys.",
            ErrorCode.UNAUTHORIZED,
        )
    granted = await redeem(
        get_state(request),
        fields["code"],
        application_id=application_id,
        redirect_uri=fields.get("redirect_uri") or OUT_OF_BAND,
    )
    if granted is None:
        return _refuse(
            request,
            "invalid_grant",
            "The code is wrong, used, or older than a minute, or redirect_uri is not the one that it was made for.",
        )
    token, scope, account_id = granted
    return JsonReply(TokenReply(access_token=token, scope=scope, account_id=account_id))


async def _read_fields(request: Request) -> dict[str, str]:
    """Those of the body, whatever type it is said to be (contract 0.3, item 6), then those of the query."""
    form = await read_form(request, bytes_max=FORM_BYTES_MAX, fields_max=FORM_FIELDS_COUNT_MAX)
    return dict(request.query_params) | form


async def _find_application(request: Request, fields: dict[str, str]) -> str | None:
    """The application that shows one of its keys, if it is the one that it says."""
    key = fields.get("client_secret")
    if not key and "authorization" in request.headers:
        credentials = read_credentials(request)
        key = credentials.secret if credentials.scheme == "apikey" else None
    if not key:
        return None
    watch = LoginWatch(request, key)
    application_id = await find_application_id_by_key(get_state(request), key, before_look_up=watch.check)
    watch.note(is_good=application_id is not None)
    if application_id is None or fields.get("client_id", application_id) != application_id:
        return None
    admit(request, Caller(application_id))
    return application_id


def _refuse(request: Request, error: str, description: str, code: ErrorCode = ErrorCode.REQUEST_FAILED) -> Response:
    state = get_request_state(request)
    state.error_code = code.code
    body = TokenErrorBody(
        status_code=code.status,
        error_code=code.code,
        message=description,
        id=state.id,
        error=error,
        error_description=description,
    )
    return JsonReply(body, code.status)


@router.get("", **describe(TokenInfo, errors=_ERRORS))
async def verify_token(request: Request) -> Response:
    """Says which application and account the bearer token of this request belongs to."""
    caller = await _read_token(request)
    if caller.account_id is None:
        raise AssertionError("a bearer token without an account")
    return JsonReply(TokenInfo(client_id=caller.application_id, account_id=caller.account_id, scope=caller.scope))


@router.delete("", **describe(status=204, errors=_ERRORS))
async def revoke_token(request: Request) -> Response:
    """Revokes the bearer token of this request, at once."""
    caller = await _read_token(request)
    if caller.token_hash is None:
        raise AssertionError("a bearer token without a hash")
    await service.revoke_token(get_state(request), token_hash=caller.token_hash)
    return empty_reply()
