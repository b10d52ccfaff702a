"""Jobs that Adobe may have although the ledger knows of no call: it has lost what it had written, or a list shows it.

A doubtful job waits and is planned as any other. Its submission looks for it at Adobe before it sends anything.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from adobe_privacy.ledger.identity import TIME_ZONES, Lost, keep_lost, keep_lost_heads, lost
from adobe_privacy.ledger.intents import known_at_adobe
from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.states import UNSENT_STATES, JobState, Move
from adobe_privacy.ledger.unit import Topic, chunks
from adobe_privacy.regulations.clocks import OPT_OUT

NOT_SENT = (JobState.RECEIVED, *UNSENT_STATES)


@dataclass(frozen=True)
class SeenJob:
    """A job at Adobe whose key has the form of ours."""

    adobe_job_id: str
    request_id: str
    action: str


class Doubts(Topic):
    """Says of which jobs it is not known whether Adobe has them."""

    def lost(self) -> Lost | None:
        with self.unit.read() as session:
            return lost(session)

    def begin(self, time_lost: Lost, lost_heads: Collection[str] = ()) -> int:
        """What was written in this time is lost: whatever is not known to be at Adobe may be there, and so may what the
        inbox still brings of that time. Seals whose hashes are `lost_heads` are lost although they are dated later.
        Returns how many jobs are doubtful by this."""
        with self.unit.write() as session:
            before = lost(session)
            since = time_lost.since
            if before is not None:
                since = min(since, before.since) if since and before.since else None
            until = max(time_lost.until, before.until) if before else time_lost.until
            keep_lost(session, Lost(since, until))
            keep_lost_heads(session, lost_heads)
            ours = (Job.state.in_(NOT_SENT), Job.origin == Origin.INBOX, Job.action != OPT_OUT)
            doubtful = select(Job.id).where(*ours)
            ids = session.scalars(doubtful).all()
            for some in chunks(ids):
                session.execute(update(Job).where(Job.id.in_(some)).values(doubt_until=until))
            return len(ids)

    def candidates(self) -> dict[tuple[str, str], int]:
        """The jobs that may be recognised at Adobe, by user key and action."""
        query = select(Job.key, Job.action, Job.id).where(
            Job.state.in_(Move.RECOGNISE.origins), Job.origin == Origin.INBOX, Job.action != OPT_OUT
        )
        with self.unit.read() as session:
            return {(key, action): job_id for key, action, job_id in session.execute(query)}

    def count(self) -> int:
        with self.unit.read() as session:
            doubtful = Job.state.in_(NOT_SENT) & Job.doubt_until.is_not(None)
            return session.scalar(select(func.count()).where(doubtful)) or 0

    def jobs(self, job_ids: Collection[int]) -> list[Job]:
        with self.unit.read() as session:
            return self.unit.by_id(session, job_ids)

    def note_seen(self, seen: Collection[SeenJob]) -> int:
        """Adobe lists these jobs. Those of them that the ledger takes for not sent are doubtful from now on; returns
        how many."""
        by_place = {(each.request_id, each.action): each for each in seen}
        states = (JobState.RECEIVED, JobState.PLANNED)
        with self.unit.read() as session:
            unsent = _unsent(session, by_place, states)
            known = known_at_adobe(session, [by_place[place].adobe_job_id for place in unsent])
        doubtful = {place for place in unsent if by_place[place].adobe_job_id not in known}
        if not doubtful:
            return 0
        with self.unit.write() as session:
            now = self.unit.now()
            # A call of this moment may have made it: then it is being sent, and no longer among these.
            rows = [row for rows in _unsent(session, doubtful, states).values() for row in rows]
            for row in rows:
                row.doubt_until = now
            return len(rows)

    def look_up(self, batch_id: str, job_ids: Collection[int]) -> int:
        """Doubtful jobs of a batch become jobs whose call has an unknown outcome."""
        with self.unit.write() as session:
            rows = [
                row
                for row in self.unit.in_state(session, job_ids, JobState.PLANNED)
                if row.batch_id == batch_id and row.doubt_until is not None and not row.on_hold
            ]
            for row in rows:
                row.intent_at = row.doubt_until
            self.unit.move(session, rows, Move.DOUBT, "Adobe may have it: looked up before it is sent")
            return len(rows)


def may_be_made_since(job: Job, time_lost: Lost | None) -> datetime:
    """The earliest moment at which a call may have made this job."""
    if job.doubt_until is None:
        if job.intent_at is None:
            raise ValueError(f"job {job.id} of the ledger is {job.state} without an intent")
        return job.intent_at
    arrived = datetime.combine(job.inbox_date, time(), UTC) - TIME_ZONES
    since = time_lost.since if time_lost else None
    earliest = max(arrived, since) if since else arrived
    return min(earliest, job.intent_at or earliest)


def _unsent(
    session: Session, places: Collection[tuple[str, str]], states: Collection[JobState]
) -> dict[tuple[str, str], list[Job]]:
    found: dict[tuple[str, str], list[Job]] = {}
    wanted = set(places)
    for some in chunks({request_id for request_id, _ in places}):
        query = select(Job).where(Job.request_id.in_(some), Job.state.in_(states))
        for row in session.scalars(query.where(Job.origin == Origin.INBOX)):
            if (row.request_id, row.action) in wanted:
                found.setdefault((row.request_id, row.action), []).append(row)
    return found
