"""A chain of hashes over the ledger's history, so that nobody can change what happened without notice.

Each link, a *seal*, holds the hash of the one before and of every change since. Changes are only ever added, one
transaction at a time, so those up to a seal's last one never change again. The heads of the chain are kept outside the
ledger, in the archive: who rewrites the history and all its seals is found out by them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from adobe_privacy.ledger.access import WORDS
from adobe_privacy.ledger.schema import CLOSED, NOT_ERASED, Erasure, Job, Seal, Transition
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic, chunks
from adobe_privacy.regulations.clocks import OPT_OUT

START = "0" * 64
# Before the hash of a manifest in a change's reason.
SHA256 = "SHA-256 "
# What we have noted: the reason of a person's decision may hold such words, too.
FILED = and_(
    Transition.reason.contains(SHA256),
    *(~Transition.reason.startswith(words, autoescape=True) for words in WORDS),
)
_COLUMNS = (
    Transition.id,
    Transition.job_id,
    Transition.at,
    Transition.actor,
    Transition.from_state,
    Transition.to_state,
    Transition.attempt,
    Transition.batch_id,
    Transition.adobe_job_id,
    Transition.reason,
)


@dataclass(frozen=True, slots=True)
class Filed:
    """What the history says of one of Adobe's jobs: the SHA-256 of its manifest, None where it was archived by an older
    version. While its result is `erasing`, the manifest is being replaced."""

    sha256: str | None
    erasing: bool = False


class Chain(Topic):
    """Seals the history, and checks the seals."""

    def head(self) -> Seal | None:
        with self.unit.read() as session:
            return _head(session)

    def seals(self) -> list[Seal]:
        with self.unit.read() as session:
            return list(session.scalars(select(Seal).order_by(Seal.number)))

    def seal(self) -> Seal | None:
        """Adds a link for the changes since the last; returns the head, None where nothing ever happened."""
        with self.unit.read() as session:
            before = _head(session)
            last = session.scalar(select(func.max(Transition.id))) or 0
            first = 0 if before is None else before.through
            if last <= first:
                return before
            # Without the lock of a writer: these rows do not change any more.
            digest, changes = _hash(session, START if before is None else before.hash, first, last)
        with self.unit.write() as session:
            now = _head(session)
            if (now and now.number) != (before and before.number):
                return now  # another process was faster
            seal = Seal(
                number=1 if before is None else before.number + 1,
                through=last,
                changes=changes,
                sealed_at=self.unit.now(),
                hash=digest,
            )
            session.add(seal)
            session.flush()
            return seal

    def unwritten(self) -> list[Seal]:
        """The seals that are not in the archive yet."""
        with self.unit.read() as session:
            return list(session.scalars(select(Seal).where(Seal.written_at.is_(None)).order_by(Seal.number)))

    def record_written(self, number: int) -> None:
        with self.unit.write() as session:
            session.execute(update(Seal).where(Seal.number == number).values(written_at=self.unit.now()))

    def problems(self, heads: Mapping[int, str], *, every: int = 1, turn: int = 0) -> Iterator[str]:
        """What of the history is not as it was sealed; `heads` are the hashes by number that were kept elsewhere. With
        `every`, only one seal in so many is computed anew, beginning with number `turn`."""
        seals = self.seals()
        known = {seal.number for seal in seals}
        for number in sorted(heads.keys() - known):
            yield f"seal {number} is in the archive, and not in the ledger: the ledger is older, or was cut off"
        before: Seal | None = None
        for seal in seals:
            previous, first = (START, 0) if before is None else (before.hash, before.through)
            if seal.number != (1 if before is None else before.number + 1):
                yield f"seal {seal.number}: the seal before it is missing"
            elif seal.number % every == turn % every:
                with self.unit.read() as session:
                    digest, changes = _hash(session, previous, first, seal.through)
                if (digest, changes) != (seal.hash, seal.changes):
                    yield (
                        f"seal {seal.number} of {seal.sealed_at:%Y-%m-%d %H:%M} UTC: the changes {first + 1} to "
                        f"{seal.through} are not those that were sealed"
                    )
            if heads.get(seal.number, seal.hash) != seal.hash:
                yield f"seal {seal.number}: its hash is not the one that the archive holds"
            before = seal

    def odd_jobs(self, limit: int = 100) -> Iterator[str]:
        """Jobs that are not where their history says, or whose manifest's hash is in no change of theirs."""
        last = (
            select(func.max(Transition.id))
            .where(Transition.job_id == Job.id)
            .correlate(Job)
            .scalar_subquery()
        )
        moved = (
            select(Job.request_id, Job.id)
            .outerjoin(Transition, Transition.id == last)
            .where(Transition.id.is_(None) | (Transition.to_state != Job.state))
        )
        told = exists().where(
            Transition.job_id == Job.id, Transition.reason.contains(SHA256 + Job.manifest_sha256), FILED
        )
        filed = select(Job.request_id, Job.id).where(Job.manifest_sha256.is_not(None), ~told)
        with self.unit.read() as session:
            for request_id, job in session.execute(moved.limit(limit)):
                yield f"{request_id} (job {job}): its state is not the one that its history ends with"
            for request_id, job in session.execute(filed.limit(limit)):
                yield f"{request_id} (job {job}): the hash of its manifest is not in its history"

    def filed(self, adobe_job_ids: Collection[str]) -> dict[str, Filed]:
        """Of those of Adobe's jobs that were archived, what the history says of their manifests."""
        found: dict[str, Filed] = {}
        with self.unit.read() as session:
            for some in chunks(adobe_job_ids):
                here = Transition.adobe_job_id.in_(some)
                query = select(Transition.adobe_job_id, Transition.reason, FILED.label("filed")).where(here)
                for job_id, reason, filed in session.execute(query.order_by(Transition.id)):
                    if filed:
                        found[job_id] = Filed(reason.rpartition(SHA256)[2][:64])
                    else:
                        found.setdefault(job_id, Filed(None))
                erasing = select(Erasure.adobe_job_id).where(
                    Erasure.adobe_job_id.in_(some), Erasure.done_at.is_(None)
                )
                for job_id in session.scalars(erasing):
                    known = found.get(job_id, Filed(None))
                    found[job_id] = Filed(known.sha256, erasing=True)
        return found

    def manifests(self) -> Iterator[tuple[str, str]]:
        """Adobe's id and the manifest's place of every job that is archived, as far as it is known. Not those of which
        a person has closed that the manifest is gone."""
        query = select(Job.adobe_job_id, Job.manifest).where(
            Job.manifest.is_not(None), Job.adobe_job_id.is_not(None), ~_closed(Job.adobe_job_id)
        )
        with self.unit.read() as session:
            rows = session.execute(query.execution_options(yield_per=5000))
            yield from ((str(job_id), str(place)) for job_id, place in rows)

    def receipts(self) -> Iterator[tuple[str, str]]:
        """The place and the hash of every receipt of an opt-out, as far as they are known."""
        query = select(Job.manifest, Job.manifest_sha256).where(
            Job.state == JobState.ARCHIVED,
            Job.action == OPT_OUT,
            Job.manifest.is_not(None),
            Job.manifest_sha256.is_not(None),
        )
        with self.unit.read() as session:
            rows = session.execute(query.execution_options(yield_per=5000))
            yield from ((str(place), str(sha256)) for place, sha256 in rows)

    def earlier(self) -> list[str]:
        """Adobe's ids of the earlier attempts of jobs whose manifest's hash the history has. Where it lies is not known
        any more. The same are left out."""
        query = (
            select(Transition.adobe_job_id)
            .join(Job, Job.id == Transition.job_id)
            .where(
                Job.attempt > 1,
                Transition.attempt < Job.attempt,
                Transition.adobe_job_id.is_not(None),
                FILED,
                ~_closed(Transition.adobe_job_id),
            )
            .distinct()
        )
        with self.unit.read() as session:
            return [str(job_id) for job_id in session.scalars(query)]


def _closed(adobe_job_id: InstrumentedAttribute[str | None]) -> ColumnElement[bool]:
    """A person has closed that the manifest of this one of Adobe's jobs is gone. Of other attempts it says nothing."""
    unfinished = select(Erasure.adobe_job_id).where(Erasure.done_at.is_(None))
    stopped, closed = aliased(Transition), aliased(Transition)
    of_a_person = (
        select(stopped.adobe_job_id)
        .join(closed, and_(closed.job_id == stopped.job_id, closed.id > stopped.id))
        .where(
            stopped.adobe_job_id.in_(unfinished),
            stopped.reason.startswith(NOT_ERASED),
            closed.reason.startswith(CLOSED),
        )
    )
    return adobe_job_id.in_(of_a_person)


def _head(session: Session) -> Seal | None:
    return session.scalar(select(Seal).order_by(Seal.number.desc()).limit(1))


def _hash(session: Session, previous: str, first: int, last: int) -> tuple[str, int]:
    """The hash of the changes behind `first` up to `last`, after that of the seal before; and how many there are."""
    digest = hashlib.sha256(previous.encode())
    count = 0
    query = select(*_COLUMNS).where(Transition.id > first, Transition.id <= last).order_by(Transition.id)
    for row in session.execute(query.execution_options(yield_per=5000)):
        digest.update(b"\n" + json.dumps([_plain(value) for value in row], ensure_ascii=True).encode())
        count += 1
    return digest.hexdigest(), count


def _plain(value: Any) -> Any:
    """The same text on every database."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value
