"""What a person has seen when that person decides: a decision on what has changed since is refused.

What was seen is told by a number: that of the last change in the ledger before it was shown. Requests have one such
number for all of them, and what the inbox could not use has another.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.schema import InboxProblem, Job, Transition
from adobe_privacy.ledger.unit import Topic


class HasChanged(LedgerError):
    """Somebody, or a run, changed `about` after a person had seen it. Nothing was decided."""

    def __init__(self, about: str) -> None:
        super().__init__(f"{about} has changed since it was shown: look at it again, then decide")
        self.about = about


class Seen(Topic):
    """The numbers of what is shown now. To be asked for before what is shown is read: what changes between the two then
    counts as not seen."""

    def of_requests(self) -> int:
        with self.unit.read() as session:
            return session.scalar(select(func.max(Transition.id))) or 0

    def of_inbox(self) -> int:
        with self.unit.read() as session:
            return session.scalar(select(func.max(InboxProblem.id))) or 0


def refuse_changed(session: Session, request_id: str, names: Collection[str], seen: int | None) -> None:
    """Raises HasChanged where a job of a request was changed, or came to it, after what was `seen`. None: nobody says
    what was seen."""
    if seen is None:
        return
    ids = session.scalars(select(Job.id).where(Job.request_id.in_(names))).all()
    later = select(Transition.id).where(Transition.job_id.in_(ids), Transition.id > seen).limit(1)
    if session.scalar(later) is not None:
        raise HasChanged(request_id)
