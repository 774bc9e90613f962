"""The rules for uploads by URL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from app.accounts.rows import AccountRow
from app.core.state import State
from app.fetching.client import check_url
from app.fetching.work import FetchRequest, FetchWork
from app.models import Task
from app.tasks import service as tasks
from app.tasks.claims import BuildWork
from connectors.core.resources import RawId

UPLOAD = "upload"


def build_kinds(streams: asyncio.Semaphore) -> Mapping[str, BuildWork]:
    """The work behind the kind of task that is made here."""
    return {UPLOAD: partial(FetchWork, streams=streams)}


async def start_fetch(
    state: State, *, row: AccountRow, url: str, parent: RawId, name: str, is_overwriting: bool
) -> Task:
    """An upload of what stands at a URL. ApiError 400 for an address that cannot be one."""
    return await tasks.create(
        state,
        application_id=row.application_id,
        account_id=row.id,
        kind=UPLOAD,
        request=FetchRequest(url=check_url(url), parent=parent, name=name, is_overwriting=is_overwriting),
    )
