"""Requests that came with an Idempotency-Key, and what they were answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Enum, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import AutoId, Base, CreatedAt, Hash

REQUEST_STATES = ("running", "done", "unknown")


class IdempotentRequest(Base):
    """One request, noted before it has any effect. A running one whose claim has ended is as good as unknown."""

    __tablename__ = "idempotency"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's protocol

    id: Mapped[AutoId]
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    name_hash: Mapped[Hash]  # of application, token or key, route and Idempotency-Key
    fingerprint: Mapped[str] = mapped_column(String(64))  # of what was asked for
    request_id: Mapped[str] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(
        Enum(*REQUEST_STATES, name="state", native_enum=False, create_constraint=True, length=16)
    )
    claimed_until: Mapped[datetime]
    sealed_reply: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)
