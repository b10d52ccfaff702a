"""The verdict on a job becomes part of the index by which the list is filtered."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INDEX = "ix_privacy_jobs_state"
COLUMNS = ["state", "due_on", "id", "inbox_date", "regulation", "action", "products"]


def upgrade() -> None:
    op.drop_index(INDEX, "privacy_jobs")
    op.create_index(INDEX, "privacy_jobs", [*COLUMNS, "outcome"])


def downgrade() -> None:
    op.drop_index(INDEX, "privacy_jobs")
    op.create_index(INDEX, "privacy_jobs", COLUMNS)
