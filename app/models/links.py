"""Public addresses of files."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import BIG_ID, Base, CreatedAt, Hash


class Link(Base):
    """Opens one file to whoever has its address. The token in it is kept sealed because the contract lists addresses.

    Wrong passwords are counted here, so that all processes count together.
    """

    __tablename__ = "links"
    __table_args__ = (Index("ix_links_account_id_created_at_id", "account_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[int] = mapped_column(BIG_ID, ForeignKey("accounts.id"))
    file_raw_id: Mapped[str]
    token_hash: Mapped[Hash]
    sealed_token: Mapped[str]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_direct: Mapped[bool] = mapped_column(server_default=text("false"))
    password_hash: Mapped[str | None]
    attempts_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    attempts_since: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    modified_at: Mapped[CreatedAt]
