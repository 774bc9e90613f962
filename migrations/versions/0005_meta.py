"""What belongs to an application: redirect URIs, OAuth clients of its own; names of developers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0002"
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


def downgrade() -> None:
    """Goes back."""
    op.drop_table("service_keys")
    op.drop_table("redirect_uris")
    op.drop_column("developers", "modified_at")
    op.drop_column("developers", "last_name")
    op.drop_column("developers", "first_name")
