"""Batches: which waiting jobs are sent together, by which run, and what is in them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, case, distinct, func, or_, select, union, update

from adobe_privacy.api.facts import MAX_USERS
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.delete_plan import DELETE
from adobe_privacy.ledger.moments_of_jobs import last_change
from adobe_privacy.ledger.quotas import quota_on
from adobe_privacy.ledger.schema import UNREADABLE, WAITING, Batch, Job, Transition
from adobe_privacy.ledger.states import OPEN_STATES, UNSENT_STATES, JobState, Move
from adobe_privacy.ledger.unit import Topic, chunks

# A batch that nobody has sent, or a request that nobody has claimed, has lost its run after this long: the next
# plan takes it over. Before, its own day's run is about to, which may try for more than an hour; of a backfill's days
# the runs begin together.
ABANDONED_AFTER = timedelta(hours=2)


@dataclass(frozen=True)
class BatchContent:
    """What is in a batch at the moment; `unsent` jobs are not known to be at Adobe."""

    users: int
    jobs: int
    unsent: int
    actions: dict[str, int]
    first_due: date
    submit_by: date | None


class Claims(Topic):
    """Makes batches, and tells what is in them."""

    def claim_batch(
        self,
        *,
        run_id: str,
        inbox_date: date,
        daily_limit: int,
        products: str = "",
        default_products: str = "",
        max_users: int = MAX_USERS,
        max_jobs: int | None = None,
        approve_deletes: bool = False,
        late: Collection[date] = (),
    ) -> Batch | None:
        """Takes the most urgent waiting jobs of `inbox_date`, of one regulation and product list, into a new batch
        of at most `max_users` users; None where nothing waits or the quota leaves no room. Jobs of days before
        wait for any run, once their own has had an hour to claim them; those of the days in `late` for none.

        `products` replaces what the requests ask for; `default_products` serves those that ask for nothing.
        With `approve_deletes`, deletes get batches of their own, which nobody sends before they are approved.
        """
        with self.unit.write() as session:
            quota = quota_on(session, self.unit.now().date())
            room = quota.available(daily_limit)
            if max_jobs is not None:
                room = min(room, max_jobs)
            now = self.unit.now()
            first = session.execute(
                waiting(
                    inbox_date, now, Job.regulation, Job.products, Job.options, Job.action, late=late
                ).limit(1)
            ).first()
            if first is None or room <= 0:
                return None
            same_group = waiting(inbox_date, now, Job.id, Job.key, late=late).where(
                Job.regulation == first.regulation,
                Job.products == first.products,
                Job.options == first.options,
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
                options=first.options,
                inbox_date=inbox_date,
                run_id=run_id,
                created_at=now,
                needs_approval=approve_deletes and first.action == DELETE,
            )
            session.add(batch)
            for some in chunks(ids):
                claim = update(Job).where(Job.id.in_(some), Job.state.in_(Move.CLAIM.origins))
                session.execute(claim.values(state=JobState.PLANNED, batch_id=batch.id))
            self.unit.note_rows(session, Job.batch_id == batch.id, Move.CLAIM, "claimed")
            return batch

    def open_batches(self, *, run_id: str, inbox_date: date) -> list[Batch]:
        """The batches with work left that a run of `inbox_date` answers for: its own, those with jobs of its
        day, and those of earlier days whose run never sent them; but of other runs, none that another run is asking
        a person about."""
        now = self.unit.now()
        no_other_asks = or_(
            Batch.asked_until.is_(None),
            Batch.asked_until <= now,
            Batch.asked_by.startswith(f"{run_id}/", autoescape=True),
            Job.approval_id.is_not(None),
        )
        of_run = (
            select(Job.batch_id)
            .join(Batch, Batch.id == Job.batch_id)
            .where(Batch.run_id == run_id, Job.state.in_(OPEN_STATES))
        )
        of_day = (
            select(Job.batch_id)
            .join(Batch, Batch.id == Job.batch_id)
            .where(Job.inbox_date == inbox_date, Job.state.in_(OPEN_STATES), no_other_asks)
        )
        abandoned = (
            select(Job.batch_id)
            .join(Batch, Batch.id == Job.batch_id)
            .where(
                Job.state.in_(UNSENT_STATES),
                Batch.created_at < now - ABANDONED_AFTER,
                no_other_asks,
                Batch.inbox_date <= inbox_date,
            )
        )
        ids = union(of_run, of_day, abandoned)
        with self.unit.read() as session:
            return list(
                session.scalars(select(Batch).where(Batch.id.in_(ids)).order_by(Batch.created_at, Batch.id))
            )

    def batch(self, batch_id: str) -> Batch:
        with self.unit.read() as session:
            batch = session.get(Batch, batch_id)
            if batch is None:
                raise LedgerError(f"the ledger has no batch {batch_id}: is privacy_ledger the right one?")
            return batch

    def batch_jobs(self, batch_id: str, *states: JobState) -> list[Job]:
        query = select(Job).where(Job.batch_id == batch_id).order_by(Job.due_on, Job.id)
        if states:
            query = query.where(Job.state.in_(states))
        with self.unit.read() as session:
            return list(session.scalars(query))

    def batch_contents(self, batch_ids: Collection[str]) -> dict[str, BatchContent]:
        """What these batches hold; a batch that holds nothing any more is not among them."""
        contents: dict[str, BatchContent] = {}
        with self.unit.read() as session:
            for some in chunks(batch_ids):
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

    def jobs_of_run(self, run_id: str) -> int:
        """How many jobs are in batches that the run claimed, whatever became of them."""
        of_run = select(func.count()).join_from(Job, Batch, Batch.id == Job.batch_id)
        with self.unit.read() as session:
            return session.scalar(of_run.where(Batch.run_id == run_id)) or 0

    def count_waiting(self, inbox_date: date, late: Collection[date] = ()) -> int:
        """Jobs that a run of `inbox_date` could still claim."""
        with self.unit.read() as session:
            return (
                session.scalar(waiting(inbox_date, self.unit.now(), func.count(), late=late).order_by(None))
                or 0
            )

    def unclaim(self, batch_id: str, reason: str, *, job_ids: Collection[int] | None = None) -> int:
        """Gives jobs of a batch that were never intended back to the next plan."""
        with self.unit.write() as session:
            query = select(Job).where(Job.batch_id == batch_id, Job.state == JobState.PLANNED)
            rows = [row for row in session.scalars(query) if job_ids is None or row.id in job_ids]
            self.unit.put_back(session, rows, Move.GIVE_BACK, reason)
            return len(rows)

    def note_unreadable(self, reasons: Mapping[int, str]) -> None:
        """Planned jobs stay as they are: a file that may hold their requests cannot be read. Of each, why; what is
        known already is not noted again."""
        with self.unit.write() as session:
            told = {job_id: f"{UNREADABLE}{reason}"[:512] for job_id, reason in reasons.items()}
            known: dict[int, str] = {}
            for some in chunks(told):
                query = select(Job.id, last_change(Transition.reason)).where(Job.id.in_(some))
                known |= dict(session.execute(query).tuples().all())
            rows = self.unit.in_state(session, told, JobState.PLANNED)
            new = [row for row in rows if known[row.id] != told[row.id]]
            self.unit.note(session, new, JobState.PLANNED, JobState.PLANNED, told)

    def refuse(self, job_ids: Collection[int], reason: str) -> int:
        """The planner will not send these: they wait for a person."""
        with self.unit.write() as session:
            rows = self.unit.in_state(session, job_ids, JobState.PLANNED)
            self.unit.put_back(session, rows, Move.NOT_SENT, reason)
            return len(rows)


def waiting(inbox_date: date, now: datetime, *columns: Any, late: Collection[date] = ()) -> Select[Any]:
    """Of the jobs that may be claimed by a run of `inbox_date`, the most urgent first."""
    of_days = Job.inbox_date.in_((inbox_date, *late)) if late else Job.inbox_date == inbox_date
    left_over = and_(Job.inbox_date < inbox_date, Job.taken_in_at < now - ABANDONED_AFTER)
    return (
        select(*columns).select_from(Job).where(WAITING, or_(of_days, left_over)).order_by(Job.due_on, Job.id)
    )
