"""What the API takes and gives for accounts and their tokens (contract section 3)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.core.http.reading import Flag, JsonObject, Text, read_time
from app.core.http.replies import NumberedList
from connectors.core.manifest import Capabilities, Limits
from connectors.core.resources import Kind

Time = Annotated[datetime, Meta(tz=True)]
LABEL_CHARACTERS_MAX = 320
CREDENTIAL_CHARACTERS_MAX = 16_384


class CapabilityValue(Struct):
    """Whether the account can do this."""

    value: bool


class AccountProperties(Struct):
    """Details of an account; the names are the contract's section 8.3."""

    capabilities: dict[str, CapabilityValue]


class AccountReply(Struct, kw_only=True):
    """A connected account. The token fields come with `retrieve_tokens` and an API key only.

    `reconnect` is true once the provider has ended the access: its user has to connect the account again.
    """

    id: int
    account: str
    service: str
    service_name: str
    active: bool
    enabled: bool
    admin: bool
    verified: bool
    reconnect: bool
    internal_use: bool
    apis: list[str]
    created: Time
    modified: Time
    effective_scope: str
    custom_properties: dict[str, Any]
    object_definitions: dict[str, Any]
    storage_region: str | None
    href: str
    type: str = "account"
    api: str = "core"
    proxy_connection: None = None
    properties: AccountProperties | UnsetType = UNSET
    token_expiry: Time | UnsetType | None = UNSET
    refresh_token_expiry: Time | UnsetType | None = UNSET
    token: str | UnsetType | None = UNSET
    token_secret: str | UnsetType | None = UNSET
    refresh_token: str | UnsetType | None = UNSET


class AccountPage(NumberedList[AccountReply], kw_only=True, gc=False):
    """A page of the application's accounts."""


class TokenReply(Struct, kw_only=True):
    """A bearer token; the one time it is shown."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    scope: str
    account_id: int
    expires: None = None


class CapabilitiesReply(Struct, kw_only=True):
    """What can be asked of this account now, and where the limits are."""

    account: int
    service: str
    capabilities: Capabilities
    limits: Limits
    href: str
    type: str = "capabilities"
    api: str = "storage"


class EncodedId(Struct, kw_only=True):
    """The public id of something known by its raw id."""

    id: str
    raw_id: str
    type: str
    account: int
    href: str
    api: str = "storage"


def _parse_time(value: object) -> object:
    return read_time(value) if isinstance(value, str) else value


Expiry = Annotated[AwareDatetime, BeforeValidator(_parse_time)]


class AccountUpdate(BaseModel):
    """Fields to change; what is left out stays. Credential fields of the service may be given by name."""

    model_config = ConfigDict(extra="allow")

    account: Text | None = Field(None, min_length=1, max_length=LABEL_CHARACTERS_MAX, description="Shown to people.")
    service: str | None = Field(None, max_length=64, description="Cannot be changed.")
    active: Flag | None = None
    enabled: Flag | None = None
    custom_properties: JsonObject | None = None
    token: str | None = Field(None, max_length=CREDENTIAL_CHARACTERS_MAX)
    token_secret: str | None = Field(None, max_length=CREDENTIAL_CHARACTERS_MAX)
    refresh_token: str | None = Field(None, max_length=CREDENTIAL_CHARACTERS_MAX)
    token_expiry: Expiry | None = None
    refresh_token_expiry: Expiry | None = None


class AccountImport(AccountUpdate):
    """An account to connect with its own credentials."""

    account: Text = Field(min_length=1, max_length=LABEL_CHARACTERS_MAX)
    service: str = Field(min_length=1, max_length=64)


class RawIdToEncode(BaseModel):
    """A provider's own id."""

    model_config = ConfigDict(extra="ignore")

    raw_id: str = Field(min_length=1, max_length=4096)
    type: Kind | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_older_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("raw_id") is None and "id" in data:
            return {**data, "raw_id": data["id"]}
        return data


class TokenCreate(BaseModel):
    """A new bearer token for an account."""

    model_config = ConfigDict(extra="ignore")

    scope: Text | None = Field(None, max_length=1000, description="Space-separated scopes; the account's if left out.")
