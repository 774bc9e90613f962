"""What the API takes and gives for links (contract 4.8)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Struct, UnsetType
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from app.core.clock import now
from app.core.http.reading import Flag, Text, read_time
from app.core.http.replies import NumberedList
from app.storage.schemas import ID_CHARACTERS_MAX, Body, Time
from app.storage.several import AccountError
from connectors.core.sharing import Audience, LinkRole

PASSWORD_CHARACTERS_MAX = 256

Ordering = Literal["created", "-created", "modified", "-modified"]


class LinkReply(Struct, kw_only=True):
    """A public address of a file. `password` says whether one is needed; the password itself is never shown."""

    id: str
    file_id: str
    url: str
    account: int
    active: bool
    created: Time
    modified: Time
    expiration: Time | None
    password: bool
    direct: bool
    href: str
    type: str = "link"
    api: str = "storage"


class LinkPage(NumberedList[LinkReply], kw_only=True, gc=False):
    """A page of links. `errors` come with several accounts: those that could not be asked."""

    errors: list[AccountError] | UnsetType = UNSET


class LinkPassword(Struct, kw_only=True):
    """What the form of a link with a password sends."""

    password: str | UnsetType = UNSET


def _parse_time(value: object) -> object:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("must be an ISO time such as 2030-01-31T12:00:00Z")  # noqa: TRY004 - pydantic wants this one
    return read_time(value)


def _parse_password(value: object) -> object:
    return None if value is False or value == "" else value


def leave_known_password(data: Any) -> Any:
    """A body without the password that replies have in place of a real one."""
    if isinstance(data, dict) and data.get("password") is True:
        return {name: value for name, value in data.items() if name != "password"}
    return data


Expiration = Annotated[AwareDatetime | None, BeforeValidator(_parse_time)]
Password = Annotated[
    Annotated[Text, Field(max_length=PASSWORD_CHARACTERS_MAX)] | None, BeforeValidator(_parse_password)
]


class LinkUpdate(Body):
    """Fields to change; what is left out stays. `password: true`, as replies have it, changes nothing."""

    active: Flag | None = Field(None, description="A link that is not active answers 403.")
    direct: Flag | None = Field(None, description="The address gives the bytes themselves instead of a page.")
    password: Password = Field(None, description="Whoever opens the link must know it; null removes it.")
    expiration: Expiration = Field(None, description="ISO time, UTC without a zone; null removes it.")

    @model_validator(mode="before")
    @classmethod
    def _leave_known_password(cls, data: Any) -> Any:
        return leave_known_password(data)


class LinkCreate(Body):
    """A new link."""

    file_id: str = Field(max_length=ID_CHARACTERS_MAX, description="A file's id; folders cannot be linked to.")
    active: Flag = Field(default=True, description="A link that is not active answers 403.")
    direct: Flag = Field(default=False, description="The address gives the bytes themselves instead of a page.")
    password: Password = Field(None, description="Whoever opens the link must know it.")
    expiration: Expiration = Field(None, description="ISO time, UTC without a zone; may be past.")


class ServiceLinkReply(Struct, kw_only=True, gc=False):
    """A link that the storage itself made to a file or folder. What a storage does not tell is null."""

    id: str
    file_id: str | None
    folder_id: str | None
    url: str
    account: int
    active: bool
    created: Time | None
    modified: Time | None
    expiration: Time | None
    password: bool
    direct: bool
    audience: Audience
    role: LinkRole
    downloadable: bool
    href: str
    type: str = "link"
    api: str = "storage"


class ServiceLinkPage(NumberedList[ServiceLinkReply], kw_only=True, gc=False):
    """All links that a storage has to one file or folder."""


def _check_future(value: AwareDatetime | None) -> AwareDatetime | None:
    if value is not None and value <= now():
        raise ValueError("must be in the future")
    return value


class ServiceLinkWish(Body):
    """What a link at the storage shall be like. What is left out stays, or is as the storage has it for new links.

    `password: true`, as replies have it, changes nothing.
    """

    audience: Audience | None = Field(
        None,
        description="Who may open it: `anyone` who has it, people of the owner's `domain`, or `members` alone, who may "
        "see the file or folder anyway.",
    )
    role: LinkRole | None = Field(None, description="With `writer` one can change things through it.")
    password: Password = Field(None, description="Whoever opens the link must know it; null removes it.")
    expiration: Annotated[Expiration, AfterValidator(_check_future)] = Field(
        None, description="ISO time, UTC without a zone; null removes it."
    )
    downloadable: Flag | None = Field(None, description="Whether it gives the bytes, or shows them only.")

    @model_validator(mode="before")
    @classmethod
    def _leave_known_password(cls, data: Any) -> Any:
        return leave_known_password(data)
