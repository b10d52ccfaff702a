"""How the values of an answer are read: every spelling that the service is known to have used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

from adobe_privacy.plain_text import plain


class JobStatus(StrEnum):
    """The state of a job, or of one product within a job. Neither says anything about the other."""

    SUBMITTED = "submitted"
    PROCESSING = "processing"
    COMPLETE = "complete"
    ERROR = "error"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """A word that no document knows, or none at all: not over, and worth a look."""

    @property
    def is_terminal(self) -> bool:
        return self in (JobStatus.COMPLETE, JobStatus.ERROR, JobStatus.EXPIRED)


_US_DATE = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})[ ,]+(\d{1,2}):(\d{2})(?::(\d{2}))?"
    r"(?:\s*([AP])\.?M\.?)?(?:\s*(?:GMT|UTC|Z))?",
    re.IGNORECASE,
)
_NUMBERED_STATUS = {"1": "complete", "2": "processing", "3": "submitted", "4": "error", "5": "expired"}


def parse_date(value: object) -> datetime | None:
    """A date of an answer in UTC: `04/29/2021 09:53 PM GMT` with or without GMT and padding, or ISO 8601.

    A date without a zone counts as UTC, as the guides say. None for anything else.
    """
    return _parse_date(value) if isinstance(value, str) else None


# Adobe tells whole minutes: a list of a thousand jobs has few different dates.
@lru_cache(maxsize=10_000)
def _parse_date(value: str) -> datetime | None:
    text = value.strip()
    try:
        if match := _US_DATE.fullmatch(text):
            month, day, year, hour, minute, second = (
                int(part or 0) for part in match.group(1, 2, 3, 4, 5, 6)
            )
            if half := match.group(7):
                if not 1 <= hour <= 12:
                    return None
                hour = hour % 12 + (12 if half.upper() == "P" else 0)
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        date = datetime.fromisoformat(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def as_text(value: object) -> str | None:
    """On one printable line, whatever others wrote: it ends up in logs, ledger and manifests."""
    if isinstance(value, str):
        return plain(value).strip() or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_word(value: object) -> str | None:
    text = as_text(value[0] if isinstance(value, list) and value else value)
    return text.lower() if text else None


def as_number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def as_count(value: object) -> int | None:
    return len(value) if isinstance(value, list) else as_number(value)


def as_values(value: object) -> tuple[str, ...] | None:
    """The values of a list of identities, each a text or an object; None for anything else."""
    if not isinstance(value, list):
        return None
    plain = (each.get("value") if isinstance(each, Mapping) else each for each in value)
    return tuple(text for each in plain if (text := as_text(each)) is not None)


def as_status(value: object) -> JobStatus:
    word = (as_text(value) or "").lower()
    try:
        return JobStatus(_NUMBERED_STATUS.get(word, word))
    except ValueError:
        return JobStatus.UNKNOWN


def objects(value: object) -> list[object]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def with_job_id(value: object) -> list[object]:
    return [item for item in objects(value) if isinstance(item, Mapping) and as_text(item.get("jobId"))]


JobId = Annotated[str, BeforeValidator(lambda value: as_text(value) or ""), StringConstraints(min_length=1)]
Text = Annotated[str | None, BeforeValidator(as_text)]
Word = Annotated[str | None, BeforeValidator(as_word)]
Number = Annotated[int | None, BeforeValidator(as_number)]
Count = Annotated[int | None, BeforeValidator(as_count)]
Values = Annotated[tuple[str, ...] | None, BeforeValidator(as_values)]
Status = Annotated[JobStatus, BeforeValidator(as_status)]
Moment = Annotated[datetime | None, BeforeValidator(parse_date)]


def without_nulls(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value
