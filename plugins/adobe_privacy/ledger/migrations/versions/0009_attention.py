"""Which inbox files were read, what of the inbox could not be used, and of what people were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "privacy_inbox_files",
        sa.Column("inbox_date", sa.Date(), primary_key=True),
        sa.Column("file_key", sa.String(64), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.String(255), nullable=False),
        sa.Column("read_at", MOMENT, nullable=False),
    )
    op.create_table(
        "privacy_inbox_problems",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("inbox_date", sa.Date(), nullable=False),
        sa.Column("file_key", sa.String(64), nullable=False),
        sa.Column("file", sa.String(160), nullable=False),
        sa.Column("line", sa.Integer()),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(512), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("run_id", sa.String(512), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.Column("closed_by", sa.String(512)),
        sa.Column("closed_reason", sa.String(512)),
    )
    op.create_index(
        "ix_privacy_inbox_problems_open",
        "privacy_inbox_problems",
        ["kind", "inbox_date", "id"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("ix_privacy_inbox_problems_file", "privacy_inbox_problems", ["inbox_date", "file_key"])
    op.create_table(
        "privacy_attention_told",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("told_at", MOMENT, nullable=False),
    )


def downgrade() -> None:
    for table in ("privacy_attention_told", "privacy_inbox_problems", "privacy_inbox_files"):
        op.drop_table(table)
