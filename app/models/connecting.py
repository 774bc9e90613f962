"""People on their way through the pages that connect an account, and what their applications get at the end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import BIG_ID, Base, CreatedAt


class Journey(Base):
    """One way through the pages, in one browser, to one result. Its name is known to that browser only."""

    __tablename__ = "journeys"

    name_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    browser_hash: Mapped[str] = mapped_column(String(64))
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"))
    wishes: Mapped[dict[str, Any]]
    attempts_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]


class Consent(Base):
    """Somebody of a journey is at the provider's page; its state comes back with the answer, once."""

    __tablename__ = "consents"

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    journey_hash: Mapped[str] = mapped_column(ForeignKey("journeys.name_hash"), index=True)
    service: Mapped[str] = mapped_column(String(64))
    client_id: Mapped[str]
    redirect_url: Mapped[str]
    sealed_verifier: Mapped[str]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AuthorizationCode(Base):
    """Becomes a bearer token once, for the application that it was made for."""

    __tablename__ = "authorization_codes"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(BIG_ID, ForeignKey("accounts.id"))
    redirect_uri: Mapped[str]
    scope: Mapped[str]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    token_hash: Mapped[str | None] = mapped_column(String(64))  # what it became
