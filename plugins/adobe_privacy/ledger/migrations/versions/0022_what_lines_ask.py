"""What a rejected line asks for: only a request that asks for the same takes its place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "privacy_inbox_problems",
        sa.Column("actions", sa.String(length=64), nullable=False, server_default=""),
    )


def downgrade() -> None:
    op.drop_column("privacy_inbox_problems", "actions")
