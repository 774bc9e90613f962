"""The rules for links that the storage itself has."""

from __future__ import annotations

from typing import Any

from app.links.schemas import ServiceLinkWish
from app.storage.opening import Storage
from connectors.core.resources import Ref
from connectors.core.sharing import LinkChange, SharedLink

FIELDS = {
    "audience": "audience",
    "role": "role",
    "password": "password",
    "expiration": "expires_at",
    "downloadable": "can_download",
}
"""What a body calls them, and what a storage is asked with."""

REMOVABLE = frozenset({"password", "expiration"})
"""What null takes away; of all else it says nothing."""


async def list_links(storage: Storage, ref: Ref) -> list[SharedLink]:
    """None, for what is there, where the storage has no links of its own."""
    if storage.connector.capabilities.list_links:
        return await storage.connector.list_links(ref)
    await storage.connector.get(ref)
    return []


def build_change(body: ServiceLinkWish) -> LinkChange:
    """What was given, and only that."""
    given: dict[str, Any] = {}
    for field in body.model_fields_set & FIELDS.keys():
        value = getattr(body, field)
        if value is not None or field in REMOVABLE:
            given[FIELDS[field]] = value
    return LinkChange(**given)
