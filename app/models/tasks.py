"""Tasks: what goes on when the request that asked for it has been answered."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import BigInteger, Enum, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.record import BIG_ID, Base, CreatedAt

TaskState = Literal["pending", "started", "finished", "failed", "cancelled"]
TASK_STATES = get_args(TaskState)
TASK_ENDINGS = ("failed", "cancelled")


class Task(Base):
    """One task. Whoever claims it holds it under a new epoch until `due_at`; every later change names the epoch.

    A task that failed or was cancelled has its `ending` at once, and gets that state when what it began is undone.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_account_id_created_at_id", "account_id", "created_at", "id"),
        Index("ix_tasks_application_id_due_at", "application_id", "due_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"))
    account_id: Mapped[int] = mapped_column(BIG_ID, ForeignKey("accounts.id"))
    target_account_id: Mapped[int | None] = mapped_column(BIG_ID, ForeignKey("accounts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    sealed_request: Mapped[str]
    state: Mapped[str] = mapped_column(
        Enum(*TASK_STATES, name="state", native_enum=False, create_constraint=True, length=16),
        server_default="pending",
    )
    ending: Mapped[str | None] = mapped_column(
        Enum(*TASK_ENDINGS, name="ending", native_enum=False, create_constraint=True, length=16)
    )
    epoch: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # without anything getting done meanwhile
    due_at: Mapped[datetime | None] = mapped_column(
        index=True
    )  # when it may be claimed; of a held one: the lease's end
    files_total: Mapped[int | None] = mapped_column(Integer)
    files_done: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    bytes_total: Mapped[int | None] = mapped_column(BigInteger)
    bytes_done: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    outcomes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))  # how many files ended in which way
    result_account_id: Mapped[int | None] = mapped_column(BigInteger)
    result_kind: Mapped[str | None] = mapped_column(String(8))
    result_raw_id: Mapped[str | None]
    is_result_new: Mapped[bool] = mapped_column(server_default=text("true"))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None]
    error_conflict_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
