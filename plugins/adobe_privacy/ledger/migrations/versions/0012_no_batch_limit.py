"""A refusal for the daily limit no longer shrinks the next day's batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("privacy_usage", "batch_limit")
    op.drop_column("privacy_usage", "refused_jobs")


def downgrade() -> None:
    op.add_column(
        "privacy_usage", sa.Column("refused_jobs", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("privacy_usage", sa.Column("batch_limit", sa.Integer(), nullable=True))
