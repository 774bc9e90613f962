"""Accounts as values that need no session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.models import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """What is remembered of an account between requests; its credentials stay sealed."""

    id: int
    application_id: str
    service: str
    identity_key: str
    label: str
    sealed_credentials: str
    is_active: bool
    is_enabled: bool
    is_admin: bool
    is_verified: bool
    scope: str
    custom_properties: dict[str, Any]
    storage_region: str | None
    learned: dict[str, Any]
    token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    grant_ended_at: datetime | None
    created_at: datetime
    modified_at: datetime


FIELDS = tuple(AccountRow.__dataclass_fields__)


def build_row(account: Account) -> AccountRow:
    """The row as a value that needs no session."""
    return AccountRow(**{field: getattr(account, field) for field in FIELDS})
