"""Runs the migrations on the connection that `adobe_privacy.ledger.database.upgrade` holds."""

from __future__ import annotations

from alembic import context

from adobe_privacy.ledger.database import VERSION_TABLE
from adobe_privacy.ledger.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    # The caller's transaction holds the lock that keeps other processes out.
    transactional_ddl=False,
    render_as_batch=True,
)
context.run_migrations()
