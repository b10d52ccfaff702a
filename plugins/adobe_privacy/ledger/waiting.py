"""Which jobs of a batch are waited for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic


class Waiting(Topic):
    """What a look at Adobe needs to know of a batch."""

    def jobs(self, batch_id: str) -> list[tuple[str, datetime]]:
        """Adobe's ids of a batch's jobs that are there and not known to be finished, and when each was submitted.

        Every look of every batch reads it: so it loads no whole jobs.
        """
        query = select(Job.adobe_job_id, Job.submitted_at).where(
            Job.batch_id == batch_id, Job.state == JobState.SUBMITTED
        )
        with self.unit.read() as session:
            return [(job_id, at) for job_id, at in session.execute(query) if job_id and at]
