"""Which jobs of a batch are waited for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select

from adobe_privacy.ledger.schema import Job, Setting
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic, chunks

_IN_VAIN = "in_vain "


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

    def in_vain(self, job_ids: Collection[str]) -> dict[str, int]:
        """How many times in a row each of these jobs, by Adobe's ids, was asked for in vain, as a sensor noted it that
        has another process for each look; without those that were not."""
        names = {_name(job_id): job_id for job_id in job_ids}
        with self.unit.read() as session:
            return {
                names[row.name]: int(row.value)
                for some in chunks(names)
                for row in session.scalars(select(Setting).where(Setting.name.in_(some)))
            }

    def note_in_vain(self, before: Mapping[str, int], now: Mapping[str, int]) -> None:
        """Notes it; nothing is written where nothing has changed."""
        if before == now:
            return
        with self.unit.write() as session:
            for job_id in before.keys() - now.keys():
                if (row := session.get(Setting, _name(job_id))) is not None:
                    session.delete(row)
            for job_id, count in now.items():
                session.merge(Setting(name=_name(job_id), value=str(count)))


def _name(job_id: str) -> str:
    return _IN_VAIN + hashlib.sha256(job_id.encode()).hexdigest()[:32]
