"""Jobs, their history, batches, the day's usage and the ledger's own settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
moment = sa.DateTime(timezone=True)
waiting = sa.text("state = 'received' AND NOT on_hold AND action <> 'opt_out_of_sale'")
held = sa.text("on_hold")
opt_outs = sa.text("action = 'opt_out_of_sale' AND state <> 'archived'")
unfinished = sa.text("state <> 'archived'")


def upgrade() -> None:
    op.create_table(
        "privacy_batches",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("regulation", sa.String(length=32), nullable=False),
        sa.Column("products", sa.String(length=512), nullable=False),
        sa.Column("inbox_date", sa.Date(), nullable=False),
        sa.Column("run_id", sa.String(length=512), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_privacy_batches_run", "privacy_batches", ["run_id"])
    op.create_table(
        "privacy_jobs",
        sa.Column("id", row_id, nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("regulation", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=140), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=1024), nullable=False),
        sa.Column("inbox_date", sa.Date(), nullable=False),
        sa.Column("products", sa.String(length=512), nullable=False),
        sa.Column("received_at", moment, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("on_hold", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=True),
        sa.Column("intent_at", moment, nullable=True),
        sa.Column("submitted_at", moment, nullable=True),
        sa.Column("adobe_request_id", sa.String(length=255), nullable=True),
        sa.Column("adobe_job_id", sa.String(length=255), nullable=True),
        sa.Column("completed_at", moment, nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("outcome_code", sa.String(length=32), nullable=True),
        sa.Column("archived_at", moment, nullable=True),
        sa.Column("manifest", sa.String(length=512), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id", "regulation", "action", "part", name="uq_privacy_jobs_request"),
    )
    op.create_index("ix_privacy_jobs_adobe", "privacy_jobs", ["adobe_job_id"], unique=True)
    op.create_index("ix_privacy_jobs_batch", "privacy_jobs", ["batch_id", "state"])
    op.create_index("ix_privacy_jobs_inbox", "privacy_jobs", ["inbox_date", "state", "batch_id"])
    op.create_index("ix_privacy_jobs_state", "privacy_jobs", ["state"])
    for name, columns, condition in (
        ("ix_privacy_jobs_waiting", ["state", "due_on", "id", "inbox_date"], waiting),
        ("ix_privacy_jobs_group", ["state", "regulation", "products", "due_on", "id"], waiting),
        ("ix_privacy_jobs_due", ["due_on", "id"], unfinished),
        ("ix_privacy_jobs_opt_outs", ["due_on", "id", "inbox_date"], opt_outs),
        ("ix_privacy_jobs_held", ["request_id"], held),
    ):
        op.create_index(name, "privacy_jobs", columns, sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "privacy_settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "privacy_usage",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("refused_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "privacy_transitions",
        sa.Column("id", row_id, nullable=False),
        sa.Column("job_id", row_id, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=True),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=True),
        sa.Column("adobe_job_id", sa.String(length=255), nullable=True),
        sa.Column("reason", sa.String(length=512), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["privacy_jobs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_privacy_transitions_adobe", "privacy_transitions", ["adobe_job_id"])
    op.create_index("ix_privacy_transitions_job", "privacy_transitions", ["job_id", "id"])
