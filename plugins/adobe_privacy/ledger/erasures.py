"""Which results are being erased from the archive, decided together with what is on hold."""

from __future__ import annotations

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.results import with_hash
from adobe_privacy.ledger.schema import HELD, Erasure, Job, Transition
from adobe_privacy.ledger.unit import Topic


class Erasures(Topic):
    """One row for each result whose erasure has begun. A hold and an erasure never both win: each is decided in a
    write transaction that sees the other."""

    def begin(self, adobe_job_id: str, request_id: str, folder: str) -> bool:
        """Note that a result is being erased; false, and nothing is noted, where it is on hold.

        Once begun, an erasure may be begun again: a later hold comes too late for it.
        """
        with self.unit.write() as session:
            if session.get(Erasure, adobe_job_id) is not None:
                return True
            if _is_held(session, adobe_job_id, request_id):
                return False
            session.add(
                Erasure(
                    adobe_job_id=adobe_job_id,
                    request_id=request_id,
                    folder=folder,
                    begun_at=self.unit.now(),
                    actor=self.unit.actor[:512],
                )
            )
            return True

    def done(self, adobe_job_id: str, tombstone_sha256: str | None = None) -> None:
        """Note that nothing of a result is left, and which manifest stands in the archive now."""
        with self.unit.write() as session:
            erasure = session.get(Erasure, adobe_job_id)
            if erasure is not None and erasure.done_at is None:
                erasure.done_at = self.unit.now()
                self._note(session, adobe_job_id, tombstone_sha256)

    def _note(self, session: Session, adobe_job_id: str, sha256: str | None) -> None:
        of_job = select(Transition.job_id).where(Transition.adobe_job_id == adobe_job_id).limit(1)
        job = session.get(Job, session.scalar(of_job) or 0)
        if job is None:
            return  # archived by another ledger
        if job.adobe_job_id == adobe_job_id:
            job.manifest_sha256 = sha256
        reason = with_hash("the result was erased", sha256)
        self.unit.note(session, [job], job.state, job.state, reason, adobe_job_id)

    def unfinished(self) -> list[str]:
        """The archive's folders in which an erasure has begun and is not done."""
        with self.unit.read() as session:
            return list(session.scalars(select(Erasure.folder).where(Erasure.done_at.is_(None))))

    def of_request(self, request_id: str) -> list[Erasure]:
        """What a hold of this request comes too late for."""
        names = self.unit.names_of(request_id)
        with self.unit.read() as session:
            return list(session.scalars(select(Erasure).where(Erasure.request_id.in_(names))))

    def is_held(self, adobe_job_id: str, request_id: str | None) -> bool:
        """Whether a job of Adobe, of whatever attempt, or its request is on legal hold."""
        with self.unit.read() as session:
            return _is_held(session, adobe_job_id, request_id)


def _is_held(session: Session, adobe_job_id: str, request_id: str | None) -> bool:
    attempts = exists().where(Transition.job_id == Job.id, Transition.adobe_job_id == adobe_job_id)
    mine = or_(Job.request_id == request_id, Job.adobe_job_id == adobe_job_id, attempts)
    return session.scalar(select(Job.id).where(HELD, mine).limit(1)) is not None
