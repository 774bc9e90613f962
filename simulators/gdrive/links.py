"""What the links in a file's properties lead to: thumbnails, pages for people, downloads and exports in a browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from simulators.core.users import User
from simulators.gdrive import access, pictures
from simulators.gdrive.call import authenticate
from simulators.gdrive.capabilities import Standing
from simulators.gdrive.drive import Drive
from simulators.gdrive.errors import DriveError
from simulators.gdrive.files import send_export
from simulators.gdrive.media import send_blob
from simulators.gdrive.records import DriveFile
from simulators.gdrive.writing import is_abusive

THUMBNAIL_PIXELS_DEFAULT = 220
PNG = "image/png"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16">'
    '<rect width="12" height="16" x="2" fill="{}"/></svg>'
)


def build_link_routes(drive: Drive) -> list[Route]:
    links = _Links(drive)
    return [
        Route("/thumbnails/{file_id}/{version}", links.show_thumbnail),
        Route("/file/d/{file_id}/view", links.show_page),
        Route("/export/{file_id}", links.export),
        Route("/open", links.open_page),
        Route("/uc", links.download),
        Route("/icons/16/type/{mime_type:path}", _draw("#4285f4")),
        Route("/themes/{theme}", _draw("#0f9d58")),
        Route("/photos/{number}", _draw("#db4437")),
    ]


class _Links:
    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    async def show_thumbnail(self, request: Request) -> Response:
        """The end of the address says how large: `=s220`."""
        file = self._get_file(request, request.path_params["file_id"], copies=True)
        _, _, size = request.path_params["version"].partition("=s")
        side = int(size) if size.isdigit() else THUMBNAIL_PIXELS_DEFAULT
        if not pictures.has_thumbnail(file) or not 0 < side <= pictures.SIDE_PIXELS_MAX:
            raise DriveError.not_found(file.id)
        return Response(pictures.draw_thumbnail(file, side), media_type=PNG)

    async def show_page(self, request: Request) -> Response:
        """What a person sees who follows a link."""
        return self._draw_page(request, request.path_params["file_id"])

    async def open_page(self, request: Request) -> Response:
        """The same by its short address."""
        return self._draw_page(request, request.query_params.get("id", ""))

    def _draw_page(self, request: Request, file_id: str) -> Response:
        file = self._get_file(request, file_id)
        link = f'<p><a href="/uc?id={file.id}&amp;export=download">Download</a></p>' if file.blob else ""
        page = f"<!doctype html><title>{escape(file.name)}</title><h1>{escape(file.name)}</h1>{link}"
        return HTMLResponse(page)

    async def download(self, request: Request) -> Response:
        file = self._get_file(request, request.query_params.get("id", ""), copies=True)
        if file.blob is None or file.is_native or is_abusive(file.blob):
            raise DriveError.not_found(file.id)
        return send_blob(request, file.blob, file.mime_type, name=file.name)

    async def export(self, request: Request) -> Response:
        file = self._get_file(request, request.path_params["file_id"], copies=True)
        wanted = request.query_params.get("revision")
        blob = next((one.blob for one in file.revisions if one.id == wanted), file.blob)
        return send_export(file, request.query_params.get("mimeType", ""), blob)

    def _get_file(self, request: Request, file_id: str, *, copies: bool = False) -> DriveFile:
        """Anyone sees what is shared with anyone; everything else needs a token of somebody who may read it.

        To see is not always to copy its bytes.
        """
        file = self._drive.store.find(file_id)
        if file is None:
            raise DriveError.not_found(file_id)
        if _opens(file, access.get_public_role(self._drive.store, file), copies=copies):
            return file
        user = self._get_user(request)
        if not _opens(file, access.get_role(self._drive.store, file, user), copies=copies):
            raise DriveError.not_found(file_id)
        return file

    def _get_user(self, request: Request) -> User:
        return self._drive.store.users.get(authenticate(self._drive, request).user_number)


def _opens(file: DriveFile, role: str | None, *, copies: bool) -> bool:
    standing = Standing(file, role, is_trashed=False)
    return standing.can_download if copies else standing.can_read


def _draw(color: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return Response(ICON.format(color), media_type="image/svg+xml")

    return endpoint
