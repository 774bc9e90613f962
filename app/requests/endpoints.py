"""A caller's own requests, for finding out what went on."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.accounts.callers import Caller
from app.accounts.endpoints import AUTH_ERRORS, AuthenticatedCaller
from app.core.errors import ApiError, ErrorCode
from app.core.http.paths import read_number_segment, read_segment
from app.core.http.reading import PageSize, PageToken, read_time
from app.core.http.replies import JsonReply, describe, get_request_state
from app.core.state import get_state
from app.models import LoggedRequest
from app.requests import service
from app.requests.repository import RequestRepository
from app.requests.schemas import RequestPage, RequestReply

PREFIX = "/v1/requests"
FIRST_PAGE = "1"

_STATUS = re.compile(r"([1-5])xx|([1-5][0-9][0-9])", re.ASCII)

router = APIRouter(prefix=PREFIX, tags=["requests"])


def _build_reply(request: Request, row: LoggedRequest) -> RequestReply:
    return RequestReply(
        id=row.request_id,
        method=row.method,
        route=row.route,
        account=row.account_id,
        service=row.service,
        status=row.status,
        error_code=row.error_code,
        started=row.started_at,
        duration_ms=round(row.seconds * 1000, 1),
        bytes_in=row.received_bytes,
        bytes_out=row.sent_bytes,
        provider_calls=row.provider_calls_count,
        href=f"{get_request_state(request).origin}{PREFIX}/{row.request_id}",
    )


def read_statuses(text: str | None) -> range | None:
    """A status such as 404, or a class such as 4xx; ApiError 400."""
    if text is None:
        return None
    found = _STATUS.fullmatch(text)
    if found is None:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "status must be a status such as 404, or a class such as 4xx.")
    if found[1]:
        return range(int(found[1]) * 100, int(found[1]) * 100 + 100)
    return range(int(found[2]), int(found[2]) + 1)


def read_account(text: str | None, caller: Caller) -> int | None:
    """Whose requests are asked for; a bearer token's own are all it may see. ApiError 403, 404."""
    if text is None:
        return caller.account_id
    number = caller.account_id if text == "me" and caller.account_id is not None else read_number_segment(text)
    if caller.account_id not in {None, number}:
        raise ApiError(ErrorCode.FORBIDDEN, "The token belongs to another account.")
    return number


def read_since(text: str | None) -> datetime | None:
    """A time; ApiError 400."""
    try:
        return None if text is None else read_time(text)
    except ValueError:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "since must be a time such as 2030-01-31T12:00:00Z.") from None


@router.get("", **describe(RequestPage, errors=(*AUTH_ERRORS, ErrorCode.NOT_FOUND, ErrorCode.NOT_IMPLEMENTED)))
async def list_requests(
    request: Request,
    caller: AuthenticatedCaller,
    status: Annotated[
        str | None,
        Query(
            json_schema_extra={"pattern": f"^({_STATUS.pattern})$"},
            description="Only those with a status such as `404`, or `4xx`.",
        ),
    ] = None,
    account: Annotated[str | None, Query(description="Only those of this account, by its number.")] = None,
    since: Annotated[str | None, Query(description="Only those that began at this ISO time or later.")] = None,
    page: PageToken = None,
    page_size: PageSize = 100,
) -> Response:
    """Lists requests that are over, newest first: the application's by API key, with a bearer token its account's.

    They are kept for a day, at most 10,000 of an application, unless the operator chose otherwise. What other
    processes of the server answered within the last second may be missing.
    """
    state = get_state(request)
    service.need_log(state)
    statuses, account_id, start = read_statuses(status), read_account(account, caller), read_since(since)
    scope = f"requests:{caller.application_id}:{account_id}:{status}:{since}"
    before_id = None
    if page not in {None, "", FIRST_PAGE}:
        text = state.ids.decode_page(0, scope, page or "")
        if text is None:
            raise ApiError(ErrorCode.INVALID_PARAMETERS, "page must be the next_page of an earlier reply.")
        before_id = int(text)
    await request.app.state.request_log.write()
    async with state.db.reading() as session:
        rows = await RequestRepository(session).list_page(
            caller.application_id,
            account_id=account_id,
            statuses=statuses,
            since=start,
            before_id=before_id,
            limit=page_size + 1,
        )
    has_more = len(rows) > page_size
    rows = rows[:page_size]
    return JsonReply(
        RequestPage(
            api="meta",
            count=len(rows),
            page=page or FIRST_PAGE,
            next_page=state.ids.encode_page(0, scope, str(rows[-1].id)) if has_more else None,
            objects=[_build_reply(request, row) for row in rows],
        )
    )


@router.get(
    "/{request_id}", **describe(RequestReply, errors=(*AUTH_ERRORS, ErrorCode.NOT_FOUND, ErrorCode.NOT_IMPLEMENTED))
)
async def get_request(
    request: Request,
    caller: AuthenticatedCaller,
    request_id: Annotated[str, Path(description="The request's id: `X-Request-Id` of its reply, `id` of an error.")],
) -> Response:
    """One request of yours that is over."""
    state = get_state(request)
    service.need_log(state)
    await request.app.state.request_log.write()
    row = await service.get_request(
        state, read_segment(request_id), application_id=caller.application_id, account_id=caller.account_id
    )
    return JsonReply(_build_reply(request, row))
