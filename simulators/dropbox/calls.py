"""One call of a route: who calls, with which argument, seen from where; and the table of routes.

    rpc       argument as JSON body, result as JSON body
    upload    argument in the header Dropbox-API-Arg, bytes as body, result as JSON body
    download  argument in the header, result in the header Dropbox-API-Result, bytes as body

https://www.dropbox.com/developers/documentation/http/documentation#formats
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from simulators.core.contents import Content, Draft
from simulators.core.faults import FaultKind, take_fault
from simulators.core.grants import Client
from simulators.core.users import User
from simulators.dropbox.errors import BadRequestError, RateLimitedError, RouteError
from simulators.dropbox.state import State
from simulators.dropbox.views import View

REQUEST_BYTES_MAX = 150 * 1024 * 1024
ARGUMENT_BYTES_MAX = 8 * 1024 * 1024
BATCH_COUNT_MAX = 1000
WRITES_RETRY_SECONDS = 1.0
NOBODY = User(number=0, email="", given_name="", surname="")
"""Who calls where an application calls for itself, or nobody has to be known."""
HOSTS = {name: f"{name}.dropboxapi.com" for name in ("api", "content", "notify")}
WEB_HOST = "www.dropbox.com"

Tagged = str | dict[str, Any]
"""A union: its tag alone, or an object with ".tag"."""

ReadPath = Annotated[str, msgspec.Meta(pattern=r"\A(/(.|[\r\n])*|id:.*|rev:[0-9a-f]{9,}|ns:[0-9]+(/(.|[\r\n])*)?)\Z")]
WritePath = Annotated[str, msgspec.Meta(pattern=r"\A(/(.|[\r\n])*|ns:[0-9]+(/(.|[\r\n])*)?)\Z")]
WritePathOrId = Annotated[str, msgspec.Meta(pattern=r"\A(/(.|[\r\n])*|ns:[0-9]+(/(.|[\r\n])*)?|id:.*)\Z")]
FolderPath = Annotated[str, msgspec.Meta(pattern=r"\A((/(.|[\r\n])*)?|id:.*|ns:[0-9]+(/(.|[\r\n])*)?)\Z")]
Rev = Annotated[str, msgspec.Meta(min_length=9, pattern=r"\A[0-9a-f]+\Z")]
ContentHash = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]


VALUED_TAGS = frozenset({"update", "email", "dropbox_id", "filter_some", "field_name", "team_member_id", "external_id"})
"""Tags that never come alone."""


class Style(StrEnum):
    """How argument, bytes and result travel."""

    RPC = "rpc"
    UPLOAD = "upload"
    DOWNLOAD = "download"


class Argument(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a route is asked; Dropbox refuses fields that it does not know."""


class PollArgument(Argument):
    """Which job."""

    async_job_id: Annotated[str, msgspec.Meta(min_length=1)]


class NoArgument(msgspec.Struct):
    """For routes that are asked nothing: an empty body, or null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """The answer of a download route."""

    result: dict[str, Any]
    content: Content
    rev: str
    """What the bytes are known by, for clients that have them already."""
    media_type: str = "application/octet-stream"
    has_ranges: bool = True


@dataclass(slots=True, kw_only=True)
class Call:
    """What a route needs to know about the request."""

    request: Request
    state: State
    route: Route
    view: View
    client: Client
    token: str = field(default="", repr=False)

    @property
    def user(self) -> User:
        """Who calls."""
        return self.view.user

    @property
    def content_origin(self) -> str:
        """Where bytes are served."""
        return self._build_origin(HOSTS["content"])

    @property
    def web_origin(self) -> str:
        """Where people look at things."""
        return self._build_origin(WEB_HOST)

    def _build_origin(self, host: str) -> str:
        """Dropbox's own host if one of those was asked, else the simulator's address."""
        asked = read_host(self.request)
        if asked in HOSTS.values():
            return f"https://{host}"
        return f"{self.request.headers.get('x-forwarded-proto', self.request.url.scheme)}://{asked}"

    async def read_body(self) -> Draft:
        """The bytes of an upload; RouteError("payload_too_large") above what one request may carry."""
        return await read_draft(self.request, self.state)

    def check_writes(self) -> None:
        """RateLimitedError when the simulator shall say that writes of this user meet each other."""
        fault = take_fault(self.request, FaultKind.TOO_MANY_WRITES)
        if fault is not None:
            raise RateLimitedError("too_many_write_operations", fault.seconds or WRITES_RETRY_SECONDS)


def read_host(request: Request) -> str:
    """The host that the client meant, also through a proxy."""
    return request.headers.get("x-forwarded-host", request.headers.get("host", ""))


async def read_draft(request: Request, state: State) -> Draft:
    """Stores the body of a request as it comes."""
    draft = state.world.contents.begin()
    try:
        async for chunk in request.stream():
            draft.write(chunk)
            if draft.size_bytes > REQUEST_BYTES_MAX:
                break
    except ClientDisconnect:
        draft.drop()
        raise
    if draft.size_bytes > REQUEST_BYTES_MAX:
        draft.drop()
        raise RouteError("payload_too_large")
    return draft


Function = Callable[[Call, Any], Any | Awaitable[Any]]
FunctionT = TypeVar("FunctionT", bound=Function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route of the API.

    `auth` is who may call: "user", "app", "app, user", "team" or "noauth"; `host` is "api", "content" or "notify".
    """

    name: str
    style: Style
    argument: type[Any]
    scope: str | None
    auth: str
    host: str
    function: Function

    def decode(self, data: bytes, place: str) -> Any:
        """The argument; BadRequestError with Dropbox's words otherwise."""
        try:
            if self.argument is NoArgument:
                return _decode_nothing(data)
            return msgspec.json.decode(data, type=self.argument)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self.refuse(f"{place}: {_explain(error)}") from error

    def refuse(self, reason: str) -> BadRequestError:
        """What Dropbox says to a request that it does not understand."""
        return BadRequestError(f'Error in call to API function "{self.name}": {reason}')


class Routes:
    """A table that grows by decorators, one for each module of routes."""

    def __init__(self) -> None:
        self.by_name: dict[str, Route] = {}

    def rpc(
        self, name: str, argument: type[Any] = NoArgument, *, scope: str | None, auth: str = "user", host: str = "api"
    ) -> Callable[[FunctionT], FunctionT]:
        """A route of JSON both ways."""
        return self._add(name, Style.RPC, argument, scope, auth, host)

    def upload(self, name: str, argument: type[Any], *, scope: str) -> Callable[[FunctionT], FunctionT]:
        """A route that takes bytes."""
        return self._add(name, Style.UPLOAD, argument, scope, "user", "content")

    def download(
        self, name: str, argument: type[Any], *, scope: str, auth: str = "user"
    ) -> Callable[[FunctionT], FunctionT]:
        """A route that gives bytes."""
        return self._add(name, Style.DOWNLOAD, argument, scope, auth, "content")

    def include(self, other: Routes) -> None:
        """All routes of another table."""
        self.by_name |= other.by_name

    def _add(
        self, name: str, style: Style, argument: type[Any], scope: str | None, auth: str, host: str
    ) -> Callable[[FunctionT], FunctionT]:
        def keep(function: FunctionT) -> FunctionT:
            self.by_name[name] = Route(
                name=name, style=style, argument=argument, scope=scope, auth=auth, host=host, function=function
            )
            return function

        return keep


def read_tag(value: Tagged, allowed: frozenset[str] | None = None) -> tuple[str, dict[str, Any]]:
    """A union's tag and its fields; BadRequestError for a tag that there is not."""
    fields = {".tag": value} if isinstance(value, str) else value
    tag = fields.get(".tag")
    if not isinstance(tag, str) or (allowed is not None and tag not in allowed):
        raise BadRequestError(f"request body: unknown tag {tag!r}")
    if tag in VALUED_TAGS and tag not in fields:
        raise BadRequestError(f"request body: {tag!r} needs a value")
    return tag, fields


def _decode_nothing(data: bytes) -> None:
    if data and msgspec.json.decode(data) is not None:
        raise msgspec.ValidationError("expected null, got value")


def _explain(error: Exception) -> str:
    """The words of msgspec in the order of Dropbox's: the place first."""
    if not isinstance(error, msgspec.ValidationError):
        return "could not decode input as JSON"
    said = re.fullmatch(r"(?P<what>.*?)( - at `\$\.?(?P<where>.*)`)?", str(error), re.DOTALL)
    what = str(error) if said is None else said["what"].replace("`", "")
    where = None if said is None else said["where"]
    return f"{where}: {what}" if where else what
