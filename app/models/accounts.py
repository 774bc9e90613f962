"""Connected accounts and the tokens that open them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import BIG_ID, AutoId, Base, CreatedAt, Hash


class Account(Base):
    """One user's connected storage. A dead one keeps its row, without secrets: connecting again revives its id."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("application_id", "service", "identity_key"),
        Index("ix_accounts_application_id_deleted_at_id", "application_id", "deleted_at", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[AutoId]
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"))
    service: Mapped[str] = mapped_column(String(64))
    identity_key: Mapped[str] = mapped_column(String(1024))
    label: Mapped[str]
    sealed_credentials: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    is_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    is_verified: Mapped[bool] = mapped_column(server_default=text("true"))
    scope: Mapped[str] = mapped_column(server_default=text("''"))
    custom_properties: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    storage_region: Mapped[str | None] = mapped_column(String(64))
    learned: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    token_expires_at: Mapped[datetime | None]
    refresh_token_expires_at: Mapped[datetime | None]
    grant_ended_at: Mapped[datetime | None]  # since then only its user can help, who has to connect it again
    renewal_epoch: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # of the newest claim on its tokens
    renewal_ends_at: Mapped[datetime | None]  # of that claim; None when nobody renews them
    created_at: Mapped[CreatedAt]
    modified_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]


class BearerToken(Base):
    """Opens one account; only its hash is kept."""

    __tablename__ = "tokens"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's protocol

    id: Mapped[AutoId]
    account_id: Mapped[int] = mapped_column(BIG_ID, ForeignKey("accounts.id"), index=True)
    token_hash: Mapped[Hash]
    scope: Mapped[str]
    created_at: Mapped[CreatedAt]
