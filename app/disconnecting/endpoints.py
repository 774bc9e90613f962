"""DELETE /v1/accounts/{id}: an account is disconnected."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.accounts.endpoints import ACCOUNT_ERRORS, AuthorizedAccount
from app.core.http.replies import describe, empty_reply
from app.core.state import get_state
from app.disconnecting import service

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])


@router.delete("/{account_id}", **describe(status=204, errors=ACCOUNT_ERRORS))
async def delete_account(request: Request, account: AuthorizedAccount) -> Response:
    """Disconnects the account: tasks end, unfinished uploads are aborted, secrets are purged, tokens stop working.

    A consent that its user gave at the provider is given back, unless another account lives by it.

    Its files stay where they are. While its storage does not answer this takes a little longer; it does not fail.
    """
    await service.disconnect_account(get_state(request), account_id=account[1].id)
    return empty_reply()
