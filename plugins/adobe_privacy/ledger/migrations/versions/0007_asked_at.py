"""When a job that no list shows was last asked for by its id, so that each has its turn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    never = sa.text("'1970-01-01 00:00:00'")
    column = sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False, server_default=never)
    op.add_column("privacy_jobs", column)


def downgrade() -> None:
    op.drop_column("privacy_jobs", "asked_at")
