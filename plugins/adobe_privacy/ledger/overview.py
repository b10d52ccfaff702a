"""What a person looks for in the ledger: how many, what is late, which jobs. It reads, and changes nothing.

Every query follows an index or counts few rows, at a million jobs too. The archived jobs, which are nearly all of
an old ledger, are not counted but summed up from the daily figures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    TextClause,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from adobe_privacy.api.facts import DETAIL_KEPT, LIST_LOOK_BACK
from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.attention import Kind, moments
from adobe_privacy.ledger.moments_of_jobs import last_batch
from adobe_privacy.ledger.schema import (
    ARCHIVED,
    UNFINISHED,
    Batch,
    DailyFigures,
    Job,
    Origin,
    ProductAnswer,
    Transition,
)
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic
from adobe_privacy.results.verdicts import JOB_VERDICTS

# So many answers are looked up one by one; of more, the jobs are read in their order until a page is full.
FEW_ANSWERS = 2000
# Of more lists of products, and of longer periods, the archived jobs are read in their order until a page is full.
FEW_LISTS = 100
FEW_DAYS = 62
EXPORTED_AT_ONCE = 500
# Each state by itself: no row is sorted or hashed. Made once, as it takes longer to make than to execute.
_COUNTS = union_all(
    *(
        select(literal(state.value), func.count()).select_from(Job).where(Job.state == state)
        for state in JobState
        if state is not JobState.ARCHIVED
    ),
    select(literal(JobState.ARCHIVED.value), func.coalesce(func.sum(DailyFigures.archived), 0)),
)
# What the page shows where nobody chose: what is in the archive, and what a person closed, needs nobody.
SHOWN_STATES = tuple(state for state in JobState if state not in (JobState.ARCHIVED, JobState.CLOSED))


class Position(NamedTuple):
    """A job's place in the order of pages."""

    due_on: date
    job_id: int


class Horizon(NamedTuple):
    """When the oldest unfinished request was received, which day is the next to be due, and when the first of the jobs
    that wait to be archived was complete; None where there is none."""

    received_at: datetime | None
    due_on: date | None
    completed_at: datetime | None


class Size(NamedTuple):
    """How many requests, and how many jobs of theirs."""

    requests: int
    jobs: int


@dataclass(frozen=True)
class Filters:
    """Which jobs to show. Empty `states` means those that `chosen_states` says. `product` is an include code, one of
    the request's products. A request that names none counts by what its batch asks for; before it is in a batch, by
    `default_products`. Days are those of the inbox, both included.

    `verdict` alone is the verdict on a whole job, or that of any of its products where no whole job has such a
    verdict. With a `product` or a `code`, one answer of the job has all that is given.
    """

    states: tuple[JobState, ...] = ()
    attention: Kind | None = None
    regulation: str | None = None
    action: str | None = None
    product: str | None = None
    verdict: Verdict | None = None
    code: str | None = None
    request_id: str | None = None
    batch_id: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    default_products: Collection[str] = field(default=(), compare=False)

    @property
    def chosen_states(self) -> tuple[JobState, ...]:
        """Where none were given: those of a kind of attention, or all of a request, a batch, a verdict or a code; else
        all but the archived and the closed ones."""
        if self.states:
            return self.states
        if self.attention is not None:
            return self.attention.states
        narrow = any(each is not None for each in (self.request_id, self.batch_id, self.verdict, self.code))
        return tuple(JobState) if narrow else SHOWN_STATES

    @property
    def by_answer(self) -> bool:
        """Whether single products' answers decide."""
        if self.verdict is None:
            return self.code is not None
        return self.code is not None or self.product is not None or self.verdict not in JOB_VERDICTS

    @property
    def leave_few(self) -> bool:
        """Whether an index leads to few jobs, whatever their states."""
        return (
            self.request_id is not None
            or self.batch_id is not None
            or (self.attention is not None and self.attention.few)
            or (self.first_day is not None and self.first_day == self.last_day)
        )


@dataclass(frozen=True)
class Page:
    """Some of the jobs, the next due first; the latest due first where archived ones are among them. `next` is
    where the following page begins, None on the last one."""

    jobs: list[Job]
    next: Position | None


class Overview(Topic):
    """What the page, the commands and a run's summary read."""

    def run_jobs(self, *, run_id: str, inbox_date: date, batch_ids: Collection[str] = ()) -> Iterator[Job]:
        """The jobs that a run of `inbox_date` reports on: of its own batches, of those that it took over, or of its own
        day, the most urgent first; and then those of other days that left these batches and wait for the next plan.
        They are read as they are asked for."""
        with self.unit.read() as session:
            own_batches = session.scalars(select(Batch.id).where(Batch.run_id == run_id)).all()
            of_day = and_(Job.inbox_date == inbox_date, Job.origin == Origin.INBOX)
            own = {*own_batches, *batch_ids}
            waits = and_(Job.state == JobState.RECEIVED, Job.inbox_date != inbox_date)
            for jobs in (or_(Job.batch_id.in_(own), of_day), and_(waits, last_batch().in_(own))):
                query = select(Job).where(jobs).order_by(Job.due_on, Job.id)
                yield from session.scalars(query.execution_options(yield_per=1000))

    def due(self, by: date, *, limit: int = 1000) -> list[Job]:
        """Unfinished jobs to be answered on or before `by`, the most urgent first."""
        query = select(Job).where(UNFINISHED, Job.due_on <= by)
        with self.unit.read() as session:
            return list(session.scalars(query.order_by(Job.due_on, Job.id).limit(limit)))

    def counts(self) -> dict[JobState, int]:
        """Jobs by state, of every state."""
        with self.unit.read() as session:
            counted = session.execute(_COUNTS).tuples()
            return {JobState(state): int(count) for state, count in counted}

    def horizon(self) -> Horizon:
        """The first and the last moments of what is unfinished."""
        unfinished = select(func.min(Job.received_at), func.min(Job.due_on)).where(
            UNFINISHED, Job.origin == Origin.INBOX
        )
        ready = select(func.min(Job.completed_at)).where(Job.state == JobState.COMPLETE)
        with self.unit.read() as session:
            received_at, due_on = session.execute(unfinished).one()
            return Horizon(received_at, due_on, session.scalar(ready))

    def sizes(self, kinds: Sequence[Kind]) -> dict[str, Size]:
        """By the name of a kind of attention about jobs, how many requests and how many of their jobs it is about."""
        if not kinds:
            return {}
        with self.unit.read() as session:
            rows = session.execute(_sizes(tuple(kinds)), moments(self.unit.now())).tuples()
            return {name: Size(requests, int(jobs)) for name, requests, jobs in rows}

    def page(self, filters: Filters, *, after: Position | None = None, limit: int = 50) -> Page:
        """The first `limit` jobs that `filters` leave, behind the position `after`."""
        latest_first = JobState.ARCHIVED in filters.chosen_states
        with self.unit.read() as session:
            queries = [
                self._ordered(query, after, limit, latest_first) for query in self._queries(session, filters)
            ]
            if not queries:
                return Page([], None)
            places = union_all(*(select(query.subquery()) for query in queries))
            rows = session.execute(places, moments(self.unit.now()))
            found = sorted((Position(*row) for row in rows), reverse=latest_first)
            found = found[: limit + 1]
            shown = session.scalars(select(Job).where(Job.id.in_([place.job_id for place in found[:limit]])))
            jobs = sorted(shown, key=lambda job: (job.due_on, job.id), reverse=latest_first)
        return Page(jobs, found[limit - 1] if len(found) > limit else None)

    def every(self, filters: Filters) -> Iterator[list[Job]]:
        """All jobs that `filters` leave, some hundreds at a time, in the order of the pages."""
        after: Position | None = None
        while True:
            page = self.page(filters, after=after, limit=EXPORTED_AT_ONCE)
            if page.jobs:
                yield page.jobs
            after = page.next
            if after is None:
                return

    def job(self, job_id: int) -> Job | None:
        with self.unit.read() as session:
            return session.get(Job, job_id)

    def request(self, request_id: str) -> tuple[list[Job], list[Transition], dict[str, Batch]]:
        """A request's jobs, all their changes, the oldest first, and the batches they are in."""
        names = self.unit.names_of(request_id)
        with self.unit.read() as session:
            jobs = list(session.scalars(select(Job).where(Job.request_id.in_(names)).order_by(Job.id)))
            ids = [job.id for job in jobs]
            changes = select(Transition).where(Transition.job_id.in_(ids)).order_by(Transition.id)
            batches = select(Batch).where(Batch.id.in_({job.batch_id for job in jobs if job.batch_id}))
            return jobs, list(session.scalars(changes)), {each.id: each for each in session.scalars(batches)}

    def daily_figures(self, days: int) -> list[DailyFigures]:
        """Each of the last `days` days, today included, also where nothing happened."""
        today = self.unit.now().date()
        first = today - timedelta(days=days - 1)
        with self.unit.read() as session:
            rows = session.scalars(select(DailyFigures).where(DailyFigures.day >= first))
            known = {row.day: row for row in rows}
        every = (first + timedelta(days=number) for number in range(days))
        return [
            known.get(day) or DailyFigures(day=day, arrived=0, archived=0, seconds=0, longest=0)
            for day in every
        ]

    # -- inside -------------------------------------------------------------------------------------------

    def _queries(self, session: Session, filters: Filters) -> Iterator[Select[tuple[date, int]]]:
        """The places of the jobs that `filters` leave, in one or more parts. Each part follows an index."""
        states = filters.chosen_states
        query = select(Job.due_on, Job.id).where(*self._conditions(filters))
        few_answers = filters.by_answer and self._few_answers(session, filters)
        if few_answers:
            query = query.where(Job.id.in_(select(ProductAnswer.job_id).where(*_answer(filters))))
        if filters.leave_few or few_answers:
            # A plain comparison would let the database read all jobs of a state instead of these few.
            yield query.where(func.trim(Job.state).in_(states))
            return
        for state in states:
            if state is JobState.ARCHIVED:
                yield from self._archived(session, filters, query)
            elif filters.by_answer and state is JobState.SUBMITTED:
                # Nearly none of very many has an answer yet.
                yield query.where(Job.state == state, Job.outcome.is_not(None))
            else:
                yield query.where(Job.state == state)

    def _archived(
        self, session: Session, filters: Filters, query: Select[tuple[date, int]]
    ) -> Iterator[Select[tuple[date, int]]]:
        """Of the archived jobs, which are nearly all: each part follows an index of its own."""
        query = query.where(ARCHIVED)
        first, last = filters.first_day, filters.last_day
        lists = None
        if filters.product is not None and not filters.by_answer:
            lists = _lists(session, Job.products, ARCHIVED)
        if lists is not None and filters.product is not None:
            without = replace(filters, product=None)
            rest = select(Job.due_on, Job.id).where(*self._conditions(without), ARCHIVED)
            for products in lists:
                if filters.product in products.split(","):
                    yield rest.where(Job.products == products)
                elif not products and (asked := self._asked(session, filters, filters.product)) is not False:
                    yield (rest if asked else query).where(Job.products == products)
        elif first is not None and last is not None and (last - first).days < FEW_DAYS:
            for number in range((last - first).days + 1):
                yield query.where(Job.inbox_date == first + timedelta(days=number))
        else:
            yield query

    def _asked(self, session: Session, filters: Filters, product: str) -> bool | None:
        """Whether every job that names no products asks for this one, by its batch or the connection; False where none
        does, None where some do."""
        by_batch = _lists(session, Batch.products)
        if by_batch is None:
            return None
        named = {product in each.split(",") for each in by_batch} | {product in filters.default_products}
        return named.pop() if len(named) == 1 else None

    def _ordered(
        self, query: Select[tuple[date, int]], after: Position | None, limit: int, latest_first: bool
    ) -> Select[tuple[date, int]]:
        order = tuple_(Job.due_on, Job.id)
        if after is not None:
            query = query.where(order < after if latest_first else order > after)
        directions = (column.desc() if latest_first else column for column in (Job.due_on, Job.id))
        return query.order_by(*directions).limit(limit + 1)

    def _few_answers(self, session: Session, filters: Filters) -> bool:
        """Whether so few answers are like this that their jobs are found quicker by them."""
        some = select(ProductAnswer.job_id).where(*_answer(filters)).limit(FEW_ANSWERS + 1).subquery()
        return (session.scalar(select(func.count()).select_from(some)) or 0) <= FEW_ANSWERS

    def _conditions(self, filters: Filters) -> Iterator[ColumnElement[bool]]:
        if filters.by_answer:
            present = and_(ProductAnswer.job_id == Job.id, ProductAnswer.attempt == Job.attempt)
            yield select(ProductAnswer.job_id).where(present, *_answer(filters)).exists()
        elif filters.verdict is not None:
            yield Job.outcome == filters.verdict.value
        if filters.request_id is not None:
            yield Job.request_id == filters.request_id
        if filters.batch_id is not None:
            yield Job.batch_id == filters.batch_id
        if filters.attention is not None:
            yield filters.attention.where
        if filters.regulation is not None:
            yield Job.regulation == filters.regulation
        if filters.action is not None:
            yield Job.action == filters.action
        if filters.first_day is not None and filters.first_day == filters.last_day:
            yield Job.inbox_date == filters.first_day
        elif filters.first_day is not None or filters.last_day is not None:
            yield Job.inbox_date.between(filters.first_day or date.min, filters.last_day or date.max)
        if filters.product is not None and not filters.by_answer:
            # One row by its key for each job that names none: no list of all batches is made.
            asked = select(Batch.products).where(Batch.id == Job.batch_id).scalar_subquery()
            by_default: ColumnElement[bool] = _is_in(asked, filters.product)
            if filters.product in filters.default_products:
                by_default = or_(by_default, Job.batch_id.is_(None))
            named = and_(
                # Cheaper than what decides, and false for nearly all of a million where it matters.
                Job.products.contains(filters.product, autoescape=True),
                _is_in(Job.products, filters.product),
            )
            yield or_(named, and_(Job.products == "", by_default))


@cache
def _sizes(kinds: tuple[Kind, ...]) -> CompoundSelect[Any]:
    """Made once: to make it takes longer than to execute it."""
    queries = []
    for kind in kinds:
        of_kind = select(func.count().label("jobs")).select_from(Job).where(kind.jobs())
        each = of_kind.group_by(Job.request_id).subquery()
        sums = (func.count(), func.coalesce(func.sum(each.c.jobs), 0))
        queries.append(select(literal(kind.name), *sums).select_from(each))
    return union_all(*queries)


def _lists(session: Session, column: InstrumentedAttribute[str], *conditions: TextClause) -> list[str] | None:
    """The lists of products that a column holds; None where there are too many. An index leads from each to the
    following one: `DISTINCT` would read every row."""
    lists = select(func.min(column).label("products")).where(*conditions).cte("lists", recursive=True)
    following = select(func.min(column)).where(*conditions, column > lists.c.products).scalar_subquery()
    lists = lists.union_all(select(following).where(lists.c.products.is_not(None)))
    found = session.scalars(select(lists.c.products).limit(FEW_LISTS + 1)).all()
    return None if len(found) > FEW_LISTS else [each for each in found if each is not None]


def _is_in(products: ColumnElement[str] | InstrumentedAttribute[str], product: str) -> ColumnElement[bool]:
    """Whether a list, separated by commas, names this product."""
    return ("," + products + ",").contains(f",{product},", autoescape=True)


def _answer(filters: Filters) -> list[ColumnElement[bool]]:
    """What an answer is like of which the filters tell."""
    # The index begins with the verdict.
    verdicts = tuple(Verdict) if filters.verdict is None else (filters.verdict,)
    conditions: list[ColumnElement[bool]] = [ProductAnswer.verdict.in_([each.value for each in verdicts])]
    if filters.product is not None:
        conditions.append(ProductAnswer.product == filters.product)
    if filters.code is not None:
        conditions.append(ProductAnswer.code == filters.code)
    return conditions


def expires_at(job: Job) -> datetime | None:
    """Until when Adobe is sure to tell of a job that is not archived yet; None where it is not there."""
    if job.state is JobState.COMPLETE and job.completed_at is not None:
        return job.completed_at + DETAIL_KEPT
    if job.state is JobState.SUBMITTED and job.submitted_at is not None:
        return job.submitted_at + LIST_LOOK_BACK
    return None
