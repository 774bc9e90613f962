"""Texts that users and applications attach to files (contract 4.7)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from app.core.http.replies import JsonReply, describe, empty_reply
from app.properties import service
from app.properties.schemas import PropertyChanges, PropertyList, PropertyReply
from app.storage.endpoints import STORAGE_ERRORS, STORAGE_PREFIX, AccountStorage
from app.storage.file_endpoints import FileRef
from connectors.core.resources import Property

router = APIRouter(prefix=STORAGE_PREFIX + "/files/{file_id}/properties", tags=["properties"])


def build_list_reply(properties: list[Property]) -> Response:
    """All properties as the API shows them."""
    replies = [
        PropertyReply(key=entry.key, value=entry.value, created=entry.created_at, modified=entry.modified_at)
        for entry in properties
    ]
    return JsonReply(
        PropertyList(api="storage", count=len(replies), page=1, next_page=None, objects=replies, properties=replies)
    )


@router.get("", **describe(PropertyList, errors=STORAGE_ERRORS))
async def list_properties(storage: AccountStorage, ref: FileRef) -> Response:
    """Lists all properties of a file. `properties` and `objects` are the same list."""
    return build_list_reply(await storage.connector.list_properties(ref.raw_id))


@router.patch("", **describe(PropertyList, errors=STORAGE_ERRORS))
async def update_properties(storage: AccountStorage, ref: FileRef, body: PropertyChanges) -> Response:
    """Sets properties of a file, deletes those whose value is null, leaves all others, and returns all.

    The body is a list of objects with `key` and `value`, a text. The file's bytes stay as they are.
    """
    return build_list_reply(await service.update_properties(storage, ref.raw_id, body))


@router.delete("", **describe(status=204, errors=STORAGE_ERRORS))
async def delete_properties(storage: AccountStorage, ref: FileRef) -> Response:
    """Deletes all properties of a file."""
    await service.delete_properties(storage, ref.raw_id)
    return empty_reply()
