"""Alarms that were raised, and by which day a job must be submitted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

moment = sa.DateTime(timezone=True)
unfinished = sa.text("state <> 'archived'")
archived = sa.text("state = 'archived'")


def upgrade() -> None:
    op.create_table(
        "privacy_alarms",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("raised_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", "percent"),
    )
    op.add_column("privacy_jobs", sa.Column("submit_by", sa.Date(), nullable=True))
    op.add_column("privacy_jobs", sa.Column("alarm_at", moment, nullable=True))
    # Which of a job's alarms is the next is found out when it is first looked at.
    op.execute(
        "UPDATE privacy_jobs SET alarm_at = received_at WHERE state <> 'archived' AND origin = 'inbox'"
    )
    for name, columns, condition in (
        ("ix_privacy_jobs_alarm", ["alarm_at", "id"], unfinished),
        ("ix_privacy_jobs_finished", ["action", "completed_at", "submitted_at", "batch_id"], archived),
    ):
        op.create_index(name, "privacy_jobs", columns, sqlite_where=condition, postgresql_where=condition)
