"""One UTC day's jobs: how many may still be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.schema import PLANNED, Batch, Job, Usage
from adobe_privacy.ledger.unit import Topic


@dataclass(frozen=True)
class Quota:
    """One UTC day's jobs: sent (or perhaps sent), reserved by batches, and whether Adobe refused more."""

    day: date
    used: int
    planned: int
    refused: bool

    def available(self, limit: int) -> int:
        return 0 if self.refused else max(0, limit - self.used - self.planned)


class Quotas(Topic):
    """Reads and closes the day."""

    def today(self) -> Quota:
        with self.unit.read() as session:
            return quota_on(session, self.unit.now().date())

    def record_refusal(self, day: date) -> None:
        """Adobe has refused whatever was asked on this UTC day for the day's limit: nothing more is intended on
        it. The day is that of the intent: an answer may come after midnight."""
        with self.unit.write() as session:
            usage = usage_on(session, day)
            usage.refused_at = usage.refused_at or self.unit.now()


def usage_on(session: Session, day: date) -> Usage:
    usage = session.get(Usage, day)
    if usage is None:
        usage = Usage(day=day, jobs=0)
        session.add(usage)
        session.flush()
    return usage


def quota_on(session: Session, day: date) -> Quota:
    usage = session.get(Usage, day)
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
    )
