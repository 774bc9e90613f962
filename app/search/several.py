"""Search and recent files in several accounts at once: one list of what all of them found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from app.core.errors import ApiError, ErrorCode
from app.core.ids import ROOT_ID
from app.search import service
from app.storage.opening import Storage
from app.storage.paging import FIRST_PAGE
from app.storage.several import Storages
from connectors.core.resources import File, Page, RawId, Resource

NO_ACCOUNT = 0  # no account has this number; tokens of several accounts are bound to all of them by their scope

Places = list[tuple[int, str | None]]
"""The accounts that have more, in the order in which they are asked, and where the search in each stands."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what several accounts found, each with its storage."""

    resources: list[tuple[Storage, Resource]]
    next_page: str | None
    is_partial: bool


def read_folders(storages: Storages, public_ids: Sequence[str]) -> dict[int, list[RawId]]:
    """The folders to search in by account; `root` is that of every account. ApiError 404 and 400 as for one account."""
    folders: dict[int, list[RawId]] = {}
    for public_id in public_ids:
        owners = [
            storage
            for storage in storages.opened
            if public_id == ROOT_ID or storage.state.ids.decode(storage.row.id, public_id) is not None
        ]
        for storage in owners or storages.opened[:1]:
            ref = storage.present.decode(public_id, kind="folder")
            folders.setdefault(storage.row.id, []).append(ref.raw_id)
    return folders


async def search(
    storages: Storages, *, query: str, folders: Mapping[int, list[RawId]], page: str | None, limit: int
) -> Found:
    """One page: an equal share of it from each account that has more. With folders only their accounts are asked."""
    if not storages.is_many:
        return await _search_one(storages, query=query, folders=folders, page=page, limit=limit)
    ids = storages.opened[0].state.ids
    scope = "\0".join(["search", query, *(f"{number}:{raw}" for number in folders for raw in folders[number])])
    scope = f"{scope}\0{sorted(storages.account_ids)}"
    if page in {None, "", FIRST_PAGE}:
        opened = [storage.row.id for storage in storages.opened]
        places: Places = [(number, None) for number in opened if not folders or number in folders]
    else:
        text = ids.decode_page(NO_ACCOUNT, scope, page or "")
        if text is None:
            raise ApiError(
                ErrorCode.INVALID_PARAMETERS, "page must be the next_page of an earlier reply to the same question."
            )
        places = msgspec.json.decode(text, type=Places)
    asked, waiting = dict(places[:limit]), places[limit:]
    share = max(1, limit // max(1, len(asked)))

    async def ask(storage: Storage) -> Page:
        number = storage.row.id
        return await service.search_from(
            storage, asked[number], query=query, folders=folders.get(number, ()), limit=share
        )

    answers = await storages.ask(ask, account_ids=asked)
    more = [(storage.row.id, found.next_cursor) for storage, found in answers if found.next_cursor is not None]
    places = [*waiting, *more]
    return Found(
        [(storage, resource) for storage, found in answers for resource in found.resources],
        ids.encode_page(NO_ACCOUNT, scope, msgspec.json.encode(places).decode()) if places else None,
        any(found.is_partial for _, found in answers) or bool(storages.errors),
    )


async def _search_one(
    storages: Storages, *, query: str, folders: Mapping[int, list[RawId]], page: str | None, limit: int
) -> Found:
    (storage,) = storages.opened
    found, next_page = await service.search(
        storage, query=query, folders=folders.get(storage.row.id, ()), page=page, limit=limit
    )
    return Found([(storage, resource) for resource in found.resources], next_page, found.is_partial)


async def list_recent(storages: Storages, *, after: str | None) -> Found:
    """The files that were modified last in any of the accounts, newest first; without a time, last."""

    async def ask(storage: Storage) -> Page:
        return await service.list_recent(storage, after=after)

    answers = await storages.ask(ask)
    files: list[tuple[Storage, Resource]] = [
        (storage, resource) for storage, found in answers for resource in found.resources if isinstance(resource, File)
    ]
    if len(answers) > 1:
        files.sort(key=lambda entry: entry[1].modified_at or datetime.min.replace(tzinfo=UTC), reverse=True)
    is_cut = len(files) > service.RECENT_FILES_MAX
    is_partial = is_cut or any(found.is_partial for _, found in answers) or bool(storages.errors)
    return Found(files[: service.RECENT_FILES_MAX], None, is_partial)
