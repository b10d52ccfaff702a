"""The ledger takes requests in: each known for ever by its id, its content by a keyed hash."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from adobe_privacy.ledger.identity import Lost, lost
from adobe_privacy.ledger.keys import FORGETS, setting
from adobe_privacy.ledger.results import change_receipt
from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.search import add_ids, add_prints
from adobe_privacy.ledger.states import UNFINISHED_STATES, JobState, Move
from adobe_privacy.ledger.times import is_earlier
from adobe_privacy.ledger.unit import Topic, chunks, insert_rows


class Reception(StrEnum):
    """What the ledger made of a request that arrived."""

    NEW = "new"
    DUPLICATE = "duplicate"  # the same id and the same content: known already
    EARLIER = "earlier"  # the same, received earlier than was known: its dates are moved
    LATER = "later"  # the same, received later than was known: nothing is changed
    CONFLICT = "conflict"  # the same id with other content: refused
    FORGOTTEN = "forgotten"  # the ledger knew the id, and has forgotten its content: refused


@dataclass(frozen=True)
class ReceivedJob:
    action: str
    part: int
    key: str
    due_on: date
    submit_by: date | None = None
    alarm_at: datetime | None = None


@dataclass(frozen=True)
class ReceivedRequest:
    """A valid request as the intake hands it over; `fingerprint` stands for its content."""

    request_id: str
    regulation: str
    fingerprint: str
    source: str
    inbox_date: date
    products: str
    received_at: datetime
    jobs: tuple[ReceivedJob, ...]
    options: str = ""
    warnings: str = ""
    prints: Collection[str] = ()  # of its identities, see `person_print`


class KnownRequest(NamedTuple):
    """What a request was taken in with, and whether its inbox file was erased."""

    fingerprint: str
    source: str
    received_at: datetime
    erased: bool = False


class Intake(Topic):
    """Takes requests in."""

    def fingerprint(self, content: bytes) -> str:
        """A keyed hash: tells whether two contents are the same, and nothing about them without the key.

        Raises LedgerError where the key is not the one that the ledger's requests were written with.
        """
        return hmac.digest(self.unit.fingerprint_key, content, "sha256").hex()

    def fingerprint_of(self, pieces: Iterable[bytes]) -> str:
        """The same of a content that comes in pieces."""
        made = hmac.new(self.unit.fingerprint_key, digestmod="sha256")
        for piece in pieces:
            made.update(piece)
        return made.hexdigest()

    def person_print(self, namespace: str, value: str) -> str:
        """A keyed hash of one identity, the same for all ways to write it that mean the same person. Raises what
        `fingerprint` does."""
        plain = value.strip()
        if namespace.lower() in ("email", "6"):
            plain = plain.lower()
        return self.fingerprint(f"person\0{namespace.lower()}\0{plain}".encode())[:32]

    def receive(self, requests: Sequence[ReceivedRequest]) -> list[Reception]:
        """Writes the new ones of `requests` down as `RECEIVED`; one answer per request, in order. Of several dates on
        which the same request was received, the earliest counts, for its due date too."""
        answers: list[Reception] = []
        with self.unit.write() as session:
            known = self._known(session, {request.request_id for request in requests})
            forgotten = self._forgotten(session, {request.request_id for request in requests} - known.keys())
            new: list[ReceivedRequest] = []
            moved: dict[str, str] = {}
            earliest: dict[str, ReceivedRequest] = {}
            for request in requests:
                before = known.get(request.request_id)
                received_at = request.received_at
                if request.request_id in forgotten:
                    answers.append(Reception.FORGOTTEN)
                    continue
                if before is None:
                    new.append(request)
                    answers.append(Reception.NEW)
                elif before.fingerprint == request.fingerprint:
                    # The identities are read where the request was last seen.
                    if before.source != request.source or before.erased:
                        moved[request.request_id] = request.source
                    if is_earlier(received_at, before.received_at, request.inbox_date):
                        earliest[request.request_id] = request
                        answers.append(Reception.EARLIER)
                    else:
                        later = received_at > before.received_at
                        answers.append(Reception.LATER if later else Reception.DUPLICATE)
                        received_at = before.received_at
                else:
                    answers.append(Reception.CONFLICT)
                    continue
                known[request.request_id] = KnownRequest(request.fingerprint, request.source, received_at)
            self._add(session, new)
            _follow(session, moved)
            self._move_dates(session, earliest)
        return answers

    def _known(self, session: Session, request_ids: Collection[str]) -> dict[str, KnownRequest]:
        """Those requests that the ledger knows."""
        known: dict[str, KnownRequest] = {}
        for some in chunks(request_ids):
            query = select(Job.request_id, Job.fingerprint, Job.source, Job.received_at, Job.inbox_erased_at)
            for request_id, fingerprint, source, received_at, erased_at in session.execute(
                query.where(Job.request_id.in_(some))
            ):
                known[request_id] = KnownRequest(fingerprint, source, received_at, erased_at is not None)
        return known

    def _forgotten(self, session: Session, request_ids: Collection[str]) -> set[str]:
        """Those request ids that the ledger has forgotten."""
        if setting(session, FORGETS) is None:
            return set()
        names = {self.unit.names_of(request_id)[-1]: request_id for request_id in request_ids}
        return {
            names[name]
            for some in chunks(names)
            for name in session.scalars(select(Job.request_id).where(Job.request_id.in_(some)))
        }

    def _add(self, session: Session, requests: Sequence[ReceivedRequest]) -> None:
        now = self.unit.now()
        time_lost = lost(session)
        rows = [_new_row(request, job, now, time_lost) for request in requests for job in request.jobs]
        if rows:
            # No other writer is about, so what is numbered higher afterwards is what was added here.
            last = session.scalar(select(func.max(Job.id))) or 0
            insert_rows(session, Job, rows)
            self.unit.note_rows(session, Job.id > last, Move.TAKE_IN, "arrived in the inbox")
            self.unit.daily_figures(session).arrived += len(rows)
            add_ids(session, [request.request_id for request in requests])
            add_prints(session, {request.request_id: request.prints for request in requests})

    def _move_dates(self, session: Session, earliest: Mapping[str, ReceivedRequest]) -> None:
        """They were received earlier than was known. What was due is due as many days earlier as the law gives."""
        for some in chunks(earliest):
            for row in session.scalars(select(Job).where(Job.request_id.in_(some)).order_by(Job.id)):
                request = earliest[row.request_id]
                told = f"received {request.received_at:%Y-%m-%d} instead of {row.received_at:%Y-%m-%d}"
                first = row.first_due_on or row.due_on
                due = {job.action: job.due_on for job in request.jobs}
                days = first - due.get(row.action, first)
                if days > timedelta(0):
                    told += f": due {row.due_on - days} instead of {row.due_on}"
                    row.due_on -= days
                    row.first_due_on = row.first_due_on and row.first_due_on - days
                    row.submit_by = row.submit_by and row.submit_by - days
                if row.state in UNFINISHED_STATES and row.origin is Origin.INBOX:
                    row.alarm_at = self.unit.now()
                change_receipt(session, row, request.received_at)
                self.unit.note(session, [row], row.state, row.state, told)


def _follow(session: Session, moved: dict[str, str]) -> None:
    by_source: dict[str, list[str]] = {}
    for request_id, source in moved.items():
        by_source.setdefault(source, []).append(request_id)
    for source, request_ids in by_source.items():
        for some in chunks(request_ids):
            here = update(Job).where(Job.request_id.in_(some))
            session.execute(here.values(source=source, inbox_erased_at=None))


def _new_row(
    request: ReceivedRequest, job: ReceivedJob, now: datetime, time_lost: Lost | None
) -> dict[str, object]:
    doubtful = time_lost is not None and time_lost.concerns(request.inbox_date)
    return {
        "request_id": request.request_id,
        "regulation": request.regulation,
        "action": job.action,
        "part": job.part,
        "key": job.key,
        "fingerprint": request.fingerprint,
        "source": request.source,
        "inbox_date": request.inbox_date,
        "products": request.products,
        "options": request.options,
        "warnings": request.warnings,
        "received_at": request.received_at,
        "taken_in_at": now,
        "due_on": job.due_on,
        "submit_by": job.submit_by,
        "alarm_at": job.alarm_at,
        "state": JobState.RECEIVED,
        "on_hold": False,
        "attempt": 1,
        "doubt_until": time_lost.until if time_lost and doubtful else None,
    }
