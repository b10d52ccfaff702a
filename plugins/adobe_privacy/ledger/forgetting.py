"""The ledger forgets: of requests that ended long ago, the request ids, the fingerprints and the file names go.

The rows stay, and with them the figures and the history. In the place of a request id stands a keyed hash of it: an id
that comes again is recognised, and whoever knows the id still finds the request.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Select, delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from adobe_privacy.ledger import search
from adobe_privacy.ledger.attention import erasure_stopped, not_done
from adobe_privacy.ledger.keys import FORGETS, FORGOTTEN, forgotten_id, setting
from adobe_privacy.ledger.schema import Alarm, Erasure, InboxProblem, Job, Origin, Setting, Transition
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic, chunks
from adobe_privacy.regulations.clocks import OPT_OUT

# A request in any other state waits for something, or for a person.
SETTLED = (JobState.ARCHIVED, JobState.CLOSED)
# In one run; Adobe takes no more in a day. The next run goes on.
REQUESTS_AT_MOST = 50_000
# In one transaction: other writers wait.
REQUESTS_AT_ONCE = 200


class Forgetting(Topic):
    """Takes request ids, fingerprints and file names out of the ledger."""

    def due(self, ended_before: datetime) -> list[str]:
        """The requests that would be forgotten: their last change was before a moment, all their jobs are archived or
        closed, none is on hold or waits as `not_done` or `not_erased`, and no line of the inbox with their id is
        open. The first of them, where they are many.
        """
        with self.unit.read() as session:
            return list(session.scalars(_due(ended_before).limit(REQUESTS_AT_MOST)))

    def forget(self, ended_before: datetime) -> Iterator[int]:
        """Forgets these requests, some in each transaction. Iterate to run it: yields how many."""
        key = self.unit.fingerprint_key
        for some in chunks(self.due(ended_before), REQUESTS_AT_ONCE):
            with self.unit.write() as session:
                # A hold, or a line with the same id, may have come meanwhile.
                still = list(session.scalars(_due(ended_before).where(Job.request_id.in_(some))))
                for request_id in still:
                    self._forget(session, request_id, forgotten_id(key, request_id))
                if still and setting(session, FORGETS) is None:
                    session.add(Setting(name=FORGETS, value=self.unit.now().isoformat()))
            yield len(still)
        with self.unit.write() as session:
            session.execute(delete(Alarm).where(Alarm.raised_at < ended_before))
            old = InboxProblem.closed_at < ended_before
            for row in session.scalars(select(InboxProblem).where(old, InboxProblem.file != "")):
                row.file = ""
                if row.request_id is not None and not row.request_id.startswith(FORGOTTEN):
                    row.request_id = forgotten_id(key, row.request_id)

    def _forget(self, session: Session, request_id: str, name: str) -> None:
        for job in session.scalars(select(Job).where(Job.request_id == request_id)):
            # A part of a request has a user key of its own.
            job.key = name + job.key.removeprefix(request_id)
            job.request_id, job.fingerprint, job.source, job.warnings = name, "", "", ""
            if job.action == OPT_OUT:
                # The name of its receipt is the request id.
                job.manifest = None
            job.forgotten_at = self.unit.now()
            self.unit.note(session, [job], job.state, job.state, "the ledger forgot the request id")
        search.forget(session, [request_id])
        for row in session.scalars(select(Erasure).where(Erasure.request_id == request_id)):
            row.request_id = name


def months_before(moment: datetime, months: int) -> datetime:
    """The same day of the month so many months earlier, or that month's last day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _due(ended_before: datetime) -> Select[tuple[str]]:
    of_request = aliased(Job)
    same = of_request.request_id == Job.request_id
    unsettled = exists().where(same, of_request.state.not_in(SETTLED) | of_request.on_hold)
    later = exists().where(same, Transition.job_id == of_request.id, Transition.at >= ended_before)
    # Each by its own index.
    waits = [
        Job.request_id.in_(select(Job.request_id).where(kind).correlate(None))
        for kind in (not_done(), erasure_stopped())
    ]
    unmended = exists().where(InboxProblem.request_id == Job.request_id, InboxProblem.closed_at.is_(None))
    return (
        select(Job.request_id)
        .where(
            Job.received_at < ended_before,
            Job.taken_in_at < ended_before,
            Job.forgotten_at.is_(None),
            Job.origin != Origin.ADOBE,
            ~unsettled,
            *(~each for each in waits),
            ~later,
            ~unmended,
        )
        .group_by(Job.request_id)
        .order_by(func.min(Job.received_at))
    )
