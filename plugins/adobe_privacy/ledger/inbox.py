"""What the ledger knows of the inbox: which lines and files could not be used, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from adobe_privacy.ledger.keys import note_moment, noted_moment, setting_of
from adobe_privacy.ledger.schema import InboxFile, InboxProblem, Job, ProblemKind
from adobe_privacy.ledger.seen import HasChanged
from adobe_privacy.ledger.unit import Topic, chunks

CORRECTED = "the file was corrected"
REMOVED = "the file is not in the inbox any more"
OUT_OF_REACH = "no run reads it where it lies"
"""With this begins why a file was not read that lies in none of the folders that a run reads."""
NOT_ALL = "not all of it could be read: "
"""With this begins why a file was not read to its end."""
_LOOKED = "looked."
ACCEPTED = "the same request id was accepted later"


@dataclass(frozen=True, slots=True)
class FileName:
    """An inbox file: the folder's day, a keyed hash of its name, and the name as it may be shown."""

    day: date
    key: str
    shown: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be used of a file: a line, `lines` lines from `line` on, or, without a line, all of it. `actions`
    are what a line asks for, as far as that is known."""

    kind: ProblemKind
    reason: str
    line: int | None = None
    lines: int = 1
    request_id: str | None = None
    actions: Sequence[str] = ()


class Inbox(Topic):
    """Keeps what of the inbox could not be used, until it is corrected or a person closes it."""

    def read_files(self, first: date, last: date) -> dict[tuple[date, str], tuple[int, str]]:
        """Of the files in the folders from `first` to `last`, by day and key, size and mark as they were read."""
        query = select(InboxFile).where(InboxFile.inbox_date.between(first, last))
        with self.unit.read() as session:
            return {(row.inbox_date, row.file_key): (row.size, row.mark) for row in session.scalars(query)}

    def files_with_problems(self, day: date) -> frozenset[str]:
        """The keys of a folder's files with problems that are open."""
        query = select(InboxProblem.file_key).where(
            InboxProblem.closed_at.is_(None), InboxProblem.inbox_date == day
        )
        with self.unit.read() as session:
            return frozenset(session.scalars(query))

    def record(
        self,
        file: FileName,
        problems: Sequence[Problem],
        *,
        size: int,
        mark: str,
        run_id: str,
        to_its_end: bool = True,
    ) -> None:
        """The file was read as it is now, and these are its problems. What is known stays as it is, closed or open;
        open ones that are not found any more are closed. What a person closed stays closed as long as it is surely
        the same: in another content, it may be another request. Of a file that was not read `to_its_end`, no line's
        problem is closed."""
        with self.unit.write() as session:
            of_file = (InboxProblem.inbox_date == file.day, InboxProblem.file_key == file.key)
            known = list(session.scalars(select(InboxProblem).where(*of_file).order_by(InboxProblem.id)))
            before = session.get(InboxFile, (file.day, file.key))
            same = before is not None and (before.size, before.mark) == (size, mark[:255])
            kept = {_identity(row): row for row in known if _stands(row, same_content=same)}
            found = [_row(file, problem, run_id) for problem in problems]
            now = self.unit.now()
            for row in found:
                if _identity(row) not in kept:
                    row.since = now
                    session.add(row)
            still = {_identity(row) for row in found}
            over = [row for key, row in kept.items() if key not in still and (to_its_end or row.line is None)]
            self._close(session, over, CORRECTED)
            session.merge(
                InboxFile(inbox_date=file.day, file_key=file.key, size=size, mark=mark[:255], read_at=now)
            )

    def first_read(self) -> datetime | None:
        """When the first file was read that is still known."""
        with self.unit.read() as session:
            return session.scalar(select(func.min(InboxFile.read_at)))

    def add_unread(self, file: FileName, reason: str, *, known: tuple[int, str] | None, run_id: str) -> None:
        """No run reads a file, for a reason. `known` is what `read_files` said of it: where a run has read it since,
        nothing is noted. Nor is it where the file is in the list already, or a person closed it for this reason. The
        run that reads it takes it out of the list."""
        with self.unit.write() as session:
            read = session.get(InboxFile, (file.day, file.key))
            if known != (None if read is None else (read.size, read.mark)):
                return
            rows = session.scalars(
                select(InboxProblem).where(
                    InboxProblem.inbox_date == file.day,
                    InboxProblem.file_key == file.key,
                    InboxProblem.kind == ProblemKind.FILE,
                )
            )
            if any(row.closed_at is None or _is_closed_by_a_person(row, reason) for row in rows):
                return
            row = _row(file, Problem(ProblemKind.FILE, reason), run_id)
            row.since = self.unit.now()
            session.add(row)

    def note_look(self, inbox: str) -> None:
        """A plan has looked through the folders of the last days of an inbox, which is named by where it is."""
        with self.unit.write() as session:
            note_moment(session, setting_of(_LOOKED, inbox), self.unit.now())

    def looked_at(self, inbox: str) -> datetime | None:
        """When a plan last did so; None where none has since that is noted."""
        with self.unit.read() as session:
            return noted_moment(session, setting_of(_LOOKED, inbox))

    def close_removed(
        self, present: Mapping[date, Collection[str]], out_of_reach: Collection[str] | None = None
    ) -> None:
        """Closes the unread files that are not in their folders any more; `present` are the keys of those that are,
        by folder, and `out_of_reach` the keys of what lies where no run reads it, None where nobody looked."""
        with self.unit.read() as session:
            gone = [
                row.id
                for row in session.scalars(_open(InboxProblem.kind == ProblemKind.FILE))
                if _is_gone(row, present, out_of_reach)
            ]
        if gone:
            with self.unit.write() as session:
                self._close(session, session.scalars(_open(InboxProblem.id.in_(gone))).all(), REMOVED)

    def close_accepted(self) -> None:
        """Closes the rejected lines whose request id was accepted after them with all that they ask for. A line that
        contradicts a request which the ledger had already is not among them."""
        with self.unit.read() as session:
            query = _open(InboxProblem.kind == ProblemKind.LINE, InboxProblem.request_id.is_not(None))
            rows = session.scalars(query).all()
            accepted = {
                (request_id, action): taken_in_at
                for some in chunks({row.request_id for row in rows})
                for request_id, action, taken_in_at in session.execute(
                    select(Job.request_id, Job.action, Job.taken_in_at).where(Job.request_id.in_(some))
                )
            }
        taken_in = {request_id: at for (request_id, _), at in accepted.items()}
        mended = [
            row.id
            for row in rows
            if row.request_id in taken_in
            and taken_in[row.request_id] >= row.since
            and all((row.request_id, action) in accepted for action in row.actions.split(",") if action)
        ]
        if mended:
            with self.unit.write() as session:
                for some in chunks(mended):
                    self._close(session, session.scalars(_open(InboxProblem.id.in_(some))).all(), ACCEPTED)

    def close(
        self, day: date, file: str, reason: str, *, line: int | None = None, seen: int | None = None
    ) -> int:
        """A person says that a file, by the name that is shown of it, or one of its lines, needs nothing more.
        Returns how many open problems that were. Raises HasChanged where one of them is later than what the person has
        `seen`, a number of `ledger.seen`."""
        conditions = [InboxProblem.inbox_date == day, InboxProblem.file == file]
        if line is not None:
            conditions.append(InboxProblem.line == line)
        with self.unit.write() as session:
            rows = session.scalars(_open(*conditions)).all()
            if seen is not None and any(row.id > seen for row in rows):
                raise HasChanged(f"{day}/{file}" + (f" line {line}" if line is not None else ""))
            self._close(session, rows, reason)
            return len(rows)

    def _close(self, session: Session, rows: Sequence[InboxProblem], reason: str) -> None:
        for row in rows:
            if row.closed_at is None:
                row.closed_at = self.unit.now()
                row.closed_by, row.closed_reason = self.unit.actor[:512], reason[:512]


def _open(*conditions: ColumnElement[bool]) -> Select[tuple[InboxProblem]]:
    return select(InboxProblem).where(InboxProblem.closed_at.is_(None), *conditions)


def _is_gone(
    row: InboxProblem, present: Mapping[date, Collection[str]], out_of_reach: Collection[str] | None
) -> bool:
    if row.reason.startswith(OUT_OF_REACH):
        return out_of_reach is not None and row.file_key not in out_of_reach
    return row.inbox_date in present and row.file_key not in present[row.inbox_date]


def _stands(row: InboxProblem, *, same_content: bool) -> bool:
    """Whether a problem that is found again is this one, and not a new one."""
    if row.closed_at is None or row.closed_reason == ACCEPTED:
        return True
    if row.closed_reason in (CORRECTED, REMOVED):  # and was undone
        return False
    return same_content or (row.kind == ProblemKind.LINE and row.request_id is not None)


def _is_closed_by_a_person(row: InboxProblem, reason: str) -> bool:
    return row.reason == reason[:512] and row.closed_reason not in (CORRECTED, REMOVED, ACCEPTED)


def _identity(row: InboxProblem) -> tuple[str, int | None, int, str, str | None]:
    return row.kind, row.line, row.lines, row.reason, row.request_id


def _row(file: FileName, problem: Problem, run_id: str) -> InboxProblem:
    return InboxProblem(
        kind=problem.kind.value,
        inbox_date=file.day,
        file_key=file.key,
        file=file.shown[:160],
        line=problem.line,
        lines=problem.lines,
        reason=problem.reason[:512],
        request_id=problem.request_id,
        actions=",".join(problem.actions),
        run_id=run_id[:512],
    )
