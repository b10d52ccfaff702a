"""The intent to send a job, committed before the call, and what became of the call."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.approvals import approved_in
from adobe_privacy.ledger.delete_plan import DELETE
from adobe_privacy.ledger.identity import count_intents
from adobe_privacy.ledger.limits import end_pause_and_doubt, refuse_while_paused
from adobe_privacy.ledger.quotas import usage_on
from adobe_privacy.ledger.schema import Batch, Job, Transition
from adobe_privacy.ledger.second_jobs import add_second_job
from adobe_privacy.ledger.states import JobState, Move
from adobe_privacy.ledger.unit import Topic, chunks

_WITHDRAWN = {
    JobState.PLANNED: Move.WITHDRAW,
    JobState.RECEIVED: Move.WITHDRAW_OPT_OUT,
    JobState.REFUSED: Move.REFUSE,
    JobState.GONE: Move.FORGET,
}


class DailyLimitReached(Exception):
    """The intent would exceed the organisation's jobs of this UTC day; nothing was changed."""


class Intents(Topic):
    """Says what may be sent, and notes what Adobe has."""

    def intend(
        self, batch_id: str, job_ids: Collection[int], *, daily_limit: int, approve_deletes: bool = False
    ) -> list[Job]:
        """Commits the intent to send these jobs and charges them against the day; returns those that were
        still `PLANNED` in this batch, not on hold and not doubtful. Only what is returned may be sent.

        A delete is among them only once it is approved, where the batch was claimed so or `approve_deletes`
        says so. Raises DailyLimitReached where the day has no room for all of them, and Paused where Adobe asked
        for a pause that is not over.
        """
        with self.unit.write() as session:
            # Not before the lock was got: an intent must not look older than it is.
            now = self.unit.now()
            refuse_while_paused(session, now)
            jobs = self.unit.in_state(session, job_ids, JobState.PLANNED)
            # A sweep may have marked one as doubtful since the caller looked.
            jobs = [
                job
                for job in jobs
                if job.batch_id == batch_id and not job.on_hold and job.doubt_until is None
            ]
            batch = session.get_one(Batch, batch_id)
            if approve_deletes or batch.needs_approval:
                approved = approved_in(session, batch, jobs)
                jobs = [job for job in jobs if job.action != DELETE or job.id in approved]
            usage = usage_on(session, now.date())
            if usage.refused_at is not None or usage.jobs + len(jobs) > daily_limit:
                raise DailyLimitReached
            usage.jobs += len(jobs)
            if jobs:
                count_intents(session, now)
            for job in jobs:
                job.intent_at = now
            self.unit.move(session, jobs, Move.INTEND, "intent committed")
            return jobs

    def record_submitted(
        self,
        made: Collection[tuple[Job, str]],
        *,
        adobe_request_id: str | None,
        reason: str,
        answered: bool = False,
        created: Mapping[str, datetime] | None = None,
    ) -> int:
        """Adobe has these jobs: each as it was intended, with Adobe's job id. Returns how many are `SUBMITTED`
        by this.

        With `answered`, Adobe has just taken them: a pause it had asked for is over. `created` says when Adobe made its
        jobs, as far as a list tells it: a job that no intent of this ledger was charged for is charged to that day.

        What Adobe has is believed even where the intent was given up meanwhile. A further job of Adobe's for the
        same request gets a row of its own, see `second_jobs`. A job that the ledger knows already changes nothing.
        """
        with self.unit.write() as session:
            now = self.unit.now()
            times = {job_id: min(at, now) for job_id, at in (created or {}).items()}
            if answered:
                end_pause_and_doubt(session)
            rows = {row.id: row for row in self.unit.by_id(session, [job.id for job, _ in made])}
            seconds: list[tuple[Job, str]] = []
            submitted: dict[int, Job] = {}
            known = known_at_adobe(session, [adobe_job_id for _, adobe_job_id in made])
            for job, adobe_job_id in made:
                row = rows[job.id]
                if adobe_job_id in known:
                    continue
                known.add(adobe_job_id)
                if (
                    row.id not in submitted
                    and row.attempt == job.attempt
                    and row.state in Move.RECOGNISE.origins
                    and row.adobe_job_id is None
                ):
                    charged = row.state is JobState.SUBMITTING and row.doubt_until is None
                    made_at = None if charged else times.get(adobe_job_id)
                    if made_at is not None:
                        usage_on(session, made_at.date()).jobs += 1
                    row.adobe_job_id, row.adobe_request_id = adobe_job_id, adobe_request_id
                    row.batch_id, row.intent_at = job.batch_id, job.intent_at
                    row.submitted_at = made_at or now
                    row.outcome = row.doubt_until = None
                    submitted[row.id] = row
                else:
                    seconds.append((job, adobe_job_id))
            self.unit.move(session, list(submitted.values()), Move.RECOGNISE, reason)
            for job, adobe_job_id in seconds:
                if (made_at := times.get(adobe_job_id)) is not None:
                    usage_on(session, made_at.date()).jobs += 1
                add_second_job(self.unit, session, job, adobe_job_id, made_at or now, reason)
            return len(submitted)

    def withdraw(
        self, jobs: Collection[Job], to: JobState, reason: str | Mapping[int, str], *, refund: bool = False
    ) -> int:
        """The intent of `jobs` made nothing at Adobe. Jobs with another intent by now stay as they are. `reason` is
        that of all, or each one's by its id.

        With `GONE` for `to` it is not known whether it made anything, and nobody can look it up any more.

        `refund` takes them off the day's usage again: only where Adobe's answer said that nothing was made."""
        intents = {job.id: job.intent_at for job in jobs}
        with self.unit.write() as session:
            rows = [
                row
                for row in self.unit.in_state(session, intents, JobState.SUBMITTING)
                if row.intent_at == intents[row.id]
            ]
            for row in rows if refund else ():
                if row.intent_at is not None:
                    usage_on(session, row.intent_at.date()).jobs -= 1
            self.unit.put_back(session, rows, _WITHDRAWN[to], reason)
            for row in rows:
                row.doubt_until = None
            for row in rows if to is JobState.GONE else ():
                row.outcome = Verdict.UNKNOWN.value
            return len(rows)

    def known_adobe_jobs(self, adobe_job_ids: Collection[str]) -> set[str]:
        """Which of these Adobe job ids belong to some attempt in the ledger, present or past."""
        with self.unit.read() as session:
            return known_at_adobe(session, adobe_job_ids)


def known_at_adobe(session: Session, adobe_job_ids: Collection[str]) -> set[str]:
    known: set[str] = set()
    for some in chunks(adobe_job_ids):
        for column in (Job.adobe_job_id, Transition.adobe_job_id):
            query = select(column).where(column.in_(some))
            known.update(found for found in session.scalars(query) if found)
    return known
