"""The discovery document, as the official Python client carries it, with this simulator's address in it."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulators.gdrive.call import get_origin
from simulators.gdrive.errors import DriveError

PACKAGE = "googleapiclient"


async def show_discovery(request: Request) -> Response:
    """404 where that package is not installed: the simulator itself does not need it."""
    return JSONResponse(localize(load_document(), get_origin(request)))


def load_document(name: str = "drive.v3") -> dict[str, Any]:
    """404 if it cannot be had."""
    try:
        folder = resources.files(PACKAGE) / "discovery_cache" / "documents"
        document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    except (ModuleNotFoundError, FileNotFoundError):
        message = "The discovery document comes from google-api-python-client, which is not installed."
        raise DriveError(404, "notFound", message) from None
    return document


def localize(document: dict[str, Any], origin: str) -> dict[str, Any]:
    """The same document with this address in it."""
    base = f"{origin}/{document['servicePath']}"
    return document | {"rootUrl": f"{origin}/", "baseUrl": base, "mtlsRootUrl": f"{origin}/"}
