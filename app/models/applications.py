"""Developers, their applications and what belongs to an application."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import BIG_ID, AutoId, Base, CreatedAt, Hash


class Developer(Base):
    """Somebody who registers applications."""

    __tablename__ = "developers"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's protocol

    id: Mapped[AutoId]
    name: Mapped[str]
    first_name: Mapped[str] = mapped_column(server_default=text("''"))
    last_name: Mapped[str] = mapped_column(server_default=text("''"))
    created_at: Mapped[CreatedAt]
    modified_at: Mapped[datetime | None]


class DeveloperToken(Base):
    """A Meta token: manages the developer's applications."""

    __tablename__ = "developer_tokens"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's protocol

    id: Mapped[AutoId]
    developer_id: Mapped[int] = mapped_column(BIG_ID, ForeignKey("developers.id"), index=True)
    token_hash: Mapped[Hash]
    created_at: Mapped[CreatedAt]
    revoked_at: Mapped[datetime | None]


class Application(Base):
    """A developer's registered client of the API; a deleted one keeps its row so that its id is never given again."""

    __tablename__ = "applications"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    developer_id: Mapped[int] = mapped_column(BIG_ID, ForeignKey("developers.id"), index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    logo_url: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    implicit_grant_enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    recent_enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    events_grant_enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    modified_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]


class ApiKey(Base):
    """Opens all accounts of its application. The key itself is kept sealed because the contract lists keys."""

    __tablename__ = "api_keys"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's protocol

    id: Mapped[AutoId]
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    key_hash: Mapped[Hash]
    sealed_key: Mapped[str]
    created_at: Mapped[CreatedAt]
    modified_at: Mapped[CreatedAt]


class TrustedDomain(Base):
    """A host whose pages may receive tokens of the application."""

    __tablename__ = "trusted_domains"
    __table_args__ = (
        UniqueConstraint("application_id", "host"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[AutoId]
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"))
    host: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[CreatedAt]


class RedirectUri(Base):
    """Where people may be sent back to after connecting an account; compared whole."""

    __tablename__ = "redirect_uris"
    __table_args__ = (
        UniqueConstraint("application_id", "uri"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[AutoId]
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"))
    uri: Mapped[str] = mapped_column(String(2000))
    created_at: Mapped[CreatedAt]


class ServiceKey(Base):
    """An application's own OAuth client at one service; its secret is sealed."""

    __tablename__ = "service_keys"
    __table_args__ = (
        UniqueConstraint("application_id", "service"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[AutoId]
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"))
    service: Mapped[str] = mapped_column(String(64))
    client_id: Mapped[str]
    sealed_secret: Mapped[str]
    created_at: Mapped[CreatedAt]
    modified_at: Mapped[CreatedAt]
