"""What a job's history says of it, as parts of statements: when it came into its state, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import aliased

from adobe_privacy.ledger.schema import (
    CLOSED,
    HOLD_ENDED,
    NOT_ERASED,
    UNREADABLE,
    Batch,
    Erasure,
    Job,
    Transition,
)
from adobe_privacy.ledger.states import JobState

# A change of a job's state, not of its hold or its dates.
_MOVE = and_(Transition.job_id == Job.id, Transition.from_state != Transition.to_state)


def entered() -> ColumnElement[datetime]:
    """When a job came into its present state."""
    return select(func.max(Transition.at)).where(_MOVE).scalar_subquery()


def last_move(column: Any) -> ColumnElement[Any]:
    """Of the last change of a job's state."""
    moves = select(column).where(_MOVE).order_by(Transition.id.desc()).limit(1)
    return moves.correlate(Job).scalar_subquery()


def last_change(column: Any) -> ColumnElement[Any]:
    """Of the last change of a job, of whatever it is."""
    of_job = select(column).where(Transition.job_id == Job.id)
    return of_job.order_by(Transition.id.desc()).limit(1).scalar_subquery()


def last_batch() -> ColumnElement[str]:
    """The last batch that a job was in: what goes back to the next plan leaves it."""
    of_batch = select(Transition.batch_id).where(
        Transition.job_id == Job.id, Transition.batch_id.is_not(None)
    )
    return of_batch.order_by(Transition.id.desc()).limit(1).correlate(Job).scalar_subquery()


def refused_since() -> ColumnElement[datetime]:
    """When this attempt was first refused for the reason of its last refusal: each run sends it again."""
    return _first_noted(last_move(Transition.reason))


def unreadable_since() -> ColumnElement[datetime]:
    """When this attempt was first not sent for the reason of the last note of this: each run tries it again."""
    return _first_noted(unreadable(Transition.reason))


def _first_noted(reason: ColumnElement[str]) -> ColumnElement[datetime]:
    earlier = aliased(Transition)
    alike = select(func.min(earlier.at)).where(
        earlier.job_id == Job.id, earlier.attempt == Job.attempt, earlier.reason == reason
    )
    return alike.scalar_subquery()


def waiting_since() -> ColumnElement[datetime]:
    """When a job last began to wait: it was taken in, sent again by a person, put back by a run, or its hold ended. A
    call for an opt-out that Adobe did not accept is no new beginning."""
    began = select(func.max(Transition.at)).where(
        Transition.job_id == Job.id,
        Transition.to_state == JobState.RECEIVED,
        or_(
            Transition.from_state.is_(None),
            Transition.from_state.not_in((JobState.RECEIVED, JobState.SUBMITTING)),
            Transition.reason.startswith(HOLD_ENDED),
        ),
    )
    return began.correlate(Job).scalar_subquery()


def held_since() -> ColumnElement[datetime]:
    return (
        select(func.max(Transition.at))
        .where(Transition.job_id == Job.id, Transition.reason.startswith("on hold"))
        .scalar_subquery()
    )


def asked_at() -> ColumnElement[datetime]:
    return select(Batch.created_at).where(Batch.id == Job.batch_id).scalar_subquery()


def unreadable(column: Any) -> ColumnElement[Any]:
    """Of the last note that a file could not be read."""
    notes = select(column).where(Transition.job_id == Job.id, Transition.reason.startswith(UNREADABLE))
    return notes.order_by(Transition.id.desc()).limit(1).correlate(Job).scalar_subquery()


def erasures_without_manifest() -> Select[tuple[int]]:
    """The jobs of which an erasure has begun and cannot be finished, since the manifest is gone. They are few."""
    unfinished = select(Erasure.adobe_job_id).where(Erasure.done_at.is_(None))
    return select(Transition.job_id).where(
        Transition.adobe_job_id.in_(unfinished), Transition.reason.startswith(NOT_ERASED)
    )


def not_erased(column: Any) -> ColumnElement[Any]:
    """Of the last note that the manifest of an erasure is gone, or that a person closed the request since."""
    said = or_(Transition.reason.startswith(NOT_ERASED), Transition.reason.startswith(CLOSED))
    notes = select(column).where(Transition.job_id == Job.id, said)
    return notes.order_by(Transition.id.desc()).limit(1).correlate(Job).scalar_subquery()
