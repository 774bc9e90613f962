"""What the Meta API takes and gives for applications and their keys (contract 6.2)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from pydantic import BaseModel, ConfigDict, Field

from app.core.http.reading import Flag, Text
from app.core.http.replies import NumberedList

Time = Annotated[datetime, Meta(tz=True)]
NAME_CHARACTERS_MAX = 200


class ApplicationReply(Struct, kw_only=True):
    """An application."""

    id: str
    name: str
    description: str
    logo_url: str | None
    active: bool
    implicit_grant_enabled: bool
    recent_enabled: bool
    events_grant_enabled: bool
    created: Time
    modified: Time
    href: str
    type: str = "application"
    api: str = "meta"


class ApiKeyReply(Struct, kw_only=True):
    """An API key of an application."""

    key: str
    created: Time
    modified: Time
    href: str
    type: str = "apikey"
    api: str = "meta"


class ApplicationPage(NumberedList[ApplicationReply], kw_only=True, gc=False):
    """A page of your applications."""


class ApiKeyPage(NumberedList[ApiKeyReply], kw_only=True, gc=False):
    """A page of an application's keys."""


class ApplicationUpdate(BaseModel):
    """Fields to change; what is left out stays."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    name: Text | None = Field(None, min_length=1, max_length=NAME_CHARACTERS_MAX)
    description: Text | None = Field(None, max_length=10_000)
    logo_url: Text | None = Field(None, max_length=2_000, pattern=r"^(https?://.*)?$")
    active: Flag | None = None
    implicit_grant_enabled: Flag | None = None
    recent_enabled: Flag | None = None
    events_grant_enabled: Flag | None = None


class ApplicationCreate(ApplicationUpdate):
    """A new application; `source` is one of yours whose settings are taken over."""

    name: Text = Field(min_length=1, max_length=NAME_CHARACTERS_MAX)
    source: Text | None = Field(None, max_length=64, description="Application to copy settings from.")
