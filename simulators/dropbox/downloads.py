"""Bytes going out: files, zipped folders, exports, and links that need no token."""

from __future__ import annotations

import asyncio
import secrets
import zipfile
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from simulators.core.contents import Content
from simulators.dropbox.calls import Argument, Call, Download, ReadPath, Rev, Routes
from simulators.dropbox.errors import RouteError, inside
from simulators.dropbox.hashing import hash_content
from simulators.dropbox.media import guess_media_type
from simulators.dropbox.metadata import EXPORTS, NO_WISHES, build_file, build_folder, build_gone_version, get_ending
from simulators.dropbox.ranges import stream_content
from simulators.dropbox.state import State, TemporaryLink, remember
from simulators.dropbox.tree import File, Folder, Version

TEMPORARY_LINK_SECONDS = 4 * 3600
TEMPORARY_LINK_PREFIX = "/cd/0/get/"
ZIP_COUNT_MAX = 10_000
ZIP_BYTES_MAX = 20 * 1024**3

routes = Routes()


class DownloadArgument(Argument):
    path: ReadPath
    rev: Rev | None = None


class PathArgument(Argument):
    path: ReadPath


class ExportArgument(Argument):
    path: ReadPath
    export_format: str | None = None


@routes.download("files/download", DownloadArgument, scope="files.content.read")
def download(call: Call, argument: DownloadArgument) -> Download:
    """A file's bytes, or one of its revisions'."""
    file, version = find_version(call, f"rev:{argument.rev}" if argument.rev else argument.path)
    if get_ending(version.name) in EXPORTS:
        raise RouteError("unsupported_file")
    return Download(result=describe(call, file, version), content=version.content, rev=version.rev)


@routes.download("files/download_zip", PathArgument, scope="files.content.read")
async def download_zip(call: Call, argument: PathArgument) -> Download:
    """A folder as a zip file."""
    with inside("path"):
        folder = call.view.get_folder(argument.path)
    entries = _list_entries(call, folder, folder.name)
    if len(entries) >= ZIP_COUNT_MAX:
        raise RouteError("too_many_files")
    if sum(file.version.content.size_bytes for _, file in entries if file is not None) > ZIP_BYTES_MAX:
        raise RouteError("too_large")
    content = await asyncio.to_thread(_zip, call, entries)
    return Download(
        result={"metadata": build_folder(call.view, folder)},
        content=content,
        rev=secrets.token_hex(8),
        media_type="application/zip",
        has_ranges=False,
    )


@routes.download("files/export", ExportArgument, scope="files.content.read")
async def export(call: Call, argument: ExportArgument) -> Download:
    """What cannot be downloaded as it is, in another format: here its own bytes under another name."""
    file, version = find_version(call, argument.path)
    exports = EXPORTS.get(get_ending(version.name))
    if exports is None:
        raise RouteError("non_exportable")
    wanted = argument.export_format or exports[0]
    if wanted not in exports[1]:
        raise RouteError("invalid_export_format")
    export_hash = await asyncio.to_thread(hash_content, version.content)
    result = {
        "export_metadata": {
            "name": f"{version.name.rpartition('.')[0]}.{wanted}",
            "size": version.content.size_bytes,
            "export_hash": export_hash,
        },
        "file_metadata": describe(call, file, version),
    }
    return Download(result=result, content=version.content, rev=version.rev)


@routes.rpc("files/get_temporary_link", PathArgument, scope="files.content.read")
def get_temporary_link(call: Call, argument: PathArgument) -> dict[str, Any]:
    """A URL of the bytes, for four hours."""
    file, version = find_version(call, argument.path)
    if get_ending(version.name) in EXPORTS:
        raise RouteError("unsupported_file")
    key = secrets.token_urlsafe(32)
    link = TemporaryLink(
        user_number=call.user.number,
        expires_at=call.state.world.clock.now() + timedelta(seconds=TEMPORARY_LINK_SECONDS),
        value=version,
        namespace_id=call.view.root.namespace_id,
    )
    remember(call.state.temporary_links, key, link)
    url = f"{call.content_origin}{TEMPORARY_LINK_PREFIX}{key}/file"
    return {"metadata": describe(call, file, version), "link": url}


def serve_temporary_link(request: Request, state: State) -> Response:
    """What is behind such a URL: 410 once it is over. Here a range that cannot be is the web's usual 416."""
    link = state.temporary_links.get(request.path_params["key"])
    if link is None or not isinstance(link.value, Version):
        return PlainTextResponse("There is no such link.", status_code=404)
    if state.world.clock.now() > link.expires_at:
        return PlainTextResponse("This link has expired.", status_code=410)
    version = link.value
    headers = {"ETag": f'"{version.rev}"'}
    try:
        return stream_content(request, version.content, media_type=guess_media_type(version.name), headers=headers)
    except RouteError:
        return PlainTextResponse("", status_code=416)


def find_version(call: Call, path: str) -> tuple[File | None, Version]:
    """The file, if it is still there, and the version that the path means."""
    with inside("path"):
        return call.view.get_version(path)


def describe(call: Call, file: File | None, version: Version) -> dict[str, Any]:
    """What goes along with a version's bytes."""
    if file is not None:
        return build_file(call.view, file, version=version)
    return build_gone_version(version, None, NO_WISHES)


def _list_entries(call: Call, folder: Folder, name: str) -> list[tuple[str, File | None]]:
    entries: list[tuple[str, File | None]] = [(f"{name}/", None)]
    for child in call.view.list_children(folder):
        path = f"{name}/{child.name}"
        entries += _list_entries(call, child, path) if isinstance(child, Folder) else [(path, child)]
    return entries


def _zip(call: Call, entries: list[tuple[str, File | None]]) -> Content:
    draft = call.state.world.contents.begin()
    draft.rest()
    with zipfile.ZipFile(draft.path, "w") as archive:
        for path, file in entries:
            if file is None:
                archive.writestr(path, b"")
            else:
                archive.write(file.version.content.path, path)
    return Content(draft.path, draft.path.stat().st_size)
