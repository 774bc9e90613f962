"""The Google Drive simulator as one ASGI application: Drive v3, uploads, batches, OAuth, and the simulator's own pages.

All of Google's hosts are one address here: a client is pointed at it, or comes through a proxy that does so.

    app = build_gdrive()           # sample users with sample files
    app = build_gdrive(world)      # surroundings of one's own, see simulators.core.world

The client `sandbox-client` is known; the control pages below /simulator do the rest.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.core.control import CONTROL_PREFIX, build_control_routes
from simulators.core.fault_layer import FaultLayer, read_bearer
from simulators.core.faults import FaultKind, take_fault
from simulators.core.samples import SampleFile, build_samples
from simulators.core.world import World, build_world
from simulators.gdrive import drives, feed, files, permissions, revisions, uploads
from simulators.gdrive.batch import answer_batch
from simulators.gdrive.bodies import read_body
from simulators.gdrive.call import Call, authenticate, check_scopes, read_json, read_parameters
from simulators.gdrive.description import METHODS, SCHEMAS, Method
from simulators.gdrive.directory import build_directory_routes
from simulators.gdrive.discovery import show_discovery
from simulators.gdrive.drive import Drive, build_drive
from simulators.gdrive.errors import DriveError
from simulators.gdrive.fields import Mask, parse_fields, select_fields
from simulators.gdrive.links import build_link_routes
from simulators.gdrive.oauth import PROVIDER, build_oauth_routes
from simulators.gdrive.replies import Replies, refuse
from simulators.gdrive.seeding import seed_drive

API_PREFIX = "/drive/v3/"
UPLOAD_PREFIXES = ("/upload/drive/v3/", "/resumable/upload/drive/v3/")
DEFAULT_SCOPES = frozenset({"drive"})
SAMPLE_SEED = 1
QUERY_BYTES_MAX = 64 * 1024

Handler = Callable[[Call], "dict[str, Any] | Response | None"]

HANDLERS: dict[str, Handler] = {
    "about.get": drives.show_about,
    "changes.getStartPageToken": feed.get_start,
    "changes.list": feed.list_changes,
    "changes.watch": feed.watch_changes,
    "channels.stop": feed.stop_channel,
    "drives.create": drives.create,
    "drives.delete": drives.delete,
    "drives.get": drives.get,
    "drives.hide": drives.hide,
    "drives.list": drives.list_drives,
    "drives.unhide": drives.unhide,
    "drives.update": drives.update,
    "files.emptyTrash": files.empty_trash,
    "files.generateIds": files.generate_ids,
    "files.copy": files.copy,
    "files.create": files.create,
    "files.delete": files.delete,
    "files.export": files.export,
    "files.get": files.get,
    "files.list": files.list_files,
    "files.update": files.update,
    "files.watch": feed.watch_file,
    "permissions.create": permissions.create,
    "permissions.delete": permissions.delete,
    "permissions.get": permissions.get,
    "permissions.list": permissions.list_permissions,
    "permissions.update": permissions.update,
    "revisions.delete": revisions.delete,
    "revisions.get": revisions.get,
    "revisions.list": revisions.list_revisions,
    "revisions.update": revisions.update,
}
"""Names without a variable part come before those that would take them for one."""

FILE_MASK: Mask = dict.fromkeys(("kind", "id", "name", "mimeType", "driveId", "teamDriveId", "resourceKey"))
REVISION_MASK: Mask = dict.fromkeys(("kind", "id", "mimeType", "modifiedTime"))
PERMISSION_MASK: Mask = dict.fromkeys(("kind", "id", "type", "role"))
DRIVE_MASK: Mask = dict.fromkeys(("kind", "id", "name"))
CHANGE_NAMES = ("kind", "changeType", "type", "time", "removed", "fileId", "driveId", "teamDriveId")
CHANGE_MASK: Mask = dict.fromkeys(CHANGE_NAMES) | {"file": FILE_MASK, "drive": DRIVE_MASK}
LIST_MASK: Mask = dict.fromkeys(("kind", "nextPageToken"))
DEFAULT_MASKS: dict[str, Mask] = {
    "File": FILE_MASK,
    "FileList": LIST_MASK | {"incompleteSearch": None, "files": FILE_MASK},
    "Revision": REVISION_MASK,
    "RevisionList": LIST_MASK | {"revisions": REVISION_MASK},
    "Permission": PERMISSION_MASK,
    "PermissionList": LIST_MASK | {"permissions": PERMISSION_MASK},
    "Drive": DRIVE_MASK,
    "DriveList": LIST_MASK | {"drives": DRIVE_MASK},
    "ChangeList": LIST_MASK | {"newStartPageToken": None, "changes": CHANGE_MASK},
}
"""What an answer consists of when no fields are asked for."""


def build_gdrive(world: World | None = None, *, samples: list[SampleFile] | None = None) -> Starlette:
    """A new Drive. Each user's is filled with the samples when it is first looked at; [] leaves all of it empty."""
    world = world or build_world()
    drive = build_drive(world)
    if samples != []:
        seed_drive(drive, samples or build_samples(SAMPLE_SEED))
    api = Starlette(routes=_build_method_routes(drive))

    async def batch(request: Request) -> Response:
        return await answer_batch(request, api)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await drive.aclose()

    app = Starlette(
        routes=[
            Route("/batch/drive/v3", _guard(batch), methods=["POST"]),
            Route("/batch", _guard(batch), methods=["POST"]),
            Route("/discovery/v1/apis/drive/v3/rest", _guard(show_discovery)),
            Route("/$discovery/rest", _guard(show_discovery)),
            *build_oauth_routes(drive),
            *build_control_routes(world, provider=PROVIDER, scopes=DEFAULT_SCOPES),
            *(Route(route.path, _guard(route.endpoint), methods=["GET"]) for route in build_link_routes(drive)),
            *(Route(route.path, _guard(route.endpoint), methods=["GET"]) for route in build_directory_routes(drive)),
            *_build_upload_routes(drive),
            *api.routes,
        ],
        middleware=[
            Middleware(FaultLayer, faults=world.faults, grants=world.grants, replies=Replies(), exempt=CONTROL_PREFIX),
            Middleware(_Overriding),
        ],
        lifespan=lifespan,
    )
    app.state.drive = drive
    return app


def _build_method_routes(drive: Drive) -> list[Route]:
    routes = []
    for name in [*HANDLERS, *(METHODS.keys() - HANDLERS)]:
        method, handler = METHODS[name], HANDLERS.get(name, _refuse_missing)
        endpoint = _guard(_build_endpoint(drive, method, handler))
        routes.append(Route(API_PREFIX + method.path, endpoint, methods=[method.http]))
    return routes


def _build_upload_routes(drive: Drive) -> list[Route]:
    routes = []
    for prefix in UPLOAD_PREFIXES:
        for name in ("files.create", "files.update"):
            method = METHODS[name]
            endpoint = _guard(_build_upload_endpoint(drive, method))
            routes.append(Route(prefix + method.path, endpoint, methods=[method.http, "PUT", "DELETE"]))
    return routes


def _build_endpoint(drive: Drive, method: Method, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        call = _begin(drive, request, method)
        if method.request is not None:
            call.body = await read_json(request, method.request)
        if method.http != "GET" and take_fault(request, FaultKind.TOO_MANY_WRITES):
            raise DriveError.rate_limited()
        return _answer(call, handler(call))

    return endpoint


def _refuse_missing(call: Call) -> None:
    """The real one can; this one does not imitate it."""
    raise DriveError(501, "notImplemented", f"{call.method.name} is not simulated.", is_named=True)


def _build_upload_endpoint(drive: Drive, method: Method) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        upload_id = request.query_params.get("upload_id")
        if take_fault(request, FaultKind.TOO_MANY_WRITES):
            async for _ in request.stream():
                pass  # who is still sending would not hear the answer
            raise DriveError.rate_limited()
        if upload_id is None:
            return _answer(call := _begin(drive, request, method), await uploads.upload(call))
        session = drive.sessions.get(upload_id)
        if session.grant.is_revoked:
            raise DriveError.unauthorized()
        if read_bearer(request) is not None:
            authenticate(drive, request)
        user = drive.store.users.get(session.grant.user_number)
        call = uploads.build_call({"drive": drive, "request": request, "user": user}, session)
        if request.method == "DELETE":
            return uploads.cancel(call, session)
        return await uploads.resume(call, session)

    return endpoint


def _begin(drive: Drive, request: Request, method: Method) -> Call:
    grant = authenticate(drive, request)
    check_scopes(grant, method)
    parameters = read_parameters(method, request.query_params.multi_items(), request.path_params)
    return Call(
        drive=drive,
        request=request,
        method=method,
        user=drive.store.users.get(grant.user_number),
        grant=grant,
        parameters=parameters,
        mask=_choose_mask(method, parameters.get("fields")),
    )


def _choose_mask(method: Method, fields: str | None) -> Mask | None:
    if method.response is None:
        return None
    if fields:
        return parse_fields(fields, SCHEMAS[method.response])
    if method.response == "About":
        raise DriveError.required("fields", "The 'fields' parameter is required for this method.")
    return DEFAULT_MASKS.get(method.response)


def _answer(call: Call, result: dict[str, Any] | Response | None) -> Response:
    if result is None:
        return Response(status_code=204)
    if isinstance(result, Response):
        return result
    indent = 2 if call.flag("prettyPrint") else None
    content = json.dumps(select_fields(result, call.mask), ensure_ascii=False, indent=indent)
    headers = {"Cache-Control": "no-cache, no-store, max-age=0, must-revalidate", "Vary": "Origin, X-Origin"}
    return Response(content.encode(), media_type="application/json; charset=UTF-8", headers=headers)


def _guard(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """What is refused becomes an answer."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except DriveError as error:
            return refuse(error)

    return guarded


class _Overriding:
    """X-HTTP-Method-Override: what some clients cannot send comes as a POST, a long GET with its query in the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            wanted = Request(scope).headers.get("x-http-method-override", "").upper()
            if wanted == "GET":
                try:
                    body = await read_body(Request(scope, receive), QUERY_BYTES_MAX)
                except DriveError as error:
                    await refuse(error)(scope, receive, send)
                    return
                scope = {**scope, "method": "GET", "query_string": body or scope["query_string"]}
            elif wanted:
                scope = {**scope, "method": wanted}
        await self._app(scope, receive, send)
