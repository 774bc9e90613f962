"""What a browser sees at the address of a shared link."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from simulators.dropbox.errors import RouteError
from simulators.dropbox.media import guess_media_type
from simulators.dropbox.ranges import stream_content
from simulators.dropbox.sharing_links import can_open, find_linked
from simulators.dropbox.state import State
from simulators.dropbox.tree import File

FORM_BYTES_MAX = 4096


async def show_link(request: Request, state: State) -> Response:
    """The bytes with ?dl=1 or ?raw=1, else a page; 404 for links that are gone, a form where a password is wanted."""
    kind, key = request.path_params["kind"], request.path_params["key"]
    link = state.shared_links.get(f"/scl/{kind}/{key}")
    resource = None if link is None else find_linked(state, link, "")
    if link is None or resource is None:
        return HTMLResponse("<h1>This link is gone</h1>", status_code=404)
    password = await _read_password(request)
    if not can_open(state, link, None, password):
        form = '<form method="post"><label>Password <input name="password" type="password"></label></form>'
        return HTMLResponse(form if link.password is not None else "<h1>Sign in to see this</h1>", status_code=403)
    wants_bytes = "1" in {request.query_params.get("dl"), request.query_params.get("raw")}
    if wants_bytes and isinstance(resource, File):
        if not link.allow_download:
            return HTMLResponse("<h1>Downloads are off</h1>", status_code=403)
        media_type = guess_media_type(resource.name)
        try:
            return stream_content(request, resource.version.content, media_type=media_type, headers={})
        except RouteError:
            return HTMLResponse("", status_code=416)
    names = [resource.name] if isinstance(resource, File) else [child.name for child in resource.children.values()]
    listed = "".join(f"<li>{escape(name)}</li>" for name in names)
    return HTMLResponse(f"<!doctype html><title>{escape(resource.name)}</title><ul>{listed}</ul>")


async def _read_password(request: Request) -> str | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk[: FORM_BYTES_MAX - len(body)]
    return dict(parse_qsl(body.decode(errors="replace"))).get("password")
