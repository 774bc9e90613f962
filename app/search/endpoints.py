"""Search by name, and the files that were modified last (contract 4.5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from msgspec import UNSET
from starlette.responses import Response

from app.core.errors import ApiError, ErrorCode
from app.core.http.reading import PAGE_SIZE_MAX, PageNumber, PageSize, read_number, read_text
from app.core.http.replies import DirectRoute, JsonReply, describe
from app.search import service, several
from app.search.schemas import RecentPage, SearchPage
from app.storage.endpoints import (
    ACCOUNT_ID_PARAMETER,
    PAGE_PARAMETERS,
    STORAGE_ERRORS,
    STORAGE_PREFIX,
    describe_parameter,
)
from app.storage.paging import FIRST_PAGE
from app.storage.several import DESCRIPTION, AccountStorages, open_storages
from connectors.core.resources import File

QUERY_CHARACTERS_MAX = 1000
LANGUAGES = ("keyword", "raw", "cmis")
RECENT_PAGE_SIZE = 100

router = APIRouter(prefix=STORAGE_PREFIX, tags=["search"])
direct = APIRouter(prefix=STORAGE_PREFIX, tags=["search"], route_class=DirectRoute)


def read_query(request: Request) -> str:
    """What is looked for; ApiError 400 when that is nothing, or too much."""
    query = read_text(request, "q") or ""
    if not query.strip():
        raise ApiError(ErrorCode.INVALID_PARAMETERS, "q must say what to look for.")
    if len(query) > QUERY_CHARACTERS_MAX:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"q can have {QUERY_CHARACTERS_MAX} characters.")
    return query


def check_language(request: Request) -> None:
    """ApiError unless the query is of the one kind that is understood."""
    language = request.query_params.get("lang") or LANGUAGES[0]
    if language not in LANGUAGES:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"lang must be one of {', '.join(LANGUAGES)}.")
    if language != LANGUAGES[0]:
        text = f"Queries in a storage's own language are not offered; leave lang out or give {LANGUAGES[0]}."
        raise ApiError(ErrorCode.NOT_IMPLEMENTED, text)


def read_folder_ids(request: Request) -> list[str]:
    """The ids of the folders to search in, none for all there is. ApiError 400 for too many."""
    public_ids = [text for text in request.query_params.get("parents", "").split(",") if text]
    if len(public_ids) > service.FOLDERS_MAX:
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"parents can name {service.FOLDERS_MAX} folders.")
    return public_ids


@direct.get(
    "/search",
    **describe(
        SearchPage,
        errors=STORAGE_ERRORS,
        parameters=(
            ACCOUNT_ID_PARAMETER | {"description": DESCRIPTION},
            describe_parameter(
                "q", "query", "Part of a name.", type="string", minLength=1, maxLength=QUERY_CHARACTERS_MAX
            )
            | {"required": True},
            *PAGE_PARAMETERS,
            describe_parameter(
                "parents",
                "query",
                f"Only what is below these folders: up to {service.FOLDERS_MAX} ids, separated by commas.",
                type="string",
            ),
            describe_parameter(
                "lang",
                "query",
                f"What `q` is written in; only `{LANGUAGES[0]}` is offered.",
                type="string",
                enum=list(LANGUAGES),
                default=LANGUAGES[0],
            ),
        ),
    ),
)
async def search(request: Request) -> Response:
    """Finds files and folders whose name matches, anywhere in the account or below some folders.

    A storage with a search of its own decides what matches. For any other, names are looked through, page by page and
    within limits: those match that contain `q`, whatever the case. Of several accounts each one gives its share of a
    page, and one that fails is not asked for the next.
    """
    storages = await open_storages(request)
    query, folders = read_query(request), several.read_folders(storages, read_folder_ids(request))
    check_language(request)
    limit = read_number(request, "page_size", default=PAGE_SIZE_MAX, minimum=1, maximum=PAGE_SIZE_MAX)
    page = request.query_params.get("page")
    found = await several.search(storages, query=query, folders=folders, page=page, limit=limit)
    return JsonReply(
        SearchPage(
            api="storage",
            count=len(found.resources),
            page=page or FIRST_PAGE,
            next_page=found.next_page,
            objects=[storage.present.build(resource) for storage, resource in found.resources],
            partial=found.is_partial,
            errors=storages.errors if storages.is_many else UNSET,
        )
    )


@router.get("/recent", **describe(RecentPage, errors=STORAGE_ERRORS))
async def list_recent(
    storages: AccountStorages,
    page: PageNumber = 1,
    page_size: PageSize = RECENT_PAGE_SIZE,
    after: Annotated[
        str | None, Query(description="Only files modified later than this time; UTC if it names no zone.")
    ] = None,
) -> Response:
    """The files that were modified last, newest first: up to 1000 of them, which `total` counts.

    Every application may ask, whatever its `recent_enabled` says. Files whose time the storage does not tell come last,
    and not at all with `after`; an `after` that is no time matches nothing. `partial` says that there may be more: the
    storage holds so much that not all of it was looked at, or there are more than 1000. Files of several accounts are
    put together by their times.
    """
    found = await several.list_recent(storages, after=after)
    files = found.resources
    shown = files[(page - 1) * page_size : page * page_size]
    if page > 1 and not shown:
        raise ApiError(ErrorCode.NOT_FOUND, "There is no such page.")
    return JsonReply(
        RecentPage(
            api="storage",
            count=len(shown),
            page=page,
            next_page=page + 1 if page * page_size < len(files) else None,
            objects=[storage.present.build_file(file) for storage, file in shown if isinstance(file, File)],
            total=len(files),
            partial=found.is_partial,
            errors=storages.errors if storages.is_many else UNSET,
        )
    )
