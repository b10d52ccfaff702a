"""Files that look like requests and lie where no run reads them: beside the days' folders, in a folder whose name is
nearly a day's, in one whose day is over for long, or is yet to come.

A wrong year or a missing hyphen would else cost a person's request, and every run would be green.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

from adobe_privacy.intake.inbox import file_key, is_request_file, shown_name
from adobe_privacy.ledger.inbox import OUT_OF_REACH, FileName
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import ObjectInfo, Store

NO_DAY = "its folder is none of a day such as 2026-11-20"
# Older folders may be the archive of another program.
LOOK_BACK = timedelta(days=400)
# A folder named like a year may be an archive, too: no more of its files are looked at.
MANY = 10_000
# A day for the time zones.
AHEAD = timedelta(days=1)
# Of names before `=`, as Hive writes them, those of a day on which something arrives: others are of an archive.
_ARRIVAL = r"(?i:(?:(?:received|arriv(?:al|ed)|inbox|ingest(?:ion|ed)?|request(?:ed)?)_?)?(?:date|day|dt|ds|at|on)?=)"
_M, _D = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
# Of a year's two digits, none before 2025 and no points in the American order: versions are written so.
_Y = r"(?:2[5-9]|3\d)"
_SHORT = rf"{_Y}[\W_]{_M}[\W_]{_D}|{_D}[\W_]{_M}[\W_]{_Y}|{_M}[-_]{_D}[-_]{_Y}"
_TIME = r"[T _-]\d\d?(?:[:._-]?[0-5]\d(?:[:._-]?[0-5]\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"
# A day in another spelling, with nothing else but a name for it and a time: `20261120`, `day=2026-11-20`, `20.11.2026`,
# `26-11-20`, and Airflow's `{{ ts }}`.
_DAY = re.compile(
    rf"(?:{_ARRIVAL}|[A-Za-z]{{1,5}}[_-])?"
    rf"(?:20\d\d[\W_]?\d\d?[\W_]?\d\d?|\d\d?[\W_]\d\d?[\W_]20\d\d|{_SHORT})"
    rf"(?:{_TIME})?\s*(?:\(\d+\))?"
)
_IN_PARTS = re.compile(
    r"(?:\w+=)?20\d\d/(?:\w+=)?\d\d?/(?:\w+=)?\d\d?/[^/]+"
    rf"|(?:{_ARRIVAL}|(?i:month)=)?20\d\d[._-]?\d\d?/(?:\w+=)?\d\d?/[^/]+"
)
_YEAR = re.compile(r"(?:\w+=)?20\d\d(?:[._-]?\d\d)?")

# By day and key, size and mark as they were read.
ReadFiles = Mapping[tuple[date, str], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A file that no run reads, and why."""

    name: FileName
    size: int
    mark: str
    why: str


def out_of_reach(
    store: Store, ledger: Ledger, names: Collection[str], day: date, *, late_days: int
) -> Iterator[OutOfReach]:
    """Such files below the inbox that came within so many days. `names` are those of the folders in the inbox, and
    `day` is that of the run."""
    for info in store.objects_directly_in():
        yield from _told(ledger, info, "it is beside the days' folders", late_days)
    last = max(day, ledger.now().date()) + AHEAD
    first = day - timedelta(days=late_days)
    # What lay there before this ledger began is another's.
    began = ledger.inbox.first_read()
    read = ledger.inbox.read_files(first - LOOK_BACK, date.max)
    for name in names:
        if _YEAR.fullmatch(name):
            for info in islice(store.objects(name), MANY):
                if _IN_PARTS.fullmatch(info.key):
                    yield from _told(ledger, info, NO_DAY, late_days)
        if not _is_day(name):
            if _DAY.fullmatch(name):
                for info in store.objects_directly_in(name):
                    yield from _told(ledger, info, NO_DAY, late_days)
        elif (folder := date.fromisoformat(name)) > last:
            for info in _unread(store, ledger, folder, read):
                yield from _told(ledger, info, "the day of its folder is yet to come", late_days, folder)
        elif first - LOOK_BACK <= folder < first and began is not None:
            for info in _unread(store, ledger, folder, read):
                if info.modified > began and info.modified.date() > folder + timedelta(days=late_days):
                    why = f"the day of its folder was over for more than {late_days} days when it came"
                    yield from _told(ledger, info, why, late_days, folder)


def _unread(store: Store, ledger: Ledger, folder: date, read: ReadFiles) -> Iterator[ObjectInfo]:
    """The files of a day's folder that no run has read: a person may have started one for this day."""
    for info in store.objects_directly_in(f"{folder:%Y-%m-%d}"):
        size, mark = read.get((folder, file_key(info.key, ledger)), (None, ""))
        # A store that was copied has the same files with other marks.
        if size != info.size or mark.startswith(OUT_OF_REACH):
            yield info


def _is_day(name: str) -> bool:
    try:
        return f"{date.fromisoformat(name):%Y-%m-%d}" == name
    except ValueError:
        return False


def _told(
    ledger: Ledger, info: ObjectInfo, why: str, late_days: int, folder: date | None = None
) -> Iterator[OutOfReach]:
    name = info.key.rpartition("/")[2]
    if (
        not is_request_file(name)
        or name.startswith(".")
        or info.modified <= ledger.now() - timedelta(late_days)
    ):
        return
    key = file_key(info.key, ledger)
    shown = FileName(folder or info.modified.date(), key, shown_name(f"/{name}", key))
    mark = f"{OUT_OF_REACH} {info.etag or info.modified.isoformat()}"
    yield OutOfReach(
        shown,
        info.size,
        mark,
        f"{OUT_OF_REACH}: {why}; move it into the folder of the day on which it arrived",
    )
