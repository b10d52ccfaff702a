"""What the page needs: who handed in what, the history of access, people found by fingerprint, people's decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

moment = sa.DateTime(timezone=True)
row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


# What the extension pg_trgm does, which not every database has or lets one make.
TRIPLES = """
CREATE FUNCTION privacy_triples(value text) RETURNS text[] IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
  SELECT coalesce(array_agg(DISTINCT substr(value, place, 3)), '{}'::text[])
  FROM generate_series(1, length(value) - 2) AS places(place)
$$
"""


def upgrade() -> None:
    op.create_table(
        "privacy_handed_in",
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=160), nullable=False),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
    )
    op.create_table(
        "privacy_accesses",
        sa.Column("id", row_id, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("about", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_privacy_accesses_request", "privacy_accesses", ["request_id", "id"])
    op.create_table(
        "privacy_person_prints",
        sa.Column("print", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("print", "request_id"),
    )
    op.create_index("ix_privacy_person_prints_request", "privacy_person_prints", ["request_id"])
    op.create_table(
        "privacy_request_ids",
        sa.Column("lower_id", sa.String(length=128), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("lower_id", "request_id"),
    )
    op.execute(
        "INSERT INTO privacy_request_ids SELECT DISTINCT lower(request_id), request_id FROM privacy_jobs"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(TRIPLES)
        op.execute(
            "CREATE INDEX ix_privacy_request_ids_parts ON privacy_request_ids "
            "USING gin (privacy_triples(lower_id))"
        )
    by_people = sa.text("(actor LIKE 'user/%' OR actor LIKE 'user %')")
    op.create_index(
        "ix_privacy_transitions_people",
        "privacy_transitions",
        ["id"],
        sqlite_where=by_people,
        postgresql_where=by_people,
    )


def downgrade() -> None:
    op.drop_index("ix_privacy_transitions_people", "privacy_transitions")
    for table in ("privacy_request_ids", "privacy_person_prints", "privacy_accesses", "privacy_handed_in"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION privacy_triples(text)")
