"""The wire below all routes: who calls, seen from which root, with which argument; and how answers and errors look."""

from __future__ import annotations

import inspect
import json
import secrets
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from simulators.core.fault_layer import read_bearer
from simulators.core.grants import Client, Grant, OAuthError, TokenExpiredError, TokenInvalidError, check_secret
from simulators.core.signing_in import read_basic
from simulators.core.users import User
from simulators.dropbox.calls import ARGUMENT_BYTES_MAX, HOSTS, NOBODY, Call, Download, Route, Routes, Style, read_host
from simulators.dropbox.errors import BadRequestError, PathRootError, RateLimitedError, RouteError, TokenError
from simulators.dropbox.ranges import stream_content
from simulators.dropbox.scopes import TEAM_SCOPES
from simulators.dropbox.state import State, build_member_id
from simulators.dropbox.tree import Namespace
from simulators.dropbox.views import View

REQUEST_ID_HEADER = "X-Dropbox-Request-Id"
ARGUMENT_HEADER = "dropbox-api-arg"
ARGUMENT_HEADER_BYTES_MAX = 64 * 1024
RPC_TYPES = frozenset({"application/json", "text/plain; charset=dropbox-cors-hack"})
UPLOAD_TYPES = frozenset({"application/octet-stream", "text/plain; charset=dropbox-cors-hack"})
DOWNLOAD_TYPES = frozenset({"", "application/octet-stream", "text/plain", "text/plain; charset=utf-8"})


class Protocol:
    """Answers requests below /2/ from a table of routes."""

    def __init__(self, state: State, routes: Routes) -> None:
        self._state = state
        self._routes = routes

    async def answer(self, request: Request) -> Response:
        """Any request, any outcome."""
        try:
            response = await self._answer(request)
        except (RouteError, BadRequestError, RateLimitedError) as error:
            await _read_rest(request)
            response = error.build_response()
        response.headers[REQUEST_ID_HEADER] = secrets.token_hex(16)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    async def _answer(self, request: Request) -> Response:
        name = request.path_params["name"]
        route = self._routes.by_name.get(name)
        host = read_host(request)
        if route is None or (host in HOSTS.values() and host != HOSTS[route.host]):
            raise BadRequestError(f'Unknown API function: "{name}"')
        if request.method == "GET" and route.style is not Style.DOWNLOAD:
            raise route.refuse("GET is for downloads only; use POST")
        call = self._admit(request, route)
        argument = await self._read_argument(request, route)
        outcome = route.function(call, argument)
        result = await outcome if inspect.isawaitable(outcome) else outcome
        if isinstance(result, Download):
            return stream_content(
                request,
                result.content,
                media_type=result.media_type,
                headers={"Dropbox-API-Result": json.dumps(result.result), "ETag": f'"{result.rev}"'},
                has_ranges=result.has_ranges,
            )
        return JSONResponse(result)

    # ------------------------------------------------------------ who and whence

    def _admit(self, request: Request, route: Route) -> Call:
        if route.auth == "noauth":
            return self._build_call(request, route, NOBODY, _NO_CLIENT, "")
        if "app" in route.auth and read_basic(request) is not None:
            return self._build_call(request, route, NOBODY, self._check_client(request), "")
        if route.auth == "app":
            raise route.refuse('Must provide HTTP header "Authorization" with the app\'s key and secret.')
        token = self._read_token(request, route)
        grant = self._authenticate(token)
        if route.scope is not None and route.scope not in grant.scopes:
            raise TokenError("missing_scope", required_scope=route.scope)
        user = self._select_user(request, grant, route)
        return self._build_call(request, route, user, self._state.world.grants.get_client(grant.client_id), token)

    def _build_call(self, request: Request, route: Route, user: User, client: Client, token: str) -> Call:
        view = View(self._state.space, user, self._choose_root(request, user, route))
        return Call(request=request, state=self._state, route=route, view=view, client=client, token=token)

    def _read_token(self, request: Request, route: Route) -> str:
        if "authorization" not in request.headers and "authorization" in request.query_params:
            return request.query_params["authorization"].removeprefix("Bearer ")
        if "authorization" not in request.headers:
            raise route.refuse('Must provide HTTP header "Authorization" or URL parameter "authorization".')
        token = read_bearer(request)
        if not token:
            raise route.refuse('Invalid authorization value in HTTP header "Authorization". Expecting "Bearer …".')
        return token

    def _authenticate(self, token: str) -> Grant:
        try:
            return self._state.world.grants.authenticate(token)
        except TokenExpiredError as error:
            raise TokenError("expired_access_token") from error
        except TokenInvalidError as error:
            raise TokenError("invalid_access_token") from error

    def _check_client(self, request: Request) -> Client:
        client_id, secret = read_basic(request) or ("", "")
        try:
            client = self._state.world.grants.get_client(client_id)
            check_secret(client, secret, has_verifier=False)
        except OAuthError as error:
            raise TokenError("invalid_access_token") from error
        return client

    def _select_user(self, request: Request, grant: Grant, route: Route) -> User:
        user = self._state.world.users.get(grant.user_number)
        is_team_token = bool(grant.scopes & TEAM_SCOPES)
        for header, refusal in (
            ("dropbox-api-select-user", "invalid_select_user"),
            ("dropbox-api-select-admin", "invalid_select_admin"),
        ):
            member_id = request.headers.get(header)
            if member_id is None:
                continue
            members = self._state.world.users.list_team(user.team)
            chosen = next((member for member in members if build_member_id(member) == member_id), None)
            if not is_team_token or chosen is None or ("admin" in header and not chosen.is_admin):
                raise TokenError(refusal)
            return chosen
        if is_team_token and "user" in route.auth:
            raise route.refuse(
                "This API function operates on a single Dropbox account, but the OAuth 2 access token you provided is "
                "for an entire Dropbox Business team. Since your API app key has team member file access permissions, "
                'you can operate on a team member\'s Dropbox by providing the "Dropbox-API-Select-User" HTTP header.'
            )
        return user

    def _choose_root(self, request: Request, user: User, route: Route) -> Namespace:
        space = self._state.space
        if user is NOBODY:
            return space.nowhere
        home, root = space.get_home(user), space.get_root(user)
        header = request.headers.get("dropbox-api-path-root")
        if header is None:
            return home
        try:
            wanted = msgspec.json.decode(header, type=dict[str, str])
        except msgspec.DecodeError as error:
            raise route.refuse('HTTP header "Dropbox-API-Path-Root": could not decode input as JSON') from error
        tag = wanted.get(".tag")
        if tag == "home":
            return home
        if tag == "root":
            if wanted.get("root") != root.namespace_id:
                raise PathRootError("invalid_root", invalid_root=build_root_info(root, home, user))
            return root
        namespace = space.namespaces.get(wanted.get("namespace_id", ""))
        if tag != "namespace_id" or namespace is None or user.number not in namespace.members:
            raise PathRootError("no_permission")
        return namespace

    # ------------------------------------------------------------ the argument

    async def _read_argument(self, request: Request, route: Route) -> Any:
        media_type = request.headers.get("content-type", "").lower()
        if route.style is Style.RPC:
            body = await _read_limited(request)
            if (
                (body or media_type)
                and media_type.partition(";")[0] != "application/json"
                and media_type not in RPC_TYPES
            ):
                raise route.refuse(_describe_type(media_type, "application/json"))
            return route.decode(body, "request body")
        if route.style is Style.UPLOAD and media_type not in UPLOAD_TYPES:
            raise route.refuse(_describe_type(media_type, "application/octet-stream"))
        if route.style is Style.DOWNLOAD and media_type not in DOWNLOAD_TYPES:
            raise route.refuse(_describe_type(media_type, "application/octet-stream"))
        if "arg" in request.query_params:
            return route.decode(request.query_params["arg"].encode(), 'URL parameter "arg"')
        header = request.headers.get(ARGUMENT_HEADER)
        if header is None:
            raise route.refuse('Must provide HTTP header "Dropbox-API-Arg" or URL parameter "arg".')
        if not header.isascii() or len(header) > ARGUMENT_HEADER_BYTES_MAX:
            raise route.refuse('HTTP header "Dropbox-API-Arg": could not decode input as JSON')
        return route.decode(header.encode(), 'HTTP header "Dropbox-API-Arg"')


_NO_CLIENT = Client(client_id="", client_secret="", name="")


def build_root_info(root: Namespace, home: Namespace, user: User) -> dict[str, Any]:
    """Where a user's files begin."""
    info = {"root_namespace_id": root.namespace_id, "home_namespace_id": home.namespace_id}
    if root is home:
        return {".tag": "user", **info}
    return {".tag": "team", **info, "home_path": f"/{user.name}"}


async def _read_limited(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > ARGUMENT_BYTES_MAX:
            raise BadRequestError(f"The request body is longer than {ARGUMENT_BYTES_MAX} bytes.")
    return bytes(body)


async def _read_rest(request: Request) -> None:
    """Takes what still comes, so that a client that is still sending hears why it was refused."""
    try:
        async for _ in request.stream():
            pass
    except (ClientDisconnect, RuntimeError):
        pass  # it is gone, or all has been read


def _describe_type(media_type: str, expected: str) -> str:
    return f'Bad HTTP "Content-Type" header: "{media_type}".  Expecting one of "{expected}".'
