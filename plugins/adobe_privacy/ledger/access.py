"""The history of access, and all that people did: their decisions, and what changes no job, such as a search."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from adobe_privacy.ledger.schema import BY_PEOPLE, Access, AccessKind, Approval, Job, Transition
from adobe_privacy.ledger.unit import Topic

# How the reason of a person's decision begins, and what it is called.
WORDS = {
    "on hold": "put on hold",
    "hold ended": "released",
    "sent again": "sent again",
    "closed": "closed",
    "due ": "extended",
}
WHAT = (*WORDS.values(), "approved", "rejected", *(kind.value for kind in AccessKind))


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person did, about one request or none in particular."""

    at: datetime
    actor: str
    what: str
    why: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who did something, and the actors by which the ledger knows that."""

    name: str
    actors: tuple[str, ...]


class Accesses(Topic):
    """Notes who did what. Nothing here holds an identity: `about` is the ledger's own words."""

    def note(self, kind: AccessKind, about: str = "", *, request_id: str | None = None) -> None:
        with self.unit.write() as session:
            session.add(
                Access(
                    at=self.unit.now(),
                    actor=self.unit.actor[:512],
                    kind=kind.value,
                    request_id=request_id,
                    about=about[:512],
                )
            )

    def of_request(self, request_id: str) -> list[Access]:
        """The oldest first."""
        query = select(Access).where(Access.request_id == request_id).order_by(Access.id)
        with self.unit.read() as session:
            return list(session.scalars(query))

    def people(self) -> dict[str, Person]:
        """All who ever did something, by a keyed hash of the name: it may stand in an address, and a name may not."""
        with self.unit.read() as session:
            actors = {
                *session.scalars(select(Transition.actor).where(BY_PEOPLE).distinct()),
                *session.scalars(select(Access.actor).distinct()),
                *session.scalars(select(Approval.decided_by).distinct()),
            }
        by_name: dict[str, list[str]] = {}
        for actor in sorted(actors):
            by_name.setdefault(name_of(actor), []).append(actor)
        key = self.unit.known_fingerprint_key() or b"no key"
        return {
            hmac.digest(key, b"login " + name.encode(), "sha256").hex()[:16]: Person(name, tuple(found))
            for name, found in by_name.items()
        }

    def deeds(
        self, *, who: Collection[str] = (), what: str = "", before: datetime | None = None, limit: int = 100
    ) -> list[Deed]:
        """What people did, the newest first. `who` are actors, `what` one of `WHAT`. A decision about a
        request with several jobs is told once."""
        changes = select(Transition, Job.request_id).join(Job, Job.id == Transition.job_id).where(BY_PEOPLE)
        accesses = select(Access)
        approvals = select(Approval)
        if who:
            changes = changes.where(Transition.actor.in_(who))
            accesses = accesses.where(Access.actor.in_(who))
            approvals = approvals.where(Approval.decided_by.in_(who))
        if before is not None:
            changes = changes.where(Transition.at < before)
            accesses = accesses.where(Access.at < before)
            approvals = approvals.where(Approval.decided_at < before)
        if what:
            begins = next((start for start, word in WORDS.items() if word == what), what)
            changes = changes.where(Transition.reason.startswith(begins, autoescape=True))
            accesses = accesses.where(Access.kind == what)
            approvals = approvals.where(Approval.approved.is_(what == "approved"))
        found: list[Deed] = []
        with self.unit.read() as session:
            # Each job of a request has a row of its own.
            rows = session.execute(changes.order_by(Transition.id.desc()).limit(limit * 4))
            for change, request_id in rows:
                word, why = _told(change.reason)
                deed = Deed(change.at, change.actor, word, why, request_id)
                if not (found and _is_same(found[-1], deed)):
                    found.append(deed)
            for access in session.scalars(accesses.order_by(Access.id.desc()).limit(limit)):
                found.append(Deed(access.at, access.actor, access.kind, access.about, access.request_id))
            if what in ("", "approved", "rejected"):
                for row in session.scalars(approvals.order_by(Approval.id.desc()).limit(limit)):
                    word = "approved" if row.approved else "rejected"
                    why = f"{row.jobs} deletes of batch {row.batch_id}"
                    found.append(Deed(row.decided_at, row.decided_by, word, why))
        return sorted(found, key=lambda deed: deed.at, reverse=True)[:limit]


def name_of(actor: str) -> str:
    return actor.removeprefix("user").lstrip("/ ")


def _is_same(one: Deed, other: Deed) -> bool:
    """Whether two rows, one after the other, are of one decision."""
    together = one.at - other.at < timedelta(seconds=5)
    return together and replace(one, at=other.at) == other


def _told(reason: str) -> tuple[str, str]:
    for start, word in WORDS.items():
        if reason.startswith(start):
            return word, reason if word == "extended" else reason.partition(": ")[2]
    return "decided", reason
