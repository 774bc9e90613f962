"""The outermost layer of every request: its id, origin, limits, CORS, log line, and an answer whatever happens."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping
from time import perf_counter, time

import msgspec
import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import ApiError, ErrorBody, ErrorCode
from app.core.http.pace import Pace
from app.core.journal import CALLS, CallCount, SeenRequest
from app.core.settings import Settings
from app.core.state import State
from connectors.core.idle import IdleWatch

HEALTH_PATHS = frozenset({"/health", "/ready"})
"""Answered under every origin, and however much there is to do."""

CORS_MAX_AGE_SECONDS = 600
NO_PORTS: Mapping[int, ASGIApp] = {}
BUSY_RETRY_AFTER_SECONDS = 1

_EXPOSED = (
    b"Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Idempotency-Replayed, RateLimit, "
    b"RateLimit-Policy, Retry-After, X-Request-Id"
)

log = structlog.get_logger("app.request")


class RequestState:
    """What the layers of one request share; at `scope["state"]["request"]`."""

    __slots__ = (
        "account_id",
        "application_id",
        "body_bytes_max",
        "error_code",
        "held_accounts",
        "id",
        "is_stream",
        "origin",
        "rate_policies",
        "rates",
        "service",
    )

    def __init__(self, *, body_bytes_max: int) -> None:
        self.id = str(uuid.uuid4())
        self.origin = ""
        self.body_bytes_max = body_bytes_max  # byte routes raise it before they read
        self.rate_policies: list[str] = []
        self.rates: list[str] = []
        self.held_accounts: list[int] = []  # counted as running until the end
        self.is_stream = False  # counted as one until the end
        self.application_id: str | None = None  # whose request it is, once that is known
        self.account_id: int | None = None
        self.service: str | None = None
        self.error_code: str | None = None


class Edge:
    """Pure ASGI, so that streams pass untouched."""

    def __init__(self, app: ASGIApp, state: State, *, ports: Mapping[int, ASGIApp] = NO_PORTS) -> None:
        """What comes in at one of `ports` is answered by its own app, whatever else goes on here."""
        self._app = app
        self._ports = ports
        self.state = state
        state.metrics.running.set_function(lambda: state.limits.requests.count)
        self._settings = settings = state.settings
        self._origins = settings.origins
        self._proxies = frozenset(ipaddress.ip_address(proxy) for proxy in settings.trusted_proxies)
        self._requests = state.limits.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._ports and (own := self._ports.get(scope["server"][1])) is not None:
            await own(scope, receive, send)
            return
        state = RequestState(body_bytes_max=self._settings.json_body_bytes_max)
        scope.setdefault("state", {})["request"] = state
        headers = Headers(scope=scope)
        reply = _Reply(send, state)
        body = _Body(receive, state, self._settings)
        calls = CallCount()
        CALLS.set(calls)
        started_at, started = time(), perf_counter()
        traces = self.state.traces
        span = None if traces is None else traces.begin_request(headers, scope["method"], state.id)
        has_slot = scope["path"] in HEALTH_PATHS or self._requests.enter()
        structlog.contextvars.bind_contextvars(request_id=state.id)
        try:
            await self._serve(scope, body, reply, headers, has_slot=has_slot)
        except Exception as error:
            # A reply that has begun cannot be mended: raising makes the server cut the connection, so the client knows.
            if reply.status is not None and not reply.is_complete:
                log.warning("reply cut short", error=str(error) or type(error).__name__)
                raise
            if not isinstance(error, ApiError):
                log.exception("request failed")
            if not reply.is_complete:
                await reply.send_error(error if isinstance(error, ApiError) else ApiError(ErrorCode.INTERNAL_ERROR))
        finally:
            body.close()
            self._leave(state, has_slot=has_slot and scope["path"] not in HEALTH_PATHS)
            self._note(scope, body, reply, (started_at, perf_counter() - started), calls)
            if span is not None:
                span.end(_read_route(scope), reply.status, error_code=state.error_code, service=state.service)
            structlog.contextvars.unbind_contextvars("request_id")

    def _leave(self, state: RequestState, *, has_slot: bool) -> None:
        """Gives back what the request held."""
        if has_slot:
            self._requests.leave()
        if state.is_stream:
            self.state.limits.streams.leave()
        if state.held_accounts and self.state.limits.parallel is not None:
            self.state.limits.parallel.leave(state.held_accounts)

    def _note(self, scope: Scope, body: _Body, reply: _Reply, times: tuple[float, float], calls: CallCount) -> None:
        """Tells the log, the metrics and the journal about a request that is over."""
        state, method, route = reply.state, scope["method"], _read_route(scope)
        started_at, seconds = times
        log.info("request", method=method, route=route, status=reply.status, seconds=round(seconds, 4))
        self.state.metrics.note_request(
            method,
            route,
            reply.status,
            seconds=seconds,
            received_bytes=body.size_bytes,
            sent_bytes=reply.size_bytes,
        )
        if self.state.journal is not None and state.application_id is not None:
            self.state.journal.note(
                SeenRequest(
                    state.application_id,
                    state.account_id,
                    state.id,
                    method,
                    route or "",
                    state.service,
                    reply.status,
                    state.error_code,
                    started_at,
                    seconds,
                    body.size_bytes,
                    reply.size_bytes,
                    calls.value,
                )
            )

    async def _serve(self, scope: Scope, receive: Receive, reply: _Reply, headers: Headers, *, has_slot: bool) -> None:
        if not has_slot:
            raise build_busy_error("The server is busy; try again shortly.")
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await reply.send_preflight(headers.get("access-control-request-headers", ""))
            return
        if _measure_head(scope) > self._settings.head_bytes_max:
            await reply.send_error(
                ApiError(ErrorCode.BAD_REQUEST, f"The head is larger than {self._settings.head_bytes_max} bytes."), 431
            )
            return
        if scope["path"] not in HEALTH_PATHS:
            reply.state.origin = self._read_origin(scope, headers)
        await self._app(scope, receive, reply)

    def _read_origin(self, scope: Scope, headers: Headers) -> str:
        """The origin that the client used; only known ones, because our replies carry links that start with it."""
        scheme, host = scope["scheme"], headers.get("host", "")
        client = scope.get("client")
        if self._proxies and client and ipaddress.ip_address(client[0]) in self._proxies:
            scheme = headers.get("x-forwarded-proto", scheme).split(",")[0].strip()
            host = headers.get("x-forwarded-host", host).split(",")[0].strip()
        origin = f"{scheme}://{host}".lower()
        if origin not in self._origins:
            raise ApiError(
                ErrorCode.BAD_REQUEST,
                f"This server does not answer as {origin!r}; the operator lists its origins in PUBLIC_ORIGINS.",
            )
        return origin


class _Reply:
    """The `send` of a request: adds the headers that every reply has and remembers the status."""

    def __init__(self, send: Send, state: RequestState) -> None:
        self._send = send
        self.state = state
        self.status: int | None = None
        self.size_bytes = 0
        self.is_complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.state.id.encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"access-control-allow-origin", b"*"),
                (b"access-control-expose-headers", _EXPOSED),
            ]
            if not any(name.lower() == b"cache-control" for name, _ in message["headers"]):
                message["headers"].append((b"cache-control", b"no-store"))
            if self.state.rates:
                message["headers"] += [
                    (b"ratelimit-policy", ", ".join(self.state.rate_policies).encode()),
                    (b"ratelimit", ", ".join(self.state.rates).encode()),
                ]
        elif message["type"] == "http.response.body":
            self.size_bytes += len(message.get("body", b""))
        self.is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def send_error(self, error: ApiError, status: int | None = None) -> None:
        self.state.error_code = error.code.code
        body, headers = encode_error(error, self.state.id, status=status)
        pairs = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": status or error.code.status, "headers": pairs})
        await self({"type": "http.response.body", "body": body})

    async def send_preflight(self, requested: str) -> None:
        headers = [
            (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            (b"access-control-allow-headers", requested.encode("latin-1", "replace") or b"*"),
            (b"access-control-max-age", str(CORS_MAX_AGE_SECONDS).encode()),
            (b"vary", b"Access-Control-Request-Headers"),
            (b"content-length", b"0"),
        ]
        await self({"type": "http.response.start", "status": 200, "headers": headers})
        await self({"type": "http.response.body", "body": b""})


def _read_route(scope: Scope) -> str | None:
    """The template of the route that serves a request."""
    return getattr(scope.get("route"), "path", None)


def build_busy_error(message: str) -> ApiError:
    """503 for more work than there may be at once. The connection goes on: opening a new one costs more."""
    return ApiError(ErrorCode.SERVICE_NOT_AVAILABLE, message, headers={"Retry-After": str(BUSY_RETRY_AFTER_SECONDS)})


def _measure_head(scope: Scope) -> int:
    """About how many bytes the request's head had; what came in one piece has passed the protocol's own limit."""
    target_bytes = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    return target_bytes + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


def _build_late_error(message: str) -> ApiError:
    return ApiError(ErrorCode.REQUEST_TIMEOUT, message, headers={"Connection": "close"})


def encode_error(error: ApiError, request_id: str, *, status: int | None = None) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an error reply."""
    status = status or error.code.status
    body = msgspec.json.encode(
        ErrorBody(
            status_code=status,
            error_code=error.code.code,
            message=error.message,
            id=request_id,
            conflicting_resource_id=error.conflicting_resource_id or msgspec.UNSET,
        )
    )
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    if error.code.status == ErrorCode.UNAUTHORIZED.status:
        headers["WWW-Authenticate"] = "Bearer, APIKey"
    return body, {**headers, **(error.headers or {})}


class _Body:
    """The `receive` of a request: counts the body and watches its pace. Routes may raise the size beforehand."""

    def __init__(self, receive: Receive, state: RequestState, settings: Settings) -> None:
        self._receive = receive
        self._state = state
        self._settings = settings
        self._watch: IdleWatch | None = None
        self._pace = Pace(settings.body_bytes_per_second_min, over_seconds=settings.body_idle_seconds_max)
        self.size_bytes = 0
        self._is_complete = False

    async def __call__(self) -> Message:
        if self._is_complete:
            return await self._receive()
        watch = self._watch = self._watch or IdleWatch(self._settings.body_idle_seconds_max)
        began = perf_counter()
        try:
            with watch:
                message = await self._receive()
        except TimeoutError:
            raise _build_late_error(f"No byte of the body came for {watch.seconds:g} seconds.") from None
        self._pace.note(len(message.get("body", b"")), seconds=perf_counter() - began)
        if not message.get("more_body", False):
            self._is_complete = True
            self.close()
        elif self._pace.is_slow:
            raise _build_late_error(f"Fewer than {self._pace.bytes_per_second_min} bytes of the body come in a second.")
        self.size_bytes += len(message.get("body", b""))
        if self.size_bytes > self._state.body_bytes_max:
            raise ApiError(
                ErrorCode.REQUEST_TOO_LARGE,
                f"The body is larger than {self._state.body_bytes_max} bytes.",
                headers={"Connection": "close"},
            )
        return message

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
