"""When each job was taken into the ledger. Of those that are in it already nobody knows; their time has passed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    long_ago = sa.text("'1970-01-01 00:00:00'")
    column = sa.Column("taken_in_at", sa.DateTime(timezone=True), nullable=False, server_default=long_ago)
    op.add_column("privacy_jobs", column)


def downgrade() -> None:
    op.drop_column("privacy_jobs", "taken_in_at")
