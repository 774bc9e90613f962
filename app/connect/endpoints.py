"""Verifying and revoking bearer tokens (contract 2.3). A wrong token is 400 here: the JS client reads it so."""

from __future__ import annotations

from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from app.accounts import service
from app.accounts.callers import Caller, admit, find_token_caller
from app.core.errors import ApiError, ErrorCode
from app.core.http.credentials import read_credentials
from app.core.http.limits import LoginWatch
from app.core.http.replies import JsonReply, describe, empty_reply
from app.core.state import get_state

router = APIRouter(prefix="/v1/oauth/token", tags=["tokens"])


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


_ERRORS = (ErrorCode.INVALID_TOKEN, ErrorCode.AUTHENTICATION_REQUIRED)


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
