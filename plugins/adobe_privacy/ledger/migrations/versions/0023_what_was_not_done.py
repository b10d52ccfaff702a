"""Indexes that lead to the few among many: to the jobs that were not done in whole, to their answers, to what a person
closed or Adobe refused as a whole batch, and to what the page filters by. They begin with what is compared: by a
condition alone, SQLite follows the index of all jobs of a state.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

JOBS, ANSWERS, TRANSITIONS = "privacy_jobs", "privacy_answers", "privacy_transitions"
ARCHIVED = "state = 'archived'"
NOT_IN_WHOLE = "outcome NOT IN ('accepted', 'done', 'nothing to do')"
WARNED = "warnings <> '' AND state NOT IN ('archived', 'gone', 'closed')"
CLOSED = "from_state = 'archived' AND to_state = 'archived' AND reason LIKE 'closed: %'"
REFUSED_TOGETHER = "reason LIKE 'the whole batch was refused: %'"
FILTERS = ("regulation", "action", "outcome", "products", "inbox_date")
PLACE = ["due_on", "id"]
NOT_DONE = ["state", "origin", *PLACE, "request_id", "action", "attempt"]


def make(name: str, table: str, columns: Sequence[str], condition: str | None = None) -> None:
    where = None if condition is None else sa.text(condition)
    op.create_index(name, table, list(columns), sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    make("ix_privacy_jobs_undone", JOBS, NOT_DONE, NOT_IN_WHOLE)
    make("ix_privacy_transitions_closed", TRANSITIONS, ["job_id", "attempt"], CLOSED)
    make("ix_privacy_transitions_refused", TRANSITIONS, ["job_id"], REFUSED_TOGETHER)
    op.drop_index("ix_privacy_answers_verdict", ANSWERS)
    make("ix_privacy_answers_verdict", ANSWERS, ["verdict", "product", "code", "job_id", "attempt"])
    op.drop_index("ix_privacy_jobs_warned", JOBS)
    make("ix_privacy_jobs_warned", JOBS, ["state", *PLACE, "request_id", "origin"], WARNED)
    for column in FILTERS:
        op.drop_index(f"ix_privacy_jobs_archived_{column}", JOBS)
        make(f"ix_privacy_jobs_archived_{column}", JOBS, ["state", column, *PLACE], ARCHIVED)


def downgrade() -> None:
    for column in FILTERS:
        op.drop_index(f"ix_privacy_jobs_archived_{column}", JOBS)
        make(f"ix_privacy_jobs_archived_{column}", JOBS, [column, *PLACE], ARCHIVED)
    op.drop_index("ix_privacy_jobs_warned", JOBS)
    make("ix_privacy_jobs_warned", JOBS, PLACE, WARNED)
    op.drop_index("ix_privacy_answers_verdict", ANSWERS)
    make("ix_privacy_answers_verdict", ANSWERS, ["verdict", "product", "code", "job_id"])
    op.drop_index("ix_privacy_transitions_refused", TRANSITIONS)
    op.drop_index("ix_privacy_transitions_closed", TRANSITIONS)
    op.drop_index("ix_privacy_jobs_undone", JOBS)
