"""Approval of deletes, an index for what is planned, and one for the figures of a period."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
planned = sa.text("state = 'planned'")


def upgrade() -> None:
    op.create_table(
        "privacy_approvals",
        sa.Column("id", row_id, nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("plan_hash", sa.String(length=64), nullable=False),
        sa.Column("regulation", sa.String(length=32), nullable=False),
        sa.Column("products", sa.String(length=512), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("on_hold", sa.Integer(), nullable=False),
        sa.Column("decided_by", sa.String(length=512), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_privacy_approvals_batch", "privacy_approvals", ["batch_id"])
    op.add_column("privacy_jobs", sa.Column("approval_id", row_id, nullable=True))
    op.add_column(
        "privacy_batches",
        sa.Column("needs_approval", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index(
        "ix_privacy_jobs_planned",
        "privacy_jobs",
        ["state", "batch_id", "approval_id"],
        sqlite_where=planned,
        postgresql_where=planned,
    )
    op.create_index("ix_privacy_jobs_received", "privacy_jobs", ["received_at"])
