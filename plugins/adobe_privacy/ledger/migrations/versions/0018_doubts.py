"""Until when a call that the ledger does not know of may have made a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("privacy_jobs", sa.Column("doubt_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("privacy_jobs", "doubt_until")
