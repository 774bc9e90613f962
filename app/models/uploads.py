"""Uploads in parts, and the parts that arrived."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Enum, ForeignKey, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import BIG_ID, AutoId, Base, CreatedAt

UPLOAD_STATES = ("open", "finishing", "finished", "aborted")


class UploadSession(Base):
    """One upload in parts. Moves open, finishing, finished by compare-and-set on `epoch`; a claim ends by itself."""

    __tablename__ = "upload_sessions"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's protocol

    id: Mapped[AutoId]
    account_id: Mapped[int] = mapped_column(BIG_ID, ForeignKey("accounts.id"), index=True)
    parent_raw_id: Mapped[str]
    name: Mapped[str]
    on_conflict: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    part_size_bytes: Mapped[int] = mapped_column(BigInteger)
    sealed_state: Mapped[str]
    state: Mapped[str] = mapped_column(
        Enum(*UPLOAD_STATES, name="state", native_enum=False, create_constraint=True, length=16),
        server_default="open",
    )
    epoch: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    claimed_until: Mapped[datetime | None]
    result_raw_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UploadPart(Base):
    """A part the provider has; sending the same number again replaces it."""

    __tablename__ = "upload_parts"

    upload_session_id: Mapped[int] = mapped_column(
        BIG_ID, ForeignKey("upload_sessions.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    receipt: Mapped[str | None]
    created_at: Mapped[CreatedAt]
