"""Which jobs of a batch are waited for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from adobe_privacy.ledger.keys import setting_of
from adobe_privacy.ledger.schema import Job, Setting
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic, chunks

_IN_VAIN = "in_vain "
# Longer than between any two looks: what is older is of a wait that was ended and takes its counts away no more.
_KEPT = timedelta(days=7)


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

    def in_vain(self, job_ids: Collection[str], within: timedelta = timedelta(hours=1)) -> dict[str, int]:
        """How many times in a row each of these jobs, by Adobe's ids, was asked for in vain, as a sensor noted it that
        has another process for each look; without those that were not. What was noted longer than `within` ago is
        another wait's."""
        since = _moment(self.unit.now() - within)
        names = {setting_of(_IN_VAIN, job_id): job_id for job_id in job_ids}
        with self.unit.read() as session:
            return {
                names[row.name]: int(row.value.rpartition(" ")[2])
                for some in chunks(names)
                for row in session.scalars(
                    select(Setting).where(Setting.name.in_(some), Setting.value >= since)
                )
            }

    def note_in_vain(self, before: Mapping[str, int], now: Mapping[str, int]) -> None:
        """Notes it; nothing is written where nothing has changed."""
        if before == now:
            return
        at = self.unit.now()
        with self.unit.write() as session:
            old = Setting.name.startswith(_IN_VAIN, autoescape=True), Setting.value < _moment(at - _KEPT)
            session.execute(delete(Setting).where(*old))
            for job_id in before.keys() - now.keys():
                if (row := session.get(Setting, setting_of(_IN_VAIN, job_id))) is not None:
                    session.delete(row)
            for job_id, count in now.items():
                session.merge(Setting(name=setting_of(_IN_VAIN, job_id), value=f"{_moment(at)} {count}"))


def _moment(value: datetime) -> str:
    """As it is kept: the later one is the greater text."""
    return value.astimezone(UTC).isoformat(timespec="seconds")
