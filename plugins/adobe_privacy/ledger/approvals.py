"""A person approves deletes, or puts them on hold, before they are sent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.delete_plan import DELETE, DeletePlan, PlanChanged, UnknownRequests
from adobe_privacy.ledger.schema import PLANNED, Approval, Batch, Job
from adobe_privacy.ledger.states import JobState, Move
from adobe_privacy.ledger.unit import Topic, chunks


class Approvals(Topic):
    """Which deletes wait for a person, and what the person said."""

    def delete_plan(self, batch_id: str) -> DeletePlan:
        """The deletes of a batch that nothing was sent of, those on hold among them."""
        with self.unit.read() as session:
            return _delete_plan(session, batch_id)

    def unapproved_deletes(self, batch_id: str, *, approve_deletes: bool = False) -> list[Job]:
        """The deletes of a batch that `intend` would not let through; those on hold are not among them."""
        with self.unit.read() as session:
            plan = _delete_plan(session, batch_id)
            if not (approve_deletes or plan.batch.needs_approval):
                return []
            approved = approved_in(session, plan.batch, plan.jobs)
            return [job for job in plan.jobs if job.id not in approved and not job.on_hold]

    def ask(self, batch_id: str, until: datetime) -> bool:
        """Notes that the ledger's actor asks a person about a batch until then: no other run takes it before. False
        where another run asks already: then it is not to be asked."""
        with self.unit.write() as session:
            batch = session.get_one(Batch, batch_id)
            actor = self.unit.actor[:512]
            if _another_asks(batch, actor, self.unit.now()):
                return False
            batch.asked_until, batch.asked_by = until, actor
            return True

    def open_questions(self) -> list[Batch]:
        """The batches that some task instance, `asked_by`, asks a person about."""
        asked = select(Batch).where(
            Batch.asked_until > self.unit.now(),
            Batch.id.in_(select(Job.batch_id).where(PLANNED)),
        )
        with self.unit.read() as session:
            return list(session.scalars(asked))

    def stop_asking(self, batch_id: str, asked_by: str | None = None) -> bool:
        """The question of the run of `asked_by`, or else of the ledger's actor, is answered or gone: the next plan may
        ask again. False where another run asks meanwhile: that question stays open."""
        with self.unit.write() as session:
            batch = session.get_one(Batch, batch_id)
            # An older version did not note who asked.
            noted = batch.asked_by is not None
            if noted and _another_asks(batch, asked_by or self.unit.actor[:512], self.unit.now()):
                return False
            batch.asked_until = None
            return True

    def run_ended(self, run_id: str) -> None:
        """No question that this run asked is open any more; another run may ask about its batches still."""
        asked_by_it = and_(
            Batch.id.in_(select(Job.batch_id).where(PLANNED)),
            Batch.asked_by.startswith(f"{run_id}/", autoescape=True),
        )
        # An older version did not note who asked.
        perhaps_by_it = and_(Batch.run_id == run_id, Batch.asked_by.is_(None))
        with self.unit.write() as session:
            for ended in (perhaps_by_it, asked_by_it):
                session.execute(update(Batch).where(ended).values(asked_until=None))

    def decide(
        self,
        batch_id: str,
        plan_hash: str,
        *,
        approved: bool,
        hold: Collection[str] = (),
        not_asked: Collection[int] = (),
    ) -> tuple[int, int]:
        """A person's answer, signed by the ledger's actor: the deletes of the plan with this hash may be sent
        in their present attempt, to these products; or they may not, and are put on hold. The requests in
        `hold` are put on hold in either case. The jobs in `not_asked` were shown as being on hold: one that was
        released since is neither approved nor rejected, and has no approval of before: it is to be asked about.
        Returns how many jobs may be sent, and how many are on hold.

        Raises PlanChanged where the plan is another by now, and UnknownRequests; then nothing was changed.
        """
        with self.unit.write() as session:
            plan = _delete_plan(session, batch_id)
            if plan.hash != plan_hash:
                raise PlanChanged
            if unknown := set(hold) - {job.request_id for job in plan.jobs}:
                raise UnknownRequests(unknown)
            held = {job.id for job in plan.jobs if job.on_hold or job.request_id in hold}
            asked = {job.id for job in plan.jobs}.difference(held, not_asked)
            allowed = [job for job in plan.jobs if approved and job.id in asked]
            stopped = [job for job in plan.jobs if job.id in held or (not approved and job.id in asked)]
            for job in plan.jobs:
                # An approval of an earlier plan, which is answered otherwise by this one.
                job.approval_id = None
            approval = Approval(
                batch_id=batch_id,
                plan_hash=plan_hash,
                regulation=plan.batch.regulation,
                products=plan.batch.products,
                approved=approved,
                jobs=len(plan.jobs),
                on_hold=len(stopped),
                decided_by=self.unit.actor[:512],
                decided_at=self.unit.now(),
            )
            session.add(approval)
            session.flush()
            for job in allowed:
                job.approval_id = approval.id
            self.unit.note(
                session, allowed, JobState.PLANNED, JobState.PLANNED, f"approved, plan {plan_hash}"
            )
            said = "held back" if approved else "rejected"
            newly = [job for job in stopped if not job.on_hold]
            for job in stopped:
                job.on_hold = True
            self.unit.note(
                session,
                newly,
                JobState.PLANNED,
                JobState.PLANNED,
                f"on hold: {said} by {self.unit.actor.removeprefix('user ')}, plan {plan_hash}",
            )
            self.unit.put_back(session, stopped, Move.HOLD_BACK, "on hold")
            return len(allowed), len(stopped)


def _another_asks(batch: Batch, actor: str, now: datetime) -> bool:
    is_open = batch.asked_until is not None and batch.asked_until > now
    # A task that is cleared asks anew, perhaps at another place of its run's list.
    return is_open and _run_in(batch.asked_by or "") != _run_in(actor)


def _run_in(actor: str) -> str:
    """Of `dag/run/task`."""
    return actor.rpartition("/")[0]


def approved_in(session: Session, batch: Batch, jobs: Collection[Job]) -> set[int]:
    """Which of `jobs` were approved, in their present attempt, to be sent as a part of `batch`."""
    ids = {job.approval_id for job in jobs if job.approval_id is not None}
    valid = {
        found
        for some in chunks(ids)
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


def _delete_plan(session: Session, batch_id: str) -> DeletePlan:
    batch = session.get(Batch, batch_id)
    if batch is None:
        raise LedgerError(f"the ledger has no batch {batch_id}: is privacy_ledger the right one?")
    query = select(Job).where(Job.batch_id == batch_id, Job.state == JobState.PLANNED, Job.action == DELETE)
    return DeletePlan(batch, tuple(session.scalars(query.order_by(Job.due_on, Job.id))))
