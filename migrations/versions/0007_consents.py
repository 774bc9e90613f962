"""People at a provider's page of consent, and tokens that are renewed by one process at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Goes forward."""
    op.add_column("accounts", sa.Column("grant_ended_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("accounts", sa.Column("renewal_epoch", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("accounts", sa.Column("renewal_ends_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "consents",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("journey_hash", sa.String(length=64), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("redirect_url", sa.Text(), nullable=False),
        sa.Column("sealed_verifier", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["journey_hash"], ["journeys.name_hash"], name=op.f("fk_consents_journey_hash_journeys")
        ),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_journey_hash"), "consents", ["journey_hash"], unique=False)
    op.create_index(op.f("ix_consents_expires_at"), "consents", ["expires_at"], unique=False)


def downgrade() -> None:
    """Goes back."""
    op.drop_index(op.f("ix_consents_expires_at"), table_name="consents")
    op.drop_index(op.f("ix_consents_journey_hash"), table_name="consents")
    op.drop_table("consents")
    op.drop_column("accounts", "renewal_ends_at")
    op.drop_column("accounts", "renewal_epoch")
    op.drop_column("accounts", "grant_ended_at")
