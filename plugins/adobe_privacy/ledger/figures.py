"""How many requests of a period were received, complied with and denied, and in how many days.

The words are those of 11 CCR § 7102(a)(1): requests to delete, to know and to opt out, "received, complied with
in whole or in part, and denied", and "the median or mean number of days within which the business substantively
responded". What counts as which in terms of the ledger is our decision, in `Standing` and `RequestFigures`.
Requests to correct and to limit have no counterpart in Adobe's Privacy Service and never arrive here.
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

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic
from adobe_privacy.results.verdicts import IN_WHOLE


class Standing(StrEnum):
    """How far one action of one request is, taking the jobs of a subject with many identities together."""

    OPEN = "open"  # some job is not at its end; on hold, it will not be before its release
    WHOLE = "whole"  # every job is archived, and every product did all that was asked or has nothing of the person
    PART = "part"  # every job is at its end, and some, but not all, is done; or an older version judged it
    DENIED = "denied"  # every job was refused, or closed by a person
    FAILED = (
        "failed"  # every job is at its end or gone at Adobe, and no product did anything of what was asked
    )


@dataclass(frozen=True)
class RequestFigures:
    """One action's requests under one regulation, of those received in the period, as they stand now.

    `received` is the sum of the next five. Days are calendar days in UTC from receipt to the last result's
    arrival in the archive, of the requests complied with in whole or in part; None where there is none.
    """

    regulation: str
    action: str
    received: int
    whole: int
    part: int
    denied: int
    failed: int
    open: int
    median_days: float | None
    mean_days: float | None

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
    denied: int
    undone: int
    held: int
    days: float | None  # from receipt to the last result's arrival in the archive; a whole number
    requests: int


def _standing(request: _Requests) -> Standing:
    if request.ended < request.jobs or request.held:
        return Standing.OPEN
    if request.denied == request.jobs:
        return Standing.DENIED
    if request.denied + request.undone == request.jobs:
        return Standing.FAILED
    return Standing.WHOLE if request.whole == request.jobs else Standing.PART


class Figures(Topic):
    """Counts requests, never jobs."""

    def requests(self, first: date, last: date, *, regulation: str | None = None) -> list[RequestFigures]:
        """The figures of the requests received from `first` to `last`, both included, UTC; by regulation and
        action. Jobs that others made at Adobe, which the sweep found, are nobody's request here and left out."""
        standings: dict[tuple[str, str], Counter[Standing]] = defaultdict(Counter)
        days: dict[tuple[str, str], list[int]] = defaultdict(list)
        for alike in self._requests(first, last, regulation):
            group = (alike.regulation, alike.action)
            standing = _standing(alike)
            standings[group][standing] += alike.requests
            if standing in (Standing.WHOLE, Standing.PART) and alike.days is not None:
                # A clock that was wrong once makes no answer earlier than its question.
                days[group] += [max(0, int(alike.days))] * alike.requests
        return [
            RequestFigures(
                regulation=group[0],
                action=group[1],
                received=counts.total(),
                whole=counts[Standing.WHOLE],
                part=counts[Standing.PART],
                denied=counts[Standing.DENIED],
                failed=counts[Standing.FAILED],
                open=counts[Standing.OPEN],
                median_days=float(median(days[group])) if days[group] else None,
                mean_days=fmean(days[group]) if days[group] else None,
            )
            for group, counts in sorted(standings.items())
        ]

    def _requests(self, first: date, last: date, regulation: str | None) -> Iterator[_Requests]:
        """The database puts those that are alike together: of a year's million requests, some hundred rows come."""

        def count(condition: Any) -> Any:
            return func.sum(case((condition, 1), else_=0))

        archived = Job.state == JobState.ARCHIVED
        refused = Job.state.in_((JobState.REFUSED, JobState.CLOSED))
        judged = or_(archived, Job.state == JobState.ERROR)
        gone = Job.state == JobState.GONE
        undone = or_(gone, and_(judged, Job.outcome == Verdict.NOT_DONE))
        query = select(
            Job.regulation,
            Job.action,
            func.count().label("jobs"),
            count(or_(judged, refused, gone)).label("ended"),
            count(archived & Job.outcome.in_(IN_WHOLE)).label("whole"),
            count(refused).label("denied"),
            count(undone).label("undone"),
            count(and_(Job.on_hold, not_(archived))).label("held"),
            _days(self.unit.engine.dialect.name, func.min(Job.received_at), func.max(Job.archived_at)).label(
                "days"
            ),
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


def _days(dialect: str, first: Any, last: Any) -> Any:
    """Calendar days in UTC from one moment to another."""
    if dialect == "sqlite":
        return func.julianday(func.date(last)) - func.julianday(func.date(first))
    return func.date(func.timezone("UTC", last)) - func.date(func.timezone("UTC", first))
