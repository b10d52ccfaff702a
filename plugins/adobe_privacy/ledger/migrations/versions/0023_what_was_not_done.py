"""Indexes that lead to the few archived jobs that were not done in whole, to their answers, and to those of them that
a person closed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

VERDICTS, ANSWERS = "ix_privacy_answers_verdict", "privacy_answers"
UNDONE, JOBS = "ix_privacy_jobs_undone", "privacy_jobs"
CLOSED, TRANSITIONS = "ix_privacy_transitions_closed", "privacy_transitions"


def upgrade() -> None:
    op.drop_index(VERDICTS, ANSWERS)
    op.create_index(VERDICTS, ANSWERS, ["verdict", "product", "code", "job_id", "attempt"])
    op.create_index(
        UNDONE,
        JOBS,
        ["state", "due_on", "id", "request_id", "action", "attempt", "origin"],
        **_where("outcome NOT IN ('accepted', 'done', 'nothing to do')"),
    )
    op.create_index(
        CLOSED,
        TRANSITIONS,
        ["job_id", "attempt"],
        **_where("from_state = 'archived' AND to_state = 'archived' AND reason LIKE 'closed: %'"),
    )


def downgrade() -> None:
    op.drop_index(CLOSED, TRANSITIONS)
    op.drop_index(UNDONE, JOBS)
    op.drop_index(VERDICTS, ANSWERS)
    op.create_index(VERDICTS, ANSWERS, ["verdict", "product", "code", "job_id"])


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
