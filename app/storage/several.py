"""Several accounts asked by one request (contract 1.1): those that fail are told of, the others answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Request
from msgspec import Struct

from app.accounts.callers import ACCOUNTS_MAX, Caller, authorize_many
from app.accounts.rows import AccountRow
from app.core.errors import ApiError, build_api_error
from app.core.http.paths import read_segment
from app.storage.opening import Storage, open_storage_of
from connectors.core.errors import ConnectorError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

DESCRIPTION = (
    "The account's number, or `me` with a bearer token; or the numbers of up to "
    f"{ACCOUNTS_MAX} accounts, separated by commas, with an API key or with `Bearer <token>,<token>,…`, one for each."
)


class AccountError(Struct, kw_only=True):
    """What went wrong with one of several accounts; the fields are those of an error."""

    account: int
    status_code: int
    error_code: str
    message: str


@dataclass(frozen=True, slots=True)
class Storages:
    """The storages of the accounts that a path names, and what went wrong with those that are missing."""

    account_ids: tuple[int, ...]  # all that were named
    opened: Sequence[Storage]
    errors: list[AccountError]

    @property
    def is_many(self) -> bool:
        """True when several were named."""
        return len(self.account_ids) > 1

    async def ask(
        self, question: Callable[[Storage], Awaitable[ResultT]], *, account_ids: Collection[int] | None = None
    ) -> list[tuple[Storage, ResultT]]:
        """Asks all of them, or some, at the same time; those that fail join the errors.

        If none is left, the first one's error is raised.
        """
        asked = [
            (storage.row.id, storage) for storage in self.opened if account_ids is None or storage.row.id in account_ids
        ]
        return await _ask(asked, question, self.errors)


async def open_storages(request: Request) -> Storages:
    """The storages that the path's `account_id` names. ApiError 401, 403, 404."""
    authorized = await authorize_many(request, read_segment(request.path_params["account_id"]))
    errors: list[AccountError] = []

    async def open_one(who: tuple[Caller, AccountRow]) -> Storage:
        return await open_storage_of(request, *who)

    opened = await _ask([(row.id, (caller, row)) for caller, row in authorized], open_one, errors)
    return Storages(tuple(row.id for _, row in authorized), [storage for _, storage in opened], errors)


async def _ask(
    items: Sequence[tuple[int, ItemT]],
    question: Callable[[ItemT], Awaitable[ResultT]],
    errors: list[AccountError],
) -> list[tuple[ItemT, ResultT]]:
    answers = await asyncio.gather(*(_answer(question, item) for _, item in items))
    good: list[tuple[ItemT, ResultT]] = []
    failures: list[ApiError | ConnectorError] = []
    for (account_id, item), (answer, failure) in zip(items, answers, strict=True):
        if failure is None:
            good += [(item, result) for result in answer]
        else:
            failures.append(failure)
            error = failure if isinstance(failure, ApiError) else build_api_error(failure)
            errors.append(
                AccountError(
                    account=account_id,
                    status_code=error.code.status,
                    error_code=error.code.code,
                    message=error.message,
                )
            )
    if failures and not good:
        raise failures[0]
    return good


async def _answer(
    question: Callable[[ItemT], Awaitable[ResultT]], item: ItemT
) -> tuple[tuple[ResultT, ...], ApiError | ConnectorError | None]:
    try:
        return (await question(item),), None
    except (ApiError, ConnectorError) as error:
        return (), error


async def get_storages(
    request: Request,
    account_id: Annotated[str, Path(description=DESCRIPTION)],  # noqa: ARG001 - documented here, read by open_storages
) -> Storages:
    """The storages that the path names."""
    return await open_storages(request)


AccountStorages = Annotated[Storages, Depends(get_storages, scope="function")]
