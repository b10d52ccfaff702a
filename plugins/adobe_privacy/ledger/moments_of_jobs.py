"""What a job's history says of it, as parts of statements: when it came into its state, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import aliased

from adobe_privacy.ledger.schema import UNREADABLE, Batch, Job, Transition

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


def refused_since() -> ColumnElement[datetime]:
    """When this attempt was first refused for the reason of its last refusal: each run sends it again."""
    earlier = aliased(Transition)
    alike = select(func.min(earlier.at)).where(
        earlier.job_id == Job.id,
        earlier.attempt == Job.attempt,
        earlier.reason == last_move(Transition.reason),
    )
    return alike.scalar_subquery()


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
    return notes.order_by(Transition.id.desc()).limit(1).scalar_subquery()
