"""What should be at Adobe by now and is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, Subquery, func, select

from adobe_privacy.ledger.moments_of_jobs import last_move, waiting_since
from adobe_privacy.ledger.schema import OPT_OUTS, REFUSED_TOGETHER, WAITING, Batch, Job, Transition
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic

UNSENT = (JobState.PLANNED, JobState.SUBMITTING)


@dataclass(frozen=True, slots=True)
class LateJobs:
    """Jobs that were to be sent together. `id` is their batch. Without one they have waited for a plan, or as opt-outs,
    since a moment: who is told of those of one moment is not told of what came after."""

    id: str | None
    regulation: str | None
    inbox_date: date
    jobs: int
    since: datetime | None = None


class Late(Topic):
    """Jobs that were to be sent, and are not known to be at Adobe. Those on hold are not among them."""

    def batches(self, claimed_before: datetime) -> list[LateJobs]:
        """Batches claimed before a moment, without deletes that wait for a person's approval."""
        query = (
            select(Batch.id, Batch.regulation, Batch.inbox_date, func.count(Job.id))
            .join(Job, Job.batch_id == Batch.id)
            .where(
                Job.state.in_(UNSENT),
                Job.on_hold.is_(False),
                Batch.created_at <= claimed_before,
                Batch.needs_approval.is_(False) | Job.approval_id.is_not(None),
            )
            .group_by(Batch.id, Batch.regulation, Batch.inbox_date)
            .order_by(Batch.inbox_date, Batch.id)
        )
        with self.unit.read() as session:
            return [LateJobs(*row) for row in session.execute(query)]

    def waiting(self, since_before: datetime) -> list[LateJobs]:
        """Jobs that have waited for a plan since before a moment, without those that were refused with their batch:
        each plan claims these, and people are told of them."""
        refused = func.coalesce(last_move(Transition.reason), "").startswith(REFUSED_TOGETHER)
        jobs = (
            select(Job.regulation, Job.inbox_date, waiting_since().label("since"))
            .where(WAITING, Job.taken_in_at <= since_before, ~refused)
            .subquery()
        )
        with self.unit.read() as session:
            return [LateJobs(None, *row) for row in session.execute(_counted(jobs, since_before))]

    def opt_outs(self, since_before: datetime) -> list[LateJobs]:
        """Opt-outs that have waited since before a moment and that Adobe is not known to have accepted, by their inbox
        folder and since when they have waited."""
        jobs = (
            select(Job.inbox_date, waiting_since().label("since"))
            .where(
                OPT_OUTS,
                Job.state.in_((JobState.RECEIVED, JobState.SUBMITTING)),
                Job.on_hold.is_(False),
                Job.taken_in_at <= since_before,
            )
            .subquery()
        )
        with self.unit.read() as session:
            return [LateJobs(None, None, *row) for row in session.execute(_counted(jobs, since_before))]


def _counted(jobs: Subquery, since_before: datetime) -> Select[Any]:
    """How many jobs are alike in all that is selected of them; `since`, of before a moment, is the last of it."""
    *alike, since = jobs.c
    return (
        select(*alike, func.count(), since).where(since <= since_before).group_by(*jobs.c).order_by(*jobs.c)
    )
