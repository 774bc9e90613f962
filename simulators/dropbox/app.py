"""The whole simulator as one ASGI app: every host of Dropbox at one address.

    app = build_dropbox()           # sample users with sample files
    app = build_dropbox(world)      # surroundings of one's own, see simulators.core.world

The client `sandbox-client` is known; the control pages below /simulator do the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulators.core.control import CONTROL_PREFIX, build_control_routes
from simulators.core.fault_layer import FaultLayer
from simulators.core.grants import OAuthError
from simulators.core.samples import SampleFile, build_samples
from simulators.core.users import User
from simulators.core.world import World, build_world
from simulators.dropbox import (
    accounts,
    downloads,
    listing,
    properties,
    references,
    revisions,
    searching,
    sessions,
    sharing_files,
    sharing_folders,
    sharing_links,
    sharing_members,
    team,
    thumbnails,
    uploads,
    writing,
)
from simulators.dropbox.calls import Routes
from simulators.dropbox.errors import RateLimitedError
from simulators.dropbox.hashing import hash_content
from simulators.dropbox.link_pages import show_link
from simulators.dropbox.oauth import PROVIDER, build_oauth_routes
from simulators.dropbox.protocol import Protocol
from simulators.dropbox.scopes import DEFAULT_SCOPES
from simulators.dropbox.space import Space
from simulators.dropbox.state import Settings, State
from simulators.dropbox.tree import Folder
from simulators.dropbox.webhooks import Webhooks

MODULES = (
    references,
    accounts,
    downloads,
    listing,
    properties,
    revisions,
    searching,
    sessions,
    sharing_files,
    sharing_folders,
    sharing_links,
    sharing_members,
    team,
    thumbnails,
    uploads,
    writing,
)
SAMPLE_SEED = 1


def build_dropbox(
    world: World | None = None,
    *,
    settings: Settings | None = None,
    samples: list[SampleFile] | None = None,
) -> Starlette:
    """A new Dropbox. Each user's home is filled with the samples when it is first looked at; [] leaves it empty."""
    world = world or build_world()
    files = build_samples(SAMPLE_SEED) if samples is None else samples
    space = Space(world=world, on_new_home=lambda made, user: _fill(made, user, files))
    state = State(world=world, space=space, settings=settings or Settings())
    protocol = Protocol(state, build_table())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await world.aclose()

    app = Starlette(
        routes=[
            Route("/2/{name:path}", protocol.answer, methods=["GET", "POST"]),
            *build_oauth_routes(state),
            *build_control_routes(world, provider=PROVIDER, scopes=DEFAULT_SCOPES),
            *_build_web_routes(state),
        ],
        middleware=[
            Middleware(FaultLayer, faults=world.faults, grants=world.grants, replies=_Replies(), exempt=CONTROL_PREFIX)
        ],
        lifespan=lifespan,
    )
    app.state.dropbox = state
    return app


def build_table() -> Routes:
    """All routes of the API."""
    table = Routes()
    for module in MODULES:
        table.include(module.routes)
    return table


def _build_web_routes(state: State) -> list[Route]:
    webhooks = Webhooks(state)

    async def serve_temporary_link(request: Request) -> Response:
        return downloads.serve_temporary_link(request, state)

    async def take_linked_upload(request: Request) -> Response:
        return await uploads.take_linked_upload(request, state)

    async def open_shared_link(request: Request) -> Response:
        return await show_link(request, state)

    async def set_webhook(request: Request) -> Response:
        try:
            data = await request.json()
            client_id, url = str(data["client_id"]), str(data["url"])
            state.world.grants.get_client(client_id)
        except (KeyError, TypeError, ValueError, OAuthError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        is_set = await webhooks.subscribe(client_id, url)
        return JSONResponse({"is_set": is_set}, status_code=200 if is_set else 400)

    return [
        Route(f"{downloads.TEMPORARY_LINK_PREFIX}{{key}}/file", serve_temporary_link, methods=["GET"]),
        Route(f"{uploads.UPLOAD_LINK_PREFIX}{{key}}", take_linked_upload, methods=["POST"]),
        Route("/scl/{kind}/{key}/{name}", open_shared_link, methods=["GET", "POST"]),
        Route(f"{CONTROL_PREFIX}/webhook", set_webhook, methods=["POST"]),
    ]


class _Replies:
    """Dropbox's words for faults."""

    def rate_limited(self, _: Request, seconds: float | None) -> Response:
        return RateLimitedError("too_many_requests", seconds).build_response()

    def unavailable(self, _: Request, status: int) -> Response:
        return PlainTextResponse("The simulated Dropbox is in trouble.", status_code=status)


def _fill(space: Space, user: User, samples: list[SampleFile]) -> None:
    root = space.get_home(user).root
    for sample in samples:
        folder = root
        for name in sample.path[:-1]:
            there = folder.children.get(name.lower())
            folder = there if isinstance(there, Folder) else space.make_folder(folder, name)
        content = space.world.contents.keep(sample.data)
        space.put_file(
            folder,
            sample.path[-1],
            content,
            hash_content(content),
            client_modified=sample.modified_at,
            server_modified=sample.modified_at,
        )
