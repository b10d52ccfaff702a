"""The one list of what needs a person, and of what is good to know.

The run's note, `settle`, the page, the alarms and the command `attention` read it here. The kinds are the table KINDS
of `ledger/attention.py`: a kind added there is added to all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adobe_privacy.ledger.attention import KINDS, LASTING, Kind, Level
from adobe_privacy.ledger.attention_reader import RunScope
from adobe_privacy.ledger.inbox import NOT_ALL
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.people import erased_file
from adobe_privacy.ledger.schema import InboxProblem, Job, ProductAnswer
from adobe_privacy.ledger.states import FAILED_STATES
from adobe_privacy.plain_text import plain
from adobe_privacy.results.verdicts import missed

NAMED = 1000  # of a kind; the rest is counted


@dataclass(frozen=True)
class Item:
    """One thing: what it is about, since when, what is the matter. A job has a request id; of the inbox, folder, file
    and perhaps line and request id are known. It holds no identity."""

    kind: Kind
    about: str
    says: str
    since: datetime | None
    request_id: str | None = None
    folder: str | None = None
    file: str | None = None
    line: int | None = None

    @property
    def text(self) -> str:
        return f"{self.about}: {self.says}"

    def as_row(self) -> dict[str, Any]:
        return {
            "kind": self.kind.name,
            "level": self.kind.level.value,
            "about": self.about,
            "since": self.since,
            "what": self.says,
            "to_do": self.kind.to_do,
            "document": self.kind.document,
            "request_id": self.request_id,
            "folder": self.folder,
            "file": self.file,
            "line": self.line,
        }


@dataclass
class Attention:
    """How many there are of each kind, and the first of them."""

    counts: dict[Kind, int] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)

    def count(self, level: Level) -> int:
        return sum(count for kind, count in self.counts.items() if kind.level is level)

    def figures(self, level: Level) -> Iterator[str]:
        """Such as `2 lines rejected`, of what there is."""
        for kind, count in self.counts.items():
            if count and kind.level is level:
                yield kind.counted(count)

    def of(self, level: Level) -> list[Item]:
        return [item for item in self.items if item.kind.level is level]


def read_attention(
    ledger: Ledger, *, kinds: Sequence[Kind] = LASTING, limit: int = NAMED, scope: RunScope | None = None
) -> Attention:
    """What there is of these kinds, at most `limit` of each by name, in the order of the table."""
    counts = ledger.attention.counts(kinds, scope)
    found = Attention({kind: counts[kind.name] for kind in kinds})
    for kind in kinds:
        if counts[kind.name]:
            found.items += _items(ledger, kind, limit, scope)
    return found


def first_items(ledger: Ledger, kinds: Sequence[Kind], limit: int) -> list[Item]:
    """The first `limit` of these kinds together, in the order of the table. Nothing is counted."""
    found: list[Item] = []
    for kind in kinds:
        if len(found) < limit:
            found += _items(ledger, kind, limit - len(found))
    return found


def _items(ledger: Ledger, kind: Kind, limit: int, scope: RunScope | None = None) -> list[Item]:
    if kind.problems:
        problems = ledger.attention.problems(kind, limit=limit, scope=scope)
        return [_of_inbox(kind, problem) for problem in problems]
    jobs = ledger.attention.jobs(kind, limit=limit, scope=scope)
    answers = ledger.results.answers([job.id for job, *_ in jobs]) if "{undone}" in kind.says else {}
    return [_of_job(kind, job, since, reason, answers.get(job.id, ())) for job, since, reason in jobs]


def attention_of_run(ledger: Ledger, scope: RunScope) -> Attention:
    """What a run that has ended leaves to a person: of its jobs, of its day's folder, and of the files that it read."""
    return read_attention(ledger, kinds=[kind for kind in KINDS if kind.level is Level.PERSON], scope=scope)


def _of_job(
    kind: Kind, job: Job, since: datetime | None, reason: str, answers: Sequence[ProductAnswer] = ()
) -> Item:
    says = kind.says.format(
        reason=reason,
        outcome_code=job.outcome_code or "no code",
        due_on=job.due_on,
        warnings="; ".join(job.warnings.splitlines()),
        state=job.state.value,
        undone=f"{job.outcome}: {', '.join(dict.fromkeys(missed(job.action, answers)))}",
    )
    if job.state in FAILED_STATES and (erased := erased_file([job])):
        says += f"; {erased}"
    about = f"{job.key} ({job.action}, {job.regulation}, Adobe job {job.adobe_job_id or 'none'})"
    return Item(kind, plain(about), plain(says), since, request_id=job.request_id)


def _of_inbox(kind: Kind, problem: InboxProblem) -> Item:
    about = f"{problem.inbox_date}/{problem.file}"
    if problem.line is not None:
        about += f" line {problem.line}" + (f" and {problem.lines - 1} more" if problem.lines > 1 else "")
    if problem.request_id:
        about += f" ({problem.request_id})"
    return Item(
        kind,
        plain(about),
        plain(
            problem.reason if problem.reason.startswith(NOT_ALL) else kind.says.format(reason=problem.reason)
        ),
        problem.since,
        request_id=problem.request_id,
        folder=str(problem.inbox_date),
        file=problem.file,
        line=problem.line,
    )
