"""Requests that come by the page or its API: judged as intake would, then kept as one file of the day's inbox folder.

A file is written whole or not at all, and never over another. Its name is made of its content, so that whoever sends
the same again after a lost answer changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from adobe_privacy.intake.catalogue import Context
from adobe_privacy.intake.check import Check, CheckedLine, check_content
from adobe_privacy.intake.inbox import JSON_KINDS, TABLE_KINDS, real_name
from adobe_privacy.intake.options import as_text
from adobe_privacy.intake.request import CONFLICT, PrivacyRequest
from adobe_privacy.ledger.handing_in import Known
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import AccessKind
from adobe_privacy.ledger.times import is_earlier
from adobe_privacy.storage import ObjectExists, ObjectNotFound, Store

KINDS = tuple(kind[1:] for kind in (*JSON_KINDS, *TABLE_KINDS))
# So long another call may still be writing the file that it has announced.
BEING_WRITTEN = timedelta(minutes=5)


class Answer(StrEnum):
    """What becomes of one request that is handed in."""

    NEW = "new"  # it was kept, or would be
    KNOWN = "known"  # the same id and the same content were there before: nothing to do
    CONFLICT = "conflict"  # the same id was there before with other content
    REFUSED = "refused"  # intake would refuse it


@dataclass(frozen=True)
class HandedLine:
    checked: CheckedLine
    answer: Answer
    reason: str | None = None

    def as_row(self) -> dict[str, Any]:
        """Plain values, without an identity."""
        row: dict[str, Any] = {
            "line": self.checked.line,
            "request_id": self.checked.request_id,
            "answer": self.answer.value,
            "reason": self.reason,
            "warnings": list(self.checked.warnings),
        }
        if (request := self.checked.request) is not None:
            row |= {
                "regulation": request.regulation,
                "actions": list(request.actions),
                "products": list(request.products),
                "identities": [
                    {"namespace": identity.namespace, "type": identity.type}
                    for identity in request.identities
                ],
                "received_at": request.received_at.isoformat(),
                "options": as_text(request.said()),
            }
        return row


@dataclass
class HandedIn:
    """What was understood, line by line. `file` is where it was kept, None where nothing was written."""

    taken_for: str
    lines: list[HandedLine] = field(default_factory=list)
    file: str | None = None

    def count(self, answer: Answer) -> int:
        return sum(line.answer is answer for line in self.lines)

    def as_row(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "taken_for": self.taken_for,
            "counts": {answer.value: self.count(answer) for answer in Answer},
            "requests": [line.as_row() for line in self.lines],
        }


@dataclass(frozen=True)
class Terms:
    """By what intake judges: the connection's products, its organisation, whether it is strict, and its company
    contexts."""

    products: Sequence[str] = ()
    organisation: str | None = None
    strict: bool = False
    contexts: Sequence[Context] | None = None


def examine(data: bytes, kind: str, day: date, terms: Terms, ledger: Ledger) -> HandedIn:
    """What would become of the requests in `data`, which is a file of this `kind`. Writes nothing."""
    check = _check(data, kind, day, terms)
    known = ledger.handing_in.known({line.request_id for line in check.lines if line.request_id})
    told = HandedIn(check.taken_for)
    source = _source(data, kind, day, ledger)
    told.lines = [_judged(line, known, ledger, source, day) for line in check.lines]
    return told


def hand_in(
    data: bytes,
    kind: str,
    terms: Terms,
    ledger: Ledger,
    inbox: Store,
    *,
    accept_refused: bool = False,
) -> HandedIn:
    """Writes `data` as a file into today's folder, under the name of the ledger's actor. Nothing is written where a
    request contradicts one that was there before, where one would be refused, unless `accept_refused`, and where all
    are known. Raises StorageError.
    """
    day = ledger.now().date()
    told = examine(data, kind, day, terms, ledger)
    told = _without_lost(told, ledger, inbox)
    refused = told.count(Answer.REFUSED) and not accept_refused
    if refused or told.count(Answer.CONFLICT) or not told.count(Answer.NEW):
        return told
    source = _source(data, kind, day, ledger)
    new = {
        line.checked.request.request_id: ledger.intake.fingerprint(line.checked.request.content())
        for line in told.lines
        if line.answer is Answer.NEW and line.checked.request is not None
    }
    # Before the file is there: afterwards nobody could say any more who brought it.
    contradicted = ledger.handing_in.record(new, source, young_since=ledger.now() - BEING_WRITTEN)
    if contradicted:  # by a call at the same time
        told.lines = [
            HandedLine(line.checked, Answer.CONFLICT, CONFLICT)
            if line.checked.request_id in contradicted
            else line
            for line in told.lines
        ]
        return told
    with suppress(ObjectExists):  # of the same name, so of the same content
        inbox.create(source, data)
    only = next(iter(new)) if len(new) == 1 else None
    ledger.accesses.note(AccessKind.HANDED_IN, f"{len(new)} requests in {source}", request_id=only)
    told.file = source
    return told


def _source(data: bytes, kind: str, day: date, ledger: Ledger) -> str:
    """Where `data` is kept."""
    name = ledger.intake.fingerprint(b"handed in " + data)[:24]
    return f"{day:%Y-%m-%d}/page-{name}.{kind}"


def _check(data: bytes, kind: str, day: date, terms: Terms) -> Check:
    return check_content(
        f"page.{kind}",
        lambda: iter((data,)),
        day,
        terms.products,
        strict=terms.strict,
        organisation=terms.organisation,
        contexts=terms.contexts,
    )


def _judged(line: CheckedLine, known: dict[str, Known], ledger: Ledger, source: str, day: date) -> HandedLine:
    if line.request is None:
        return HandedLine(line, Answer.REFUSED, line.reason)
    before = known.get(line.request.request_id)
    if before is None:
        return HandedLine(line, Answer.NEW)
    if before.fingerprint == ledger.intake.fingerprint(line.request.content()):
        if before.source != source and _is_earlier(line.request, before, day):
            return HandedLine(line, Answer.NEW, "handed in before; the earlier date of receipt counts")
        return HandedLine(line, Answer.KNOWN, "handed in before with the same content")
    return HandedLine(line, Answer.CONFLICT, CONFLICT)


def _is_earlier(request: PrivacyRequest, before: Known, day: date) -> bool:
    """Whether it may have been received earlier than is known. Of what no run has read, the file alone tells."""
    if before.received_at is not None:
        return is_earlier(request.received, before.received_at, day)
    return before.at is not None and request.received.date() < before.at.date()


def _without_lost(told: HandedIn, ledger: Ledger, inbox: Store) -> HandedIn:
    """What was announced, but whose file is not in the inbox, is new again: its writer failed. So is what was taken in
    and whose file is gone or was erased, unless it has other content: intake would refuse that."""
    ids = {line.checked.request_id for line in told.lines if line.answer in (Answer.KNOWN, Answer.CONFLICT)}
    known = ledger.handing_in.known({each for each in ids if each})
    there: dict[str, bool] = {}
    for each in known.values():
        if each.source not in there:
            there[each.source] = _is_there(inbox, real_name(each.source, inbox, ledger))
    lines = []
    for line in told.lines:
        before = known.get(line.checked.request_id or "")
        if before is not None and not there[before.source]:
            lost = before.at is not None and before.at <= ledger.now() - BEING_WRITTEN
            if line.answer is Answer.KNOWN or lost:
                line = HandedLine(line.checked, Answer.NEW)
        lines.append(line)
    told.lines = lines
    return told


def _is_there(inbox: Store, source: str) -> bool:
    try:
        inbox.info(source)
    except ObjectNotFound:
        return False
    return True
