"""What belongs to an application: redirect URIs, OAuth clients of its own; names of developers; Idempotency-Keys; requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Goes forward."""
    op.add_column("developers", sa.Column("first_name", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("developers", sa.Column("last_name", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("developers", sa.Column("modified_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "redirect_uris",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("application_id", sa.String(length=64), nullable=False),
        sa.Column("uri", sa.String(length=2000), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_redirect_uris_application_id_applications")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redirect_uris")),
        sa.UniqueConstraint("application_id", "uri", name=op.f("uq_redirect_uris_application_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "service_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("application_id", sa.String(length=64), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.Column(
            "modified_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_service_keys_application_id_applications")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_keys")),
        sa.UniqueConstraint("application_id", "service", name=op.f("uq_service_keys_application_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "idempotency",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("application_id", sa.String(length=64), nullable=False),
        sa.Column("name_hash", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column(
            "state",
            sa.Enum("running", "done", "unknown", name="state", native_enum=False, create_constraint=True, length=16),
            nullable=False,
        ),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_reply", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_idempotency_application_id_applications")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency")),
        sa.UniqueConstraint("name_hash", name=op.f("uq_idempotency_name_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_idempotency_application_id"), "idempotency", ["application_id"], unique=False)
    op.create_index(op.f("ix_idempotency_expires_at"), "idempotency", ["expires_at"], unique=False)
    op.create_table(
        "requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("application_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("route", sa.String(length=255), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sent_bytes", sa.BigInteger(), nullable=False),
        sa.Column("provider_calls_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        sa.UniqueConstraint("request_id", name=op.f("uq_requests_request_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_requests_application_id_id", "requests", ["application_id", "id"], unique=False)
    op.create_index(op.f("ix_requests_started_at"), "requests", ["started_at"], unique=False)


def downgrade() -> None:
    """Goes back."""
    op.drop_index(op.f("ix_requests_started_at"), table_name="requests")
    op.drop_index("ix_requests_application_id_id", table_name="requests")

    op.drop_table("requests")
    op.drop_index(op.f("ix_idempotency_expires_at"), table_name="idempotency")
    op.drop_index(op.f("ix_idempotency_application_id"), table_name="idempotency")

    op.drop_table("idempotency")
    op.drop_table("service_keys")
    op.drop_table("redirect_uris")
    op.drop_column("developers", "modified_at")
    op.drop_column("developers", "last_name")
    op.drop_column("developers", "first_name")
