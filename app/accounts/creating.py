"""Routes that create things for a caller of this API, once however often the request comes."""

from __future__ import annotations

from starlette.requests import Request

from app.accounts.callers import authenticate
from app.core.http.replies import DirectRoute
from app.idempotency.routes import IdempotentRoute
from app.idempotency.service import Owner


class CreatingRoute(IdempotentRoute):
    """An Idempotency-Key belongs to the application by its API key, or to one bearer token."""

    @staticmethod
    async def identify(request: Request) -> Owner:
        caller = await authenticate(request)
        return Owner(caller.application_id, caller.token_hash)


class CreatingDirectRoute(CreatingRoute, DirectRoute):
    """The same around an endpoint that reads the request itself."""
