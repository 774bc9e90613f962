"""Dropbox's routes, one function each: arguments to a request, a reply to its payload.

Most take JSON and give JSON. Bytes travel as bodies, with the JSON beside them in a header.
https://www.dropbox.com/developers/documentation/http/documentation#formats
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import msgspec

from connectors.core.call import INTENT, Intent, Repeat
from connectors.core.layers.classify import WHOLE_BODY_BYTES_MAX
from connectors.core.layers.retry import IS_DONE
from connectors.core.passthrough import pass_through
from connectors.core.raw import RawCall, RawReply
from connectors.core.stack import HttpSend
from connectors.dropbox.errors import build_unexpected
from connectors.dropbox.payloads import (
    Cursor,
    Entry,
    Exported,
    Found,
    Listing,
    Person,
    Result,
    Revisions,
    Session,
    Space,
)

REPLY_BYTES_MAX = 16 * 2**20
Argument = Mapping[str, Any]
PayloadT = TypeVar("PayloadT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The routes as one account may call them. With `root_id` paths begin there and not in the user's own folder."""

    send: HttpSend
    api_url: str
    content_url: str
    root_id: str | None = None
    include_raw: bool = False
    headers: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.root_id is not None:
            root = {".tag": "namespace_id", "namespace_id": self.root_id}
            self.headers["Dropbox-API-Path-Root"] = json.dumps(root)

    # ---- the account

    async def get_account(self) -> Person:
        return await self.ask("users/get_current_account", None, Person)

    async def get_space(self) -> Space:
        return await self.ask("users/get_space_usage", None, Space)

    # ---- files and folders

    async def get_metadata(self, path: str, *, template_ids: Sequence[str] = ()) -> Entry:
        wanted = {".tag": "filter_some", "filter_some": template_ids}
        more = {"include_property_groups": wanted} if template_ids else {}
        return self.read(await self.ask("files/get_metadata", {"path": path, **more}, msgspec.Raw))

    async def list_folder(
        self, path: str, *, is_recursive: bool, limit: int, includes_deleted: bool = False
    ) -> Listing:
        more = {"include_deleted": True} if includes_deleted else {}
        argument = {"path": path, "recursive": is_recursive, "limit": limit, **more}
        return await self.ask("files/list_folder", argument, Listing)

    async def continue_list(self, cursor: str) -> Listing:
        return await self.ask("files/list_folder/continue", {"cursor": cursor}, Listing)

    async def get_latest_cursor(self, path: str, *, limit: int) -> str:
        argument = {"path": path, "recursive": True, "limit": limit}
        return (await self.ask("files/list_folder/get_latest_cursor", argument, Cursor)).cursor

    async def search(self, query: str, path: str, *, limit: int) -> Found:
        argument = {"query": query, "options": {"path": path, "max_results": limit}}
        return await self.ask("files/search_v2", argument, Found)

    async def continue_search(self, cursor: str) -> Found:
        return await self.ask("files/search/continue_v2", {"cursor": cursor}, Found)

    async def create_folder(self, path: str) -> Entry:
        return await self._change("files/create_folder_v2", {"path": path})

    async def move(self, path: str, target: str) -> Entry:
        return await self._change("files/move_v2", {"from_path": path, "to_path": target})

    async def copy(self, path: str, target: str) -> Entry:
        return await self._change("files/copy_v2", {"from_path": path, "to_path": target})

    async def delete(self, path: str, *, rev: str | None = None) -> None:
        argument = {"path": path} if rev is None else {"path": path, "parent_rev": rev}
        await self.ask("files/delete_v2", argument, msgspec.Raw, Repeat.IDEMPOTENT)

    async def delete_permanently(self, path: str) -> None:
        await self.ask("files/permanently_delete", {"path": path}, msgspec.Raw, Repeat.IDEMPOTENT)

    async def list_revisions(self, path: str, *, mode: str, limit: int, before: str | None = None) -> Revisions:
        """Newest first; of what has an id, or of what was ever at a path. Only that one goes on before a revision."""
        more = {} if before is None else {"before_rev": before}
        argument = {"path": path, "mode": write_tag(mode), "limit": limit, "include_restorable_info": True, **more}
        return await self.ask("files/list_revisions", argument, Revisions)

    async def restore(self, path: str, rev: str, is_done: Callable[[], Awaitable[bool]]) -> Entry:
        argument = {"path": path, "rev": rev}
        return self.read(await self.ask("files/restore", argument, msgspec.Raw, Repeat.IDEMPOTENT, is_done))

    # ---- bytes

    @asynccontextmanager
    async def download(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[tuple[httpx.Response, Entry]]:
        async with self._open("files/download", {"path": path}, headers) as (reply, result):
            yield reply, self.read(msgspec.Raw(result))

    @asynccontextmanager
    async def export(
        self, path: str, *, export_format: str | None = None
    ) -> AsyncIterator[tuple[httpx.Response, Exported]]:
        more = {} if export_format is None else {"export_format": export_format}
        async with self._open("files/export", {"path": path, **more}, {}) as (reply, result):
            yield reply, _decode(result, Exported)

    async def get_thumbnail(self, path: str, *, size: str, image_format: str) -> bytes:
        """At most as large as one of Dropbox's sizes, lying or standing; the picture whole."""
        resource = {".tag": "path", "path": path}
        options = {"format": write_tag(image_format), "size": write_tag(size), "mode": write_tag("bestfit")}
        request = self._build_download("files/get_thumbnail_v2", {"resource": resource, **options})
        request.extensions[WHOLE_BODY_BYTES_MAX] = REPLY_BYTES_MAX
        return (await self.send(request)).content

    async def upload(self, commit: Argument, data: bytes, content_hash: str) -> Entry:
        argument = {**commit, "content_hash": content_hash}
        return self.read(await self._send_bytes("files/upload", argument, data, msgspec.Raw))

    async def start_session(self) -> str:
        argument = {"session_type": write_tag("concurrent")}
        started = await self._send_bytes("files/upload_session/start", argument, b"", Session)
        return started.session_id

    async def append(self, session_id: str, offset: int, data: bytes, content_hash: str, *, is_last: bool) -> None:
        cursor = {"session_id": session_id, "offset": offset}
        argument = {"cursor": cursor, "close": is_last, "content_hash": content_hash}
        await self._send_bytes("files/upload_session/append_v2", argument, data, msgspec.Raw)

    async def finish_session(self, session_id: str, size_bytes: int, commit: Argument) -> Entry:
        argument = {"cursor": {"session_id": session_id, "offset": size_bytes}, "commit": commit}
        return self.read(await self._send_bytes("files/upload_session/finish", argument, b"", msgspec.Raw))

    # ---- how all are called

    def pass_on(self, call: RawCall) -> AbstractAsyncContextManager[RawReply]:
        """A request of the caller's own."""
        base = self.content_url if call.uri.startswith(self.content_url) else self.api_url
        headers = {**self.headers, **call.headers}
        return pass_through(
            self.send, RawCall(call.method, call.uri, headers, call.source), base=httpx.URL(f"{base}/2/")
        )

    def read(self, raw: msgspec.Raw) -> Entry:
        """A file or folder."""
        entry = _decode(bytes(raw), Entry)
        if not self.include_raw:
            return entry
        return msgspec.structs.replace(entry, raw=_decode(bytes(raw), dict))

    async def ask(
        self,
        route: str,
        argument: Argument | None,
        kind: type[PayloadT],
        repeat: Repeat = Repeat.SAFE,
        is_done: Callable[[], Awaitable[bool]] | None = None,
    ) -> PayloadT:
        """JSON to a route, and its JSON."""
        request = self._build(f"{self.api_url}/2/{route}", repeat, route, msgspec.json.encode(argument))
        request.headers["Content-Type"] = "application/json"
        if is_done is not None:
            request.extensions[IS_DONE] = is_done
        return _decode((await self.send(request)).content, kind)

    @asynccontextmanager
    async def _open(
        self, route: str, argument: Argument, headers: Mapping[str, str]
    ) -> AsyncIterator[tuple[httpx.Response, bytes]]:
        request = self._build_download(route, argument)
        request.headers.update(headers)
        reply = await self.send(request)
        try:
            yield reply, reply.headers.get("dropbox-api-result", "").encode()
        finally:
            await reply.aclose()

    def _build_download(self, route: str, argument: Argument) -> httpx.Request:
        request = self._build(f"{self.content_url}/2/{route}", Repeat.SAFE, route)
        request.headers.update({"Dropbox-API-Arg": write_header(argument), "Accept-Encoding": "identity"})
        return request

    async def _change(self, route: str, argument: Argument) -> Entry:
        return self.read((await self.ask(route, argument, Result, Repeat.IDEMPOTENT)).metadata)

    async def _send_bytes(self, route: str, argument: Argument, data: bytes, kind: type[PayloadT]) -> PayloadT:
        request = self._build(f"{self.content_url}/2/{route}", Repeat.IDEMPOTENT, route, data)
        request.headers.update({"Dropbox-API-Arg": write_header(argument), "Content-Type": "application/octet-stream"})
        return _decode((await self.send(request)).content, kind)

    def _build(self, url: str, repeat: Repeat, route: str, content: bytes | None = None) -> httpx.Request:
        extensions: dict[str, Any] = {INTENT: Intent(operation=route, repeat=repeat)}
        if content is not None:
            extensions[WHOLE_BODY_BYTES_MAX] = REPLY_BYTES_MAX
        return httpx.Request("POST", url, headers=self.headers, content=content, extensions=extensions)


def write_tag(tag: str) -> dict[str, str]:
    """A union's member that holds nothing."""
    return {".tag": tag}


def write_header(argument: Argument) -> str:
    """JSON that a header can hold. https://www.dropbox.com/developers/reference/json-encoding"""
    return json.dumps(argument).replace("\x7f", "\\u007f")


def _decode(data: bytes, kind: type[PayloadT]) -> PayloadT:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise build_unexpected() from error
