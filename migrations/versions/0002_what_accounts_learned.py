"""What was learned about an account's storage by trying."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Goes forward."""
    op.add_column("accounts", sa.Column("storage_region", sa.String(length=64), nullable=True))
    op.add_column(
        "accounts",
        sa.Column(
            "learned",
            sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    """Goes back."""
    op.drop_column("accounts", "learned")
    op.drop_column("accounts", "storage_region")
