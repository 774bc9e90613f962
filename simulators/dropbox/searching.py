"""Search by name, by words in texts and by kind, in what the index knows: new files come into it a little later."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from simulators.core.faults import FaultKind, count_stale_seconds, take_fault
from simulators.dropbox.calls import Argument, Call, FolderPath, Routes, Tagged, read_tag
from simulators.dropbox.cursors import read_cursor, write_cursor
from simulators.dropbox.errors import RouteError, inside
from simulators.dropbox.metadata import build_deleted, build_metadata, get_ending
from simulators.dropbox.tree import File, Folder, Resource, read_parts

QUERY_CHARACTERS_MAX = 1000
PAGE_COUNT_MAX = 1000
MATCHES_COUNT_MAX = 10_000
TEXT_BYTES_MAX = 1024 * 1024
TEXT_ENDINGS = frozenset({"txt", "md", "csv", "json", "html", "xml"})
CATEGORIES = {
    "image": frozenset({"jpg", "jpeg", "png", "gif", "bmp", "tiff", "webp"}),
    "document": frozenset({"doc", "docx", "txt", "md", "rtf", "odt"}),
    "pdf": frozenset({"pdf"}),
    "spreadsheet": frozenset({"xls", "xlsx", "csv", "ods"}),
    "presentation": frozenset({"ppt", "pptx", "key", "odp"}),
    "audio": frozenset({"mp3", "wav", "mid", "flac"}),
    "video": frozenset({"mov", "wmv", "mp4", "avi"}),
    "paper": frozenset({"paper"}),
}

routes = Routes()


class SearchOptions(Argument):
    path: FolderPath | None = None
    max_results: Annotated[int, msgspec.Meta(ge=1, le=PAGE_COUNT_MAX)] = 100
    order_by: Tagged | None = None
    file_status: Tagged = "active"
    filename_only: bool = False
    file_extensions: list[str] | None = None
    file_categories: list[Tagged] | None = None
    account_id: str | None = None


class MatchFieldOptions(Argument):
    include_highlights: bool = False


class SearchArgument(Argument):
    query: Annotated[str, msgspec.Meta(max_length=QUERY_CHARACTERS_MAX)]
    options: SearchOptions | None = None
    match_field_options: MatchFieldOptions | None = None
    include_highlights: bool | None = None


class ContinueArgument(Argument):
    cursor: Annotated[str, msgspec.Meta(min_length=1)]


@routes.rpc("files/search_v2", SearchArgument, scope="files.metadata.read")
def search(call: Call, argument: SearchArgument) -> dict[str, Any]:
    """The first page of matches."""
    if not argument.query.split():
        raise RouteError("invalid_argument")
    return _list_page(call, msgspec.to_builtins(argument), start=0)


@routes.rpc("files/search/continue_v2", ContinueArgument, scope="files.metadata.read")
def search_continue(call: Call, argument: ContinueArgument) -> dict[str, Any]:
    """The next page."""
    position = read_cursor(call.state, "search", argument.cursor, user=call.user)
    return _list_page(call, position["search"], start=position["start"])


def _list_page(call: Call, asked: dict[str, Any], *, start: int) -> dict[str, Any]:
    argument = msgspec.convert(asked, SearchArgument)
    options = argument.options or SearchOptions()
    status, _ = read_tag(options.file_status)
    matches = list(_find_deleted(call, argument, options) if status == "deleted" else _find(call, argument, options))
    order, _ = read_tag(options.order_by or "relevance")
    if order == "last_modified_time":
        matches.sort(key=lambda match: match["metadata"]["metadata"].get("server_modified", ""), reverse=True)
    matches = matches[:MATCHES_COUNT_MAX]
    end = start + options.max_results
    has_more = end < len(matches)
    page: dict[str, Any] = {"matches": matches[start:end], "has_more": has_more}
    if has_more:
        page["cursor"] = write_cursor(call.state, "search", call.user, {"search": asked, "start": end})
    return page


def _find(call: Call, argument: SearchArgument, options: SearchOptions) -> Iterator[dict[str, Any]]:
    words = unicodedata.normalize("NFC", argument.query).lower().split()
    known_before = _get_index_time(call)
    with_highlights = bool(argument.match_field_options and argument.match_field_options.include_highlights)
    for resource in _walk_visible(call, _get_folder(call, options)):
        if not _is_wanted(resource, options):
            continue
        written_at = resource.version.server_modified if isinstance(resource, File) else resource.created_at
        if known_before is not None and written_at > known_before:
            continue
        in_name = _has_words(resource.name, words)
        in_text = not options.filename_only and isinstance(resource, File) and _has_words(_read_text(resource), words)
        if not in_name and not in_text:
            continue
        kind = "filename_and_content" if in_name and in_text else "filename" if in_name else "file_content"
        match: dict[str, Any] = {
            "metadata": {".tag": "metadata", "metadata": build_metadata(call.view, resource)},
            "match_type": {".tag": kind},
        }
        if with_highlights:
            match["highlight_spans"] = _build_highlights(resource.name, words)
        yield match


def _find_deleted(call: Call, argument: SearchArgument, options: SearchOptions) -> Iterator[dict[str, Any]]:
    words = unicodedata.normalize("NFC", argument.query).lower().split()
    folder = _get_folder(call, options)
    scope = call.view.build_parts(folder) or ()
    for namespace in call.state.space.namespaces.values():
        for path, trail in namespace.trails.items():
            parts = call.view.translate(namespace, path)
            if parts is None or trail.deleted_at is None or not _has_words(trail.name, words):
                continue
            if tuple(part.lower() for part in parts[: len(scope)]) != tuple(part.lower() for part in scope):
                continue
            metadata = build_deleted((*parts[:-1], trail.name) if read_parts(path) else parts, trail)
            yield {"metadata": {".tag": "metadata", "metadata": metadata}, "match_type": {".tag": "filename"}}


def _get_folder(call: Call, options: SearchOptions) -> Folder:
    with inside("path"):
        return call.view.get_folder(options.path or "")


def _get_index_time(call: Call) -> datetime | None:
    """Up to when the index knows what was written; None when it is up to date."""
    fault = take_fault(call.request, FaultKind.STALE)
    seconds = call.state.settings.search_lag_seconds
    if fault is not None:
        seconds = count_stale_seconds(fault)
    return call.state.world.clock.now() - timedelta(seconds=seconds) if seconds else None


def _walk_visible(call: Call, folder: Folder) -> Iterator[Resource]:
    for child in call.view.list_children(folder):
        yield child
        if isinstance(child, Folder):
            yield from _walk_visible(call, child)


def _is_wanted(resource: Resource, options: SearchOptions) -> bool:
    ending = get_ending(resource.name)
    if options.file_extensions is not None:
        wanted = {one.lstrip(".").lower() for one in options.file_extensions}
        if isinstance(resource, Folder) or ending not in wanted:
            return False
    if options.file_categories is None:
        return True
    return _get_category(resource, ending) in {read_tag(one)[0] for one in options.file_categories}


def _get_category(resource: Resource, ending: str) -> str:
    if isinstance(resource, Folder):
        return "folder"
    return next((name for name, endings in CATEGORIES.items() if ending in endings), "others")


def _has_words(text: str, words: list[str]) -> bool:
    """Are all words in the text, however their letters are composed?"""
    lower = unicodedata.normalize("NFC", text).lower()
    return bool(lower) and all(word in lower for word in words)


def _read_text(file: File) -> str:
    if get_ending(file.name) not in TEXT_ENDINGS:
        return ""
    return file.version.content.read(0, TEXT_BYTES_MAX).decode(errors="ignore")


def _build_highlights(name: str, words: list[str]) -> list[dict[str, Any]]:
    start = name.lower().find(words[0])
    if start < 0:
        return [{"highlight_str": name, "is_highlighted": False}]
    end = start + len(words[0])
    parts = ((name[:start], False), (name[start:end], True), (name[end:], False))
    return [{"highlight_str": text, "is_highlighted": is_marked} for text, is_marked in parts if text]
