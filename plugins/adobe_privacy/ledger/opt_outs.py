"""Opt-outs of sale: intended, accepted by Adobe, receipted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, bindparam, or_, select

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.identity import count_intents
from adobe_privacy.ledger.limits import end_pause_and_doubt, refuse_while_paused
from adobe_privacy.ledger.moments_of_jobs import last_move
from adobe_privacy.ledger.results import archive
from adobe_privacy.ledger.schema import OPT_OUTS, UNREADABLE, Job, Transition
from adobe_privacy.ledger.states import JobState, Move
from adobe_privacy.ledger.unit import Topic


@dataclass(frozen=True)
class FoundReceipt:
    """A receipt that the archive has, of an opt-out that the ledger takes for not accepted."""

    job: Job
    place: str
    sha256: str
    accepted_at: datetime
    attempts: int


class OptOuts(Topic):
    """Opt-outs go another way than jobs: a call of their own, and a receipt for a result."""

    def intend(
        self,
        inbox_date: date,
        *,
        limit: int,
        abandoned_before: datetime,
        lost: Collection[int] = (),
        left_out: Collection[int] = (),
    ) -> list[Job]:
        """Commits the intent to send opt-outs of `inbox_date` and before, the most urgent first: those that
        wait, and once more those whose outcome nobody will tell, being in `lost` or intended before
        `abandoned_before`, but for those `left_out`. Only what is returned may be sent.
        Raises Paused where Adobe asked for a pause that is not over."""
        unknown = and_(
            Job.state == JobState.SUBMITTING,
            or_(Job.intent_at < abandoned_before, Job.id.in_(lost)),
        )
        query = select(Job).where(
            OPT_OUTS,
            Job.inbox_date <= inbox_date,
            Job.on_hold.is_(False),
            # Within the statement: a database takes so many parameters only.
            Job.id.not_in(bindparam(None, list(left_out), expanding=True, literal_execute=True)),
            or_(Job.state == JobState.RECEIVED, unknown),
        )
        with self.unit.write() as session:
            refuse_while_paused(session, self.unit.now())
            rows = list(session.scalars(query.order_by(Job.due_on, Job.id).limit(limit)))
            if rows:
                count_intents(session, self.unit.now())
            again = [row for row in rows if row.state == JobState.SUBMITTING]
            for row in again:
                row.attempt += 1
            for row in rows:
                row.intent_at = self.unit.now()
            self.unit.move(
                session, again, Move.INTEND_AGAIN, "sent again: the last call's outcome is unknown"
            )
            first = [row for row in rows if row.state == JobState.RECEIVED]
            self.unit.move(session, first, Move.INTEND, "intent committed")
            return rows

    def jobs(self, inbox_date: date, *states: JobState) -> list[Job]:
        """The opt-outs of `inbox_date` and before that are in one of `states`."""
        query = select(Job).where(OPT_OUTS, Job.inbox_date <= inbox_date, Job.state.in_(states))
        with self.unit.read() as session:
            return list(session.scalars(query.order_by(Job.due_on, Job.id)))

    def told_unreadable(self, inbox_date: date) -> list[tuple[Job, str]]:
        """Of the opt-outs of `inbox_date` and before that wait, those that were not sent because a file could not be
        read, and why."""
        query = select(Job, last_move(Transition.reason)).where(
            OPT_OUTS,
            Job.inbox_date <= inbox_date,
            Job.on_hold.is_(False),
            Job.state == JobState.RECEIVED,
            last_move(Transition.reason).startswith(UNREADABLE),
        )
        with self.unit.read() as session:
            return [(job, why) for job, why in session.execute(query)]

    def record_accepted(self, jobs: Collection[Job]) -> list[Job]:
        """Adobe has accepted these opt-outs: that is all it ever says. Returns those that are `COMPLETE` by
        this."""
        with self.unit.write() as session:
            now = self.unit.now()
            end_pause_and_doubt(session)
            accepted = Job.state.in_(Move.ACCEPT.origins)
            rows = self.unit.by_id(session, [job.id for job in jobs], accepted)
            for row in rows:
                row.submitted_at = row.completed_at = now
                row.outcome = Verdict.ACCEPTED.value
            for warned in (False, True):
                some = [row for row in rows if ("opt-out of sale" in row.warnings) is warned]
                if some:
                    why = "Adobe: accepted" + (
                        ", for a part of what was asked: see its warnings" if warned else ""
                    )
                    self.unit.move(session, some, Move.ACCEPT, why)
            return rows

    def record_receipts(
        self, receipts: Collection[tuple[Job, str]], hashes: Mapping[int, str] | None = None
    ) -> int:
        """The receipts of these opt-outs are written; each with its place in the archive, and by job the SHA-256."""
        places = {job.id: place for job, place in receipts}
        with self.unit.write() as session:
            rows = self.unit.in_state(session, places, JobState.COMPLETE)
            archive(self.unit, session, rows, places, hashes or {}, "receipt written")
            return len(rows)

    def record_found(self, found: Collection[FoundReceipt]) -> int:
        """Their receipts say that Adobe accepted them. Returns how many are archived by this."""
        by_id = {each.job.id: each for each in found}
        with self.unit.write() as session:
            rows = self.unit.by_id(session, by_id, Job.state.in_(Move.ACCEPT.origins))
            for row in rows:
                row.submitted_at = row.completed_at = by_id[row.id].accepted_at
                row.attempt = max(row.attempt, by_id[row.id].attempts)
                row.outcome = Verdict.ACCEPTED.value
            reason = "its receipt is in the archive: reconcile"
            self.unit.move(session, rows, Move.ACCEPT, reason)
            places = {row.id: by_id[row.id].place for row in rows}
            hashes = {row.id: by_id[row.id].sha256 for row in rows}
            archive(self.unit, session, rows, places, hashes, reason)
            return len(rows)
