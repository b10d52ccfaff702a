"""What there is of each kind of attention, of all jobs or of one run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from adobe_privacy.ledger.attention import LASTING, Kind, moments
from adobe_privacy.ledger.moments_of_jobs import last_move
from adobe_privacy.ledger.schema import (
    OPEN,
    AttentionTold,
    Batch,
    InboxProblem,
    Job,
    Origin,
    Transition,
)
from adobe_privacy.ledger.states import OPEN_STATES, JobState
from adobe_privacy.ledger.unit import Topic
from adobe_privacy.regulations.clocks import OPT_OUT


@dataclass(frozen=True)
class RunScope:
    """What a run that has ended answers for: the jobs of its day, of the batches that it claimed and of those in
    `batch_ids`, which it took over. With `left_to_sweep`, jobs that Adobe still works on are not. With
    `opt_outs`, its jobs are opt-outs of sale, which else are none of them: those of its day, and those that an earlier
    day left and that it had to refuse."""

    run_id: str
    inbox_date: date
    left_to_sweep: bool = False
    opt_outs: bool = False
    batch_ids: tuple[str, ...] = ()


class Attention(Topic):
    """Finds what people should know of."""

    def counts(self, kinds: Sequence[Kind] = LASTING, scope: RunScope | None = None) -> dict[str, int]:
        """By the name of the kind, how many jobs or lines or files it is about."""
        if not kinds:
            return {}
        with self.unit.read() as session:
            query = (
                _counting_all(tuple(kinds))
                if scope is None
                else _counting(kinds, scope, _own(session, scope))
            )
            rows = session.execute(query, moments(self.unit.now()))
            return {name: int(count or 0) for name, count in rows.tuples()}

    def jobs(
        self, kind: Kind, *, limit: int, scope: RunScope | None = None
    ) -> list[tuple[Job, datetime | None, str]]:
        """The most urgent jobs of a kind, each with the moment since when it is of the kind, and with the reason if the
        kind has one."""
        reason = literal("") if kind.reason is None else kind.reason()
        with self.unit.read() as session:
            query = select(Job, kind.since(), reason).where(
                *_job_conditions(kind, scope, _own(session, scope))
            )
            query = query.order_by(Job.due_on, Job.id).limit(limit)
            rows = session.execute(query, moments(self.unit.now()))
            return [(job, _moment(since), why or "") for job, since, why in rows]

    def problems(self, kind: Kind, *, limit: int, scope: RunScope | None = None) -> list[InboxProblem]:
        """The open problems of the inbox of a kind, the newest folder's first."""
        query = select(InboxProblem).where(*_problem_conditions(kind, scope))
        order = (InboxProblem.inbox_date.desc(), InboxProblem.id)
        with self.unit.read() as session:
            return list(session.scalars(query.order_by(*order).limit(limit)))

    def told(self) -> dict[str, datetime]:
        """When people were last told of each kind."""
        with self.unit.read() as session:
            rows = session.execute(select(AttentionTold.kind, AttentionTold.told_at))
            return dict(rows.tuples().all())

    def record_told(self, told: Mapping[str, datetime]) -> None:
        """Notes that people were told of these kinds, as they were at a moment."""
        if told:
            with self.unit.write() as session:
                for kind, at in told.items():
                    session.merge(AttentionTold(kind=kind, told_at=at))


def _counting(kinds: Sequence[Kind], scope: RunScope | None, own: Sequence[Any]) -> CompoundSelect[Any]:
    return union_all(*(_counting_one(kind, scope, own) for kind in kinds))


@cache
def _counting_all(kinds: tuple[Kind, ...]) -> CompoundSelect[Any]:
    """Made once: to make it takes longer than to execute it."""
    return _counting(kinds, None, ())


def _counting_one(kind: Kind, scope: RunScope | None, own: Sequence[Any]) -> Select[Any]:
    if kind.problems:
        lines = func.coalesce(func.sum(InboxProblem.lines), 0)
        return select(literal(kind.name), lines).where(*_problem_conditions(kind, scope))
    jobs = select(literal(kind.name), func.count()).select_from(Job)
    return jobs.where(*_job_conditions(kind, scope, own))


def _job_conditions(kind: Kind, scope: RunScope | None, own: Sequence[Any]) -> list[ColumnElement[bool]]:
    conditions = [kind.jobs()]
    if scope is not None:
        of_day = and_(Job.inbox_date == scope.inbox_date, Job.origin == Origin.INBOX)
        batch = last_move(Transition.batch_id) if kind.left_batch else Job.batch_id
        of_run = or_((Job.id if scope.opt_outs else batch).in_(own), of_day)
        conditions += [of_run, Job.action == OPT_OUT if scope.opt_outs else Job.action != OPT_OUT]
        # Each job of an ended run counts once.
        if kind.of_ended_runs:
            if scope.left_to_sweep:
                conditions.append(Job.state != JobState.SUBMITTED)
        elif not kind.instead_of_unfinished:
            conditions.append(Job.state.not_in(OPEN_STATES))
    return conditions


def _own(session: Session, scope: RunScope | None) -> Sequence[Any]:
    """Besides those of its day, a run's jobs are known by their batches. Opt-outs have none: these are their ids."""
    if scope is None:
        return ()
    if scope.opt_outs:
        by_run = last_move(Transition.actor).startswith(f"{scope.run_id}/", autoescape=True)
        refused = select(Job.id).where(Job.state == JobState.REFUSED, Job.action == OPT_OUT, by_run)
        return session.scalars(refused).all()
    own = session.scalars(select(Batch.id).where(Batch.run_id == scope.run_id)).all()
    return list({*own, *scope.batch_ids})


def _problem_conditions(kind: Kind, scope: RunScope | None) -> list[ColumnElement[bool]]:
    conditions = [and_(OPEN), InboxProblem.kind.in_([each.value for each in kind.problems])]
    if scope is not None:
        conditions.append(
            or_(InboxProblem.inbox_date == scope.inbox_date, InboxProblem.run_id == scope.run_id)
        )
    return conditions


def _moment(value: datetime | date | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.combine(value, time(), UTC) + timedelta(days=1)
