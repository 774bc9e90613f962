"""What goes with sharing and watching: links at the provider, small pictures, notices of change. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from connectors.core.resources import Ref

Audience = Literal["anyone", "domain", "members"]
"""Who may open a shared link: whoever has the address, only people of the owner's organisation, or nobody but those
who may see the thing anyway."""

LinkRole = Literal["writer", "reader"]


class SharedLink(Struct, frozen=True, gc=False, kw_only=True):
    """An address at the provider that shows a file or folder to its audience. Ours are app/links, not these."""

    raw_id: str
    ref: Ref
    url: str
    audience: Audience = "anyone"
    role: LinkRole = "reader"
    has_password: bool = False
    expires_at: datetime | None = None
    can_download: bool = True


class LinkChange(Struct, frozen=True, gc=False, kw_only=True):
    """A wish. What is not said stays, or for a new link is as the provider makes it; None takes away."""

    audience: Audience | UnsetType = UNSET
    role: LinkRole | UnsetType = UNSET
    password: str | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    can_download: bool | UnsetType = UNSET


class Thumbnail(Struct, frozen=True, gc=False):
    """A small picture of a file, whole; `media_type` says what was made, which need not be what was wished."""

    data: bytes
    media_type: str


class Subscription(Struct, frozen=True, kw_only=True):
    """The provider's word that it calls an address when something in the account changes, until it ends.

    `state` is the connector's own, JSON-able, and may hold what must stay secret.
    """

    raw_id: str
    expires_at: datetime | None = None  # None: until it is ended
    state: Mapping[str, str] = {}


class Notice(Struct, frozen=True, kw_only=True):
    """A call that came from outside, said to be the provider's. Header names are in lower case."""

    method: Literal["GET", "POST"]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Hints(Struct, frozen=True, kw_only=True):
    """What a notice that is the provider's says: whose feed to read now, and what the provider wants as an answer.

    `account_keys` are keys of identities; `subscription_ids` are the `raw_id`s of subscriptions.
    """

    account_keys: tuple[str, ...] = ()
    subscription_ids: tuple[str, ...] = ()
    reply: str = ""  # plain text, as the provider's proof of the address wants it
