"""Which results are being erased from the archive, decided together with what is on hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.chain import FILED
from adobe_privacy.ledger.results import with_hash
from adobe_privacy.ledger.schema import HELD, NOT_ERASED, Erasure, Job, Transition
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic, chunks

# A result is erased within so long after its erasure was noted: by a few calls of the store, each with its repetitions.
UNDER_WAY = timedelta(hours=1)


@dataclass(frozen=True)
class FoundErasure:
    """A tombstone in the archive. `done_at` is None where the erasure was not brought to its end."""

    adobe_job_id: str
    request_id: str
    folder: str
    begun_at: datetime
    done_at: datetime | None
    sha256: str


class Erasures(Topic):
    """One row for each result whose erasure has begun. A hold and an erasure never both win: each is decided in a
    write transaction that sees the other."""

    def begin(self, adobe_job_id: str, request_id: str, folder: str, *, untouched: bool = False) -> bool:
        """Note that a result is being erased; false, and nothing is noted, where it is on hold.

        Once begun, an erasure may be begun again: a later hold comes too late for it. But one that has left everything
        `untouched`, since the store refused it for example, counts as not begun.
        """
        with self.unit.write() as session:
            begun = session.get(Erasure, adobe_job_id)
            if begun is not None and not untouched:
                return True
            if _is_held(session, adobe_job_id, request_id):
                self._take_back(session, begun)
                return False
            if begun is not None:
                # It may have been done, and the result have come back with a backup of the archive.
                begun.begun_at, begun.done_at = self.unit.now(), None
                return True
            session.add(
                Erasure(
                    adobe_job_id=adobe_job_id,
                    request_id=_kept_name(session, adobe_job_id, request_id),
                    folder=folder,
                    begun_at=self.unit.now(),
                    actor=self.unit.actor[:512],
                )
            )
            return True

    def not_due(self, adobe_job_id: str) -> None:
        """An erasure that has left everything untouched is not wanted any more: it counts as not begun."""
        with self.unit.write() as session:
            self._take_back(session, session.get(Erasure, adobe_job_id))

    def _take_back(self, session: Session, begun: Erasure | None) -> None:
        """Unless another run may be erasing the result at this moment."""
        if begun is not None and begun.done_at is None and begun.begun_at < self.unit.now() - UNDER_WAY:
            session.delete(begun)

    def done(self, adobe_job_id: str, tombstone_sha256: str | None = None) -> None:
        """Note that nothing of a result is left, and which manifest stands in the archive now. A result that came back,
        with a backup of the archive, may be erased again."""
        with self.unit.write() as session:
            erasure = session.get(Erasure, adobe_job_id)
            if erasure is not None:
                erasure.done_at = erasure.done_at or self.unit.now()
                self._note(session, adobe_job_id, tombstone_sha256)

    def note_stopped(self, folder: str) -> bool:
        """Note, once, that the manifest of a result that is being erased is gone: a person must look at it. The erasure
        is not done. False where the ledger has no job of it that it could be told of."""
        with self.unit.write() as session:
            begun = session.scalar(
                select(Erasure).where(Erasure.folder == folder, Erasure.done_at.is_(None)).limit(1)
            )
            if begun is None:
                return True  # done meanwhile
            if session.scalar(_stopped(begun.adobe_job_id).limit(1)) is not None:
                return True
            job = _job_of(session, begun.adobe_job_id)
            if job is None:
                return False
            why = f"{NOT_ERASED}its erasure has begun, and {folder} in the archive has no manifest any more"
            self.unit.note(session, [job], job.state, job.state, why, begun.adobe_job_id)
            return True

    def is_stopped(self, adobe_job_id: str) -> bool:
        """Whether it is noted that the manifest is gone, and the erasure is not done."""
        begun = and_(Erasure.adobe_job_id == adobe_job_id, Erasure.done_at.is_(None))
        with self.unit.read() as session:
            both = and_(select(Erasure).where(begun).exists(), _stopped(adobe_job_id).exists())
            return session.scalar(select(both)) is True

    def _note(self, session: Session, adobe_job_id: str, sha256: str | None) -> None:
        job = _job_of(session, adobe_job_id)
        if job is None:
            return  # archived by another ledger
        reason = with_hash("the result was erased", sha256)
        filed = select(Transition.reason).where(
            Transition.adobe_job_id == adobe_job_id, or_(FILED, Transition.reason == reason)
        )
        if session.scalars(filed.order_by(Transition.id)).all()[-1:] == [reason]:
            return
        if job.adobe_job_id == adobe_job_id:
            job.manifest_sha256 = sha256
        self.unit.note(session, [job], job.state, job.state, reason, adobe_job_id)

    def record_found(self, found: Collection[FoundErasure]) -> None:
        """The archive knows of erasures that this ledger has lost. Whatever is on hold by now, they have begun."""
        with self.unit.write() as session:
            for each in found:
                erasure = session.get(Erasure, each.adobe_job_id)
                if erasure is None:
                    erasure = Erasure(
                        adobe_job_id=each.adobe_job_id,
                        request_id=_kept_name(session, each.adobe_job_id, each.request_id),
                        folder=each.folder,
                        begun_at=each.begun_at,
                        actor=self.unit.actor[:512],
                    )
                    session.add(erasure)
                if erasure.done_at is None and each.done_at is not None:
                    erasure.done_at = each.done_at
                    self._note(session, each.adobe_job_id, each.sha256)

    def results_not_erased(self, adobe_job_ids: Collection[str]) -> dict[str, datetime]:
        """Which of these of Adobe's jobs have a result in the archive for all that the ledger knows, and since when.
        Those whose erasure has only begun are not among them."""
        found: dict[str, datetime] = {}
        with self.unit.read() as session:
            for some in chunks(adobe_job_ids):
                query = (
                    select(Transition.adobe_job_id, func.min(Transition.at))
                    .join(Job, Job.id == Transition.job_id)
                    .where(
                        Transition.adobe_job_id.in_(some),
                        Transition.to_state.in_((JobState.ARCHIVED, JobState.ERROR)),
                        Job.action == "access",
                        ~exists().where(Erasure.adobe_job_id == Transition.adobe_job_id),
                    )
                    .group_by(Transition.adobe_job_id)
                )
                found |= {str(job_id): at for job_id, at in session.execute(query)}
        return found

    def unfinished(self) -> list[str]:
        """The archive's folders in which an erasure has begun and is not done."""
        with self.unit.read() as session:
            return list(session.scalars(select(Erasure.folder).where(Erasure.done_at.is_(None))))

    def of_request(self, request_id: str) -> list[Erasure]:
        """What a hold of this request comes too late for."""
        names = self.unit.names_of(request_id)
        with self.unit.read() as session:
            return list(session.scalars(select(Erasure).where(Erasure.request_id.in_(names))))

    def too_late(self, request_id: str) -> list[str]:
        """The same in words, one line each."""
        return [
            f"the result of Adobe's job {erasure.adobe_job_id} is "
            f"{'being erased already' if erasure.done_at is None else 'erased already'}"
            for erasure in self.of_request(request_id)
        ]

    def is_archived(self, adobe_job_id: str, manifest: str) -> bool:
        """Whether a job of Adobe's was archived with its manifest at this place. Of an earlier attempt the place is not
        known any more: it was archived here, for all that the ledger knows."""
        earlier = exists().where(
            Transition.job_id == Job.id,
            Transition.adobe_job_id == adobe_job_id,
            Transition.to_state.in_((JobState.ARCHIVED, JobState.ERROR)),
            Job.adobe_job_id.is_distinct_from(adobe_job_id),
        )
        with self.unit.read() as session:
            here = select(Job.id).where(Job.adobe_job_id == adobe_job_id, Job.manifest == manifest)
            return session.scalar(select(or_(here.exists(), earlier))) is True

    def is_held(self, adobe_job_id: str, request_id: str | None) -> bool:
        """Whether a job of Adobe, of whatever attempt, or its request is on legal hold."""
        with self.unit.read() as session:
            return _is_held(session, adobe_job_id, request_id)


def _kept_name(session: Session, adobe_job_id: str, request_id: str) -> str:
    """What the ledger calls the request of a manifest: it may have forgotten the id that stands there."""
    of_job = select(Job.request_id).join(Transition, Transition.job_id == Job.id)
    return session.scalar(of_job.where(Transition.adobe_job_id == adobe_job_id).limit(1)) or request_id


def _is_held(session: Session, adobe_job_id: str, request_id: str | None) -> bool:
    attempts = exists().where(Transition.job_id == Job.id, Transition.adobe_job_id == adobe_job_id)
    mine = or_(Job.request_id == request_id, Job.adobe_job_id == adobe_job_id, attempts)
    return session.scalar(select(Job.id).where(HELD, mine).limit(1)) is not None


def _job_of(session: Session, adobe_job_id: str) -> Job | None:
    of_job = select(Transition.job_id).where(Transition.adobe_job_id == adobe_job_id).limit(1)
    return session.get(Job, session.scalar(of_job) or 0)


def _stopped(adobe_job_id: str) -> Select[tuple[int]]:
    """What is noted where the manifest of a result that is being erased is gone."""
    return select(Transition.id).where(
        Transition.adobe_job_id == adobe_job_id, Transition.reason.startswith(NOT_ERASED)
    )
