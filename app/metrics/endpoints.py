"""Where metrics are scraped: at a port of their own, or at the API's with the operator's token."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from app.core.errors import ApiError, ErrorCode
from app.core.http.credentials import read_credentials
from app.core.http.limits import LoginWatch
from app.core.http.replies import DirectRoute
from app.core.state import get_state
from app.metrics.service import MetricsPage

METRICS_PATH = "/metrics"

direct = APIRouter(route_class=DirectRoute, include_in_schema=False)


@direct.get(METRICS_PATH)
async def get_metrics(request: Request) -> Response:
    """The metrics, for whoever shows the operator's token; as good as not there if the operator set none."""
    token = get_state(request).settings.metrics_token
    if token is None:
        raise ApiError(ErrorCode.NOT_FOUND, "Metrics are not shown here; the operator's README says how they are.")
    credentials = read_credentials(request)
    watch = LoginWatch(request, credentials.secret)
    watch.check()
    is_right = hmac.compare_digest(credentials.secret.encode(), token.get_secret_value().encode())
    watch.note(is_good=is_right)
    if credentials.scheme != "bearer" or not is_right:
        raise ApiError(ErrorCode.UNAUTHORIZED, "The metrics' token is wrong.")
    return await _answer(request, request.app.state.metrics_page)


class MetricsPort:
    """All that is served at the metrics' own port."""

    def __init__(self, page: MetricsPage) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD of the one path."""
        if scope["path"] != METRICS_PATH:
            answer: Response = PlainTextResponse(f"There is only {METRICS_PATH}.\n", 404)
        elif scope["method"] not in {"GET", "HEAD"}:
            answer = PlainTextResponse("Only GET.\n", 405, {"Allow": "GET, HEAD"})
        else:
            answer = await _answer(Request(scope), self._page)
        await answer(scope, receive, send)


async def _answer(request: Request, page: MetricsPage) -> Response:
    body, content_type = await page.render(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
