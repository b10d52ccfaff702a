"""The states `gone` and `closed`, which nobody waits for; until when a person is asked about a batch's deletes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_privacy_jobs_due": (["due_on", "id"], ""),
    "ix_privacy_jobs_alarm": (["alarm_at", "id"], ""),
    "ix_privacy_jobs_opt_outs": (["due_on", "id", "inbox_date"], "action = 'opt_out_of_sale' AND "),
}


def upgrade() -> None:
    _make_anew("state NOT IN ('archived', 'gone', 'closed')")
    op.add_column("privacy_batches", sa.Column("asked_until", sa.DateTime(timezone=True)))
    op.add_column("privacy_batches", sa.Column("asked_by", sa.String(512)))


def downgrade() -> None:
    op.drop_column("privacy_batches", "asked_by")
    op.drop_column("privacy_batches", "asked_until")
    _make_anew("state <> 'archived'")


def _make_anew(unfinished: str) -> None:
    for name, (columns, condition) in INDEXES.items():
        where = sa.text(condition + unfinished)
        op.drop_index(name, "privacy_jobs")
        op.create_index(name, "privacy_jobs", columns, sqlite_where=where, postgresql_where=where)
