"""What an officer does beyond one request: find, decide on many at once, see who decided what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, status
from fastapi import Query as Parameter
from pydantic import BaseModel, Field, StringConstraints

from adobe_privacy.ledger.access import name_of
from adobe_privacy.ledger.people import People
from adobe_privacy.ledger.seen import HasChanged
from adobe_privacy.reporting import find_person as persons
from adobe_privacy.web.access import may_ask, may_write
from adobe_privacy.web.api import SeenNumber, seen_by
from adobe_privacy.web.source import Source, SourceDep
from adobe_privacy.web.words import moment_words

router = APIRouter()
MOST_FOUND = 50
DECISIONS: dict[str, Callable[..., int]] = {
    "hold": People.hold,
    "release": People.release,
    "resend": People.resend,
    "close": People.close,
}
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)]


class Sought(BaseModel):
    """A part of a request id, Adobe's id of a job, or a batch."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class Person(BaseModel):
    """One identity of a person."""

    namespace: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
    value: Text


class Decisions(BaseModel):
    """One decision about many requests, for one reason. `seen` is from the answer of `/jobs`, as it was shown."""

    decision: Literal["hold", "release", "resend", "close"]
    request_ids: Annotated[
        list[Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)]],
        Field(min_length=1, max_length=500),
    ]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400)]
    seen: SeenNumber = None


@router.post("/find", dependencies=[Depends(may_ask)])
def find(source: SourceDep, sought: Sought) -> dict[str, Any]:
    """Finds request ids, 50 at most; `more` is true where there are more. The text is in the body: what a person types
    may be an identity, which no address may hold."""
    found = source.ledger().search.by_text(sought.text, limit=MOST_FOUND + 1)
    return _found(found[:MOST_FOUND], len(found) > MOST_FOUND)


@router.post("/find-person", dependencies=[Depends(may_ask)])
def find_person(source: SourceDep, user: GetUserDep, person: Person) -> dict[str, Any]:
    """Finds the ids of the requests that hold this identity, 50 at most; `more` is true where there are more: the
    command `find` prints 1,000. The ledger keeps who asked, by which of Adobe's namespaces, and how many were found. It
    does not keep the value."""
    with source.ledger_of(user.get_name()) as ledger:
        return _found(*persons.find_person(ledger, person.namespace, person.value, limit=MOST_FOUND))


def _found(request_ids: list[str], more: bool) -> dict[str, Any]:
    return {"request_ids": request_ids} | ({"more": True} if more else {})


@router.post("/decide", dependencies=[Depends(may_write)])
def decide(source: SourceDep, user: GetUserDep, decisions: Decisions) -> dict[str, Any]:
    """Decides on each request by itself. `unknown` are the ids that the ledger does not have; `too_late` says by
    request which results a hold does not keep any more. `stale` are those that have changed since they were `seen`:
    nothing was decided on them. A hold is placed on these as well."""
    changed: dict[str, int] = {}
    too_late: dict[str, list[str]] = {}
    unknown, stale = [], []
    decide_on = DECISIONS[decisions.decision]
    with source.ledger_of(user.get_name()) as ledger:
        for request_id in dict.fromkeys(filter(None, decisions.request_ids)):
            if not ledger.people.request_jobs(request_id):
                unknown.append(request_id)
                continue
            try:
                changed[request_id] = decide_on(
                    ledger.people, request_id, decisions.reason, **seen_by(decide_on, decisions.seen)
                )
            except HasChanged:
                stale.append(request_id)
            if decisions.decision == "hold" and (late := ledger.erasures.too_late(request_id)):
                too_late[request_id] = late
    told = {"changed": sum(changed.values()), "requests": changed, "unknown": unknown}
    return told | ({"too_late": too_late} if too_late else {}) | ({"stale": stale} if stale else {})


class Line(BaseModel):
    """A line of an inbox file that could not be used; without `line`, the file. `seen` is that of its row in the answer
    of `/attention`: what has changed since is answered 409."""

    folder: date
    file: Annotated[str, StringConstraints(min_length=1, max_length=160)]
    line: int | None = None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400)]
    seen: SeenNumber = None


@router.post("/close-line", dependencies=[Depends(may_write)])
def close_line(source: SourceDep, user: GetUserDep, line: Line) -> dict[str, int]:
    """Notes that a rejected line, or an unread file, needs nothing more. 409 where it has changed since it was `seen`,
    a number of `/attention`."""
    with source.ledger_of(user.get_name()) as ledger:
        changed = ledger.inbox.close(line.folder, line.file, line.reason, line=line.line, seen=line.seen)
    if not changed:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is nothing open about this line or file.")
    return {"changed": changed}


class Filter(BaseModel):
    """Of people's decisions. `who` is a key of `people` in the answer, `before` where the next page begins."""

    who: Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)] = ""
    what: Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)] = ""
    before: datetime | None = None


FilterDep = Annotated[Filter, Parameter()]


@router.get("/decisions")
def decisions(source: SourceDep, chosen: FilterDep) -> dict[str, Any]:
    """What people decided and looked at: who, what, when, about which request, and why. The newest first.

    `people` are all who did something, each name by its key; `who` takes such a key, since no name belongs in an
    address."""
    return read_decisions(source, chosen)


def read_decisions(source: Source, chosen: Filter, limit: int = 100) -> dict[str, Any]:
    before = chosen.before
    if before is not None and before.tzinfo is None:
        before = before.replace(tzinfo=UTC)
    accesses = source.ledger().accesses
    people = accesses.people()
    if chosen.who and chosen.who not in people:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "who: a key of `people`, as this call answers it")
    who = people[chosen.who].actors if chosen.who else ()
    deeds = accesses.deeds(who=who, what=chosen.what, before=before, limit=limit + 1)
    return {
        "decisions": [
            {
                "at": moment_words(deed.at),
                "who": name_of(deed.actor),
                "what": deed.what,
                "request_id": deed.request_id,
                "why": deed.why,
            }
            for deed in deeds[:limit]
        ],
        "people": {key: person.name for key, person in people.items()},
        "next": deeds[limit - 1].at.isoformat() if len(deeds) > limit else None,
    }
