"""How many requests of a period were received, complied with and denied, in how many days, and whether in time.

The words are those of 11 CCR § 7102(a)(1): requests to delete, to know and to opt out, "received, complied with
in whole or in part, and denied", and "the median or mean number of days within which the business substantively
responded". What counts as which in terms of the ledger is our decision, in `Standing` and `RequestFigures`.
Requests to correct and to limit have no counterpart in Adobe's Privacy Service and never arrive here.

Whether a request was answered in time is asked by every law, under GDPR Art. 12(3) for one: it goes by the due date in
the ledger, which is that of the law's clock, or the later one that the person was told of (`extend`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from statistics import fmean, median
from typing import Any, NamedTuple

from sqlalchemy import and_, case, func, not_, or_, select

from adobe_privacy.api.names import IN_WHOLE, Verdict
from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic


class Standing(StrEnum):
    """How far one action of one request is, taking the jobs of a subject with many identities together."""

    OPEN = "open"  # some job is not at its end; on hold, it will not be before its release
    WHOLE = "whole"  # every job is archived, and every product did all that was asked or has nothing of the person
    PART = "part"  # every job is at its end, and some, but not all, is done; or an older version judged it
    DENIED = "denied"  # a person closed every job, on the ground of a law or another
    FAILED = "failed"  # every job is at its end, and for a technical reason nothing of what was asked is done


@dataclass(frozen=True)
class RequestFigures:
    """One action's requests under one regulation, of those received in the period, as they stand now; or of all.

    `received` is the sum of the next five. Days are calendar days in UTC from receipt to the last result's
    arrival in the archive, of the requests complied with in whole or in part; None where there is none.
    `in_time` and `late` are of these too; `overdue` ones are open or failed, and their day is over. `extended` ones
    have a later day, which the person was told of.
    """

    regulation: str | None
    action: str | None
    received: int
    whole: int
    part: int
    denied: int
    failed: int
    open: int
    median_days: float | None
    mean_days: float | None
    in_time: int
    late: int
    overdue: int
    extended: int

    @property
    def complied(self) -> int:
        """Complied with in whole or in part."""
        return self.whole + self.part


class _Requests(NamedTuple):
    """Requests that are alike: for one action each, how many jobs they have, and how many of them are where."""

    regulation: str
    action: str
    jobs: int
    ended: int
    whole: int
    closed: int
    undone: int
    held: int
    extended: int
    too_late: int  # archived after the due date
    past: int  # not archived, and the due date is over
    days: float | None  # from receipt to the last result's arrival in the archive; a whole number
    requests: int

    @property
    def standing(self) -> Standing:
        if self.ended < self.jobs or self.held:
            return Standing.OPEN
        if self.closed == self.jobs:
            return Standing.DENIED
        if self.closed + self.undone == self.jobs:
            return Standing.FAILED
        return Standing.WHOLE if self.whole == self.jobs else Standing.PART


class _Sum:
    """What is counted of some requests, and their days."""

    def __init__(self) -> None:
        self.standings: Counter[Standing] = Counter()
        self.times: Counter[str] = Counter()
        self.days: list[int] = []

    def add(self, alike: _Requests) -> None:
        standing, count = alike.standing, alike.requests
        self.standings[standing] += count
        self.times["extended"] += count * (alike.extended > 0)
        if standing in (Standing.WHOLE, Standing.PART):
            self.times["late" if alike.too_late else "in_time"] += count
            if alike.days is not None:
                # A clock that was wrong once makes no answer earlier than its question.
                self.days += [max(0, int(alike.days))] * count
        elif standing is not Standing.DENIED:
            self.times["overdue"] += count * (alike.past > 0)

    def figures(self, regulation: str | None, action: str | None) -> RequestFigures:
        counts, times, days = self.standings, self.times, self.days
        return RequestFigures(
            regulation=regulation,
            action=action,
            received=counts.total(),
            whole=counts[Standing.WHOLE],
            part=counts[Standing.PART],
            denied=counts[Standing.DENIED],
            failed=counts[Standing.FAILED],
            open=counts[Standing.OPEN],
            median_days=float(median(days)) if days else None,
            mean_days=fmean(days) if days else None,
            in_time=times["in_time"],
            late=times["late"],
            overdue=times["overdue"],
            extended=times["extended"],
        )


class Figures(Topic):
    """Counts requests, never jobs."""

    def requests(self, first: date, last: date, *, regulation: str | None = None) -> list[RequestFigures]:
        """The figures of the requests received from `first` to `last`, both included, UTC; by regulation and
        action. Jobs that others made at Adobe, which the sweep found, are nobody's request here and left out."""
        return self.with_total(first, last, regulation=regulation)[0]

    def with_total(
        self, first: date, last: date, *, regulation: str | None = None
    ) -> tuple[list[RequestFigures], RequestFigures]:
        """The same, and one row for all of them."""
        groups: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
        total = _Sum()
        for alike in self._requests(first, last, regulation):
            groups[alike.regulation, alike.action].add(alike)
            total.add(alike)
        rows = [groups[group].figures(*group) for group in sorted(groups)]
        return rows, total.figures(regulation, None)

    def _requests(self, first: date, last: date, regulation: str | None) -> Iterator[_Requests]:
        """The database puts those that are alike together: of a year's million requests, some hundred rows come."""

        def count(condition: Any) -> Any:
            return func.sum(case((condition, 1), else_=0))

        archived = Job.state == JobState.ARCHIVED
        closed = Job.state == JobState.CLOSED
        error = Job.state == JobState.ERROR
        never_done = Job.state.in_((JobState.REFUSED, JobState.GONE))
        # Of a job that ended in error, an older version did not keep what its products did.
        unknown = and_(error, or_(Job.outcome.is_(None), Job.outcome == Verdict.AS_BEFORE))
        undone = or_(never_done, unknown, and_(or_(archived, error), Job.outcome == Verdict.NOT_DONE))
        dialect = self.unit.engine.dialect.name
        query = select(
            Job.regulation,
            Job.action,
            func.count().label("jobs"),
            count(or_(archived, error, closed, never_done)).label("ended"),
            count(archived & Job.outcome.in_(IN_WHOLE)).label("whole"),
            count(closed).label("closed"),
            count(undone).label("undone"),
            count(and_(Job.on_hold, not_(archived))).label("held"),
            count(Job.first_due_on.is_not(None)).label("extended"),
            count(and_(archived, _day(dialect, Job.archived_at) > Job.due_on)).label("too_late"),
            count(and_(not_(archived), Job.due_on < self.unit.now().date())).label("past"),
            _days(dialect, func.min(Job.received_at), func.max(Job.archived_at)).label("days"),
        ).where(
            Job.received_at >= datetime.combine(first, time.min, UTC),
            Job.received_at <= datetime.combine(last, time.max, UTC),
            Job.origin == Origin.INBOX,
        )
        if regulation is not None:
            query = query.where(Job.regulation == regulation)
        each = query.group_by(Job.regulation, Job.action, Job.request_id).subquery()
        alike = select(*each.c, func.count()).group_by(*each.c)
        with self.unit.read() as session:
            for row in session.execute(alike):
                yield _Requests(*row)


def _day(dialect: str, moment: Any) -> Any:
    """The day of a moment in UTC."""
    return func.date(moment) if dialect == "sqlite" else func.date(func.timezone("UTC", moment))


def _days(dialect: str, first: Any, last: Any) -> Any:
    """Calendar days in UTC from one moment to another."""
    if dialect == "sqlite":
        return func.julianday(_day(dialect, last)) - func.julianday(_day(dialect, first))
    return _day(dialect, last) - _day(dialect, first)
