"""Tasks, and the transfers of files below them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Goes forward."""
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("target_account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sealed_request", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "started",
                "finished",
                "failed",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column(
            "ending",
            sa.Enum("failed", "cancelled", name="ending", native_enum=False, create_constraint=True, length=16),
            nullable=True,
        ),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("files_total", sa.Integer(), nullable=True),
        sa.Column("files_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=True),
        sa.Column("bytes_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "outcomes",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("result_account_id", sa.BigInteger(), nullable=True),
        sa.Column("result_kind", sa.String(length=8), nullable=True),
        sa.Column("result_raw_id", sa.Text(), nullable=True),
        sa.Column("is_result_new", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_conflict_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tasks_account_id_accounts")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_tasks_application_id_applications")
        ),
        sa.ForeignKeyConstraint(
            ["target_account_id"], ["accounts.id"], name=op.f("fk_tasks_target_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_index("ix_tasks_account_id_created_at_id", "tasks", ["account_id", "created_at", "id"], unique=False)
    op.create_index("ix_tasks_application_id_due_at", "tasks", ["application_id", "due_at"], unique=False)
    op.create_index(op.f("ix_tasks_due_at"), "tasks", ["due_at"], unique=False)
    op.create_index(op.f("ix_tasks_ended_at"), "tasks", ["ended_at"], unique=False)
    op.create_index(op.f("ix_tasks_target_account_id"), "tasks", ["target_account_id"], unique=False)

    op.create_table(
        "transfer_files",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("source_raw_id", sa.Text(), nullable=False),
        sa.Column("source_key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "hashes",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "digests",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "started",
                "finishing",
                "stored",
                "failed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            server_default="waiting",
            nullable=False,
        ),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("starts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("target_name", sa.Text(), nullable=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("part_size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sealed_state", sa.Text(), nullable=True),
        sa.Column("parts_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("target_raw_id", sa.Text(), nullable=True),
        sa.Column("is_replacement", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "verified",
                "stored_differs",
                "unverifiable",
                "failed",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=True,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("is_listed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("is_source_deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("fk_transfer_files_task_id_tasks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_files")),
        sa.UniqueConstraint("task_id", "source_key", name="uq_transfer_files_task_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_transfer_files_task_id_id", "transfer_files", ["task_id", "id"], unique=False)

    op.create_table(
        "transfers",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "planning", "copying", "deleting", name="stage", native_enum=False, create_constraint=True, length=16
            ),
            server_default="planning",
            nullable=False,
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_transfers_task_id_tasks"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_transfers")),
    )
    op.create_table(
        "transfer_parts",
        sa.Column("transfer_file_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["transfer_file_id"],
            ["transfer_files.id"],
            name=op.f("fk_transfer_parts_transfer_file_id_transfer_files"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("transfer_file_id", "number", name=op.f("pk_transfer_parts")),
    )


def downgrade() -> None:
    """Goes back."""
    op.drop_table("transfer_parts")
    op.drop_table("transfers")
    op.drop_index("ix_transfer_files_task_id_id", table_name="transfer_files")

    op.drop_table("transfer_files")
    op.drop_index(op.f("ix_tasks_target_account_id"), table_name="tasks")
    op.drop_index(op.f("ix_tasks_ended_at"), table_name="tasks")
    op.drop_index(op.f("ix_tasks_due_at"), table_name="tasks")
    op.drop_index("ix_tasks_application_id_due_at", table_name="tasks")
    op.drop_index("ix_tasks_account_id_created_at_id", table_name="tasks")

    op.drop_table("tasks")
