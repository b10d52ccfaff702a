"""The kinds of what people should know of, as one table. `attention_reader` finds what there is of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, true

from adobe_privacy.api.facts import DETAIL_KEPT, LIST_LOOK_BACK
from adobe_privacy.api.names import Verdict
from adobe_privacy.documents import document
from adobe_privacy.ledger.delete_plan import DELETE
from adobe_privacy.ledger.moments_of_jobs import (
    asked_at,
    entered,
    erasures_without_manifest,
    held_since,
    last_move,
    not_erased,
    refused_since,
    unreadable,
    unreadable_since,
)
from adobe_privacy.ledger.schema import (
    ARCHIVED,
    AT_ADOBE,
    CLOSED_IN_ARCHIVE,
    HELD,
    NOT_ERASED,
    REFUSED_TOGETHER,
    UNDONE,
    UNFINISHED,
    UNREADABLE,
    WAITING,
    WARNED,
    WAS_REFUSED_TOGETHER,
    Batch,
    Job,
    Origin,
    ProblemKind,
    ProductAnswer,
    Transition,
)
from adobe_privacy.ledger.states import OPEN_STATES, JobState
from adobe_privacy.regulations.clocks import OPT_OUT
from adobe_privacy.results.verdicts import MISSED

SOON = timedelta(days=7)
# No call takes longer, with all its retries.
ANSWERED = timedelta(minutes=15)

WAITING_OR_OPEN = (JobState.RECEIVED, *OPEN_STATES)


class Level(StrEnum):
    """`PERSON` makes a run fail and is told by the alarms until somebody has acted."""

    PERSON = "needs a person"
    NOTE = "good to know"


def moments(now: datetime) -> dict[str, datetime | date]:
    """What the kinds ask of the moment at which they are asked: the parameters of every statement that asks for one, so
    that a statement is made once."""
    return {
        "now": now,
        "today": now.date(),
        "soon": now.date() + SOON,
        "answered_since": now - ANSWERED,
        "kept_since": now + SOON - DETAIL_KEPT,
        "listed_since": now + SOON - LIST_LOOK_BACK,
    }


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of attention. `one` and `many` follow a number. `says` is said of each: it may name a job's columns, and
    `{reason}`, a column of its history.

    About jobs: those in one of `states` of which `where` holds; `since` is a moment or a day. Both are executed with
    the `moments` of the present one. With `few`, an index of `where` leads to few jobs, whatever their states. About
    the inbox: its `problems`.
    """

    name: str
    level: Level
    one: str
    many: str
    says: str
    to_do: str
    states: tuple[JobState, ...] = ()
    where: ColumnElement[bool] = field(default_factory=true)
    since: Callable[[], Any] = field(default=entered)
    few: bool = False
    # So long after `since`, a job is of the kind.
    after: timedelta = timedelta()
    reason: Callable[[], ColumnElement[str]] | None = None
    problems: tuple[ProblemKind, ...] = ()
    # A job of a run that has ended, whose state nobody can know at any other moment to be wrong.
    of_ended_runs: bool = False
    # Of an ended run's open jobs, these are told as this kind, all others as not finished.
    instead_of_unfinished: bool = False
    # They have left their batch: only the history says which run had it.
    left_batch: bool = False

    def counted(self, count: int) -> str:
        return f"{count} {self.one if count == 1 else self.many}"

    @property
    def document(self) -> str:
        """Where the documents say in full what to do."""
        return document(f"operate/{self.name}.md")

    def jobs(self) -> ColumnElement[bool]:
        # Nearly all jobs are archived: where some of these are meant, `where` says which.
        if JobState.ARCHIVED in self.states:
            return self.where
        return and_(Job.state.in_(self.states), self.where)


# What a person notes of a job meanwhile, such as a later date, makes no file readable.
_OF_UNREADABLE_FILE = or_(
    and_(
        Job.state == JobState.PLANNED,
        func.coalesce(unreadable(Transition.id), 0) > last_move(Transition.id),
    ),
    # An opt-out is in no batch: it goes back to those that wait.
    and_(
        Job.state == JobState.RECEIVED,
        Job.action == OPT_OUT,
        last_move(Transition.reason).startswith(UNREADABLE),
    ),
)
# Its question is another run's to wait for: a run that ends has ended its own.
_ASKED_ABOUT = and_(
    Job.state == JobState.PLANNED,
    Job.approval_id.is_(None),
    select(Batch.id).where(Batch.id == Job.batch_id, Batch.asked_until > bindparam("now")).exists(),
)
_OF_UNKNOWN_OUTCOME = and_(Job.state == JobState.SUBMITTING, Job.intent_at < bindparam("answered_since"))


def not_done() -> ColumnElement[bool]:
    """Some product should have done what was asked and did not, and nobody has sent the job again or closed it."""
    some = frozenset().union(*MISSED.values())
    answered = select(ProductAnswer.job_id).where(
        ProductAnswer.job_id == Job.id,
        ProductAnswer.attempt == Job.attempt,
        ProductAnswer.verdict.in_(sorted(some)),
        *(
            ~and_(Job.action == action, ProductAnswer.verdict.in_(sorted(some - missed)))
            for action, missed in MISSED.items()
            if some - missed
        ),
    )
    closed = select(Transition.id).where(
        Transition.job_id == Job.id, Transition.attempt == Job.attempt, CLOSED_IN_ARCHIVE
    )
    return and_(ARCHIVED, UNDONE, Job.origin == Origin.INBOX, answered.exists(), ~closed.exists())


def erasure_stopped() -> ColumnElement[bool]:
    """The manifest of a result that is being erased is gone, and nobody has closed the request since."""
    return and_(Job.id.in_(erasures_without_manifest()), not_erased(Transition.reason).startswith(NOT_ERASED))


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
        to_do="Hand the requests in again as one of the formats that the inbox takes, or remove the file from "
        "the inbox. If it holds no request, close it: airflow privacy close FOLDER/FILE --reason …",
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
        name="refused_together",
        level=Level.PERSON,
        one="refused with its whole batch",
        many="refused with their whole batch",
        says="{reason}",
        to_do="Read the reason in the request's history. Correct what it names: the products, the regulation or the "
        "connection. The next run sends the request again. If it cannot be sent, close it.",
        states=(JobState.RECEIVED,),
        where=and_(
            WAITING,
            # Few ever were. Of these, the last move says whether it is so now.
            Job.id.in_(select(Transition.job_id).where(WAS_REFUSED_TOGETHER)),
            last_move(Transition.reason).startswith(REFUSED_TOGETHER),
        ),
        since=refused_since,
        reason=lambda: last_move(Transition.reason),
        left_batch=True,
    ),
    Kind(
        name="unreadable",
        level=Level.PERSON,
        one="not sent, since a file could not be read",
        many="not sent, since a file could not be read",
        says="{reason}",
        to_do="Correct what the reason names: the permissions of the file, or the store. The next run sends the "
        "request. If it cannot be sent, close it.",
        states=(JobState.PLANNED, JobState.RECEIVED),
        where=_OF_UNREADABLE_FILE,
        since=unreadable_since,
        reason=lambda: unreadable(Transition.reason),
        instead_of_unfinished=True,
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
        where=not_done(),
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
        where=and_(
            or_(Job.outcome.is_(None), Job.outcome != Verdict.PENDING),
            ~_OF_UNKNOWN_OUTCOME,
            ~_OF_UNREADABLE_FILE,
            ~_ASKED_ABOUT,
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
        where=_OF_UNKNOWN_OUTCOME,
        since=lambda: Job.intent_at,
        after=ANSWERED,
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
        where=and_(
            Job.action == DELETE,
            Job.approval_id.is_(None),
            Job.on_hold.is_(False),
            select(Batch.needs_approval).where(Batch.id == Job.batch_id).scalar_subquery(),
        ),
        since=asked_at,
    ),
    Kind(
        name="overdue",
        level=Level.PERSON,
        one="overdue",
        many="overdue",
        says="its answer was due on {due_on}",
        to_do="Tell the person, and see in the request's history what it waits for.",
        states=WAITING_OR_OPEN,
        # Who has put a request on hold has decided that it waits.
        where=and_(
            UNFINISHED, Job.due_on < bindparam("today"), ~and_(Job.on_hold, Job.state == JobState.RECEIVED)
        ),
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
        where=and_(
            AT_ADOBE,
            or_(
                and_(Job.state == JobState.COMPLETE, Job.completed_at < bindparam("kept_since")),
                and_(Job.state == JobState.SUBMITTED, Job.submitted_at < bindparam("listed_since")),
            ),
        ),
        since=lambda: func.coalesce(Job.completed_at, Job.submitted_at),
        few=True,
    ),
    Kind(
        name="not_erased",
        level=Level.PERSON,
        one="not known to be erased",
        many="not known to be erased",
        says="{reason}",
        to_do="Restore the manifest from a version or a backup of the archive: the next privacy_retention finishes the "
        "erasure. If it is lost for good, delete what is left of the result, then close the request.",
        states=tuple(JobState),
        where=erasure_stopped(),
        since=lambda: not_erased(Transition.at),
        few=True,
        reason=lambda: not_erased(Transition.reason),
    ),
    Kind(
        name="soon",
        level=Level.NOTE,
        one="due within 7 days",
        many="due within 7 days",
        says="its answer is due on {due_on}",
        to_do="Nothing yet.",
        states=WAITING_OR_OPEN,
        where=and_(UNFINISHED, Job.due_on >= bindparam("today"), Job.due_on <= bindparam("soon")),
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
        where=and_(WARNED, Job.origin == Origin.INBOX),
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
        where=and_(HELD),
        since=held_since,
        few=True,
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
# What there is at any moment, whichever run has ended.
LASTING = tuple(kind for kind in KINDS if not kind.of_ended_runs)
