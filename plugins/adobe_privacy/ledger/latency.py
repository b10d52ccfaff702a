"""What the ledger knows of how long Adobe takes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from adobe_privacy.ledger.schema import ARCHIVED, Batch, Job
from adobe_privacy.ledger.unit import Topic

# Of so many jobs of an action, the last to be finished, and of no older ones.
RECENT_JOBS = 10_000
RECENT = timedelta(days=365)


class Latency(Topic):
    """How long the jobs that Adobe finished last have taken."""

    def recent(self, action: str) -> list[tuple[str, timedelta]]:
        """The products and the time from submission to completion of the jobs that Adobe finished last.

        Jobs that ended in error and those of others are not among them. A job finished no sooner than its slowest
        product; of the others nothing is known.
        """
        query = (
            select(Batch.products, Job.submitted_at, Job.completed_at)
            .join(Batch, Batch.id == Job.batch_id)
            .where(ARCHIVED, Job.action == action, Job.completed_at > self.unit.now() - RECENT)
            .order_by(Job.completed_at.desc())
            .limit(RECENT_JOBS)
        )
        with self.unit.read() as session:
            return [
                (products, completed_at - submitted_at)
                for products, submitted_at, completed_at in session.execute(query)
                if submitted_at is not None and completed_at is not None
            ]
