"""Builds the API process: state, routes, error handlers, layers, lifespan. Nothing happens at import time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.staticfiles import StaticFiles

from app.core.errors import ApiError, ErrorCode, build_api_error
from app.core.http.documenting import DESCRIPTION, document
from app.core.http.edge import Edge, encode_error
from app.core.http.paths import CanonicalPaths
from app.core.http.replies import STRUCTS, get_request_state
from app.core.notices import listen
from app.core.settings import Settings
from app.core.state import State, build_state
from app.fetching import service as fetching
from app.housekeeping import keep_house
from app.metrics.endpoints import MetricsPort
from app.metrics.service import MetricsPage
from app.requests.service import RequestLog
from app.routes import ALIASES, FREQUENT, ROUTERS
from app.system.endpoints import ASSETS_PATH
from app.tasks.claims import BuildWork
from app.tasks.runner import Runner
from app.transfers import service as transfers
from app.transfers.service import STREAMS_MAX
from connectors.core.errors import ConnectorError
from connectors.core.service import Registry

GC_THRESHOLDS = (50_000, 50, 100)
CAUSES_MAX = 10
CODE_OF_STATUS = {
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.REQUEST_TOO_LARGE,
}

NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, operation_spans=False, auto_configure=False)
"""FastAPI's own would tell collectors paths, queries and messages of exceptions; ours is in app/core/traces.py."""

log = structlog.get_logger("app.main")


def build_app(settings: Settings, *, registry: Registry | None = None) -> Edge:
    """The whole API as one ASGI application; opens no connection until it is started."""
    state = build_state(settings, registry=registry)
    app = FastAPI(
        title="Kloudless",
        version=version("kloudless-server"),
        description=DESCRIPTION,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_build_lifespan(state),
        telemetry=NO_TELEMETRY,
    )
    app.state.kloudless = state
    app.state.request_log = RequestLog(state)
    page = app.state.metrics_page = MetricsPage(state)
    for router in sorted(ROUTERS, key=lambda router: router not in FREQUENT):
        app.include_router(router)
    app.mount(ASSETS_PATH, StaticFiles(packages=[("fastapi_swagger", "resources")]))
    for kind, handler in (
        (ApiError, _answer_api_error),
        (ConnectorError, _answer_connector_error),
        (RequestValidationError, _answer_validation_error),
        (HTTPException, _answer_http_exception),
        (Exception, _answer_unexpected),
    ):
        app.add_exception_handler(kind, handler)
    build_document = document(app, structs=STRUCTS)
    app.openapi = build_document  # type: ignore[method-assign]  # FastAPI's documented way
    ports = {} if settings.metrics_port is None else {settings.metrics_port: MetricsPort(page)}
    return Edge(CanonicalPaths(app, aliases=ALIASES), state, ports=ports)


def _build_lifespan(state: State) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runner = asyncio.create_task(build_runner(state).run())
        tasks = [
            asyncio.create_task(keep_house(state)),
            asyncio.create_task(listen(state.db, on_change=state.note_change, on_gap=state.note_gap)),
            asyncio.create_task(app.state.request_log.keep()),
        ]
        # What lives for ever need not be looked at by each collection: that is where listings lost their time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            yield
        finally:
            state.signals.stop()
            await asyncio.wait([runner])
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await state.aclose()

    return lifespan


def build_runner(state: State) -> Runner:
    """Runs the tasks of every kind."""
    return Runner(state, build_kinds())


def build_kinds() -> Mapping[str, BuildWork]:
    """The work behind every kind of task, with the streams that they share."""
    streams = asyncio.Semaphore(STREAMS_MAX)
    return {**transfers.build_kinds(streams), **fetching.build_kinds(streams)}


def _answer(request: Request, error: ApiError) -> Response:
    build_page = request.scope["state"].get("build_error_page")  # set by routes that people open in a browser
    if build_page is not None:
        page: Response = build_page(error)
        return page
    get_request_state(request).error_code = error.code.code
    body, headers = encode_error(error, get_request_state(request).id)
    return Response(body, status_code=error.code.status, headers=headers)


async def _answer_api_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise AssertionError("registered for another error")  # noqa: TRY004 - a programming error
    return _answer(request, error)


async def _answer_connector_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ConnectorError):
        raise AssertionError("registered for another error")  # noqa: TRY004 - a programming error
    # A limit of ours that broke the body reaches the connector as a failed source; the client is told of the limit.
    cause: BaseException | None = error
    for _ in range(CAUSES_MAX):
        cause = cause.__cause__ if cause is not None else None
        if isinstance(cause, ApiError):
            return _answer(request, cause)
    encode_ref = request.scope["state"].get("encode_ref")
    conflict = encode_ref(error.conflict) if encode_ref and error.conflict is not None else None
    answer = build_api_error(error, conflicting_resource_id=conflict)
    if answer.code.status >= ErrorCode.INTERNAL_ERROR.status:
        log.warning("provider call failed", kind=error.kind.value, **error.context, exc_info=error.__cause__)
    return _answer(request, answer)


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise AssertionError("registered for another error")  # noqa: TRY004 - a programming error
    details = error.errors()
    if any(detail["type"] == "json_invalid" for detail in details):
        return _answer(request, _build_json_error())
    if any(tuple(detail["loc"]) == ("body",) for detail in details) and not _is_json(request):
        text = "Send the body as JSON, with the header `Content-Type: application/json`."
        return _answer(request, ApiError(ErrorCode.INVALID_PARAMETERS, text))
    parts = []
    for detail in details[:5]:
        place = ".".join(str(part) for part in detail["loc"][1:]) or "body"
        parts.append(f"{place}: {detail['msg']}")
    return _answer(request, ApiError(ErrorCode.INVALID_PARAMETERS, "; ".join(parts)))


def _is_json(request: Request) -> bool:
    """True when the body was read as JSON; curl says of what it sends that it is a form, if it is told nothing."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"", "application/json"} or kind.endswith("+json")


def _build_json_error() -> ApiError:
    # What follows on this connection may be the tail of a body whose length was miscounted (contract 1.4).
    return ApiError(ErrorCode.BAD_REQUEST, "The body is not valid JSON.", headers={"Connection": "close"})


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise AssertionError("registered for another error")  # noqa: TRY004 - a programming error
    if error.status_code == ErrorCode.BAD_REQUEST.status:  # FastAPI's own: bytes that are no text, or nested too deep
        return _answer(request, _build_json_error())
    code = CODE_OF_STATUS.get(error.status_code, ErrorCode.BAD_REQUEST)
    headers = dict(error.headers or {})
    if code is ErrorCode.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_list_methods(request) or [headers.get("Allow", "")])
    return _answer(request, ApiError(code, headers=headers))


def _list_methods(request: Request) -> list[str]:
    """The methods of the path that was asked for, which may have several routes."""
    found = [
        route
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and route.matches(request.scope)[0] is not Match.NONE
    ]
    # A word in a path may look like an id, too; the path that says it is meant.
    path = min((route.path for route in found), key=lambda path: path.count("{"), default="")
    return sorted({method for route in found if route.path == path for method in route.methods or ()})


async def _answer_unexpected(request: Request, _error: Exception) -> Response:
    """The edge, which gets the error next, logs it."""
    return _answer(request, ApiError(ErrorCode.INTERNAL_ERROR))
