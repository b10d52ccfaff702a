"""The ledger: which request is where, committed before anything is sent, and every change of it for ever.

It promises: a job is claimed by one batch; no job leaves `PLANNED` without a committed intent; a change that
finds the job in another state than it expects does nothing and says so. It does not talk to Adobe, and it
holds no identity: whoever needs one reads the inbox again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, Select, and_, func, insert, or_, select, union
from sqlalchemy.orm import Session

from adobe_privacy.ledger.database import LedgerError, create_ledger_engine, exclusive, lock, upgrade
from adobe_privacy.ledger.tables import (
    OPEN_STATES,
    Batch,
    Job,
    JobState,
    Setting,
    Transition,
    Usage,
)

OPT_OUT = "opt_out_of_sale"
# A batch that nobody has sent after this long has lost its run: the next plan takes it over.
ABANDONED_AFTER = timedelta(hours=1)


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
class Quota:
    """One UTC day's jobs: sent (or perhaps sent), reserved by batches, and whether Adobe refused more."""

    day: date
    used: int
    planned: int
    refused: bool

    def available(self, limit: int) -> int:
        return 0 if self.refused else max(0, limit - self.used - self.planned)


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
        upgrade(self.engine)
        self._fingerprint_key = (fingerprint_key or self._own_fingerprint_key()).encode()

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- intake -------------------------------------------------------------------------------------------

    def fingerprint(self, content: bytes) -> str:
        """A keyed hash: tells whether two contents are the same, and nothing about them without the key."""
        return hmac.new(self._fingerprint_key, content, hashlib.sha256).hexdigest()

    def receive(self, requests: Sequence[ReceivedRequest]) -> list[Reception]:
        """Writes the new ones of `requests` down as `RECEIVED`; one answer per request, in order."""
        answers: list[Reception] = []
        with self._write() as session:
            known: dict[str, list[Job]] = {}
            ids = {request.request_id for request in requests}
            for job in session.scalars(select(Job).where(Job.request_id.in_(ids)).order_by(Job.id)):
                known.setdefault(job.request_id, []).append(job)
            fresh: list[Job] = []
            for request in requests:
                rows = known.get(request.request_id)
                if rows is None:
                    new = [self._new_job(request, job) for job in request.jobs]
                    known[request.request_id] = new
                    fresh.extend(new)
                    answers.append(Reception.NEW)
                elif rows[0].fingerprint == request.fingerprint:
                    for row in rows:
                        # The identities are read where the request was last seen.
                        if row.state in (JobState.RECEIVED, JobState.PLANNED):
                            row.source = request.source
                    answers.append(Reception.DUPLICATE)
                else:
                    answers.append(Reception.CONFLICT)
            session.add_all(fresh)
            session.flush()
            self._note(session, fresh, None, JobState.RECEIVED, "arrived in the inbox")
        return answers

    @staticmethod
    def _new_job(request: ReceivedRequest, job: ReceivedJob) -> Job:
        return Job(
            request_id=request.request_id,
            regulation=request.regulation,
            action=job.action,
            part=job.part,
            key=job.key,
            fingerprint=request.fingerprint,
            source=request.source,
            inbox_date=request.inbox_date,
            products=request.products,
            received_at=request.received_at,
            due_on=job.due_on,
            state=JobState.RECEIVED,
            on_hold=False,
            attempt=1,
        )

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
        max_users: int = 1000,
        max_jobs: int | None = None,
    ) -> Batch | None:
        """Takes the most urgent waiting jobs of `inbox_date` and before, of one regulation and product list,
        into a new batch of at most `max_users` users; None where nothing waits or the quota leaves no room.

        `products` replaces what the requests ask for; `default_products` serves those that ask for nothing.
        """
        with self._write() as session:
            room = self._quota(session).available(daily_limit)
            if max_jobs is not None:
                room = min(room, max_jobs)
            first = session.scalars(waiting(inbox_date).limit(1)).first()
            if first is None or room <= 0:
                return None
            same_group = waiting(inbox_date).where(
                Job.regulation == first.regulation, Job.products == first.products
            )
            keys: set[str] = set()
            jobs: list[Job] = []
            for job in session.scalars(same_group.limit(room)):
                if job.key not in keys and len(keys) == max_users:
                    break
                keys.add(job.key)
                jobs.append(job)
            batch = Batch(
                id=str(uuid.uuid4()),
                regulation=first.regulation,
                products=products or first.products or default_products,
                inbox_date=inbox_date,
                run_id=run_id,
                created_at=self.now(),
            )
            session.add(batch)
            for job in jobs:
                job.batch_id = batch.id
            self._move(session, jobs, JobState.PLANNED, "claimed")
            return batch

    def open_batches(self, *, run_id: str, inbox_date: date) -> list[Batch]:
        """The batches with work left that a run of `inbox_date` answers for: its own, those with jobs of its
        day, and those of earlier days whose run never sent them."""
        abandoned = and_(
            Job.state.in_((JobState.PLANNED, JobState.SUBMITTING)),
            Batch.created_at < self.now() - ABANDONED_AFTER,
            Batch.inbox_date <= inbox_date,
        )
        own = select(Batch.id).join(Job, Job.batch_id == Batch.id).where(Job.state.in_(OPEN_STATES))
        ids = union(
            own.where(Batch.run_id == run_id), own.where(Job.inbox_date == inbox_date), own.where(abandoned)
        )
        with self._read() as session:
            return list(
                session.scalars(select(Batch).where(Batch.id.in_(ids)).order_by(Batch.created_at, Batch.id))
            )

    def count_waiting(self, inbox_date: date) -> int:
        """Jobs of `inbox_date` and before that no batch has taken."""
        with self._read() as session:
            query = waiting(inbox_date).order_by(None).subquery()
            return session.scalar(select(func.count()).select_from(query)) or 0

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

    def intend(self, batch_id: str, job_ids: Collection[int], *, daily_limit: int) -> list[Job]:
        """Commits the intent to send these jobs and charges them against the day; returns those that were
        still `PLANNED` in this batch and not on hold. Only what is returned may be sent.

        Raises DailyLimitReached where the day has no room for all of them.
        """
        now = self.now()
        with self._write() as session:
            jobs = self._in_state(session, job_ids, JobState.PLANNED)
            jobs = [job for job in jobs if job.batch_id == batch_id and not job.on_hold]
            usage = self._usage(session, now.date())
            if usage.refused_at is not None or usage.jobs + len(jobs) > daily_limit:
                raise DailyLimitReached
            usage.jobs += len(jobs)
            for job in jobs:
                job.intent_at = now
            self._move(session, jobs, JobState.SUBMITTING, "intent committed")
            return jobs

    def record_submitted(
        self, adobe_job_ids: dict[int, str], *, adobe_request_id: str | None, reason: str
    ) -> int:
        """Adobe has these jobs: `{ledger id: Adobe's job id}`. Returns how many were still `SUBMITTING`."""
        now = self.now()
        with self._write() as session:
            jobs = self._in_state(session, adobe_job_ids, JobState.SUBMITTING)
            for job in jobs:
                job.adobe_job_id = adobe_job_ids[job.id]
                job.adobe_request_id = adobe_request_id
                job.submitted_at = now
            self._move(session, jobs, JobState.SUBMITTED, reason)
            return len(jobs)

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

    def record_quota_refusal(self) -> None:
        """Adobe said that the day's limit is reached: nothing more is intended before the next UTC day."""
        with self._write() as session:
            usage = self._usage(session, self.now().date())
            usage.refused_at = usage.refused_at or self.now()

    def known_adobe_jobs(self, adobe_job_ids: Collection[str]) -> set[str]:
        """Which of these Adobe job ids belong to some attempt in the ledger, present or past."""
        known: set[str] = set()
        ids = list(adobe_job_ids)
        with self._read() as session:
            for start in range(0, len(ids), 500):
                some = ids[start : start + 500]
                for column in (Job.adobe_job_id, Transition.adobe_job_id):
                    known.update(
                        found for found in session.scalars(select(column).where(column.in_(some))) if found
                    )
        return known

    # -- results ------------------------------------------------------------------------------------------

    def record_complete(
        self, job: Job, *, completed_at: datetime | None, outcome: str, outcome_code: str | None
    ) -> datetime:
        """Adobe is done with it. Returns the time that counts as its completion for ever: the first recorded."""
        with self._write() as session:
            row = session.get_one(Job, job.id)
            if row.state == JobState.SUBMITTED:
                row.completed_at = completed_at or self.now()
                row.outcome, row.outcome_code = outcome, outcome_code
                self._move(session, [row], JobState.COMPLETE, f"Adobe: complete, {outcome}")
            return row.completed_at or completed_at or self.now()

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
            rows = self._in_state(session, [job.id], JobState.SUBMITTED)
            for row in rows:
                row.completed_at = completed_at or self.now()
                row.outcome, row.outcome_code = "error", outcome_code
            self._move(session, rows, JobState.ERROR, reason)
            if try_again:
                self._new_attempt(session, rows, "sent again: the outcome says that another try can help")
            return bool(rows)

    def record_archived(self, job: Job, *, manifest: str) -> bool:
        with self._write() as session:
            rows = self._in_state(session, [job.id], JobState.COMPLETE)
            for row in rows:
                row.archived_at = self.now()
                row.manifest = manifest
            self._move(session, rows, JobState.ARCHIVED, "manifest written")
            return bool(rows)

    def _new_attempt(self, session: Session, rows: Sequence[Job], reason: str) -> None:
        for row in rows:
            row.attempt += 1
            row.intent_at = row.submitted_at = row.completed_at = None
            row.adobe_request_id = row.adobe_job_id = row.outcome = row.outcome_code = None
            row.batch_id = None
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
        """Puts a request on legal hold: it is not submitted, and its archive is not erased. Jobs that Adobe
        already has go on there: its API cannot cancel."""
        return self._set_hold(request_id, True, reason)

    def release(self, request_id: str, reason: str) -> int:
        """Ends a hold, and lets jobs that ended in `ERROR` or `REFUSED` be sent as a new attempt."""
        changed = self._set_hold(request_id, False, reason)
        with self._write() as session:
            rows = list(
                session.scalars(
                    select(Job).where(
                        Job.request_id == request_id, Job.state.in_((JobState.ERROR, JobState.REFUSED))
                    )
                )
            )
            self._new_attempt(session, rows, f"released: {reason}")
            return changed + len(rows)

    def _set_hold(self, request_id: str, on_hold: bool, reason: str) -> int:
        with self._write() as session:
            rows = list(
                session.scalars(select(Job).where(Job.request_id == request_id, Job.on_hold.is_(not on_hold)))
            )
            for row in rows:
                row.on_hold = on_hold
                self._note(
                    session,
                    [row],
                    row.state,
                    row.state,
                    f"{'on hold' if on_hold else 'hold ended'}: {reason}",
                )
            return len(rows)

    # -- reports ------------------------------------------------------------------------------------------

    def run_jobs(self, *, run_id: str, inbox_date: date) -> list[Job]:
        """The jobs that a run of `inbox_date` reports on: of its own batches, or of its own day."""
        own_batches = select(Batch.id).where(Batch.run_id == run_id)
        ids = union(
            select(Job.id).where(Job.batch_id.in_(own_batches)),
            select(Job.id).where(Job.inbox_date == inbox_date),
        )
        with self._read() as session:
            return list(session.scalars(select(Job).where(Job.id.in_(ids)).order_by(Job.due_on, Job.id)))

    def counts(self) -> dict[JobState, int]:
        with self._read() as session:
            rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
            return {JobState(state): count for state, count in rows}

    def due(self, by: date, *, limit: int = 1000) -> list[Job]:
        """Unfinished jobs to be answered on or before `by`, the most urgent first."""
        unfinished = [state for state in JobState if state is not JobState.ARCHIVED]
        query = select(Job).where(Job.state.in_(unfinished), Job.due_on <= by)
        with self._read() as session:
            return list(session.scalars(query.order_by(Job.due_on, Job.id).limit(limit)))

    # -- inside -------------------------------------------------------------------------------------------

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Everything done inside is undone at the end. Other writers wait meanwhile."""
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

    def _in_state(self, session: Session, job_ids: Collection[int], state: JobState) -> list[Job]:
        ids = list(job_ids)
        rows: list[Job] = []
        for start in range(0, len(ids), 500):
            query = select(Job).where(Job.id.in_(ids[start : start + 500]), Job.state == state)
            rows.extend(session.scalars(query))
        return rows

    def _move(self, session: Session, jobs: Sequence[Job], to: JobState, reason: str) -> None:
        by_origin: dict[JobState, list[Job]] = {}
        for job in jobs:
            by_origin.setdefault(job.state, []).append(job)
            job.state = to
        for origin, moved in by_origin.items():
            self._note(session, moved, origin, to, reason)

    def _note(
        self, session: Session, jobs: Sequence[Job], origin: JobState | None, to: JobState, reason: str
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
                    "actor": self.actor,
                    "from_state": origin,
                    "to_state": to,
                    "attempt": job.attempt,
                    "batch_id": job.batch_id,
                    "adobe_job_id": job.adobe_job_id,
                    "reason": reason[:512],
                }
                for job in jobs
            ],
        )

    def _usage(self, session: Session, day: date) -> Usage:
        usage = session.get(Usage, day)
        if usage is None:
            usage = Usage(day=day, jobs=0)
            session.add(usage)
            session.flush()
        return usage

    def _quota(self, session: Session) -> Quota:
        day = self.now().date()
        usage = session.get(Usage, day)
        planned = session.scalar(select(func.count()).where(Job.state == JobState.PLANNED)) or 0
        return Quota(
            day=day,
            used=usage.jobs if usage else 0,
            planned=planned,
            refused=bool(usage and usage.refused_at),
        )

    def _own_fingerprint_key(self) -> str:
        with self._write() as session:
            setting = session.get(Setting, "fingerprint_key")
            if setting is None:
                setting = Setting(name="fingerprint_key", value=secrets.token_hex(32))
                session.add(setting)
            return setting.value


def waiting(inbox_date: date) -> Select[tuple[Job]]:
    """Jobs that may be claimed by a run of `inbox_date`, the most urgent first."""
    return (
        select(Job)
        .where(
            Job.state == JobState.RECEIVED,
            Job.on_hold.is_(False),
            or_(Job.action == "access", Job.action == "delete"),
            Job.inbox_date <= inbox_date,
        )
        .order_by(Job.due_on, Job.id)
    )
