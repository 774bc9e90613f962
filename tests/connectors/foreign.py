"""Answers that no provider should give: those that it gave are kept, spoiled, and given again without it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from connectors.core.bytesource import BytesSource
from connectors.core.clock import ManualClock
from connectors.core.connector import Connector
from connectors.core.errors import ConnectorError, ErrorKind
from connectors.core.resources import (
    ByteRange,
    File,
    Folder,
    OnConflict,
    PermissionChange,
    RawId,
    Ref,
)
from connectors.core.sharing import LinkChange
from connectors.core.stack import HttpSend, Runtime
from connectors.core.transport import TransportSettings, build_transport
from tests.connectors.core.fakes import RecordingObserver
from tests.fuzzing import fuzz, spoiled

OpenAccount = Callable[[Runtime], Connector]
Run = Callable[[Connector, Mapping[str, RawId]], Awaitable[object]]

ODD: tuple[object, ...] = (
    *(None, True, 0, -1, 2**63, 10**400, 1e308, float("nan"), [], [None], {}, {".tag": 5}, [[{}]]),
    *("", "x", "-1", "1" * 5000, "1_0", "\u0663", " 7 ", "a/b", "..", "\0", "\ud800", "http://[::1/a", "\r\nX: y"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-13-01T00:00:00Z", "2026-11-25T17:45:15"),
)
"""What stands in place of a value."""

PIECES = (b"[" * 3000, b'{"a":' * 3000, b"]", b"}", b'"', b"\\u0000", b"\xff", b"\0", b"1e999", b",", b"null")
STATUSES = (200, 204, 206, 302, 308, 400, 401, 403, 404, 409, 416, 422, 429, 500, 503)
HEADERS = ("retry-after", "location", "range", "content-range", "content-type", "content-length")
EXAMPLES_COUNT = 25
LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
"""What a header is decoded to, whatever came."""
SHOWN_BYTES = 300
UNEXPLAINED = "does not explain"
"""In the words about a failure that a connector did not foresee."""


@dataclass(slots=True, kw_only=True, repr=False)
class Kept:
    """One answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:SHOWN_BYTES]!r}"

    def build(self, request: httpx.Request) -> httpx.Response:
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in self.headers]
        return httpx.Response(self.status, headers=headers, stream=Body(self.body), request=request)


class Body(httpx.AsyncByteStream):
    """Bytes that come in one piece."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data


@dataclass(slots=True)
class Recording:
    """Passes requests on and keeps the answers."""

    send: HttpSend
    answers: list[Kept] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        reply = await self.send(request)
        body = b"".join([chunk async for chunk in reply.aiter_raw()])
        headers = [pair for pair in reply.headers.multi_items() if pair[0] != "transfer-encoding"]
        kept = Kept(status=reply.status_code, headers=headers, body=body)
        self.answers.append(kept)
        return kept.build(request)


@dataclass(slots=True)
class Replaying:
    """Gives answers in order, whatever is asked; behind the last one nobody answers."""

    answers: Sequence[Kept]
    asked_count: int = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked_count += 1
        if self.asked_count > len(self.answers):
            raise ConnectorError(ErrorKind.UNAVAILABLE, "nobody answers any more")
        return self.answers[self.asked_count - 1].build(request)


@st.composite
def spoiled_answers(draw: st.DrawFn, answers: Sequence[Kept]) -> list[Kept]:
    """The answers, one of them spoiled: a value in its JSON, its bytes, its status, or a header."""
    told = list(answers)
    at = draw(st.integers(0, len(told) - 1))
    answer = told[at]
    status, headers, body = answer.status, list(answer.headers), answer.body
    match draw(st.sampled_from(["json", "json", "json", "bytes", "status", "header"])):
        case "json":
            body = _spoil_json(draw, body)
            headers = [
                (name, _spoil_json(draw, value.encode()).decode("latin-1") if value.startswith("{") else value)
                for name, value in headers
            ]
        case "bytes":
            body = draw(spoiled([body], PIECES))
        case "status":
            status = draw(st.sampled_from(STATUSES))
        case _:
            name, value = (
                draw(st.sampled_from(HEADERS)),
                draw(st.sampled_from([each for each in ODD if _is_line(each)])),
            )
            headers = [pair for pair in headers if pair[0] != name] + [(name, str(value))]
    told[at] = Kept(status=status, headers=headers, body=body)
    return told


def _is_line(value: object) -> bool:
    return isinstance(value, str) and not set("\r\n\0") & set(value)


def _spoil_json(draw: st.DrawFn, body: bytes) -> bytes:
    """The document with one value replaced, or left out."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    places = list(_list_places(document))
    if not places:
        return json.dumps(draw(st.sampled_from(ODD))).encode()
    inside, key = draw(st.sampled_from(places))
    if draw(st.integers(0, 5)):
        inside[key] = draw(st.sampled_from(ODD))
    else:
        del inside[key]
    return json.dumps(document).encode()


def _list_places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _list_places(inner)


async def play(open_account: OpenAccount, run: Run, ids: Mapping[str, RawId], send: HttpSend) -> object:
    """What an operation gives when `send` answers."""
    runtime = Runtime(clock=ManualClock(), observer=RecordingObserver(), transport=send, random=lambda: 0.0)
    return await run(open_account(runtime), ids)


def check(open_account: OpenAccount, run: Run, ids: Mapping[str, RawId], answers: Sequence[Kept]) -> None:
    """Something of sense, or an error of the provider's; nothing else comes of the answers."""
    try:
        result = asyncio.run(play(open_account, run, ids, Replaying(answers)))
    except ConnectorError as error:
        assert error.kind is not ErrorKind.TOKEN_EXPIRED  # noqa: PT017 - failing is one of two right outcomes
        assert UNEXPLAINED not in error.message, repr(error.__cause__)  # noqa: PT017 - as above
        return
    for value in _list_values(result):
        if isinstance(value, datetime):
            assert value.astimezone(UTC).year
        elif isinstance(value, File | Folder):
            assert value.raw_id
            assert not isinstance(value, File) or value.size_bytes is None or value.size_bytes >= 0


def _list_values(value: object) -> Iterator[object]:
    """Everything in what an operation gave."""
    yield value
    inside: Any = ()
    if isinstance(value, msgspec.Struct):
        inside = [getattr(value, name) for name in value.__struct_fields__ if name != "raw"]
    elif isinstance(value, list | tuple):
        inside = value
    for each in inside:
        yield from _list_values(each)


async def _download(connector: Connector, file: RawId, byte_range: ByteRange | None = None) -> object:
    async with connector.open_download(file, byte_range=byte_range) as download:
        data = b"".join([chunk async for chunk in download.chunks])
        return [download.modified_at, len(data)]


async def _upload_in_parts(connector: Connector, ids: Mapping[str, RawId]) -> object:
    session = await connector.start_upload(
        ids["folder"], "parts.txt", size_bytes=len(BYTES), on_conflict=OnConflict.REPLACE
    )
    part = await connector.put_part(session, 1, BytesSource(BYTES))
    return await connector.finish_upload(session, [part])


async def _link(connector: Connector, ids: Mapping[str, RawId]) -> object:
    ref = Ref("file", ids["file"])
    made = await connector.create_link(ref, LinkChange())
    found = await connector.list_links(ref)
    await connector.delete_link(ref, made.raw_id)
    return [made, found]


async def _restore(connector: Connector, ids: Mapping[str, RawId]) -> object:
    ref = Ref("file", ids["file"])
    await connector.delete(ref)
    return [await connector.list_trash(), await connector.restore(ref)]


async def _restore_version(connector: Connector, ids: Mapping[str, RawId]) -> object:
    found = await connector.list_versions(ids["file"])
    old = [version.raw_id for version in found.versions if not version.is_current]
    return [found, *[await connector.restore_version(ids["file"], raw_id) for raw_id in old]]


BYTES = b"some bytes"
GRANTEE = PermissionChange(role="writer", type="user", email="ben@example.com")
OPERATIONS: Mapping[str, Run] = {
    "get_identity": lambda connector, _: connector.get_identity(),
    "get_quota": lambda connector, _: connector.get_quota(),
    "get": lambda connector, ids: connector.get(Ref("file", ids["file"])),
    "get_by_path": lambda connector, _: connector.get_by_path("/folder/old.txt"),
    "list_folder": lambda connector, _: connector.list_folder(connector.manifest.root.raw_id),
    "list_recursive": lambda connector, _: connector.list_recursive(connector.manifest.root.raw_id),
    "list_recent": lambda connector, _: connector.list_recent(after=datetime(2020, 1, 1, tzinfo=UTC)),
    "list_changes": lambda connector, ids: connector.list_changes(cursor=ids["cursor"]),
    "search": lambda connector, _: connector.search("old"),
    "open_download": lambda connector, ids: _download(connector, ids["file"]),
    "open_part": lambda connector, ids: _download(connector, ids["file"], ByteRange(2, 4)),
    "upload": lambda connector, ids: connector.upload(
        ids["folder"], "new.txt", BytesSource(BYTES), on_conflict=OnConflict.RENAME
    ),
    "replace": lambda connector, ids: connector.replace(ids["file"], BytesSource(BYTES * 2)),
    "start_upload": _upload_in_parts,
    "create_folder": lambda connector, ids: connector.create_folder(ids["folder"], "made"),
    "update": lambda connector, ids: connector.update(Ref("file", ids["file"]), name="renamed.txt"),
    "copy": lambda connector, ids: connector.copy(Ref("file", ids["file"]), parent=ids["folder"]),
    "delete": lambda connector, ids: connector.delete(Ref("folder", ids["spare"]), is_recursive=True),
    "list_versions": _restore_version,
    "list_trash": _restore,
    "list_permissions": lambda connector, ids: connector.list_permissions(Ref("file", ids["file"])),
    "set_permissions": lambda connector, ids: connector.set_permissions(
        Ref("file", ids["file"]), [GRANTEE], is_replacing=True
    ),
    "list_properties": lambda connector, ids: connector.list_properties(ids["file"]),
    "update_properties": lambda connector, ids: connector.update_properties(ids["file"], {"a": "b"}),
    "create_link": _link,
    "get_thumbnail": lambda connector, ids: connector.get_thumbnail(ids["picture"], size_px=64, image_format="png"),
}
"""What is asked of an account, each of which a connector may not offer."""


async def fill(connector: Connector) -> dict[str, RawId]:
    """Puts into a new account what the operations are about."""
    folder = (await connector.create_folder(connector.manifest.root.raw_id, "folder")).raw_id
    spare = (await connector.create_folder(folder, "spare")).raw_id
    found = {"folder": folder, "spare": spare}
    for name, title, data in (("file", "old.txt", BYTES), ("picture", "picture.png", draw_picture())):
        stored = await connector.upload(folder, title, BytesSource(data), on_conflict=OnConflict.FAIL)
        found[name] = stored.raw_id
    found["cursor"] = RawId((await connector.list_changes()).cursor)
    await connector.replace(found["file"], BytesSource(BYTES * 3))
    return found


def draw_picture() -> bytes:
    """A small one."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    return picture.getvalue()


def record(open_account: OpenAccount, run: Run) -> tuple[dict[str, RawId], list[Kept]]:
    """A new account's ids, and all that is answered while an operation succeeds on it."""

    async def play_once() -> tuple[dict[str, RawId], list[Kept]]:
        transport = build_transport(TransportSettings())
        try:
            ids = await fill(open_account(Runtime(observer=RecordingObserver(), transport=transport)))
            recording = Recording(transport)
            await play(open_account, run, ids, recording)
            return ids, recording.answers
        finally:
            await transport.aclose()

    return asyncio.run(play_once())


def check_spoiled(open_account: OpenAccount, name: str) -> None:
    """Whatever is wrong with an answer, an operation fails in a way that is explained, or gives what makes sense."""
    run = OPERATIONS[name]
    ids, answers = record(open_account, run)
    asyncio.run(play(open_account, run, ids, Replaying(answers)))  # unspoiled it goes well

    @fuzz(EXAMPLES_COUNT)
    @given(told=spoiled_answers(answers))
    def check_told(told: list[Kept]) -> None:
        check(open_account, run, ids, told)

    check_told()
