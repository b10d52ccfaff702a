"""A second job at Adobe for a request of ours: two ids in one answer, or one more with our key in a list.

It gets a row of its own beside the request's, with the attempt and the batch it came from. So it is waited for,
archived once, shown with the request, and on hold with the request. It is never sent.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.states import Move
from adobe_privacy.ledger.unit import Unit


def add_second_job(
    unit: Unit, session: Session, first: Job, adobe_job_id: str, submitted_at: datetime, reason: str
) -> None:
    # `first` may be a copy of before a hold, a later due date or an earlier receipt.
    known = session.get_one(Job, first.id)
    row = Job(
        request_id=first.request_id,
        regulation=first.regulation,
        action=first.action,
        part=next_part(session, first.request_id, first.regulation, first.action),
        key=first.key,
        fingerprint=first.fingerprint,
        source=first.source,
        inbox_date=first.inbox_date,
        products=first.products,
        received_at=known.received_at,
        taken_in_at=unit.now(),
        due_on=known.due_on,
        first_due_on=known.first_due_on,
        origin=Origin.SECOND,
        state=Move.REGISTER.to,
        on_hold=known.on_hold,
        attempt=first.attempt,
        batch_id=first.batch_id,
        submitted_at=submitted_at,
        adobe_job_id=adobe_job_id,
    )
    session.add(row)
    session.flush()
    unit.note(session, [row], None, Move.REGISTER.to, f"second job at Adobe: {reason}")
    unit.daily_figures(session).arrived += 1


def next_part(session: Session, request_id: str, regulation: str, action: str) -> int:
    """A part number that no job of this request and action has."""
    of_action = (Job.request_id == request_id, Job.regulation == regulation, Job.action == action)
    return (session.scalar(select(func.max(Job.part)).where(*of_action)) or 0) + 1
