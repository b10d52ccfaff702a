"""Which files of the inbox are being erased, decided together with what is on hold and what is not at an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from adobe_privacy.ledger.inbox import FileName
from adobe_privacy.ledger.schema import (
    HELD,
    UNFINISHED,
    InboxErasure,
    InboxFile,
    InboxProblem,
    Job,
    Transition,
)
from adobe_privacy.ledger.states import ENDS, JobState
from adobe_privacy.ledger.unit import Topic, chunks


class Standing(StrEnum):
    """Whether a file of the inbox may be erased, and why not."""

    DUE = "is due"
    HELD = "holds a request on legal hold"
    OPEN = "holds a request that is not at an end"
    UNMENDED = "holds lines that nobody corrected or closed"
    CHANGED = "is not as it was when it was read"
    UNKNOWN = "holds a request that the ledger does not know"
    RECENT = "is not old enough: something of it ended, or was decided, later"


@dataclass(frozen=True, slots=True)
class FileAsRead:
    """A file as it lies in the inbox now. `request_ids` are those of all its usable lines; `sources` are
    what jobs call it; `content` a keyed hash of all of it."""

    name: FileName
    sources: tuple[str, ...]
    size: int
    mark: str
    content: str = ""
    request_ids: frozenset[str] = frozenset()
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """A file whose erasure has begun, by its folder, its keyed name, size and mark."""

    id: int
    day: date
    key: str
    size: int
    mark: str


class InboxErasures(Topic):
    """One row for each file whose erasure has begun. A hold and an erasure never both win: each is decided in a write
    transaction that sees the other."""

    def candidates(self, read_before: datetime) -> dict[date, set[str]]:
        """By folder, the keys of the files that were last read before a moment."""
        query = select(InboxFile.inbox_date, InboxFile.file_key).where(InboxFile.read_at <= read_before)
        found: dict[date, set[str]] = {}
        with self.unit.read() as session:
            for day, key in session.execute(query):
                found.setdefault(day, set()).add(key)
        return found

    def unfinished(self) -> list[Begun]:
        with self.unit.read() as session:
            rows = session.scalars(select(InboxErasure).where(InboxErasure.done_at.is_(None)))
            return [Begun(row.id, row.inbox_date, row.file_key, row.size, row.mark) for row in rows]

    def standing(self, file: FileAsRead, *, ended_before: datetime) -> Standing:
        """Whether a file could be erased, as far as that can be said of it. `request_ids` may be missing."""
        with self.unit.read() as session:
            return self._standing(session, file, ended_before)

    def begin(self, file: FileAsRead, *, ended_before: datetime) -> tuple[Standing, int | None]:
        """Note that a file is being erased, and in which row. Nothing is noted where it may not be.

        All its requests are at an end, none is on hold, and nothing happened to them, or to its unusable lines, since
        `ended_before`. From then on a hold comes too late: its jobs say when it began.
        """
        with self.unit.write() as session:
            standing = self._standing(session, file, ended_before)
            if standing is not Standing.DUE:
                return standing, None
            now = self.unit.now()
            erasure = InboxErasure(
                inbox_date=file.name.day,
                file_key=file.name.key,
                size=file.size,
                mark=file.mark[:255],
                content=file.content,
                requests=len(file.request_ids),
                rejected=file.rejected,
                begun_at=now,
                actor=self.unit.actor[:512],
            )
            session.add(erasure)
            marked = update(Job).where(Job.source.in_(file.sources)).values(inbox_erased_at=now)
            session.execute(marked.where(Job.inbox_date == file.name.day))
            # Those that lay in another folder before.
            for some in chunks(file.request_ids):
                session.execute(marked.where(Job.request_id.in_(some)))
            session.flush()
            return standing, erasure.id

    def done(self, erasure_id: int, *, erased: bool = True) -> None:
        """Note that nothing is left of what the file was: it was `erased`, or is not in its folder any more."""
        with self.unit.write() as session:
            erasure = session.get_one(InboxErasure, erasure_id)
            erasure.done_at = self.unit.now()
            read = session.get(InboxFile, (erasure.inbox_date, erasure.file_key))
            if erased and read is not None and (read.size, read.mark) == (erasure.size, erasure.mark):
                session.delete(read)

    def _standing(self, session: Session, file: FileAsRead, before: datetime) -> Standing:
        read = session.get(InboxFile, (file.name.day, file.name.key))
        if read is None or (read.size, read.mark) != (file.size, file.mark[:255]):
            return Standing.CHANGED
        problems = list(
            session.scalars(
                select(InboxProblem).where(
                    InboxProblem.inbox_date == file.name.day, InboxProblem.file_key == file.name.key
                )
            )
        )
        if any(problem.closed_at is None for problem in problems):
            return Standing.UNMENDED
        # Requests that were seen here last; their lines may have been changed since.
        standing = _of_jobs(session, Job.source.in_(file.sources))
        if standing is not Standing.DUE:
            return standing
        moments = [read.read_at, *(problem.closed_at for problem in problems if problem.closed_at)]
        moments += _changes(session, (Job.inbox_date == file.name.day) & (Job.source.in_(file.sources)))
        # Of a file with very many unusable lines not all are kept one by one.
        refused = None if any(problem.lines > 1 for problem in problems) else {p.request_id for p in problems}
        for some in chunks(file.request_ids):
            of_some = Job.request_id.in_(some)
            standing = _of_jobs(session, of_some)
            if standing is not Standing.DUE:
                return standing
            moments += _changes(session, of_some)
            if refused is not None and self._strange(session, some, of_some, refused):
                return Standing.UNKNOWN
        return Standing.DUE if max(moments) <= before else Standing.RECENT

    def _strange(
        self,
        session: Session,
        request_ids: Sequence[str],
        which: ColumnElement[bool],
        refused: set[str | None],
    ) -> bool:
        """Whether one of these requests is neither known, nor forgotten, nor among those that were refused."""
        strange = set(request_ids) - set(session.scalars(select(Job.request_id).where(which)))
        names = {
            self.unit.names_of(each)[-1] for each in strange if refused.isdisjoint(self.unit.names_of(each))
        }
        return bool(names - set(session.scalars(select(Job.request_id).where(Job.request_id.in_(names)))))


def _changes(session: Session, which: ColumnElement[bool]) -> Iterator[datetime]:
    """When something last happened to these jobs, if there are any."""
    at = session.scalar(
        select(func.max(Transition.at)).where(Transition.job_id.in_(select(Job.id).where(which)))
    )
    if at is not None:
        yield at


# Of what nobody waits for any more there may be a million; an index leads past them.
_NOT_AT_AN_END: Sequence[JobState] = tuple(state for state in JobState if state not in ENDS)


def _of_jobs(session: Session, which: ColumnElement[bool]) -> Standing:
    held = select(exists().where(HELD, which))
    unfinished = select(exists().where(UNFINISHED, Job.state.in_(_NOT_AT_AN_END), which))
    if session.scalar(held):
        return Standing.HELD
    return Standing.OPEN if session.scalar(unfinished) else Standing.DUE
