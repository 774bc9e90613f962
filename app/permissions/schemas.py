"""What the API takes and gives for permissions (contract 4.6)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from fastapi import Body as RequestBody
from msgspec import UNSET, Struct, UnsetType
from pydantic import BeforeValidator, Field, model_validator

from app.core.http.reading import Text
from app.core.http.replies import ObjectList
from app.storage.schemas import Body, RawReply
from connectors.core.resources import Grantee, Role

EMAIL_CHARACTERS_MAX = 320
GRANTEE_ID_CHARACTERS_MAX = 1024
PERMISSIONS_MAX = 1000

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_DOMAIN = re.compile(r"[^\s@.]+(\.[^\s@.]+)+")


class PermissionReply(Struct, kw_only=True, gc=False):
    """What somebody may do. `raw` comes with `X-Kloudless-Raw-Data: true`."""

    id: str
    email: str | None
    name: str | None
    role: Role
    type: Grantee
    raw: RawReply | UnsetType = UNSET


class PermissionList(ObjectList[PermissionReply], kw_only=True, gc=False):
    """All permissions of a file or folder, under both of the names that clients look for."""

    permissions: list[PermissionReply]


class PermissionWish(Body):
    """Who shall be allowed to do what."""

    id: Text | None = Field(
        None, min_length=1, max_length=GRANTEE_ID_CHARACTERS_MAX, description="Whom, by the `id` of an earlier reply."
    )
    type: Grantee | None = Field(None, description="`user` if left out, or what the `id` belongs to.")
    role: Role = Field(description="Each includes the next: `owner`, `writer`, `reader`.")
    email: Text | None = Field(
        None, max_length=EMAIL_CHARACTERS_MAX, description="Address of a user or group; name of a domain."
    )

    @model_validator(mode="after")
    def _check_whom(self) -> Self:
        if self.type == "anyone":
            return self
        if self.id is None and self.email is None:
            raise ValueError("say whom: an id or an email; only the type anyone needs neither")
        if self.email is not None and self.type == "domain" and not _DOMAIN.fullmatch(self.email):
            raise ValueError("the email of a domain is its name, such as example.com")
        if self.email is not None and self.type != "domain" and not _EMAIL.fullmatch(self.email):
            raise ValueError("the email must be an address such as ann@example.com")
        return self


def _spread(body: Any) -> Any:
    """A list out of whatever clients send: a list, a whole reply sent back, or the older `{email: role}`."""
    if not isinstance(body, dict):
        return body
    for name in ("permissions", "objects"):
        if isinstance(body.get(name), list):
            return body[name]
    return [{"email": email, "role": role} for email, role in body.items()]


PermissionWishes = Annotated[list[PermissionWish], RequestBody(max_length=PERMISSIONS_MAX), BeforeValidator(_spread)]
