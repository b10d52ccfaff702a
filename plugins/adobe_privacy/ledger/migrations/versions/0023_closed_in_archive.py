"""An index of the archived jobs that a person closed: whether one is, the page asks for each that was not done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NAME, TABLE = "ix_privacy_transitions_closed", "privacy_transitions"
CLOSED_IN_ARCHIVE = sa.text("from_state = 'archived' AND to_state = 'archived' AND reason LIKE 'closed: %'")


def upgrade() -> None:
    op.create_index(
        NAME,
        TABLE,
        ["job_id", "attempt"],
        sqlite_where=CLOSED_IN_ARCHIVE,
        postgresql_where=CLOSED_IN_ARCHIVE,
    )


def downgrade() -> None:
    op.drop_index(NAME, TABLE)
