"""The kinds of what people should know of, as one table. `attention_reader` finds what there is of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, String, and_, func, or_, select, true

from adobe_privacy.api.facts import DETAIL_KEPT, LIST_LOOK_BACK
from adobe_privacy.api.names import Verdict
from adobe_privacy.documents import document
from adobe_privacy.ledger.delete_plan import DELETE
from adobe_privacy.ledger.schema import (
    AT_ADOBE,
    CLOSED_IN_ARCHIVE,
    HELD,
    UNFINISHED,
    WARNED,
    Batch,
    Job,
    Origin,
    ProblemKind,
    ProductAnswer,
    Transition,
)
from adobe_privacy.ledger.states import OPEN_STATES, JobState
from adobe_privacy.results.verdicts import MISSED

SOON = timedelta(days=7)
# No call takes longer, with all its retries.
ANSWERED = timedelta(minutes=15)

WAITING_OR_OPEN = (JobState.RECEIVED, *OPEN_STATES)


class Level(StrEnum):
    """`PERSON` makes a run fail and is told by the alarms until somebody has acted."""

    PERSON = "needs a person"
    NOTE = "good to know"


@dataclass(frozen=True)
class Kind:
    """A kind of attention. `one` and `many` follow a number. `says` is said of each: it may name a job's columns.

    About jobs: those in one of `states` of which `where`, asked with the present moment, holds; `since` is a moment or
    a day. With `few`, an index of `where` leads to few jobs, whatever their states. About the inbox: its `problems`.
    """

    name: str
    level: Level
    one: str
    many: str
    says: str
    to_do: str
    states: tuple[JobState, ...] = ()
    where: Callable[[datetime], ColumnElement[bool]] = field(default=lambda _: true())
    since: Callable[[], Any] = field(default=lambda: _entered())
    few: bool = False
    problems: tuple[ProblemKind, ...] = ()
    # A job of a run that has ended, whose state nobody can know at any other moment to be wrong.
    of_ended_runs: bool = False
    # Of an ended run's open jobs, these are told as this kind, all others as not finished.
    instead_of_unfinished: bool = False

    def counted(self, count: int) -> str:
        return f"{count} {self.one if count == 1 else self.many}"

    @property
    def document(self) -> str:
        """Where the documents say in full what to do."""
        return document(f"operate/{self.name}.md")

    def jobs(self, now: datetime) -> ColumnElement[bool]:
        if set(self.states) == set(JobState):
            return self.where(now)
        # Nearly all jobs are archived: a plain comparison would let SQLite read all of these instead of the few.
        few_of_many = self.few and JobState.ARCHIVED in self.states
        state = func.trim(Job.state, type_=String) if few_of_many else Job.state
        return and_(state.in_(self.states), self.where(now))


def _entered() -> ColumnElement[datetime]:
    """When a job came into its present state."""
    return (
        select(func.max(Transition.at))
        .where(Transition.job_id == Job.id, Transition.from_state != Transition.to_state)
        .scalar_subquery()
    )


def _held_since() -> ColumnElement[datetime]:
    return (
        select(func.max(Transition.at))
        .where(Transition.job_id == Job.id, Transition.reason.startswith("on hold"))
        .scalar_subquery()
    )


def _asked_at() -> ColumnElement[datetime]:
    return select(Batch.created_at).where(Batch.id == Job.batch_id).scalar_subquery()


def _of_unknown_outcome(now: datetime) -> ColumnElement[bool]:
    return and_(Job.state == JobState.SUBMITTING, Job.intent_at < now - ANSWERED)


def _expiring(now: datetime) -> ColumnElement[bool]:
    complete = and_(Job.state == JobState.COMPLETE, Job.completed_at < now + SOON - DETAIL_KEPT)
    submitted = and_(Job.state == JobState.SUBMITTED, Job.submitted_at < now + SOON - LIST_LOOK_BACK)
    return and_(AT_ADOBE, or_(complete, submitted))


def _overdue(now: datetime) -> ColumnElement[bool]:
    # Who has put a request on hold has decided that it waits.
    held = and_(Job.on_hold, Job.state == JobState.RECEIVED)
    return and_(UNFINISHED, Job.due_on < now.date(), ~held)


def not_done(_: datetime | None = None) -> ColumnElement[bool]:
    """Some product should have done what was asked and did not, and nobody has sent the job again or closed it."""
    missing = [
        and_(Job.action == action, ProductAnswer.verdict.in_(verdicts)) for action, verdicts in MISSED.items()
    ]
    of_job = and_(
        ProductAnswer.job_id == Job.id,
        ProductAnswer.attempt == Job.attempt,
        Job.origin == Origin.INBOX,
        Job.state == JobState.ARCHIVED,
        or_(*missing),
    )
    closed = select(Transition.id).where(
        Transition.job_id == Job.id, Transition.attempt == Job.attempt, CLOSED_IN_ARCHIVE
    )
    # The few answers of such a verdict lead to their jobs: without it, every job would be asked for its answers.
    any_missing = frozenset().union(*MISSED.values())
    suspects = select(ProductAnswer.job_id).where(ProductAnswer.verdict.in_(sorted(any_missing)))
    return and_(Job.id.in_(suspects), select(ProductAnswer.job_id).where(of_job).exists(), ~closed.exists())


# The first kind that a job is of is the gravest; settle, note, page, alarms and command follow this order.
KINDS = (
    Kind(
        name="rejected",
        level=Level.PERSON,
        one="line rejected",
        many="lines rejected",
        says="rejected: {reason}",
        to_do="Correct the line in the file, or hand the request in again in another file. If the line is no "
        "request, close it: airflow privacy close FOLDER/FILE:LINE --reason …",
        problems=(ProblemKind.LINE, ProblemKind.CONFLICT),
    ),
    Kind(
        name="unread",
        level=Level.PERSON,
        one="file not read",
        many="files not read",
        says="nothing of it was read: {reason}",
        to_do="Hand the requests in again as *.jsonl or *.csv, or remove the file from the inbox. If it holds no "
        "request, close it: airflow privacy close FOLDER/FILE --reason …",
        problems=(ProblemKind.FILE,),
    ),
    Kind(
        name="refused",
        level=Level.PERSON,
        one="refused",
        many="refused",
        says="refused, see its history",
        to_do="Read the reason in the request's history. Correct what it names, then send the request again; or "
        "close it.",
        states=(JobState.REFUSED,),
    ),
    Kind(
        name="error",
        level=Level.PERSON,
        one="ended in error",
        many="ended in error",
        says="Adobe ended it in error, {outcome_code}",
        to_do="Read the outcome code in the request's history. Send the request again, or close it.",
        states=(JobState.ERROR,),
    ),
    Kind(
        name="gone",
        level=Level.PERSON,
        one="gone at Adobe",
        many="gone at Adobe",
        says="Adobe has no data of it any more, or cannot be asked whether it ever had it",
        to_do="Send the request again, or close it. If the outcome of its submission is unknown, ask Adobe first.",
        states=(JobState.GONE,),
    ),
    Kind(
        name="not_done",
        level=Level.PERSON,
        one="not done by some product",
        many="not done by some product",
        says="{undone}",
        to_do="Read on the request's page what each product answered and what to do about it. Send the request again, "
        "or hand in a corrected one under a new id and close this one.",
        states=(JobState.ARCHIVED,),
        where=not_done,
        since=lambda: Job.archived_at,
        few=True,
    ),
    Kind(
        name="unfinished",
        level=Level.PERSON,
        one="not finished by its run",
        many="not finished by their run",
        says="not archived yet ({state})",
        to_do="Read the log of the task that failed, then clear this task.",
        states=OPEN_STATES,
        # What Adobe calls complete while a product has yet to answer, every sweep asks for again.
        where=lambda now: and_(
            or_(Job.outcome.is_(None), Job.outcome != Verdict.PENDING), ~_of_unknown_outcome(now)
        ),
        of_ended_runs=True,
    ),
    Kind(
        name="unknown",
        level=Level.PERSON,
        one="of unknown outcome",
        many="of unknown outcome",
        says="Adobe may have it or not: the answer to its submission was lost",
        to_do="Clear the task submit of its batch. It asks Adobe before it sends anything again.",
        states=(JobState.SUBMITTING,),
        where=lambda now: _of_unknown_outcome(now),
        since=lambda: Job.intent_at,
        instead_of_unfinished=True,
    ),
    Kind(
        name="approval",
        level=Level.PERSON,
        one="awaits approval",
        many="await approval",
        says="is not sent before a person approves it",
        to_do="Answer the question of the task approve: Airflow's UI lists it under Required Actions.",
        states=(JobState.PLANNED,),
        where=lambda _: and_(
            Job.action == DELETE,
            Job.approval_id.is_(None),
            Job.on_hold.is_(False),
            select(Batch.needs_approval).where(Batch.id == Job.batch_id).scalar_subquery(),
        ),
        since=_asked_at,
    ),
    Kind(
        name="overdue",
        level=Level.PERSON,
        one="overdue",
        many="overdue",
        says="its answer was due on {due_on}",
        to_do="Tell the person, and see in the request's history what it waits for.",
        states=WAITING_OR_OPEN,
        where=_overdue,
        since=lambda: Job.due_on,
    ),
    Kind(
        name="expiring",
        level=Level.PERSON,
        one="expiring at Adobe",
        many="expiring at Adobe",
        says="Adobe will delete its data within a week",
        to_do="Run privacy_sweep now. If it fails, its log says why.",
        states=(JobState.SUBMITTED, JobState.COMPLETE),
        where=_expiring,
        since=lambda: func.coalesce(Job.completed_at, Job.submitted_at),
        few=True,
    ),
    Kind(
        name="soon",
        level=Level.NOTE,
        one="due within 7 days",
        many="due within 7 days",
        says="its answer is due on {due_on}",
        to_do="Nothing yet.",
        states=WAITING_OR_OPEN,
        where=lambda now: and_(UNFINISHED, Job.due_on >= now.date(), Job.due_on <= now.date() + SOON),
        since=lambda: Job.taken_in_at,
    ),
    Kind(
        name="warned",
        level=Level.NOTE,
        one="taken with a warning",
        many="taken with a warning",
        says="{warnings}",
        to_do="Read the warning. If the request is wrong, close it before it is sent, and hand in a corrected one "
        "under a new id.",
        states=WAITING_OR_OPEN,
        where=lambda _: and_(WARNED, Job.origin == Origin.INBOX),
        since=lambda: Job.taken_in_at,
        few=True,
    ),
    Kind(
        name="held",
        level=Level.NOTE,
        one="on hold",
        many="on hold",
        says="on legal hold",
        to_do="Release the request when the hold ends.",
        states=tuple(JobState),
        where=lambda _: and_(HELD),
        since=_held_since,
        few=True,
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
# What there is at any moment, whichever run has ended.
LASTING = tuple(kind for kind in KINDS if not kind.of_ended_runs)
