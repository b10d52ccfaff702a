"""When a request was due before the person was told of a later date; of old rows the history says it.

Jobs that an older version judged are to be judged again by their manifests: the sweep does so.
"""

from __future__ import annotations

import re
from datetime import date

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("privacy_jobs", sa.Column("first_due_on", sa.Date()))
    changes = sa.text(
        "SELECT job_id, reason FROM privacy_transitions WHERE reason LIKE 'due ____-__-__ instead of ____-__-__%' "
        "ORDER BY id DESC"
    )
    # The oldest change of a job is read last.
    found = {
        row.job_id: re.match(r"due \S+ instead of (\S+):", row.reason)
        for row in op.get_bind().execute(changes)
    }
    for job_id, said in found.items():
        if said:
            op.execute(
                sa.text("UPDATE privacy_jobs SET first_due_on = :day WHERE id = :id").bindparams(
                    sa.bindparam("day", date.fromisoformat(said[1]), sa.Date()), id=job_id
                )
            )
    op.execute(
        "INSERT INTO privacy_settings (name, value) SELECT 'judge_again_after', '0' "
        "WHERE EXISTS (SELECT 1 FROM privacy_jobs WHERE outcome = 'as judged before')"
    )


def downgrade() -> None:
    op.execute("DELETE FROM privacy_settings WHERE name = 'judge_again_after'")
    op.drop_column("privacy_jobs", "first_due_on")
