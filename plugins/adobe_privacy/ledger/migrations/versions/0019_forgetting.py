"""What is forgotten: inbox files that were erased, and request ids of ended requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("inbox_erased_at", "forgotten_at"):
        op.add_column("privacy_jobs", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "privacy_inbox_erasures",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("inbox_date", sa.Date(), nullable=False),
        sa.Column("file_key", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.String(length=255), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_privacy_inbox_erasures_file", "privacy_inbox_erasures", ["inbox_date", "file_key"])
    unfinished = sa.text("done_at IS NULL")
    op.create_index(
        "ix_privacy_inbox_erasures_unfinished",
        "privacy_inbox_erasures",
        ["inbox_date"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )


def downgrade() -> None:
    op.drop_table("privacy_inbox_erasures")
    for name in ("forgotten_at", "inbox_erased_at"):
        op.drop_column("privacy_jobs", name)
