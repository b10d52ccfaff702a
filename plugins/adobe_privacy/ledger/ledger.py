"""The ledger: which request is where, committed before anything is sent, and every change of it for ever.

It promises: a job is claimed by one batch; no job leaves `PLANNED` without a committed intent; a change that
finds the job in another state than it expects does nothing and says so. It does not talk to Adobe, and it
holds no identity: whoever needs one reads the inbox again.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    distinct,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.orm import Session

from adobe_privacy.ledger.approvals import ANSWERED_WITHIN, DELETE, DeletePlan, PlanChanged, UnknownRequests
from adobe_privacy.ledger.database import LedgerError, create_ledger_engine, exclusive, lock, upgrade
from adobe_privacy.ledger.schema import (
    HELD,
    OPEN_STATES,
    OPT_OUTS,
    PLANNED,
    UNFINISHED,
    WAITING,
    Approval,
    Batch,
    DailyFigures,
    Job,
    JobState,
    Origin,
    Setting,
    StateName,
    Transition,
    Usage,
    UtcDateTime,
)

T = TypeVar("T")

# Adobe is not known to have a job in one of these.
UNSENT_STATES = (JobState.PLANNED, JobState.SUBMITTING)
UNSUBMITTED_STATES = (JobState.RECEIVED, *UNSENT_STATES, JobState.REFUSED)
# A batch that nobody has sent, or a request that nobody has claimed, has lost its run after this long: the next
# plan takes it over. Before, its own day's run is about to; of a backfill's days the runs begin together.
ABANDONED_AFTER = timedelta(hours=1)
# Adobe takes at most 1,000 users in a call, each with an access job, a delete job or both.
MAX_BATCH_USERS = 1000
MAX_BATCH_JOBS = 2 * MAX_BATCH_USERS
# By so much batches shrink after a day on which Adobe refused more than it took, and grow after any other.
BATCH_LIMIT_STEP = 10


def utc_now() -> datetime:
    return datetime.now(UTC)


class Reception(StrEnum):
    """What the ledger made of a request that arrived."""

    NEW = "new"
    DUPLICATE = "duplicate"  # the same id and the same content: known already
    CONFLICT = "conflict"  # the same id with other content: refused


@dataclass(frozen=True)
class ReceivedJob:
    action: str
    part: int
    key: str
    due_on: date
    submit_by: date | None = None
    alarm_at: datetime | None = None


@dataclass(frozen=True)
class ReceivedRequest:
    """A valid request as the intake hands it over; `fingerprint` stands for its content."""

    request_id: str
    regulation: str
    fingerprint: str
    source: str
    inbox_date: date
    products: str
    received_at: datetime
    jobs: tuple[ReceivedJob, ...]


@dataclass(frozen=True)
class FinishedJob:
    """What Adobe says of a job that it is done with. `completed_at` is None where it does not say when."""

    job: Job
    completed_at: datetime | None
    outcome: str
    outcome_code: str | None


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


@dataclass(frozen=True)
class BatchContent:
    """What is in a batch at the moment; `unsent` jobs are not known to be at Adobe."""

    users: int
    jobs: int
    unsent: int
    actions: dict[str, int]
    first_due: date
    submit_by: date | None


class DailyLimitReached(Exception):
    """The intent would exceed the organisation's jobs of this UTC day; nothing was changed."""


class Ledger:
    """One process's view of the ledger; `actor` is written beside every change it makes.

    `now` is replaced in tests. Rows that the methods return are copies: changing one changes nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        actor: str,
        fingerprint_key: str | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.engine = create_ledger_engine(url)
        self.actor = actor
        self.now = now
        self._rehearsal: Connection | None = None
        self._configured_key = fingerprint_key
        upgrade(self.engine)

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- intake -------------------------------------------------------------------------------------------

    def fingerprint(self, content: bytes) -> str:
        """A keyed hash: tells whether two contents are the same, and nothing about them without the key.

        Raises LedgerError where the key is not the one that the ledger's requests were written with.
        """
        return hmac.digest(self._fingerprint_key, content, "sha256").hex()

    def receive(self, requests: Sequence[ReceivedRequest]) -> list[Reception]:
        """Writes the new ones of `requests` down as `RECEIVED`; one answer per request, in order."""
        answers: list[Reception] = []
        with self._write() as session:
            known = self._known(session, {request.request_id for request in requests})
            new: list[ReceivedRequest] = []
            moved: dict[str, str] = {}
            for request in requests:
                fingerprint, source = known.get(request.request_id, (None, None))
                if fingerprint is None:
                    new.append(request)
                    answers.append(Reception.NEW)
                elif fingerprint == request.fingerprint:
                    # The identities are read where the request was last seen.
                    if source != request.source:
                        moved[request.request_id] = request.source
                    answers.append(Reception.DUPLICATE)
                else:
                    answers.append(Reception.CONFLICT)
                    continue
                known[request.request_id] = (request.fingerprint, request.source)
            self._add(session, new)
            self._follow(session, moved)
        return answers

    @staticmethod
    def _known(session: Session, request_ids: Collection[str]) -> dict[str, tuple[str | None, str | None]]:
        """Fingerprint and source of those requests that the ledger knows."""
        known: dict[str, tuple[str | None, str | None]] = {}
        for some in _chunks(request_ids):
            query = select(Job.request_id, Job.fingerprint, Job.source).where(Job.request_id.in_(some))
            known.update({row.request_id: (row.fingerprint, row.source) for row in session.execute(query)})
        return known

    def _add(self, session: Session, requests: Sequence[ReceivedRequest]) -> None:
        now = self.now()
        rows = [_new_row(request, job, now) for request in requests for job in request.jobs]
        if rows:
            # No other writer is about, so what is numbered higher afterwards is what was added here.
            last = session.scalar(select(func.max(Job.id))) or 0
            session.execute(insert(Job), rows)
            self._note_rows(session, Job.id > last, None, JobState.RECEIVED, "arrived in the inbox")
            self._figures(session).arrived += len(rows)

    @staticmethod
    def _follow(session: Session, moved: dict[str, str]) -> None:
        by_source: dict[str, list[str]] = {}
        for request_id, source in moved.items():
            by_source.setdefault(source, []).append(request_id)
        for source, request_ids in by_source.items():
            for some in _chunks(request_ids):
                session.execute(update(Job).where(Job.request_id.in_(some)).values(source=source))

    # -- planning -----------------------------------------------------------------------------------------

    def quota(self) -> Quota:
        with self._read() as session:
            return self._quota(session)

    def claim_batch(
        self,
        *,
        run_id: str,
        inbox_date: date,
        daily_limit: int,
        products: str = "",
        default_products: str = "",
        max_users: int = MAX_BATCH_USERS,
        max_jobs: int | None = None,
        approve_deletes: bool = False,
    ) -> Batch | None:
        """Takes the most urgent waiting jobs of `inbox_date`, of one regulation and product list, into a new batch
        of at most `max_users` users; None where nothing waits or the quota leaves no room. Jobs of days before
        wait for any run, once their own has had an hour to claim them.

        `products` replaces what the requests ask for; `default_products` serves those that ask for nothing.
        With `approve_deletes`, deletes get batches of their own, which nobody sends before they are approved.
        """
        with self._write() as session:
            quota = self._quota(session)
            room = quota.available(daily_limit)
            if max_jobs is not None:
                room = min(room, max_jobs)
            now = self.now()
            first = session.execute(
                waiting(inbox_date, now, Job.regulation, Job.products, Job.action).limit(1)
            ).first()
            if first is None or room <= 0:
                return None
            room = min(room, quota.batch_limit or room)
            same_group = waiting(inbox_date, now, Job.id, Job.key).where(
                Job.regulation == first.regulation, Job.products == first.products
            )
            if approve_deletes:
                deletes = first.action == DELETE
                same_group = same_group.where(Job.action == DELETE if deletes else Job.action != DELETE)
            keys: set[str] = set()
            ids: list[int] = []
            # A user has an access job, a delete job or both.
            for job_id, key in session.execute(same_group.limit(min(room, 2 * max_users))):
                if key not in keys and len(keys) == max_users:
                    break
                keys.add(key)
                ids.append(job_id)
            batch = Batch(
                id=str(uuid.uuid4()),
                regulation=first.regulation,
                products=products or first.products or default_products,
                inbox_date=inbox_date,
                run_id=run_id,
                created_at=now,
                needs_approval=approve_deletes and first.action == DELETE,
            )
            session.add(batch)
            for some in _chunks(ids):
                claim = update(Job).where(Job.id.in_(some))
                session.execute(claim.values(state=JobState.PLANNED, batch_id=batch.id))
            self._note_rows(session, Job.batch_id == batch.id, JobState.RECEIVED, JobState.PLANNED, "claimed")
            return batch

    def open_batches(self, *, run_id: str, inbox_date: date) -> list[Batch]:
        """The batches with work left that a run of `inbox_date` answers for: its own, those with jobs of its
        day, and those of earlier days whose run never sent them; not while a person is being asked about one."""
        now = self.now()
        of_run = (
            select(Job.batch_id)
            .join(Batch, Batch.id == Job.batch_id)
            .where(Batch.run_id == run_id, Job.state.in_(OPEN_STATES))
        )
        of_day = select(Job.batch_id).where(
            Job.inbox_date == inbox_date, Job.state.in_(OPEN_STATES), Job.batch_id.is_not(None)
        )
        abandoned = (
            select(Job.batch_id)
            .join(Batch, Batch.id == Job.batch_id)
            .where(
                Job.state.in_(UNSENT_STATES),
                Batch.created_at < now - ABANDONED_AFTER,
                or_(
                    Batch.needs_approval.is_(False),
                    Job.approval_id.is_not(None),
                    Batch.created_at < now - ANSWERED_WITHIN - timedelta(days=1),
                ),
                Batch.inbox_date <= inbox_date,
            )
        )
        ids = union(of_run, of_day, abandoned)
        with self._read() as session:
            return list(
                session.scalars(select(Batch).where(Batch.id.in_(ids)).order_by(Batch.created_at, Batch.id))
            )

    def batch_contents(self, batch_ids: Collection[str]) -> dict[str, BatchContent]:
        """What these batches hold; a batch that holds nothing any more is not among them."""
        contents: dict[str, BatchContent] = {}
        with self._read() as session:
            for some in _chunks(batch_ids):
                here = Job.batch_id.in_(some)
                counted = select(Job.batch_id, Job.action, func.count()).where(here)
                actions: dict[str | None, dict[str, int]] = {}
                for batch_id, action, count in session.execute(counted.group_by(Job.batch_id, Job.action)):
                    actions.setdefault(batch_id, {})[action] = count
                summed = select(
                    Job.batch_id,
                    func.count(distinct(Job.key)),
                    func.count(),
                    func.sum(case((Job.state.in_(UNSENT_STATES), 1), else_=0)),
                    func.min(Job.due_on),
                    func.min(Job.submit_by),
                ).where(here)
                for batch_id, *sums in session.execute(summed.group_by(Job.batch_id)):
                    users, jobs, unsent, due, submit_by = sums
                    contents[batch_id] = BatchContent(users, jobs, unsent, actions[batch_id], due, submit_by)
        return contents

    def count_waiting(self, inbox_date: date) -> int:
        """Jobs that a run of `inbox_date` could still claim."""
        with self._read() as session:
            return session.scalar(waiting(inbox_date, self.now(), func.count()).order_by(None)) or 0

    # -- approval of deletes ------------------------------------------------------------------------------

    def delete_plan(self, batch_id: str) -> DeletePlan:
        """The deletes of a batch that nothing was sent of, those on hold among them."""
        with self._read() as session:
            return self._delete_plan(session, batch_id)

    def unapproved_deletes(self, batch_id: str, *, approve_deletes: bool = False) -> list[Job]:
        """The deletes of a batch that `intend` would not let through; those on hold are not among them."""
        with self._read() as session:
            plan = self._delete_plan(session, batch_id)
            if not (approve_deletes or plan.batch.needs_approval):
                return []
            approved = self._approved(session, plan.batch, plan.jobs)
            return [job for job in plan.jobs if job.id not in approved and not job.on_hold]

    def decide(
        self, batch_id: str, plan_hash: str, *, approved: bool, hold: Collection[str] = ()
    ) -> tuple[int, int]:
        """A person's answer, signed by the ledger's actor: the deletes of the plan with this hash may be sent
        in their present attempt, to these products; or they may not, and are put on hold. The requests in
        `hold` are put on hold in either case. Returns how many jobs may be sent and how many may not.

        Raises PlanChanged where the plan is another by now, and UnknownRequests; then nothing was changed.
        """
        with self._write() as session:
            plan = self._delete_plan(session, batch_id)
            if plan.hash != plan_hash:
                raise PlanChanged
            if unknown := set(hold) - {job.request_id for job in plan.jobs}:
                raise UnknownRequests(unknown)
            stopped = [job for job in plan.jobs if not approved or job.on_hold or job.request_id in hold]
            stopped_ids = {job.id for job in stopped}
            allowed = [job for job in plan.jobs if job.id not in stopped_ids]
            approval = Approval(
                batch_id=batch_id,
                plan_hash=plan_hash,
                regulation=plan.batch.regulation,
                products=plan.batch.products,
                approved=approved,
                jobs=len(plan.jobs),
                on_hold=len(stopped),
                decided_by=self.actor[:512],
                decided_at=self.now(),
            )
            session.add(approval)
            session.flush()
            for job in allowed:
                job.approval_id = approval.id
            self._note(session, allowed, JobState.PLANNED, JobState.PLANNED, f"approved, plan {plan_hash}")
            said = "held back" if approved else "rejected"
            newly = [job for job in stopped if not job.on_hold]
            for job in stopped:
                # Of an earlier plan, which is answered otherwise by this one.
                job.on_hold, job.approval_id = True, None
            self._note(
                session,
                newly,
                JobState.PLANNED,
                JobState.PLANNED,
                f"on hold: {said} by {self.actor.removeprefix('user ')}, plan {plan_hash}",
            )
            self._put_back(session, stopped, JobState.RECEIVED, "on hold")
            return len(allowed), len(stopped)

    @staticmethod
    def _delete_plan(session: Session, batch_id: str) -> DeletePlan:
        batch = session.get(Batch, batch_id)
        if batch is None:
            raise LedgerError(f"the ledger has no batch {batch_id}: is privacy_ledger the right one?")
        query = select(Job).where(
            Job.batch_id == batch_id, Job.state == JobState.PLANNED, Job.action == DELETE
        )
        return DeletePlan(batch, tuple(session.scalars(query.order_by(Job.due_on, Job.id))))

    @staticmethod
    def _approved(session: Session, batch: Batch, jobs: Collection[Job]) -> set[int]:
        """Which of `jobs` were approved, in their present attempt, to be sent as a part of `batch`."""
        ids = {job.approval_id for job in jobs if job.approval_id is not None}
        valid = {
            found
            for some in _chunks(ids)
            for found in session.scalars(
                select(Approval.id).where(
                    Approval.id.in_(some),
                    Approval.approved,
                    Approval.regulation == batch.regulation,
                    Approval.products == batch.products,
                )
            )
        }
        return {job.id for job in jobs if job.approval_id in valid}

    # -- submission ---------------------------------------------------------------------------------------

    def batch(self, batch_id: str) -> Batch:
        with self._read() as session:
            batch = session.get(Batch, batch_id)
            if batch is None:
                raise LedgerError(f"the ledger has no batch {batch_id}: is privacy_ledger the right one?")
            return batch

    def batch_jobs(self, batch_id: str, *states: JobState) -> list[Job]:
        query = select(Job).where(Job.batch_id == batch_id).order_by(Job.due_on, Job.id)
        if states:
            query = query.where(Job.state.in_(states))
        with self._read() as session:
            return list(session.scalars(query))

    def intend(
        self, batch_id: str, job_ids: Collection[int], *, daily_limit: int, approve_deletes: bool = False
    ) -> list[Job]:
        """Commits the intent to send these jobs and charges them against the day; returns those that were
        still `PLANNED` in this batch and not on hold. Only what is returned may be sent.

        A delete is among them only once it is approved, where the batch was claimed so or `approve_deletes`
        says so. Raises DailyLimitReached where the day has no room for all of them.
        """
        with self._write() as session:
            # Not before the lock was got: an intent must not look older than it is.
            now = self.now()
            jobs = self._in_state(session, job_ids, JobState.PLANNED)
            jobs = [job for job in jobs if job.batch_id == batch_id and not job.on_hold]
            batch = session.get_one(Batch, batch_id)
            if approve_deletes or batch.needs_approval:
                approved = self._approved(session, batch, jobs)
                jobs = [job for job in jobs if job.action != DELETE or job.id in approved]
            usage = self._usage(session, now.date())
            if usage.refused_at is not None or usage.jobs + len(jobs) > daily_limit:
                raise DailyLimitReached
            usage.jobs += len(jobs)
            for job in jobs:
                job.intent_at = now
            self._move(session, jobs, JobState.SUBMITTING, "intent committed")
            return jobs

    def record_submitted(
        self, made: Collection[tuple[Job, str]], *, adobe_request_id: str | None, reason: str
    ) -> int:
        """Adobe has these jobs: each as it was intended, with Adobe's job id. Returns how many are `SUBMITTED`
        by this.

        What Adobe has is believed even where the intent was given up meanwhile. A second job of Adobe's for
        the same attempt changes nothing but the history, where it stands with its id.
        """
        with self._write() as session:
            now = self.now()
            rows = {row.id: row for row in self._by_id(session, [job.id for job, _ in made])}
            submitted: list[Job] = []
            for job, adobe_job_id in made:
                row = rows[job.id]
                if row.attempt == job.attempt and row.state in UNSUBMITTED_STATES:
                    row.adobe_job_id, row.adobe_request_id = adobe_job_id, adobe_request_id
                    row.batch_id, row.intent_at, row.submitted_at = job.batch_id, job.intent_at, now
                    submitted.append(row)
                elif row.adobe_job_id != adobe_job_id:
                    self._note(
                        session, [row], row.state, row.state, f"second job at Adobe: {reason}", adobe_job_id
                    )
            self._move(session, submitted, JobState.SUBMITTED, reason)
            return len(submitted)

    def withdraw(self, jobs: Collection[Job], to: JobState, reason: str, *, refund: bool = False) -> int:
        """The intent of `jobs` made nothing at Adobe. Jobs with another intent by now stay as they are.

        `refund` takes them off the day's usage again: only where Adobe's answer said that nothing was made."""
        intents = {job.id: job.intent_at for job in jobs}
        with self._write() as session:
            rows = [
                row
                for row in self._in_state(session, intents, JobState.SUBMITTING)
                if row.intent_at == intents[row.id]
            ]
            for row in rows if refund else ():
                if row.intent_at is not None:
                    self._usage(session, row.intent_at.date()).jobs -= 1
            self._put_back(session, rows, to, reason)
            return len(rows)

    def unclaim(self, batch_id: str, reason: str, *, job_ids: Collection[int] | None = None) -> int:
        """Gives jobs of a batch that were never intended back to the next plan."""
        with self._write() as session:
            query = select(Job).where(Job.batch_id == batch_id, Job.state == JobState.PLANNED)
            rows = [row for row in session.scalars(query) if job_ids is None or row.id in job_ids]
            self._put_back(session, rows, JobState.RECEIVED, reason)
            return len(rows)

    def refuse(self, job_ids: Collection[int], reason: str) -> int:
        """The planner will not send these: they wait for a person."""
        with self._write() as session:
            rows = self._in_state(session, job_ids, JobState.PLANNED)
            self._put_back(session, rows, JobState.REFUSED, reason)
            return len(rows)

    def _put_back(self, session: Session, rows: Sequence[Job], to: JobState, reason: str) -> None:
        for row in rows:
            row.intent_at = None
        self._move(session, rows, to, reason)
        for row in rows:
            if to is JobState.RECEIVED:
                row.batch_id = None

    def record_quota_refusal(self, jobs: int) -> None:
        """Adobe said to a call with so many jobs that the day's limit is reached: nothing more is intended before
        the next UTC day.

        Others may use the same limit and leave less of it than one batch needs, every day. So after a day on
        which Adobe took fewer jobs than it refused at once, batches are a tenth of what it refused.
        """
        with self._write() as session:
            usage = self._usage(session, self.now().date())
            usage.refused_at = usage.refused_at or self.now()
            usage.refused_jobs = max(usage.refused_jobs, jobs)

    def known_adobe_jobs(self, adobe_job_ids: Collection[str]) -> set[str]:
        """Which of these Adobe job ids belong to some attempt in the ledger, present or past."""
        with self._read() as session:
            return self._known_at_adobe(session, adobe_job_ids)

    @staticmethod
    def _known_at_adobe(session: Session, adobe_job_ids: Collection[str]) -> set[str]:
        known: set[str] = set()
        for some in _chunks(adobe_job_ids):
            for column in (Job.adobe_job_id, Transition.adobe_job_id):
                query = select(column).where(column.in_(some))
                known.update(found for found in session.scalars(query) if found)
        return known

    # -- jobs that others made ----------------------------------------------------------------------------

    def adopt(self, jobs: Sequence[OthersJob]) -> set[str]:
        """Writes down, as `SUBMITTED`, those of `jobs` that the ledger does not know; they are never sent.

        Returns Adobe's ids of those left out because a request of ours with the same id and action is not known
        to be at Adobe: the job may be what became of a call without an answer, and only the submission may
        decide that, or it would not find the job and send the request again.
        """
        with self._write() as session:
            known = self._known_at_adobe(session, {job.adobe_job_id for job in jobs})
            new = [job for job in jobs if job.adobe_job_id not in known]
            unsettled: set[tuple[str, str]] = set()
            for some in _chunks({job.request_id_in_key for job in new if job.request_id_in_key}):
                query = select(Job.request_id, Job.action).where(
                    Job.request_id.in_(some), Job.state.in_((JobState.RECEIVED, *UNSENT_STATES))
                )
                unsettled.update(session.execute(query).tuples())
            now = self.now()
            rows = [
                _others_row(job, now) for job in new if (job.request_id_in_key, job.action) not in unsettled
            ]
            if rows:
                last = session.scalar(select(func.max(Job.id))) or 0
                session.execute(insert(Job), rows)
                self._note_rows(session, Job.id > last, None, JobState.SUBMITTED, "found at Adobe, not ours")
                self._figures(session).arrived += len(rows)
            return {job.adobe_job_id for job in new} - {str(row["adobe_job_id"]) for row in rows}

    def jobs_at_adobe(self, adobe_job_ids: Collection[str], *states: JobState) -> list[Job]:
        """The jobs whose present attempt has one of these Adobe job ids, and which are in one of `states`."""
        with self._read() as session:
            return [
                row
                for some in _chunks(adobe_job_ids)
                for row in session.scalars(
                    select(Job).where(Job.adobe_job_id.in_(some), Job.state.in_(states)).order_by(Job.id)
                )
            ]

    def submitted_between(self, since: datetime, until: datetime, *, limit: int) -> list[Job]:
        """Jobs of ours that Adobe had not finished when last seen, by when they were submitted, oldest first."""
        query = select(Job).where(
            Job.state.in_((JobState.SUBMITTED, JobState.COMPLETE)),
            Job.origin == Origin.INBOX,
            Job.submitted_at >= since,
            Job.submitted_at < until,
        )
        with self._read() as session:
            return list(session.scalars(query.order_by(Job.submitted_at, Job.id).limit(limit)))

    # -- opt-outs of sale ---------------------------------------------------------------------------------

    def intend_opt_outs(
        self,
        inbox_date: date,
        *,
        limit: int,
        abandoned_before: datetime,
        lost: Collection[int] = (),
    ) -> list[Job]:
        """Commits the intent to send opt-outs of `inbox_date` and before, the most urgent first: those that
        wait, and once more those whose outcome nobody will tell, being in `lost` or intended before
        `abandoned_before`. Only what is returned may be sent."""
        unknown = and_(
            Job.state == JobState.SUBMITTING,
            or_(Job.intent_at < abandoned_before, Job.id.in_(lost)),
        )
        query = select(Job).where(
            OPT_OUTS,
            Job.inbox_date <= inbox_date,
            Job.on_hold.is_(False),
            or_(Job.state == JobState.RECEIVED, unknown),
        )
        with self._write() as session:
            rows = list(session.scalars(query.order_by(Job.due_on, Job.id).limit(limit)))
            again = [row for row in rows if row.state == JobState.SUBMITTING]
            for row in again:
                row.attempt += 1
            for row in rows:
                row.intent_at = self.now()
            self._move(session, again, JobState.SUBMITTING, "sent again: the last call's outcome is unknown")
            first = [row for row in rows if row.state == JobState.RECEIVED]
            self._move(session, first, JobState.SUBMITTING, "intent committed")
            return rows

    def opt_outs(self, inbox_date: date, *states: JobState) -> list[Job]:
        """The opt-outs of `inbox_date` and before that are in one of `states`."""
        query = select(Job).where(OPT_OUTS, Job.inbox_date <= inbox_date, Job.state.in_(states))
        with self._read() as session:
            return list(session.scalars(query.order_by(Job.due_on, Job.id)))

    def record_opted_out(self, jobs: Collection[Job]) -> list[Job]:
        """Adobe has accepted these opt-outs: that is all it ever says. Returns those that are `COMPLETE` by
        this."""
        with self._write() as session:
            now = self.now()
            accepted = Job.state.in_((JobState.RECEIVED, JobState.SUBMITTING))
            rows = self._by_id(session, [job.id for job in jobs], accepted)
            for row in rows:
                row.submitted_at = row.completed_at = now
                row.outcome = "accepted"
            self._move(session, rows, JobState.COMPLETE, "Adobe: accepted")
            return rows

    def record_receipts(self, receipts: Collection[tuple[Job, str]]) -> int:
        """The receipts of these opt-outs are written; each with its place in the archive."""
        places = {job.id: place for job, place in receipts}
        with self._write() as session:
            rows = self._in_state(session, places, JobState.COMPLETE)
            self._archive(session, rows, places, "receipt written")
            return len(rows)

    # -- results ------------------------------------------------------------------------------------------

    def record_complete(self, found: Sequence[FinishedJob]) -> dict[int, datetime]:
        """Adobe is done with them. By job, the time that counts as its completion for ever: the first recorded."""
        if not found:
            return {}
        by_id = {each.job.id: each for each in found}
        times: dict[int, datetime] = {}
        by_outcome: dict[str, list[Job]] = defaultdict(list)
        with self._write() as session:
            for row in self._by_id(session, by_id):
                each = by_id[row.id]
                if row.state == JobState.SUBMITTED and row.adobe_job_id == each.job.adobe_job_id:
                    row.completed_at = each.completed_at or self.now()
                    row.outcome, row.outcome_code = each.outcome, each.outcome_code
                    by_outcome[each.outcome].append(row)
                times[row.id] = row.completed_at or each.completed_at or self.now()
            for outcome, rows in by_outcome.items():
                self._move(session, rows, JobState.COMPLETE, f"Adobe: complete, {outcome}")
        return times

    def record_error(
        self,
        job: Job,
        *,
        completed_at: datetime | None,
        outcome_code: str | None,
        reason: str,
        try_again: bool,
    ) -> bool:
        """Adobe's job ended in error: a new attempt waits for the next plan, or the job for a person."""
        with self._write() as session:
            # A run and the sweep may both look at it, and the next attempt be at Adobe before the second tells.
            same_attempt = Job.adobe_job_id == job.adobe_job_id
            rows = self._by_id(session, [job.id], Job.state == JobState.SUBMITTED, same_attempt)
            for row in rows:
                row.completed_at = completed_at or self.now()
                row.outcome, row.outcome_code = "error", outcome_code
            self._move(session, rows, JobState.ERROR, reason)
            if try_again:
                self._new_attempt(session, rows, "sent again: the outcome says that another try can help")
            return bool(rows)

    def record_archived(self, manifests: Mapping[int, str]) -> int:
        """By job id, where its manifest lies within the archive. Returns how many were not archived before."""
        if not manifests:
            return 0
        with self._write() as session:
            rows = self._in_state(session, manifests.keys(), JobState.COMPLETE)
            self._archive(session, rows, manifests, "manifest written")
            return len(rows)

    def _archive(self, session: Session, rows: Sequence[Job], places: Mapping[int, str], reason: str) -> None:
        if not rows:
            return
        now, figures = self.now(), self._figures(session)
        for row in rows:
            row.archived_at, row.manifest = now, places[row.id]
            seconds = max(0, int((now - row.received_at).total_seconds()))
            figures.archived += 1
            figures.seconds += seconds
            figures.longest = max(figures.longest, seconds)
        self._move(session, rows, JobState.ARCHIVED, reason)

    def _new_attempt(self, session: Session, rows: Sequence[Job], reason: str) -> None:
        for row in rows:
            row.attempt += 1
            row.intent_at = row.submitted_at = row.completed_at = None
            row.adobe_request_id = row.adobe_job_id = row.outcome = row.outcome_code = None
            row.batch_id = row.approval_id = None
        self._move(session, rows, JobState.RECEIVED, reason)

    # -- people -------------------------------------------------------------------------------------------

    def request_jobs(self, request_id: str) -> list[Job]:
        with self._read() as session:
            return list(session.scalars(select(Job).where(Job.request_id == request_id).order_by(Job.id)))

    def history(self, request_id: str) -> list[Transition]:
        with self._read() as session:
            ids = select(Job.id).where(Job.request_id == request_id)
            return list(
                session.scalars(select(Transition).where(Transition.job_id.in_(ids)).order_by(Transition.id))
            )

    def hold(self, request_id: str, reason: str) -> int:
        """Puts a request on legal hold: it is not submitted, and its archive is not erased. Returns how many
        of its jobs were not on hold. Those that Adobe has, or is being sent, go on there: its API cannot cancel.
        """
        with self._write() as session:
            return self._set_hold(session, request_id, True, reason)

    def release(self, request_id: str, reason: str) -> int:
        """Ends a hold, and lets jobs that ended in `ERROR` or `REFUSED` be sent as a new attempt."""
        with self._write() as session:
            changed = self._set_hold(session, request_id, False, reason)
            ended = Job.state.in_((JobState.ERROR, JobState.REFUSED))
            ours = Job.origin == Origin.INBOX
            rows = session.scalars(select(Job).where(Job.request_id == request_id, ended, ours)).all()
            self._new_attempt(session, rows, f"released: {reason}")
            return changed + len(rows)

    def holds(self) -> tuple[set[str], set[str]]:
        """What is on legal hold: request ids, and Adobe's job ids of every attempt."""
        with self._read() as session:
            held = dict(session.execute(select(Job.id, Job.request_id).where(HELD)).tuples().all())
            adobe_job_ids: set[str] = set()
            for some in _chunks(held):
                attempts = select(Transition.adobe_job_id).where(Transition.job_id.in_(some))
                adobe_job_ids.update(found for found in session.scalars(attempts) if found)
        return set(held.values()), adobe_job_ids

    def _set_hold(self, session: Session, request_id: str, on_hold: bool, reason: str) -> int:
        query = select(Job).where(Job.request_id == request_id, Job.on_hold.is_(not on_hold))
        rows = session.scalars(query).all()
        for row in rows:
            row.on_hold = on_hold
            what = "on hold" if on_hold else "hold ended"
            self._note(session, [row], row.state, row.state, f"{what}: {reason}")
        return len(rows)

    # -- reports ------------------------------------------------------------------------------------------

    def run_jobs(self, *, run_id: str, inbox_date: date) -> Iterator[Job]:
        """The jobs that a run of `inbox_date` reports on, the most urgent first: of its own batches, or of its own
        day. They are read as they are asked for."""
        with self._read() as session:
            own_batches = session.scalars(select(Batch.id).where(Batch.run_id == run_id)).all()
            of_day = and_(Job.inbox_date == inbox_date, Job.origin == Origin.INBOX)
            query = select(Job).where(or_(Job.batch_id.in_(own_batches), of_day))
            yield from session.scalars(query.order_by(Job.due_on, Job.id).execution_options(yield_per=1000))

    def counts(self) -> dict[JobState, int]:
        with self._read() as session:
            rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
            return {JobState(state): count for state, count in rows}

    def due(self, by: date, *, limit: int = 1000) -> list[Job]:
        """Unfinished jobs to be answered on or before `by`, the most urgent first."""
        query = select(Job).where(UNFINISHED, Job.due_on <= by)
        with self._read() as session:
            return list(session.scalars(query.order_by(Job.due_on, Job.id).limit(limit)))

    # -- inside -------------------------------------------------------------------------------------------

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Everything done inside is undone at the end. Other writers wait meanwhile."""
        # A key made inside would be undone with the rest.
        _ = self._fingerprint_key
        with self.engine.connect() as connection:
            transaction = connection.begin()
            try:
                lock(connection)
                self._rehearsal = connection
                yield
            finally:
                self._rehearsal = None
                transaction.rollback()

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with self._exclusive() as connection, Session(connection, expire_on_commit=False) as session:
            yield session
            session.flush()

    @contextmanager
    def _read(self) -> Iterator[Session]:
        bind = self._rehearsal or self.engine.execution_options(read_only=True)
        with Session(bind, expire_on_commit=False) as session:
            yield session

    def _exclusive(self) -> AbstractContextManager[Connection]:
        return nullcontext(self._rehearsal) if self._rehearsal is not None else exclusive(self.engine)

    def _by_id(
        self, session: Session, job_ids: Collection[int], *conditions: ColumnElement[bool]
    ) -> list[Job]:
        return [
            row
            for some in _chunks(job_ids)
            for row in session.scalars(select(Job).where(Job.id.in_(some), *conditions))
        ]

    def _in_state(self, session: Session, job_ids: Collection[int], state: JobState) -> list[Job]:
        return self._by_id(session, job_ids, Job.state == state)

    def _move(self, session: Session, jobs: Sequence[Job], to: JobState, reason: str) -> None:
        by_origin: dict[JobState, list[Job]] = {}
        for job in jobs:
            by_origin.setdefault(job.state, []).append(job)
            job.state = to
        for origin, moved in by_origin.items():
            self._note(session, moved, origin, to, reason)

    def _note(
        self,
        session: Session,
        jobs: Sequence[Job],
        origin: JobState | None,
        to: JobState,
        reason: str,
        adobe_job_id: str | None = None,
    ) -> None:
        if not jobs:
            return
        now = self.now()
        session.execute(
            insert(Transition),
            [
                {
                    "job_id": job.id,
                    "at": now,
                    "actor": self.actor[:512],
                    "from_state": origin,
                    "to_state": to,
                    "attempt": job.attempt,
                    "batch_id": job.batch_id,
                    "adobe_job_id": adobe_job_id or job.adobe_job_id,
                    "reason": reason[:512],
                }
                for job in jobs
            ],
        )

    def _note_rows(
        self,
        session: Session,
        condition: ColumnElement[bool],
        origin: JobState | None,
        to: JobState,
        reason: str,
    ) -> None:
        """As `_note`, for all rows that meet the condition, without loading them."""
        columns: dict[str, Any] = {
            "job_id": Job.id,
            "at": literal(self.now(), UtcDateTime),
            "actor": literal(self.actor[:512]),
            "from_state": null() if origin is None else literal(origin, StateName),
            "to_state": literal(to, StateName),
            "attempt": Job.attempt,
            "batch_id": Job.batch_id,
            "adobe_job_id": Job.adobe_job_id,
            "reason": literal(reason[:512]),
        }
        rows = select(*columns.values()).where(condition)
        session.execute(insert(Transition).from_select(list(columns), rows))

    def _usage(self, session: Session, day: date) -> Usage:
        usage = session.get(Usage, day)
        if usage is None:
            usage = Usage(day=day, jobs=0, refused_jobs=0, batch_limit=self._batch_limit(session, day))
            session.add(usage)
            session.flush()
        return usage

    @staticmethod
    def _batch_limit(session: Session, day: date) -> int | None:
        last = session.scalar(select(Usage).where(Usage.day < day).order_by(Usage.day.desc()).limit(1))
        if last is None:
            return None
        if last.refused_at is not None and last.jobs < last.refused_jobs:
            return max(1, last.refused_jobs // BATCH_LIMIT_STEP)
        if last.batch_limit is None or last.refused_at is not None or not last.jobs:
            return last.batch_limit
        grown = last.batch_limit * BATCH_LIMIT_STEP
        return grown if grown < MAX_BATCH_JOBS else None

    def _figures(self, session: Session) -> DailyFigures:
        day = self.now().date()
        figures = session.get(DailyFigures, day)
        if figures is None:
            figures = DailyFigures(day=day, arrived=0, archived=0, seconds=0, longest=0)
            session.add(figures)
            session.flush()
        return figures

    def _quota(self, session: Session) -> Quota:
        day = self.now().date()
        usage = session.get(Usage, day)
        batch_limit = usage.batch_limit if usage else self._batch_limit(session, day)
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
                select(func.sum(counted))
                .select_from(in_batches)
                .join(Batch, Batch.id == in_batches.c.batch_id)
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

    @cached_property
    def _fingerprint_key(self) -> bytes:
        with self._read() as session:
            key = self._configured_key or _setting(session, "fingerprint_key")
            if key is not None and _setting(session, "fingerprint_check") == _check(key):
                return key.encode()
        with self._write() as session:
            stored = _setting(session, "fingerprint_key")
            key = self._configured_key or stored or secrets.token_hex(32)
            check = _setting(session, "fingerprint_check")
            if check not in (None, _check(key)) and session.scalar(select(Job.id).limit(1)) is not None:
                raise LedgerError(
                    "the ledger's requests were written with another fingerprint key, with which alone they can "
                    "be recognised: put it back as extra.fingerprint_key of the connection privacy_ledger, or "
                    "remove that field if there was none"
                )
            if self._configured_key is None and stored is None:
                session.add(Setting(name="fingerprint_key", value=key))
            session.merge(Setting(name="fingerprint_check", value=_check(key)))
            return key.encode()


def _setting(session: Session, name: str) -> str | None:
    setting = session.get(Setting, name)
    return None if setting is None else setting.value


def _check(key: str) -> str:
    """Tells two fingerprint keys apart without giving either away."""
    return hmac.digest(key.encode(), b"fingerprint key", "sha256").hex()


def _new_row(request: ReceivedRequest, job: ReceivedJob, now: datetime) -> dict[str, object]:
    return {
        "request_id": request.request_id,
        "regulation": request.regulation,
        "action": job.action,
        "part": job.part,
        "key": job.key,
        "fingerprint": request.fingerprint,
        "source": request.source,
        "inbox_date": request.inbox_date,
        "products": request.products,
        "received_at": request.received_at,
        "taken_in_at": now,
        "due_on": job.due_on,
        "submit_by": job.submit_by,
        "alarm_at": job.alarm_at,
        "state": JobState.RECEIVED,
        "on_hold": False,
        "attempt": 1,
    }


def _others_row(job: OthersJob, now: datetime) -> dict[str, object]:
    request_id = f"adobe:{job.adobe_job_id}"
    return {
        "request_id": request_id,
        "regulation": job.regulation,
        "action": job.action,
        "part": 1,
        "key": request_id,
        "fingerprint": "",
        "source": "",
        "inbox_date": job.created_at.date(),
        "received_at": job.created_at,
        "taken_in_at": now,
        "due_on": job.due_on,
        "origin": Origin.ADOBE,
        "state": JobState.SUBMITTED,
        "submitted_at": job.created_at,
        "adobe_job_id": job.adobe_job_id,
    }


def _chunks(items: Collection[T], size: int = 500) -> Iterator[list[T]]:
    """Databases limit how many parameters a statement may have."""
    rows = list(items)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def waiting(inbox_date: date, now: datetime, *columns: Any) -> Select[Any]:
    """Of the jobs that may be claimed by a run of `inbox_date`, the most urgent first."""
    left_over = and_(Job.inbox_date < inbox_date, Job.taken_in_at < now - ABANDONED_AFTER)
    return (
        select(*columns)
        .select_from(Job)
        .where(WAITING, or_(Job.inbox_date == inbox_date, left_over))
        .order_by(Job.due_on, Job.id)
    )
