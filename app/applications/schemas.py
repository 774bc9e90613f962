"""What the Meta API takes and gives (contract 6.2)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.applications.addresses import RegisteredUri, TrustedHost
from app.core.http.reading import Flag, Text, check_text
from app.core.http.replies import NumberedList

Time = Annotated[datetime, Meta(tz=True)]
NAME_CHARACTERS_MAX = 200
CLIENT_CHARACTERS_MAX = 4096

Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX), AfterValidator(check_text)]


WebAddress = Annotated[str, Field(max_length=2_000, pattern=r"^(https?://.*)?$"), AfterValidator(check_text)]


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

    name: Name | None = None
    description: Text | None = Field(None, max_length=10_000)
    logo_url: WebAddress | None = None
    active: Flag | None = None
    implicit_grant_enabled: Flag | None = None
    recent_enabled: Flag | None = None
    events_grant_enabled: Flag | None = None


class ApplicationCreate(ApplicationUpdate):
    """A new application; `source` is one of yours that serves as a template."""

    name: Name | None = Field(None, description="Required unless there is a `source`.")
    source: Text | None = Field(
        None,
        max_length=64,
        description="One of your applications, whose name, settings, trusted domains, redirect URIs and service keys "
        "are taken over. Its API keys and accounts are not.",
    )

    @model_validator(mode="after")
    def _check_name(self) -> ApplicationCreate:
        if self.name is None and self.source is None:
            raise ValueError("name is required")
        return self


class TrustedDomainReply(Struct, kw_only=True):
    """A host whose pages may receive tokens of the application's users."""

    id: int
    domain: str
    created: Time
    href: str
    type: str = "trusted_domain"
    api: str = "meta"


class TrustedDomainPage(NumberedList[TrustedDomainReply], kw_only=True, gc=False):
    """A page of an application's trusted domains."""


class TrustedDomainCreate(BaseModel):
    """A host to trust."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    domain: TrustedHost = Field(
        description="`host` or `host:port` of the page, such as `example.com`; of an origin the host is taken.",
        examples=["localhost:8000"],
    )


class RedirectUriReply(Struct, kw_only=True):
    """Where people may be sent back to after they connected an account."""

    id: int
    url: str
    created: Time
    href: str
    type: str = "redirect_uri"
    api: str = "meta"


class RedirectUriPage(NumberedList[RedirectUriReply], kw_only=True, gc=False):
    """A page of an application's redirect URIs."""


class RedirectUriCreate(BaseModel):
    """A redirect URI to allow."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    url: RegisteredUri = Field(
        description="Absolute and without a fragment: https, http on the own machine, an app's own scheme, or "
        "`urn:ietf:wg:oauth:2.0:oob`. It is compared whole.",
        examples=["https://example.com/callback"],
    )


class ServiceKeyReply(Struct, kw_only=True):
    """An application's own OAuth client at a service. Of the secret only the end is shown."""

    id: int
    service: str
    client_id: str
    client_secret: str
    created: Time
    modified: Time
    href: str
    type: str = "service_key"
    api: str = "meta"


class ServiceKeyPage(NumberedList[ServiceKeyReply], kw_only=True, gc=False):
    """A page of an application's service keys."""


class ServiceKeyUpdate(BaseModel):
    """Fields to change; what is left out stays, and so does a secret that is sent back as it was shown."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    service: Text | None = Field(None, max_length=64, description="Cannot be changed.")
    client_id: Text | None = Field(None, min_length=1, max_length=CLIENT_CHARACTERS_MAX)
    client_secret: Text | None = Field(None, min_length=1, max_length=CLIENT_CHARACTERS_MAX)


class ServiceKeyCreate(BaseModel):
    """An OAuth client that the developer registered with the service."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    service: Text = Field(min_length=1, max_length=64, description="The service's identifier.")
    client_id: Text = Field(min_length=1, max_length=CLIENT_CHARACTERS_MAX)
    client_secret: Text = Field(min_length=1, max_length=CLIENT_CHARACTERS_MAX)


class DeveloperReply(Struct, kw_only=True):
    """A developer."""

    id: int
    name: str
    first_name: str
    last_name: str
    created: Time
    modified: Time
    href: str
    type: str = "developer"
    api: str = "meta"


class DeveloperPage(NumberedList[DeveloperReply], kw_only=True, gc=False):
    """A page of the developers you may see: yourself."""


class DeveloperUpdate(BaseModel):
    """Fields to change; what is left out stays."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    name: Name | None = Field(None, description="Shown to people.")
    first_name: Text | None = Field(None, max_length=NAME_CHARACTERS_MAX)
    last_name: Text | None = Field(None, max_length=NAME_CHARACTERS_MAX)
