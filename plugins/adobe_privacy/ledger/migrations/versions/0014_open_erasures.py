"""An index of the erasures that were begun and not finished: of years of erasures, few are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    unfinished = sa.text("done_at IS NULL")
    op.create_index(
        "ix_privacy_erasures_unfinished",
        "privacy_erasures",
        ["folder"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )


def downgrade() -> None:
    op.drop_index("ix_privacy_erasures_unfinished", "privacy_erasures")
