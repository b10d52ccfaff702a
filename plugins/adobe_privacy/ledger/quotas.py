"""One UTC day's jobs: how many may still be sent, and how large a batch may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from adobe_privacy.api.facts import MAX_JOBS
from adobe_privacy.ledger.schema import PLANNED, Batch, Job, Usage
from adobe_privacy.ledger.unit import Topic

# By so much batches shrink after a day on which Adobe refused more than it took, and grow after any other.
BATCH_LIMIT_STEP = 10


@dataclass(frozen=True)
class Quota:
    """One UTC day's jobs: sent (or perhaps sent), reserved by batches, and whether Adobe refused more.
    `batch_limit` is how many a batch may have, where Adobe's refusals of former days limit that."""

    day: date
    used: int
    planned: int
    refused: bool
    batch_limit: int | None = None

    def available(self, limit: int) -> int:
        return 0 if self.refused else max(0, limit - self.used - self.planned)


class Quotas(Topic):
    """Reads and closes the day."""

    def today(self) -> Quota:
        with self.unit.read() as session:
            return quota_on(session, self.unit.now().date())

    def record_refusal(self, jobs: int) -> None:
        """Adobe said to a call with so many jobs that the day's limit is reached: nothing more is intended before
        the next UTC day.

        Others may use the same limit and leave less of it than one batch needs, every day. So after a day on
        which Adobe took fewer jobs than it refused at once, batches are a tenth of what it refused.
        """
        with self.unit.write() as session:
            usage = usage_on(session, self.unit.now().date())
            usage.refused_at = usage.refused_at or self.unit.now()
            usage.refused_jobs = max(usage.refused_jobs, jobs)


def usage_on(session: Session, day: date) -> Usage:
    usage = session.get(Usage, day)
    if usage is None:
        usage = Usage(day=day, jobs=0, refused_jobs=0, batch_limit=_batch_limit(session, day))
        session.add(usage)
        session.flush()
    return usage


def quota_on(session: Session, day: date) -> Quota:
    usage = session.get(Usage, day)
    batch_limit = usage.batch_limit if usage else _batch_limit(session, day)
    in_batches = (
        select(Job.batch_id, func.count().label("jobs"), func.count(Job.approval_id).label("approved"))
        .where(PLANNED)
        .group_by(Job.batch_id)
        .subquery()
    )
    # What waits for a person takes no room away from what does not.
    counted = case((Batch.needs_approval, in_batches.c.approved), else_=in_batches.c.jobs)
    planned = (
        session.scalar(
            select(func.sum(counted)).select_from(in_batches).join(Batch, Batch.id == in_batches.c.batch_id)
        )
        or 0
    )
    return Quota(
        day=day,
        used=usage.jobs if usage else 0,
        planned=int(planned),
        refused=bool(usage and usage.refused_at),
        batch_limit=batch_limit,
    )


def _batch_limit(session: Session, day: date) -> int | None:
    last = session.scalar(select(Usage).where(Usage.day < day).order_by(Usage.day.desc()).limit(1))
    if last is None:
        return None
    if last.refused_at is not None and last.jobs < last.refused_jobs:
        return max(1, last.refused_jobs // BATCH_LIMIT_STEP)
    if last.batch_limit is None or last.refused_at is not None or not last.jobs:
        return last.batch_limit
    grown = last.batch_limit * BATCH_LIMIT_STEP
    return grown if grown < MAX_JOBS else None
