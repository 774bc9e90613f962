"""The rules for properties over any connector."""

from __future__ import annotations

from app.core.errors import ApiError, ErrorCode
from app.properties.schemas import PropertyChange
from app.storage.opening import Storage
from connectors.core.resources import Property, RawId


async def update_properties(storage: Storage, file: RawId, body: list[PropertyChange]) -> list[Property]:
    """Sets and deletes what is asked for and returns all. ApiError 400 for a key that is there twice."""
    changes = {change.key: change.value for change in body}
    if len(changes) < len(body):
        keys = [change.key for change in body]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ApiError(ErrorCode.INVALID_PARAMETERS, f"The key {twice[:40]!r} is there twice; give each one value.")
    if not changes:
        return await storage.connector.list_properties(file)
    return await storage.connector.update_properties(file, changes)


async def delete_properties(storage: Storage, file: RawId) -> None:
    """Deletes all; having none is no error."""
    await storage.connector.update_properties(file, {}, is_replacing=True)
