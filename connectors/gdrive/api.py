"""Drive's endpoints, one function each: arguments to a request, a reply to what it says. No decisions.

https://developers.google.com/drive/api/reference/rest/v3
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
import msgspec

from connectors.core.call import INTENT, Intent, Repeat, Send
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.layers.classify import EXPECTED_STATUSES, WHOLE_BODY_BYTES_MAX
from connectors.core.passthrough import pass_through
from connectors.core.raw import RawCall, RawReply
from connectors.gdrive.errors import build_unexpected
from connectors.gdrive.payloads import (
    FILE_FIELDS,
    PERMISSION_FIELDS,
    PROPERTY_FIELDS,
    REVISION_FIELDS,
    About,
    ChangeList,
    Channel,
    DriveFile,
    DriveList,
    FileList,
    Grant,
    GrantList,
    IdList,
    RevisionList,
    SharedDrive,
    StartToken,
)

ANSWER_BYTES_MAX = 32 * 2**20
PICTURE_BYTES_MAX = 8 * 2**20
FILES, UPLOADS = "/drive/v3/files", "/upload/drive/v3/files"
ALL_DRIVES = {"supportsAllDrives": "true"}
EVERYWHERE = {**ALL_DRIVES, "includeItemsFromAllDrives": "true"}
DRIVE_FIELDS = "id,name,createdTime"
CANCELLED_STATUS = 499
RANGE_END = re.compile(r"[0-9]{1,18}")
NOT_GIVEN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})

PayloadT = TypeVar("PayloadT")


class Api:
    """One account's calls. With `include_raw` files come with all their properties."""

    def __init__(self, send: Send[httpx.Request, httpx.Response], origin: str, *, include_raw: bool = False) -> None:
        self._send = send
        self._origin = origin
        self._include_raw = include_raw
        self._fields = "*" if include_raw else FILE_FIELDS  # of single files

    async def get_about(self, fields: str) -> About:
        return await self._ask("GET", "/drive/v3/about", About, {"fields": fields})

    async def get_file(self, file_id: str) -> DriveFile:
        return self._read(await self._ask("GET", f"{FILES}/{file_id}", dict, {"fields": self._fields, **ALL_DRIVES}))

    async def get_fields(self, file_id: str, fields: str) -> DriveFile:
        """A file as far as these fields tell of it."""
        return await self._ask("GET", f"{FILES}/{file_id}", DriveFile, {"fields": fields, **ALL_DRIVES})

    async def list_files(
        self, query: str, *, limit: int, cursor: str | None = None, fields: str = FILE_FIELDS, **params: str
    ) -> FileList:
        """Files by Drive's search language, of one page; `orderBy` and `corpora` as Drive has them."""
        wanted = f"nextPageToken,incompleteSearch,files({'*' if self._include_raw else fields})"
        asked = {"q": query, "pageSize": str(limit), "fields": wanted, **EVERYWHERE, **params, **_page(cursor)}
        reply = await self._call("GET", FILES, asked)
        listed = _decode(reply, FileList)
        if not self._include_raw:
            return listed
        files = [self._read(raw) for raw in _decode(reply, dict)["files"]]
        return FileList(files, listed.next_page_token, listed.incomplete_search)

    async def generate_ids(self, count: int) -> list[str]:
        params = {"count": str(count), "fields": "ids"}
        return (await self._ask("GET", f"{FILES}/generateIds", IdList, params)).ids

    async def create_file(self, metadata: Mapping[str, Any]) -> DriveFile:
        """A file without bytes; idempotent by its id."""
        params = {"fields": self._fields, **ALL_DRIVES}
        return self._read(await self._ask("POST", FILES, dict, params, metadata, Repeat.IDEMPOTENT))

    async def update_file(
        self, file_id: str, metadata: Mapping[str, Any], *, added: str | None = None, removed: str | None = None
    ) -> DriveFile:
        """Changes what is named; moves it between folders."""
        moves = {"addParents": added, "removeParents": removed}
        moving = {name: folder for name, folder in moves.items() if folder is not None}
        params = {"fields": self._fields, **ALL_DRIVES, **moving}
        return self._read(await self._ask("PATCH", f"{FILES}/{file_id}", dict, params, metadata, Repeat.IDEMPOTENT))

    async def update_properties(self, file_id: str, metadata: Mapping[str, Any]) -> DriveFile:
        params = {"fields": PROPERTY_FIELDS, **ALL_DRIVES}
        return await self._ask("PATCH", f"{FILES}/{file_id}", DriveFile, params, metadata, Repeat.IDEMPOTENT)

    async def copy_file(self, file_id: str, metadata: Mapping[str, Any], repeat: Repeat) -> DriveFile:
        params = {"fields": self._fields, **ALL_DRIVES}
        return self._read(await self._ask("POST", f"{FILES}/{file_id}/copy", dict, params, metadata, repeat))

    async def delete_file(self, file_id: str) -> None:
        """For ever; a folder with all it holds."""
        await self._call("DELETE", f"{FILES}/{file_id}", ALL_DRIVES, repeat=Repeat.IDEMPOTENT)

    async def create_file_with(self, metadata: Mapping[str, Any], data: bytes, kind: str) -> DriveFile:
        """A new file with its bytes, in one request; idempotent by its id."""
        boundary = secrets.token_hex(16)
        parts = (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
            msgspec.json.encode(metadata),
            f"\r\n--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode(),
            data,
            f"\r\n--{boundary}--\r\n".encode(),
        )
        params = {"uploadType": "multipart", "fields": self._fields, **ALL_DRIVES}
        headers = {"Content-Type": f"multipart/related; boundary={boundary}"}
        return self._read(await self._ask("POST", UPLOADS, dict, params, b"".join(parts), Repeat.IDEMPOTENT, headers))

    async def start_upload(self, file_id: str | None, metadata: Mapping[str, Any], kind: str) -> str:
        """A resumable upload's own address."""
        reply = await self._call(
            "POST" if file_id is None else "PATCH",
            UPLOADS if file_id is None else f"{UPLOADS}/{file_id}",
            {"uploadType": "resumable", "fields": self._fields, **ALL_DRIVES},
            metadata,
            Repeat.IDEMPOTENT,  # one that nobody uses ends by itself
            {"X-Upload-Content-Type": kind},
        )
        location: str = reply.headers.get("location", "")
        if not location:
            raise ConnectorError(ErrorKind.UNEXPECTED, "Google Drive did not say where to upload to")
        return location

    async def put_bytes(self, url: str, data: bytes, start: int, total: int | None) -> DriveFile | int:
        """Bytes of a resumable upload: the file when it is complete, else how many are there.

        With no bytes it is the question how far it is, or with a total that it is complete. Bytes that are there
        already are ignored: https://cloud.google.com/storage/docs/resumable-uploads
        """
        part = f"{start}-{start + len(data) - 1}" if data else "*"
        headers = {"Content-Range": f"bytes {part}/{'*' if total is None else total}"}
        expected = frozenset({HTTPStatus.PERMANENT_REDIRECT})
        reply = await self._call("PUT", url, {}, data, Repeat.IDEMPOTENT, headers, expected)
        if reply.status_code != HTTPStatus.PERMANENT_REDIRECT:
            return self._read(_decode(reply, dict))
        last: str = reply.headers.get("range", "").rpartition("-")[2]
        return int(last) + 1 if RANGE_END.fullmatch(last) else 0

    async def cancel_upload(self, url: str) -> None:
        """Forgets a resumable upload; one that is over or gone is no error."""
        over = frozenset({CANCELLED_STATUS, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
        await self._call("DELETE", url, {}, b"", Repeat.IDEMPOTENT, {}, over)

    def open_file(self, file_id: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[httpx.Response]:
        return self._open(f"{FILES}/{file_id}", {"alt": "media", **ALL_DRIVES}, headers)

    def open_revision(
        self, file_id: str, revision_id: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[httpx.Response]:
        return self._open(f"{FILES}/{file_id}/revisions/{revision_id}", {"alt": "media"}, headers)

    def open_export(self, file_id: str, media_type: str) -> AbstractAsyncContextManager[httpx.Response]:
        return self._open(f"{FILES}/{file_id}/export", {"mimeType": media_type}, {})

    async def list_revisions(self, file_id: str, cursor: str | None) -> RevisionList:
        """Oldest first."""
        params = {"fields": f"nextPageToken,revisions({REVISION_FIELDS})", "pageSize": "1000", **_page(cursor)}
        return await self._ask("GET", f"{FILES}/{file_id}/revisions", RevisionList, params)

    async def delete_revision(self, file_id: str, revision_id: str) -> None:
        await self._call("DELETE", f"{FILES}/{file_id}/revisions/{revision_id}", {}, repeat=Repeat.IDEMPOTENT)

    async def list_permissions(self, file_id: str, cursor: str | None) -> GrantList:
        fields = f"nextPageToken,permissions({PERMISSION_FIELDS})"
        params = {"fields": fields, "pageSize": "100", **ALL_DRIVES, **_page(cursor)}
        return await self._ask("GET", f"{FILES}/{file_id}/permissions", GrantList, params)

    async def create_permission(self, file_id: str, body: Mapping[str, str], params: Mapping[str, str]) -> Grant:
        params = {"fields": PERMISSION_FIELDS, **ALL_DRIVES, **params}
        return await self._ask("POST", f"{FILES}/{file_id}/permissions", Grant, params, body, Repeat.IDEMPOTENT)

    async def update_permission(self, file_id: str, known: Grant, role: str, params: Mapping[str, str]) -> Grant:
        params = {"fields": PERMISSION_FIELDS, **ALL_DRIVES, **params}
        path = f"{FILES}/{file_id}/permissions/{known.id}"
        return await self._ask("PATCH", path, Grant, params, {"role": role}, Repeat.IDEMPOTENT)

    async def delete_permission(self, file_id: str, known: Grant) -> None:
        await self._call("DELETE", f"{FILES}/{file_id}/permissions/{known.id}", ALL_DRIVES, repeat=Repeat.IDEMPOTENT)

    async def get_drive(self, drive_id: str) -> SharedDrive:
        return await self._ask("GET", f"/drive/v3/drives/{drive_id}", SharedDrive, {"fields": DRIVE_FIELDS})

    async def list_drives(self, *, limit: int, cursor: str | None = None, query: str | None = None) -> DriveList:
        params = {"pageSize": str(min(limit, 100)), "fields": f"nextPageToken,drives({DRIVE_FIELDS})", **_page(cursor)}
        return await self._ask("GET", "/drive/v3/drives", DriveList, params | ({"q": query} if query else {}))

    async def get_start_token(self) -> str:
        path = "/drive/v3/changes/startPageToken"
        return (await self._ask("GET", path, StartToken, {"fields": "startPageToken", **ALL_DRIVES})).start_page_token

    async def list_changes(self, cursor: str, limit: int) -> ChangeList:
        change = f"fileId,driveId,changeType,removed,drive({DRIVE_FIELDS}),file({FILE_FIELDS})"
        params = {
            "pageToken": cursor,
            "pageSize": str(limit),
            "fields": f"nextPageToken,newStartPageToken,changes({change})",
            **EVERYWHERE,
        }
        return await self._ask("GET", "/drive/v3/changes", ChangeList, params)

    async def watch_changes(self, cursor: str, channel: Mapping[str, str]) -> Channel:
        """Has Drive call an address when something changes; idempotent by the channel's id."""
        params = {"pageToken": cursor, "fields": "id,resourceId,expiration", **EVERYWHERE}
        return await self._ask("POST", "/drive/v3/changes/watch", Channel, params, channel, Repeat.IDEMPOTENT)

    async def stop_channel(self, channel_id: str, resource_id: str) -> None:
        """One that is over is no error."""
        body, over = {"id": channel_id, "resourceId": resource_id}, frozenset({HTTPStatus.NOT_FOUND})
        await self._call("POST", "/drive/v3/channels/stop", {}, body, Repeat.IDEMPOTENT, expected=over)

    async def get_picture(self, url: str) -> tuple[bytes, str] | None:
        """A small picture and its media type; None when it is not given."""
        request = httpx.Request(
            "GET",
            url,
            headers={"Accept-Encoding": "identity"},
            extensions={
                INTENT: Intent(operation="GET thumbnail", repeat=Repeat.SAFE),
                EXPECTED_STATUSES: NOT_GIVEN,
                WHOLE_BODY_BYTES_MAX: PICTURE_BYTES_MAX,
            },
        )
        reply = await self._send(request)
        media_type: str = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        return (reply.content, media_type) if reply.is_success and media_type.startswith("image/") else None

    def pass_on(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        """A request of the caller's own."""
        return pass_through(self._send, call, base=httpx.URL(self._origin))

    async def _ask(
        self,
        method: str,
        path: str,
        kind: type[PayloadT],
        params: Mapping[str, str],
        body: Mapping[str, Any] | bytes | None = None,
        repeat: Repeat = Repeat.SAFE,
        headers: Mapping[str, str] | None = None,
    ) -> PayloadT:
        return _decode(await self._call(method, path, params, body, repeat, headers), kind)

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, Any] | bytes | None = None,
        repeat: Repeat = Repeat.SAFE,
        headers: Mapping[str, str] | None = None,
        expected: frozenset[int] = frozenset(),
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        kind = {} if isinstance(body, bytes) or body is None else {"Content-Type": "application/json; charset=UTF-8"}
        request = httpx.Request(
            method,
            self._build_url(path, params),
            headers={**kind, **(headers or {})},
            content=content,
            extensions={
                INTENT: Intent(operation=_name(method, path), repeat=repeat),
                EXPECTED_STATUSES: expected,
                WHOLE_BODY_BYTES_MAX: ANSWER_BYTES_MAX,
            },
        )
        return await self._send(request)

    @asynccontextmanager
    async def _open(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        request = httpx.Request(
            "GET",
            self._build_url(path, params),
            headers={"Accept-Encoding": "identity", **headers},
            extensions={INTENT: Intent(operation=_name("GET", path), repeat=Repeat.SAFE)},
        )
        reply = await self._send(request)
        try:
            yield reply
        finally:
            await reply.aclose()

    def _build_url(self, path: str, params: Mapping[str, str]) -> httpx.URL:
        try:
            url = httpx.URL(path if "://" in path else self._origin + path)
        except httpx.InvalidURL as error:  # it has an id, or is an address, that Drive told
            raise build_unexpected() from error
        return url.copy_merge_params(params) if params else url

    def _read(self, raw: dict[str, Any]) -> DriveFile:
        file = _convert(raw, DriveFile)
        return msgspec.structs.replace(file, raw=raw) if self._include_raw else file


def _decode(reply: httpx.Response, kind: type[PayloadT]) -> PayloadT:
    try:
        return msgspec.json.decode(reply.content, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise build_unexpected() from error


def _convert(raw: dict[str, Any], kind: type[PayloadT]) -> PayloadT:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise build_unexpected() from error


def _name(method: str, path: str) -> str:
    """What a call is for, without ids: "GET files/revisions"."""
    parts = path.partition("/v3/")[2].partition("?")[0].split("/")
    return f"{method} {'/'.join(parts[::2])}"


def _page(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"pageToken": cursor}
