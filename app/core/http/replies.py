"""Replies: msgspec structs encoded once to bytes, and routes that skip the machinery where every microsecond counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cached_property
from typing import Any, Generic, TypedDict, TypeVar, cast

import msgspec
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.core.errors import ApiError, ErrorBody, ErrorCode
from app.core.http.edge import RequestState

ItemT = TypeVar("ItemT")

_encode = msgspec.json.Encoder().encode


class JsonReply(Response):
    """A struct as JSON. The content type has no charset: two official clients compare it whole (contract 0.3)."""

    media_type = "application/json"

    def __init__(self, content: object, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status_code=status_code, headers={"Cache-Control": "no-store", **(headers or {})})
        self.body = _encode(content)
        self.headers["content-length"] = str(len(self.body))


def empty_reply() -> Response:
    """204, as deletions answer."""
    return Response(status_code=204)


class ObjectList(msgspec.Struct, Generic[ItemT], kw_only=True, gc=False):
    """The envelope of every list (contract 0.3, 1.9). `next_page` is null on the last page."""

    api: str
    count: int
    page: str | int
    next_page: str | int | None
    objects: list[ItemT]
    type: str = "object_list"


class NumberedList(ObjectList[ItemT], Generic[ItemT], kw_only=True, gc=False):
    """A list with numbered pages, which also knows its total."""

    total: int


def build_numbered_list(rows: list[object], *, total: int, page: int, page_size: int, api: str) -> NumberedList[object]:
    """A page of a list with numbers; a page past the end is 404, which clients take for the end (contract 1.9)."""
    if page > 1 and not rows:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such page.")
    next_page = page + 1 if page * page_size < total else None
    return NumberedList(api=api, count=len(rows), page=page, next_page=next_page, objects=rows, total=total)


class DirectRoute(APIRoute):
    """Calls the endpoint with the request alone: no parameter machinery, still in the OpenAPI document."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)

    @cached_property
    def _answer(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.get_route_handler()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes by the stacks of dependencies, which there are none of; errors go to the application's handlers."""
        if self.methods and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)  # says so
            return
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)


def get_request_state(request: Request) -> RequestState:
    """What the edge knows of this request."""
    state: RequestState = request.scope["state"]["request"]
    return state


class Description(TypedDict):
    """What `describe` gives to a route's decorator."""

    status_code: int
    responses: dict[int | str, dict[str, Any]]
    openapi_extra: dict[str, Any] | None
    response_model: None
    response_class: type[Response]


DirectEndpoint = Callable[[Request], Awaitable[Response]]


REF_TEMPLATE = "#/components/schemas/{name}"
STRUCTS: list[Any] = []  # every struct that a route answers with; main merges their schemas into the document
ERRORS_OF_ALL = (
    ErrorCode.BAD_REQUEST,
    ErrorCode.INVALID_PARAMETERS,
    ErrorCode.TOO_MANY_REQUESTS,
    ErrorCode.INTERNAL_ERROR,
    ErrorCode.SERVICE_NOT_AVAILABLE,
)
IDEMPOTENCY_KEY = "Idempotency-Key"
KEY_PARAMETER = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "description": "A text of your choice, such as a UUID, that stands for this one request for 24 hours. If it comes "
    "again, nothing is done again: the first reply is repeated, with `Idempotency-Replayed: true`. While the first "
    "request runs, and when it is not known whether it took effect, the answer is 409. A request that failed without "
    "effect may be repeated with the same key; a task that failed is not begun anew.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def takes_idempotency_key(route: APIRoute) -> bool:
    """True if the route was described so."""
    return KEY_PARAMETER in (route.openapi_extra or {}).get("parameters", ())


def build_schema(struct: object) -> dict[str, Any]:
    """What stands for a struct in the document, which then describes it among its schemas."""
    STRUCTS.append(struct)
    (schema,), _ = msgspec.json.schema_components([struct], ref_template=REF_TEMPLATE)
    return schema


def _build_content(content: object) -> dict[str, Any]:
    return content if isinstance(content, dict) else {"application/json": {"schema": build_schema(content)}}


def describe(
    reply: object = None,
    *,
    status: int = 200,
    also: Mapping[int, object] | None = None,
    errors: tuple[ErrorCode, ...] = (),
    parameters: tuple[dict[str, Any], ...] = (),
    body: dict[str, Any] | None = None,
    is_public: bool = False,
    takes_key: bool = False,
    has_error_pages: bool = False,
) -> Description:
    """What OpenAPI shall say of a route that answers with structs; unpack into the route's decorator.

    `reply` is a struct type, or an OpenAPI content object, or None for an empty reply. `also` holds other
    good statuses. Errors that every route may give are added. `is_public` says that it needs no credentials,
    `takes_key` that it obeys an Idempotency-Key; its route class must be one that does. `has_error_pages` says that
    people see its errors as pages, too.
    """
    responses: dict[int | str, dict[str, Any]] = {}
    for code, content in {status: reply, **(also or {})}.items():
        responses[code] = {"description": "Success"} | ({"content": _build_content(content)} if content else {})
    if takes_key:
        errors = (*errors, ErrorCode.CONFLICT, ErrorCode.IDEMPOTENCY_MISMATCH)
        parameters = (*parameters, KEY_PARAMETER)
    for error in (*errors, *ERRORS_OF_ALL):
        entry = responses.setdefault(error.status, {"description": "", "content": _build_content(ErrorBody)})
        if f"`{error.code}`" not in entry["description"]:
            entry["description"] = f"{entry['description']} `{error.code}`: {error.when}".strip()
        if has_error_pages:
            entry["content"]["text/html"] = {"schema": {"type": "string"}}
    extra: dict[str, Any] = {}
    if parameters:
        extra["parameters"] = list(parameters)
    if body is not None:
        extra["requestBody"] = body
    if is_public:
        extra["security"] = []
    return {
        "status_code": status,
        "responses": responses,
        "openapi_extra": extra or None,
        "response_model": None,
        "response_class": Response,  # FastAPI's own would add JSON of any kind to what is described
    }
