"""What alarms are about, and which were raised."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from adobe_privacy.ledger.schema import UNFINISHED, Alarm, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic, chunks

PAGE = 5000


@dataclass(frozen=True)
class Raised:
    """An alarm of a kind about a subject, at so many percent."""

    kind: str
    subject: str
    percent: int


@dataclass(frozen=True, slots=True)
class ClockJob:
    """What an alarm says of an unfinished job."""

    id: int
    request_id: str
    regulation: str
    action: str
    state: JobState
    on_hold: bool
    received_at: datetime
    due_on: date
    alarm_at: datetime


@dataclass(frozen=True, slots=True)
class NextAlarm:
    """When a job is worth another look, None for never; in place of the moment that was known when it was looked at."""

    at: datetime | None
    instead_of: datetime


@dataclass(frozen=True, slots=True)
class UnarchivedJob:
    """A job that Adobe has completed, and whose result or final detail is not archived."""

    adobe_job_id: str
    request_id: str
    action: str
    completed_at: datetime


class Alarms(Topic):
    """Tells what is worth an alarm, and remembers which were raised."""

    def jobs_due(self, now: datetime) -> Iterator[ClockJob]:
        """The unfinished jobs that are worth an alarm now; page by page, for there may be many."""
        columns = (
            Job.id,
            Job.request_id,
            Job.regulation,
            Job.action,
            Job.state,
            Job.on_hold,
            Job.received_at,
            Job.due_on,
            Job.alarm_at,
        )
        query = select(*columns).where(UNFINISHED, Job.alarm_at <= now)
        with self.unit.read() as session:
            for row in session.execute(query.execution_options(yield_per=PAGE)):
                yield ClockJob(*row)

    def unarchived(self, completed_before: datetime) -> list[UnarchivedJob]:
        """The jobs that Adobe completed before a moment and that are not archived yet."""
        query = select(Job.adobe_job_id, Job.request_id, Job.action, Job.completed_at).where(
            Job.state == JobState.COMPLETE,
            Job.completed_at <= completed_before,
            Job.adobe_job_id.is_not(None),
        )
        with self.unit.read() as session:
            return [UnarchivedJob(*row) for row in session.execute(query)]

    def raised(self, kind: str, subjects: Collection[str]) -> dict[str, int]:
        """The highest percent at which an alarm of this kind was raised about each of these subjects."""
        with self.unit.read() as session:
            return _raised(session, kind, subjects)

    def record(self, alarms: Collection[Raised], next_alarms: Mapping[int, NextAlarm]) -> None:
        """Notes that these alarms were raised, then when their jobs are worth the next. A crash between the two costs
        nothing: what was raised is known. A job whose dates were changed meanwhile stays due for a look."""
        with self.unit.write() as session:
            for kind in {alarm.kind for alarm in alarms}:
                of_kind = [alarm for alarm in alarms if alarm.kind == kind]
                known = _raised(session, kind, [alarm.subject for alarm in of_kind])
                rows = [
                    {
                        "kind": kind,
                        "subject": alarm.subject,
                        "percent": alarm.percent,
                        "raised_at": self.unit.now(),
                    }
                    for alarm in of_kind
                    if alarm.percent > known.get(alarm.subject, 0)
                ]
                if rows:
                    session.execute(insert(Alarm), rows)
        # Other writers wait for a transaction.
        as_seen = (Job.id == bindparam("job"), Job.alarm_at == bindparam("seen"))
        later = update(Job.__table__).where(*as_seen).values(alarm_at=bindparam("next"))  # type: ignore[arg-type]
        for some in chunks(next_alarms.items(), PAGE):
            rows = [{"job": job, "seen": alarm.instead_of, "next": alarm.at} for job, alarm in some]
            with self.unit.write() as session:
                session.connection().execute(later, rows)


def _raised(session: Session, kind: str, subjects: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in chunks(subjects):
        query = select(Alarm.subject, func.max(Alarm.percent)).where(
            Alarm.kind == kind, Alarm.subject.in_(some)
        )
        found.update(session.execute(query.group_by(Alarm.subject)).tuples().all())
    return found
