"""Results that are being erased, so that a hold and an erasure are decided together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "privacy_erasures",
        sa.Column("adobe_job_id", sa.String(length=128), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=False),
        sa.Column("folder", sa.String(length=512), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("adobe_job_id"),
    )
    op.create_index("ix_privacy_erasures_request", "privacy_erasures", ["request_id"])


def downgrade() -> None:
    op.drop_table("privacy_erasures")
