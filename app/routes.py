"""Table of contents of the public API, in documentation order."""

from __future__ import annotations

from fastapi import APIRouter

from app.accounts import endpoints as accounts
from app.applications import endpoints as applications
from app.connect import endpoints as connect
from app.search import endpoints as search
from app.storage import endpoints as storage
from app.storage import file_endpoints as files
from app.storage import task_endpoints as tasks
from app.system import endpoints as system
from app.uploads import endpoints as uploads

ROUTERS: tuple[APIRouter, ...] = (
    accounts.router,
    connect.router,
    storage.router,
    storage.direct,
    files.router,
    files.direct,
    search.direct,
    search.router,
    uploads.router,
    uploads.direct,
    tasks.router,
    applications.router,
    system.router,
)

ALIASES = {"/v1/applications": "/v1/meta/applications"}
"""Older spellings of a path's beginning (contract 6.2)."""
