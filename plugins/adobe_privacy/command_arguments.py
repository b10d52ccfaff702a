"""What a person may type as an argument. Each reader raises ArgumentTypeError, which says what was expected."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import UTC, date, datetime, timedelta

from adobe_privacy.intake.request import Action
from adobe_privacy.regulations.codes import REGULATIONS

LONGEST_REASON = 400
FURTHEST_DAYS = 36_500
# No law gives more time than this from today; a later date is a mistyped year, and would silence every alarm.
LONGEST_EXTENSION = timedelta(days=366)
_PLACE = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)/(?P<file>.+?)(:(?P<line>\d{1,9}))?")


def reason(text: str) -> str:
    """What the history keeps of a decision."""
    said = text.strip()
    if not said or len(said) > LONGEST_REASON:
        raise ArgumentTypeError(f"give a reason of 1 to {LONGEST_REASON} characters: the history keeps it")
    return said


def days(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = FURTHEST_DAYS + 1
    if abs(number) > FURTHEST_DAYS:
        raise ArgumentTypeError(f"give a whole number of days, up to {FURTHEST_DAYS}")
    return number


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("give a day such as 2026-11-25") from None


def later_day(text: str) -> date:
    """A day to which a request's time is extended."""
    until = day(text)
    if until > datetime.now(UTC).date() + LONGEST_EXTENSION:
        raise ArgumentTypeError(f"{until} is more than a year ahead: correct the year")
    return until


def regulation(text: str) -> str:
    code = text.strip().lower()
    if code not in REGULATIONS:
        raise ArgumentTypeError(f"one of {', '.join(REGULATIONS)}")
    return code


def action(text: str) -> str:
    name = text.strip().lower()
    if name not in [each.value for each in Action]:
        raise ArgumentTypeError(f"one of {', '.join(each.value for each in Action)}")
    return name


def inbox_place(text: str) -> tuple[date, str, int | None] | None:
    """Folder, file and line of what the inbox could not use; None where the text is no such place."""
    place = _PLACE.fullmatch(text)
    if place is None:
        return None
    try:
        folder = date.fromisoformat(place["day"])
    except ValueError:
        return None
    return folder, place["file"], int(place["line"]) if place["line"] else None
