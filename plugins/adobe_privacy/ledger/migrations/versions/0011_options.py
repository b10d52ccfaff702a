"""What a request says beyond its products, and what it was warned of. Older requests say nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("privacy_jobs", "privacy_batches"):
        op.add_column(table, sa.Column("options", sa.String(1024), nullable=False, server_default=""))
    op.add_column("privacy_jobs", sa.Column("warnings", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("privacy_jobs", "warnings")
    for table in ("privacy_jobs", "privacy_batches"):
        op.drop_column(table, "options")
