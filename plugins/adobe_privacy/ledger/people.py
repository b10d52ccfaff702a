"""What people do to a request: look at it, put it on hold, release it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.schema import Job, Origin, Transition
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic


class People(Topic):
    """A person's decisions, each with its reason in the history."""

    def request_jobs(self, request_id: str) -> list[Job]:
        with self.unit.read() as session:
            return list(session.scalars(select(Job).where(Job.request_id == request_id).order_by(Job.id)))

    def history(self, request_id: str) -> list[Transition]:
        with self.unit.read() as session:
            ids = select(Job.id).where(Job.request_id == request_id)
            return list(
                session.scalars(select(Transition).where(Transition.job_id.in_(ids)).order_by(Transition.id))
            )

    def hold(self, request_id: str, reason: str) -> int:
        """Puts a request on legal hold: it is not submitted, and its archive is not erased. Returns how many
        of its jobs were not on hold. Those that Adobe has, or is being sent, go on there: its API cannot cancel.
        It comes too late for results whose erasure has begun: see `erasures.of_request`.
        """
        with self.unit.write() as session:
            return self._set_hold(session, request_id, True, reason)

    def release(self, request_id: str, reason: str) -> int:
        """Ends a hold, and lets jobs that ended in `ERROR` or `REFUSED` be sent as a new attempt."""
        with self.unit.write() as session:
            changed = self._set_hold(session, request_id, False, reason)
            ended = Job.state.in_((JobState.ERROR, JobState.REFUSED))
            ours = Job.origin == Origin.INBOX
            rows = session.scalars(select(Job).where(Job.request_id == request_id, ended, ours)).all()
            self.unit.new_attempt(session, rows, f"released: {reason}")
            return changed + len(rows)

    def _set_hold(self, session: Session, request_id: str, on_hold: bool, reason: str) -> int:
        query = select(Job).where(Job.request_id == request_id, Job.on_hold.is_(not on_hold))
        rows = session.scalars(query).all()
        for row in rows:
            row.on_hold = on_hold
            what = "on hold" if on_hold else "hold ended"
            self.unit.note(session, [row], row.state, row.state, f"{what}: {reason}")
        return len(rows)
