"""Indexes by which the page's calls stay quick on a million jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

JOBS = "privacy_jobs"
UNFINISHED = sa.text("state NOT IN ('archived', 'gone', 'closed')")
WARNED = sa.text("warnings <> '' AND state NOT IN ('archived', 'gone', 'closed')")
ARCHIVED = sa.text("state = 'archived'")
FILTERS = ("regulation", "action", "outcome", "products", "inbox_date")


def make(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, JOBS, columns, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    op.drop_index("ix_privacy_jobs_due", JOBS)
    make("ix_privacy_jobs_due", ["due_on", "id", "state", "on_hold", "request_id"], UNFINISHED)
    make("ix_privacy_jobs_warned", ["due_on", "id"], WARNED)
    for column in FILTERS:
        make(f"ix_privacy_jobs_archived_{column}", [column, "due_on", "id"], ARCHIVED)
    op.create_index("ix_privacy_batches_products", "privacy_batches", ["products"])


def downgrade() -> None:
    op.drop_index("ix_privacy_batches_products", "privacy_batches")
    for column in FILTERS:
        op.drop_index(f"ix_privacy_jobs_archived_{column}", JOBS)
    op.drop_index("ix_privacy_jobs_warned", JOBS)
    op.drop_index("ix_privacy_jobs_due", JOBS)
    make("ix_privacy_jobs_due", ["due_on", "id"], UNFINISHED)
