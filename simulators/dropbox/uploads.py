"""Bytes coming in: in one request, in a session of several, or through a link that needs no token."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from simulators.core.contents import Content
from simulators.dropbox.calls import Argument, Call, ContentHash, Routes, read_draft
from simulators.dropbox.commits import CommitArgument, commit
from simulators.dropbox.errors import BadRequestError, RouteError, UploadFailedError
from simulators.dropbox.hashing import hash_content
from simulators.dropbox.metadata import build_file
from simulators.dropbox.sessions import keep_session
from simulators.dropbox.state import State, TemporaryLink, UploadSession, remember
from simulators.dropbox.views import View

LINK_SECONDS_MIN = 60
LINK_SECONDS_MAX = 14_400
UPLOAD_LINK_PREFIX = "/apitul/1/"
LINK_TYPES = frozenset({"application/octet-stream", "text/plain"})

routes = Routes()


class UploadArgument(CommitArgument):
    content_hash: ContentHash | None = None


class TemporaryUploadLinkArgument(Argument):
    commit_info: CommitArgument
    duration: Annotated[float, msgspec.Meta(ge=LINK_SECONDS_MIN, le=LINK_SECONDS_MAX)] = LINK_SECONDS_MAX


@routes.upload("files/upload", UploadArgument, scope="files.content.write")
async def upload(call: Call, argument: UploadArgument) -> dict[str, Any]:
    """A whole file in one request. When it cannot be stored its bytes wait in a session."""
    call.check_writes()
    draft = await call.read_body()
    content = draft.finish()
    await check_hash(content, argument.content_hash)
    try:
        file = await commit(call, argument, content)
    except RouteError as error:
        if error.tags[0] == "properties_error":
            raise
        session = UploadSession(draft=draft, started_at=call.state.world.clock.now(), is_closed=True)
        session.received[0] = content.size_bytes
        session_id = keep_session(call, session)
        raise UploadFailedError(error, session_id) from error
    return build_file(call.view, file)


@routes.rpc("files/get_temporary_upload_link", TemporaryUploadLinkArgument, scope="files.content.write")
def get_temporary_upload_link(call: Call, argument: TemporaryUploadLinkArgument) -> dict[str, Any]:
    """A URL that takes one upload, as this user."""
    key = secrets.token_urlsafe(24)
    link = TemporaryLink(
        user_number=call.user.number,
        expires_at=call.state.world.clock.now() + timedelta(seconds=argument.duration),
        value=(call.user, call.client, call.route, argument.commit_info),
        namespace_id=call.view.root.namespace_id,
    )
    remember(call.state.temporary_links, key, link)
    return {"link": f"{call.content_origin}{UPLOAD_LINK_PREFIX}{key}"}


async def take_linked_upload(request: Request, state: State) -> Response:
    """What is posted to such a URL."""
    link = state.temporary_links.get(request.path_params["key"])
    if request.headers.get("content-type", "").partition(";")[0] not in LINK_TYPES:
        return PlainTextResponse("Content-Type has to be application/octet-stream.", status_code=400)
    if link is None:
        return PlainTextResponse("Temporary upload link does not exist.", status_code=409)
    if link.is_used or state.world.clock.now() > link.expires_at:
        return PlainTextResponse("Temporary upload link has been recently consumed.", status_code=410)
    user, client, route, argument = link.value
    view = View(state.space, user, state.space.namespaces[link.namespace_id])
    call = Call(request=request, state=state, route=route, view=view, client=client)
    try:
        content = (await read_draft(request, state)).finish()
        link.is_used = True
        file = await commit(call, argument, content)
    except (RouteError, BadRequestError):
        return PlainTextResponse("The upload failed.", status_code=409)
    return JSONResponse({"content-hash": file.version.content_hash})


async def check_hash(content: Content, expected: str | None) -> None:
    """RouteError("content_hash_mismatch") when other bytes came than the client sent."""
    if expected is not None and await asyncio.to_thread(hash_content, content) != expected:
        raise RouteError("content_hash_mismatch")
