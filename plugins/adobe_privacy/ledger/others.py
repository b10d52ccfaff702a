"""Jobs at Adobe that this ledger does not know: somebody else's, or a second one for a request of ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from adobe_privacy.ledger.attention import not_done
from adobe_privacy.ledger.intents import known_at_adobe
from adobe_privacy.ledger.keys import note_moment, noted_moment
from adobe_privacy.ledger.schema import AT_ADOBE, Job, Origin
from adobe_privacy.ledger.second_jobs import add_second_job, next_part
from adobe_privacy.ledger.states import OPEN_AT_ADOBE, UNSENT_STATES, JobState, Move
from adobe_privacy.ledger.unit import Topic, chunks

_SWEPT_AT = "swept_at"


@dataclass(frozen=True)
class OthersJob:
    """A job at Adobe that we may not have made. Its user key may be somebody's address and is not in here:
    `request_id_in_key` is what the key says where it has the form of ours, else None."""

    adobe_job_id: str
    regulation: str
    action: str
    created_at: datetime
    due_on: date
    request_id_in_key: str | None


class AtAdobe(NamedTuple):
    """A job at Adobe that is not archived, by its ids here and there. `asked_at` is when it was last asked for singly.
    It has an `outcome` where its detail has called it complete."""

    id: int
    adobe_job_id: str | None
    submitted_at: datetime
    asked_at: datetime
    outcome: str | None


class Others(Topic):
    """Registers others' jobs, and finds jobs by Adobe's ids."""

    def register(self, jobs: Sequence[OthersJob]) -> set[str]:
        """Writes down, as `SUBMITTED`, those of `jobs` that the ledger does not know; they are never sent. One with
        the key and the action of a request that Adobe has already belongs to that request.

        Returns Adobe's ids of those left out because a request of ours with the same id and action is not known
        to be at Adobe: the job may be what became of a call without an answer, and only the submission may
        decide that, or it would not find the job and send the request again.
        """
        with self.unit.write() as session:
            known = known_at_adobe(session, {job.adobe_job_id for job in jobs})
            new = [job for job in jobs if job.adobe_job_id not in known]
            ours = _ours(session, {job.request_id_in_key for job in new if job.request_id_in_key})
            left: set[str] = set()
            for job in new:
                of_request = ours.get((job.request_id_in_key or "", job.action), [])
                if any(each.state in (JobState.RECEIVED, *UNSENT_STATES) for each in of_request):
                    left.add(job.adobe_job_id)
                elif of_request:
                    reason = "found at Adobe by its user key"
                    add_second_job(
                        self.unit, session, of_request[0], job.adobe_job_id, job.created_at, reason
                    )
                else:
                    self._register(session, job)
            return left

    def _register(self, session: Session, job: OthersJob) -> None:
        request_id = f"adobe:{job.adobe_job_id}"
        row = Job(
            request_id=request_id,
            regulation=job.regulation,
            action=job.action,
            # An inbox of former days may have used such an id.
            part=next_part(session, request_id, job.regulation, job.action),
            key=request_id,
            fingerprint="",
            source="",
            inbox_date=job.created_at.date(),
            received_at=job.created_at,
            taken_in_at=self.unit.now(),
            due_on=job.due_on,
            origin=Origin.ADOBE,
            state=Move.REGISTER.to,
            submitted_at=job.created_at,
            adobe_job_id=job.adobe_job_id,
        )
        session.add(row)
        session.flush()
        self.unit.note(session, [row], None, Move.REGISTER.to, "found at Adobe, not ours")
        self.unit.daily_figures(session).arrived += 1

    def note_sweep(self) -> None:
        """A sweep has gone through all that is open at Adobe."""
        with self.unit.write() as session:
            note_moment(session, _SWEPT_AT, self.unit.now())

    def swept_at(self) -> datetime | None:
        """When a sweep last went through all that is open at Adobe; None where none has since that is noted."""
        with self.unit.read() as session:
            return noted_moment(session, _SWEPT_AT)

    def jobs_at_adobe(self, adobe_job_ids: Collection[str], *states: JobState) -> list[Job]:
        """The jobs whose present attempt has one of these Adobe job ids, and which are in one of `states`."""
        with self.unit.read() as session:
            return [
                row
                for some in chunks(adobe_job_ids)
                for row in session.scalars(
                    select(Job).where(Job.adobe_job_id.in_(some), Job.state.in_(states)).order_by(Job.id)
                )
            ]

    def not_done(self, adobe_job_ids: Collection[str]) -> list[Job]:
        """Of the same, those that are archived although some product should have done what was asked and did not, as
        long as nobody has sent them again or closed them."""
        with self.unit.read() as session:
            return [
                row
                for some in chunks(adobe_job_ids)
                for row in session.scalars(
                    select(Job).where(Job.adobe_job_id.in_(some), not_done()).order_by(Job.id)
                )
            ]

    def settled(self, adobe_job_ids: Collection[str]) -> set[str]:
        """Which of these Adobe job ids the ledger knows and has no more work with."""
        open_jobs = {job.adobe_job_id for job in self.jobs_at_adobe(adobe_job_ids, *OPEN_AT_ADOBE)}
        with self.unit.read() as session:
            return known_at_adobe(session, adobe_job_ids) - open_jobs

    def least_recently_asked(
        self, regulations: Collection[str], submitted_before: datetime
    ) -> Iterator[AtAdobe]:
        """The jobs at Adobe that are not archived: who was asked for the longest time ago comes first. They are read as
        they are asked for."""
        query = (
            select(Job.id, Job.adobe_job_id, Job.submitted_at, Job.asked_at, Job.outcome)
            .where(
                AT_ADOBE,
                Job.adobe_job_id.is_not(None),
                Job.regulation.in_(regulations),
                Job.submitted_at < submitted_before,
            )
            .order_by(Job.asked_at, Job.submitted_at, Job.id)
        )
        with self.unit.read() as session:
            for row in session.execute(query.execution_options(yield_per=1000)):
                yield AtAdobe(*row)

    def ask(self, job_ids: Collection[int]) -> list[Job]:
        """Notes that these jobs are asked for now; returns those that are still at Adobe and not archived."""
        with self.unit.write() as session:
            for some in chunks(job_ids):
                session.execute(update(Job).where(Job.id.in_(some)).values(asked_at=self.unit.now()))
            return self.unit.by_id(session, job_ids, Job.state.in_(OPEN_AT_ADOBE))


def _ours(session: Session, request_ids: Collection[str]) -> dict[tuple[str, str], list[Job]]:
    """Our jobs of these requests by request id and action, the first part first."""
    found: dict[tuple[str, str], list[Job]] = defaultdict(list)
    for some in chunks(request_ids):
        query = select(Job).where(Job.request_id.in_(some), Job.origin == Origin.INBOX).order_by(Job.part)
        for row in session.scalars(query):
            found[row.request_id, row.action].append(row)
    return found
