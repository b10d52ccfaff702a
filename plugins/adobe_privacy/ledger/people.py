"""What people do to a request: look at it, put it on hold, release it, send it again, close it, extend its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.attention import erasure_stopped, not_done
from adobe_privacy.ledger.results import take_out
from adobe_privacy.ledger.schema import CLOSED, HOLD_ENDED, Job, Origin, Transition
from adobe_privacy.ledger.seen import refuse_changed
from adobe_privacy.ledger.states import FAILED_STATES, UNFINISHED_STATES, JobState, Move
from adobe_privacy.ledger.unit import Topic

# Adobe has it, or may have it: whatever a person decides here does not stop it there.
NOT_STOPPED = (JobState.SUBMITTING, JobState.SUBMITTED)


class People(Topic):
    """A person's decisions, each with its reason in the history. Each returns how many jobs it changed.

    `seen` is what the person had seen, a number of `ledger.seen`: where the request has changed since, HasChanged is
    raised and nothing changed. A hold protects, and is placed on whatever there is."""

    def request_jobs(self, request_id: str) -> list[Job]:
        names = self.unit.names_of(request_id)
        with self.unit.read() as session:
            return list(session.scalars(select(Job).where(Job.request_id.in_(names)).order_by(Job.id)))

    def history(self, request_id: str) -> list[Transition]:
        names = self.unit.names_of(request_id)
        with self.unit.read() as session:
            ids = select(Job.id).where(Job.request_id.in_(names))
            return list(
                session.scalars(select(Transition).where(Transition.job_id.in_(ids)).order_by(Transition.id))
            )

    def hold(self, request_id: str, reason: str) -> int:
        """Puts a request on legal hold: it is not submitted, and its archive is not erased. Jobs in `NOT_STOPPED`
        go on at Adobe: its API cannot cancel. It comes too late for results whose erasure has begun: see
        `erasures.of_request`."""
        with self.unit.write() as session:
            return self._set_hold(session, request_id, True, reason)

    def release(self, request_id: str, reason: str, *, seen: int | None = None) -> int:
        """Ends a hold, and nothing else."""
        with self._write(request_id, seen) as session:
            return self._set_hold(session, request_id, False, reason)

    def resend(self, request_id: str, reason: str, *, seen: int | None = None) -> int:
        """Lets what failed, was refused or is gone be sent as a new attempt, and what is archived although some product
        should have done it and did not. Not what may be at Adobe, for all that anybody knows (the outcome is
        `unknown`), not what we did not send, and not what the inbox does not hold any more, see `erased_file`. What is
        archived of the attempt before stays in the archive."""
        with self._write(request_id, seen) as session:
            undone = _undone(session, request_id)
            take_out(session, undone)
            rows = [row for row in _in_states(session, request_id, *FAILED_STATES) if may_be_resent(row)]
            rows += undone
            self.unit.new_attempt(session, rows, Move.RESEND, f"sent again: {reason}")
            return len(rows)

    def close(self, request_id: str, reason: str, *, seen: int | None = None) -> int:
        """Nothing more happens to the request. What is being sent at this moment stays, and what is archived; what was
        not done of that, or is not known to be erased, needs nobody any more."""
        with self._write(request_id, seen) as session:
            rows = _in_states(session, request_id, *Move.CLOSE.origins)
            for row in rows:
                if row.state is JobState.PLANNED:
                    row.batch_id = row.approval_id = None
            self.unit.move(session, rows, Move.CLOSE, f"{CLOSED}{reason}")
            undone = _undone(session, request_id)
            self.unit.note(session, undone, JobState.ARCHIVED, JobState.ARCHIVED, f"{CLOSED}{reason}")
            stopped = _stopped(session, request_id)
            for row in stopped:
                self.unit.note(session, [row], row.state, row.state, f"{CLOSED}{reason}")
            return len(rows) + len(undone) + len(stopped)

    def undone(self, request_id: str) -> set[int]:
        """The archived jobs of the request of which some product should have done what was asked and did not, as long
        as nobody has sent them again or closed them."""
        with self.unit.read() as session:
            return {row.id for row in _undone(session, request_id)}

    def stopped(self, request_id: str) -> set[int]:
        """The jobs of the request whose results are not known to be erased, as long as nobody has closed them."""
        with self.unit.read() as session:
            return {row.id for row in _stopped(session, request_id)}

    def extend(self, request_id: str, until: date, reason: str, *, seen: int | None = None) -> int:
        """The person was told of a later date: what is unfinished and was first due before `until` is due then, also
        where a mistyped date was later. The history keeps both dates; what is worth an alarm is judged anew by the new
        one."""
        with self._write(request_id, seen) as session:
            rows = [
                row
                for row in _in_states(session, request_id, *UNFINISHED_STATES)
                if (row.first_due_on or row.due_on) < until != row.due_on
            ]
            for row in rows:
                self.unit.note(
                    session, [row], row.state, row.state, f"due {until} instead of {row.due_on}: {reason}"
                )
                if row.submit_by is not None:
                    row.submit_by += until - row.due_on
                row.first_due_on = row.first_due_on or row.due_on
                row.due_on = until
                if row.origin is Origin.INBOX:
                    row.alarm_at = self.unit.now()
            return len(rows)

    @contextmanager
    def _write(self, request_id: str, seen: int | None) -> Iterator[Session]:
        names = self.unit.names_of(request_id)
        with self.unit.write() as session:
            refuse_changed(session, request_id, names, seen)
            yield session

    def _set_hold(self, session: Session, request_id: str, on_hold: bool, reason: str) -> int:
        names = self.unit.names_of(request_id)
        query = select(Job).where(Job.request_id.in_(names), Job.on_hold.is_(not on_hold))
        rows = session.scalars(query).all()
        for row in rows:
            row.on_hold = on_hold
            what = "on hold" if on_hold else HOLD_ENDED
            self.unit.note(session, [row], row.state, row.state, f"{what}: {reason}")
        return len(rows)


def may_be_resent(job: Job) -> bool:
    """Of what failed, was refused or is gone."""
    failed = job.state in FAILED_STATES and job.origin is Origin.INBOX and job.outcome != Verdict.UNKNOWN
    return failed and job.inbox_erased_at is None


def _undone(session: Session, request_id: str) -> list[Job]:
    query = select(Job).where(Job.request_id == request_id, not_done(), Job.inbox_erased_at.is_(None))
    return list(session.scalars(query.order_by(Job.id)))


def _stopped(session: Session, request_id: str) -> list[Job]:
    return list(session.scalars(select(Job).where(Job.request_id == request_id, erasure_stopped())))


def erased_file(jobs: Sequence[Job]) -> str | None:
    """Where the inbox file of `jobs` was erased, what follows for who would send them again, in one line."""
    moments = [job.inbox_erased_at for job in jobs if job.inbox_erased_at is not None]
    if not moments:
        return None
    return f"its inbox file was erased on {max(moments):%Y-%m-%d}: hand the request in again"


def _in_states(session: Session, request_id: str, *states: JobState | None) -> list[Job]:
    query = select(Job).where(Job.request_id == request_id).order_by(Job.id)
    return [row for row in session.scalars(query) if row.state in states]
