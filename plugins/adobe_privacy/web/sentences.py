"""A job's history in sentences, and days as the page writes them."""

from __future__ import annotations

import re
from datetime import date

from adobe_privacy.ledger.schema import CLOSED, NOT_ERASED, UNREADABLE, Transition
from adobe_privacy.ledger.states import JobState

# What happened, by where a job came from (None: it is new) and where it went to.
MOVES: dict[tuple[JobState | None, JobState], str] = {
    (None, JobState.RECEIVED): "taken in from the inbox",
    (None, JobState.SUBMITTED): "found at Adobe",
    (JobState.RECEIVED, JobState.PLANNED): "put into a batch",
    (JobState.PLANNED, JobState.RECEIVED): "left to a later run",
    (JobState.PLANNED, JobState.SUBMITTING): "about to be sent to Adobe",
    (JobState.RECEIVED, JobState.SUBMITTING): "about to be sent to Adobe",
    (JobState.SUBMITTING, JobState.SUBMITTING): "about to be sent to Adobe once more",
    (JobState.SUBMITTING, JobState.PLANNED): "not sent, and to be sent again",
    (JobState.SUBMITTING, JobState.RECEIVED): "not sent, and to be sent again",
    (JobState.SUBMITTING, JobState.SUBMITTED): "sent to Adobe",
    (JobState.SUBMITTING, JobState.COMPLETE): "accepted by Adobe, seen",
    (JobState.RECEIVED, JobState.COMPLETE): "accepted by Adobe, seen",
    (JobState.SUBMITTED, JobState.COMPLETE): "done at Adobe, seen",
    (JobState.COMPLETE, JobState.ARCHIVED): "archived",
    (JobState.ERROR, JobState.RECEIVED): "to be sent again",
    (JobState.REFUSED, JobState.RECEIVED): "to be sent again",
    (JobState.GONE, JobState.RECEIVED): "to be sent again",
    (JobState.ARCHIVED, JobState.RECEIVED): "to be sent again",
}
# Else by where it went to.
ENDS = {
    JobState.SUBMITTED: "found at Adobe",
    JobState.ERROR: "ended in error at Adobe, seen",
    JobState.REFUSED: "refused",
    JobState.GONE: "gone at Adobe, seen",
    JobState.CLOSED: "closed",
}
# What a person did, or a run could not do, by how the reason begins; the rest of it is the person's or the error's.
DEEDS = {
    "on hold: ": "put on hold",
    "hold ended: ": "released",
    "sent again: ": "to be sent again",
    UNREADABLE: "not sent, since a file could not be read",
    NOT_ERASED: "not known to be erased, seen",
    CLOSED: "closed",
    "approved, ": "approved to be sent",
}
# What these say, the sentence has said.
PLAIN = ("arrived in the inbox", "claimed", "intent committed", "Adobe's answer", "on hold", "")
_PLAIN_DAY = re.compile(r"(?<![\w/-])\d{4}-\d\d-\d\d(?![\w/-])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def sentence(change: Transition) -> str:
    """Such as `Sent to Adobe by the run of 3 Nov 2026.`"""
    reason = change.reason
    for beginning, deed in DEEDS.items():
        if reason.startswith(beginning):
            what, reason = deed, reason.removeprefix(beginning)
            break
    else:
        moved = (change.from_state, change.to_state)
        what = MOVES.get(moved) or ENDS.get(change.to_state) or "changed"
        if change.from_state is change.to_state and moved not in MOVES:
            what, reason = reason or "changed", ""
    told = "" if reason in PLAIN else f": {reason.removeprefix('Adobe: ')}"
    return f"{what[:1].upper()}{what[1:]} by {who(change.actor)}{told}."


def who(actor: str) -> str:
    """A person by name; a run by its day."""
    kind, _, name = actor.partition("/")
    if kind == "user" or actor.startswith("user "):
        return actor.removeprefix("user").lstrip("/ ")
    day = _DAY.search(name)
    if day is None:
        return kind or "the system"
    run = "the run" if kind.startswith("privacy_requests") else f"the run of {kind}"
    return f"{run} {'on' if run.endswith(kind) else 'of'} {day_words(day.group())}"


def day_words(value: str | date) -> str:
    """`3 Nov 2026`, as everywhere on the page."""
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value[:10])
    except ValueError:
        return str(value)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def dated(text: str) -> str:
    """A text whose days are written as everywhere on the page; what is a folder's name stays."""
    return _PLAIN_DAY.sub(lambda found: day_words(found.group()), text)


def moment_text(value: str) -> str:
    """`3 Nov 2026, 14:05`, of a moment as the API has it; of a day, the day."""
    clock = value[11:16]
    return f"{day_words(value)}, {clock}" if clock else day_words(value)


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
