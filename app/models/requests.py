"""What callers asked lately."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import BIG_ID, AutoId, Base


class LoggedRequest(Base):
    """One request that is over. Written in batches, without foreign keys: what it names may be gone by then."""

    __tablename__ = "requests"
    __table_args__ = (
        Index("ix_requests_application_id_id", "application_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[AutoId]
    application_id: Mapped[str] = mapped_column(String(64))
    account_id: Mapped[int | None] = mapped_column(BIG_ID)
    request_id: Mapped[str] = mapped_column(String(36), unique=True)
    method: Mapped[str] = mapped_column(String(16))
    route: Mapped[str] = mapped_column(String(255))
    service: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    error_code: Mapped[str | None] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(index=True)
    seconds: Mapped[float] = mapped_column(Float)
    received_bytes: Mapped[int] = mapped_column(BigInteger)
    sent_bytes: Mapped[int] = mapped_column(BigInteger)
    provider_calls_count: Mapped[int] = mapped_column(Integer)
