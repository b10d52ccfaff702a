"""What each product answered, and one vocabulary of verdicts.

Of old rows the products' answers lie in the manifests only. `full` is `done` and `accepted` stays: nothing else was
behind them. Every other word covered answers that are judged differently now, so these rows are `as judged before`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "privacy_answers",
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("privacy_jobs.id"),
            primary_key=True,
        ),
        sa.Column("attempt", sa.Integer(), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("asked", sa.Boolean()),
        sa.Column("status", sa.String(16)),
        sa.Column("code", sa.String(16)),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True)),
        sa.Column("retry_count", sa.Integer()),
        sa.Column("message", sa.String(2000)),
        sa.Column("detail", sa.String(2000)),
    )
    op.create_index("ix_privacy_answers_verdict", "privacy_answers", ["verdict", "product", "code", "job_id"])
    op.execute("UPDATE privacy_jobs SET outcome = 'done' WHERE outcome = 'full'")
    op.execute(
        "UPDATE privacy_jobs SET outcome = 'as judged before' "
        "WHERE outcome IN ('partial', 'not_applicable', 'failed', 'gap', 'error')"
    )


def downgrade() -> None:
    op.execute("UPDATE privacy_jobs SET outcome = 'full' WHERE outcome IN ('done', 'nothing to do')")
    op.execute("UPDATE privacy_jobs SET outcome = 'error' WHERE outcome = 'not done' AND state = 'error'")
    op.execute(
        "UPDATE privacy_jobs SET outcome = 'partial' "
        "WHERE outcome IN ('in part', 'not done', 'no final answer yet', 'as judged before')"
    )
    op.drop_index("ix_privacy_answers_verdict", "privacy_answers")
    op.drop_table("privacy_answers")
