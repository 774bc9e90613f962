"""What the API takes and gives for properties of files (contract 4.7)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body as RequestBody
from msgspec import Struct
from pydantic import BeforeValidator, Field

from app.core.http.reading import Text
from app.core.http.replies import ObjectList
from app.storage.schemas import Body, Time

PROPERTIES_MAX = 1000
KEY_CHARACTERS_MAX = 1024
VALUE_CHARACTERS_MAX = 65_536


class PropertyReply(Struct, kw_only=True, gc=False):
    """A text that somebody attached to a file."""

    key: str
    value: str
    created: Time | None
    modified: Time | None


class PropertyList(ObjectList[PropertyReply], kw_only=True, gc=False):
    """All properties of a file, under both of the names that clients look for."""

    properties: list[PropertyReply]


class PropertyChange(Body):
    """A property to set, or with null to delete."""

    key: Text = Field(min_length=1, max_length=KEY_CHARACTERS_MAX)
    value: Text | None = Field(max_length=VALUE_CHARACTERS_MAX, description="A text; null deletes the property.")


def _unwrap(body: Any) -> Any:
    """A list out of what clients send: the list itself, or a whole reply sent back."""
    if isinstance(body, dict):
        for name in ("properties", "objects"):
            if isinstance(body.get(name), list):
                return body[name]
    return body


PropertyChanges = Annotated[list[PropertyChange], RequestBody(max_length=PROPERTIES_MAX), BeforeValidator(_unwrap)]
