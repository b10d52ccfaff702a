"""What of an inbox file could not be used, on its way into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from adobe_privacy.intake.files import InboxEntry
from adobe_privacy.intake.inbox import KINDS, Line, as_shown, write_rejected
from adobe_privacy.intake.request import CONFLICT
from adobe_privacy.ledger.inbox import NOT_ALL, Problem
from adobe_privacy.ledger.schema import ProblemKind
from adobe_privacy.storage import AccessDenied, StorageError, StorageUnavailable, Store

# So many of a file's rejected lines the ledger keeps one by one; the rest is counted.
MAX_PROBLEMS = 1000
FORGOTTEN = "request_id: of a request that the ledger has forgotten; a new request needs an id of its own"
UNREADABLE_NAME = "its name holds a tab, a line break or another control character: rename it"
CANNOT = "it cannot be read: "
NOT_A_KIND = f"only {KINDS} hold requests"


@dataclass
class Problems:
    """The unusable lines of a file, `shown` as its name may be, as the ledger keeps them."""

    shown: str
    lines: list[Line] = field(default_factory=list)
    more: int = 0
    # Why nothing of it, or not all of it, could be read.
    unreadable: StorageError | None = None

    def readable(self, entry: InboxEntry, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines of a file; where it cannot be read on, its last line says so."""
        begun = False
        try:
            with as_shown(entry.source, entry.shown):
                for line in lines:
                    begun = True
                    yield line
        except (AccessDenied, StorageUnavailable) as error:
            self.unreadable = error
            yield Line(entry.source, 1, reason=f"{NOT_ALL if begun else CANNOT}{error}", whole_file=True)

    def noted(self, rejected: Iterator[Line]) -> Iterator[Line]:
        """The same lines, seen."""
        for line in rejected:
            if len(self.lines) < MAX_PROBLEMS:
                self.lines.append(replace(line, source=self.shown))
            else:
                self.more += 1
            yield line

    def report(self, store: Store, source: str, rejected: Iterator[Line]) -> bool:
        """Writes the report beside the file. Whether lines went unreported, because the inbox may only be read."""
        try:
            write_rejected(store, source, rejected)
        except AccessDenied:  # the ledger has them, and that is enough
            return bool(self.lines)
        return False

    def found(self) -> list[Problem]:
        """What the ledger keeps of them."""
        found = [
            Problem(
                _kind_of(line),
                line.reason or "",
                None if line.whole_file else line.number,
                1,
                line.request_id,
                line.actions,
            )
            for line in self.lines
        ]
        if self.more:
            where = self.lines[-1].number + 1
            found.append(Problem(ProblemKind.LINE, "see the report under rejected/", where, self.more))
        return found


def _kind_of(line: Line) -> ProblemKind:
    if line.whole_file:
        return ProblemKind.FILE
    return ProblemKind.CONFLICT if line.reason in (CONFLICT, FORGOTTEN) else ProblemKind.LINE


def why_not_read(what: str) -> str:
    """Of a thing in a folder that is no file, and so what; or of a file of another kind."""
    return f"it is {what}: put a file in its place, or remove it" if what else NOT_A_KIND
