"""Table of contents of the public API, in documentation order."""

from __future__ import annotations

from fastapi import APIRouter

from app.accounts import endpoints as accounts
from app.applications import belonging_endpoints as belongings
from app.applications import developer_endpoints as developers
from app.applications import endpoints as applications
from app.catalog import endpoints as catalog
from app.connect import endpoints as connect
from app.connect import journey_endpoints as journeys
from app.disconnecting import endpoints as disconnecting
from app.links import endpoints as links
from app.links import public_endpoints as public_links
from app.links import service_endpoints as service_links
from app.metrics import endpoints as metrics
from app.passthrough import endpoints as passthrough
from app.permissions import endpoints as permissions
from app.properties import endpoints as properties
from app.requests import endpoints as requests
from app.search import endpoints as search
from app.storage import archive_endpoints as archives
from app.storage import endpoints as storage
from app.storage import file_endpoints as files
from app.storage import task_endpoints as tasks
from app.system import endpoints as system
from app.thumbnails import endpoints as thumbnails
from app.trash import endpoints as trash
from app.uploads import endpoints as uploads
from app.versions import endpoints as versions

ROUTERS: tuple[APIRouter, ...] = (
    accounts.router,
    disconnecting.router,
    connect.router,
    journeys.direct,
    catalog.router,
    storage.router,
    storage.direct,
    files.router,
    files.direct,
    archives.router,
    thumbnails.router,
    passthrough.direct,
    search.direct,
    search.router,
    uploads.router,
    uploads.direct,
    tasks.router,
    links.router,
    service_links.router,
    public_links.direct,
    permissions.router,
    properties.router,
    versions.router,
    versions.direct,
    trash.router,
    requests.router,
    applications.router,
    belongings.router,
    developers.router,
    system.router,
    metrics.direct,
)

FREQUENT: tuple[APIRouter, ...] = (files.direct, storage.direct)
"""Routes that are asked for far more often than the others, so they are looked at first."""

ALIASES = {"/v1/applications": "/v1/meta/applications", "/v1/developers": "/v1/meta/developers"}
"""Older spellings of a path's beginning (contract 6.2)."""
