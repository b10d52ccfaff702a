"""How the values of an answer are read: every spelling that the service is known to have used."""

from __future__ import annotations

import itertools
import json
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


LARGEST = 2**31 - 1  # of a whole number in every database
# Adobe's have 36 signs. It names folders, and a job in the ledger.
LONGEST_JOB_ID = 120


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
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= LARGEST else None


def as_count(value: object) -> int | None:
    """How many there are: of a list, its length; of what cannot be counted, one, if there is anything."""
    if isinstance(value, list):
        return len(value)
    number = as_number(value)
    if number is None:
        there = value.strip() if isinstance(value, str) else value
        return 1 if there and isinstance(value, str | bool | Mapping) else None
    return number if number >= 0 else None


def as_readable_count(value: object) -> int | None:
    """The same, without what names nobody."""
    if isinstance(value, bool | Mapping):
        return None
    return len(as_values(value) or ()) if isinstance(value, list) else as_count(value)


def as_words(value: object) -> str | None:
    """Text, or the texts of a list."""
    if isinstance(value, list):
        return " ".join(text for each in value if (text := as_text(each))) or None
    return as_text(value)


_UNREADABLE = "unreadable"


def as_code(value: object) -> str | None:
    """A code as text, of several each once. One that is no text is there, and cannot be read."""
    if value is None:
        return None
    parts = value if isinstance(value, list) else [value]
    parts = [inner for part in parts for inner in (part.values() if isinstance(part, Mapping) else [part])]
    texts = [_one_code(part) for part in parts if part not in (None, "")]
    return "; ".join(dict.fromkeys(texts)) or (None if isinstance(value, str) else _UNREADABLE)


def _one_code(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return _UNREADABLE
    return as_text(value) or ""


def as_values(value: object) -> tuple[str, ...] | None:
    """The values of a list of identities, each a text or an object; None for anything else."""
    if isinstance(value, str) and value.strip() and as_number(value) is None:
        value = [value]
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
    if isinstance(value, tuple):
        return list(value)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def objects_or_empty(value: object) -> list[object]:
    """The same, with an empty object for whatever else is there."""
    if isinstance(value, tuple):
        return list(value)
    some = value if isinstance(value, list) else [value]
    return [item if isinstance(item, Mapping) else {} for item in some if item is not None]


def with_job_id(value: object) -> list[object]:
    return [
        item
        for item in objects(value)
        if isinstance(item, Mapping) and 0 < len(as_text(item.get("jobId")) or "") <= LONGEST_JOB_ID
    ]


_CODE_IN_WORDS = re.compile(r"PRVCY[-_ ]*\d{4,6}(?:[-_ ]+\d{3})?", re.IGNORECASE)
_FAILED_DATASETS = re.compile(
    r"(?:\b(?P<none>no|0|zero|without)\s+)?"
    r"failed[\s_-]*data[\s_-]*sets?[\s_-]*(?:ids?)?[\"']?\s*[=:]\s*(?P<list>\[[^\]\n]*)?",
    re.IGNORECASE,
)
# None, and how many of what or where. Nothing may follow but a remark, or the name of something else.
_NONE = re.compile(
    r"(?:0+|zero|none|null|n/a|-)(?:\s*(?:/|(?:out\s+)?of)\s*(?:the\s+)?\d+)?(?:\s+(?:failed|found|data\s?sets?))?"
    r"(?:\s+in(?:\s+\w+){1,3})?"
    r"(?:\s*$|\s*\(|\s+[-\u2013]\s|\s+(?:\w+\s+)*\w+\s*[:=])"
    r"|(?:no(?:\s+(?:failures?|errors?|data\s?sets?))?)?$",
    re.IGNORECASE,
)
_WELL = re.compile(
    r"(?!.*\b(?:not|but|except)\b).*\b(?:all|ok|done|succe\w*|processed|completed?)\b", re.IGNORECASE
)


def says_none(text: str) -> bool:
    """Whether a text is nothing but a word or number for none."""
    return _NONE.match(text.strip(" \t.\"'[]{}()")) is not None


def failed_datasets(text: str) -> int:
    """How many data sets a text names as failed, in any of its lists."""
    lists = list(_FAILED_DATASETS.finditer(text))
    ends = [match.end() for match in lists] + [len(text)]
    return sum(_failed_in(match, text[match.end() : end]) for match, end in zip(lists, ends[1:], strict=True))


def _failed_in(match: re.Match[str], rest: str) -> int:
    """In one list. Without brackets, it ends with its sentence or before the name of something else."""
    if match["list"] is not None:
        return sum(not says_none(name) for name in re.split("[,;]", match["list"]))
    sentence = re.split(r"\n|\.\s+(?!\d)", rest, maxsplit=1)[0]
    first, *others = re.split("[,;]", sentence)
    names = [first, *itertools.takewhile(lambda part: not re.search("[:=]", part), others)]
    if match["none"] or says_none(first):
        # What follows may be a remark, and may take it back.
        names = [name for name in names if re.search(r"\d|^\s*\S+\s*$", name) and not _WELL.match(name)]
    return sum(not says_none(name) for name in names)


def of_product(answer: Any) -> Any:
    """A product's answer, with what it says in several places put together: all of its codes, those in its words where
    there is no other, and of two statuses the one of a failure."""
    if not isinstance(answer, Mapping):
        return answer
    told = answer.get("productStatusResponse")
    told = without_nulls(told) if isinstance(told, Mapping) else {}
    statuses = [each for each in (told.get("status"), answer.get("status")) if each not in (None, "")]
    failures = [each for each in statuses if as_status(each) in (JobStatus.ERROR, JobStatus.EXPIRED)]
    codes = [
        each
        for each in (told.get("responseMsgCode"), answer.get("responseMsgCode"))
        if each not in (None, "")
    ]
    if not codes:
        words = " ".join(as_words(told.get(name)) or "" for name in ("message", "responseMsgDetail"))
        codes = _CODE_IN_WORDS.findall(words)
    flat = [one for each in codes for one in (each if isinstance(each, list) and each else [each])]
    return {
        **answer,
        "productStatusResponse": told | {"results": _unpacked(told.get("results"))},
        "status": (failures or statuses or [None])[0],
        "responseMsgCode": flat or None,
    }


def _unpacked(results: object) -> object:
    """What is encoded as JSON once more, or alone in a list."""
    if isinstance(results, str) and results.lstrip().startswith("{"):
        try:
            results = json.loads(results)
        except (ValueError, RecursionError):
            return None
    return results[0] if isinstance(results, list) and len(results) == 1 else results


JobId = Annotated[
    str,
    BeforeValidator(lambda value: as_text(value) or ""),
    StringConstraints(min_length=1, max_length=LONGEST_JOB_ID),
]
Text = Annotated[str | None, BeforeValidator(as_text)]
Words = Annotated[str | None, BeforeValidator(as_words)]
Code = Annotated[str | None, BeforeValidator(as_code)]
Word = Annotated[str | None, BeforeValidator(as_word)]
Number = Annotated[int | None, BeforeValidator(as_number)]
Count = Annotated[int | None, BeforeValidator(as_count)]
Readable = Annotated[int | None, BeforeValidator(as_readable_count)]
Values = Annotated[tuple[str, ...] | None, BeforeValidator(as_values)]
Status = Annotated[JobStatus, BeforeValidator(as_status)]
Moment = Annotated[datetime | None, BeforeValidator(parse_date)]


def without_nulls(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value
