"""Transfers: the files of a task that moves bytes, and the parts of them that arrived."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Enum, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import BIG_ID, AutoId, Base, CreatedAt

TRANSFER_STAGES = ("planning", "copying", "deleting")
FILE_STATES = ("waiting", "started", "finishing", "stored", "failed")
OUTCOMES = ("verified", "stored_differs", "unverifiable", "failed")


class Transfer(Base):
    """What a task has to move, and how far it is."""

    __tablename__ = "transfers"

    task_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    stage: Mapped[str] = mapped_column(
        Enum(*TRANSFER_STAGES, name="stage", native_enum=False, create_constraint=True, length=16),
        server_default="planning",
    )
    created_at: Mapped[CreatedAt]


class TransferFile(Base):
    """A file or folder of a transfer; a folder has a smaller id than what it holds.

    A file goes waiting, started, finishing, stored; a folder waiting, started, stored. `finishing` is written before
    the storage is told to make the file visible: whoever finds it looks what is there before doing it again.
    """

    __tablename__ = "transfer_files"
    __table_args__ = (
        UniqueConstraint("task_id", "source_key", name="uq_transfer_files_task_id"),
        Index("ix_transfer_files_task_id_id", "task_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[AutoId]
    task_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(BIG_ID)  # the folder's row; None at the top
    kind: Mapped[str] = mapped_column(String(8))
    depth: Mapped[int] = mapped_column(Integer)
    source_raw_id: Mapped[str]
    source_key: Mapped[str] = mapped_column(
        String(64)
    )  # the raw id's hash, which an index can hold whatever its length
    name: Mapped[str]
    path: Mapped[str]  # from the top, for people
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    etag: Mapped[str | None]
    modified_at: Mapped[datetime | None]
    hashes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))  # as the source's storage tells them
    digests: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))  # of what was sent in one piece
    state: Mapped[str] = mapped_column(
        Enum(*FILE_STATES, name="state", native_enum=False, create_constraint=True, length=16),
        server_default="waiting",
    )
    epoch: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # of the claim that wrote `state`
    starts: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # how often it was begun from its first byte
    target_name: Mapped[str | None]
    intended_at: Mapped[datetime | None]  # when an upload in parts was about to be started
    part_size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sealed_state: Mapped[str | None]  # the connector's, of the upload in parts
    parts_count: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # stored so far; again counts again
    target_raw_id: Mapped[str | None]
    is_replacement: Mapped[bool] = mapped_column(server_default=text("false"))  # took the place of an older file
    outcome: Mapped[str | None] = mapped_column(
        Enum(*OUTCOMES, name="outcome", native_enum=False, create_constraint=True, length=16)
    )
    reason: Mapped[str | None]
    is_listed: Mapped[bool] = mapped_column(server_default=text("false"))  # of a folder: all it holds has rows
    cursor: Mapped[str | None]
    is_source_deleted: Mapped[bool] = mapped_column(server_default=text("false"))


class TransferPart(Base):
    """A part that the target has, with the digest of what was sent."""

    __tablename__ = "transfer_parts"

    transfer_file_id: Mapped[int] = mapped_column(
        BIG_ID, ForeignKey("transfer_files.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    receipt: Mapped[str | None]
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[CreatedAt]
