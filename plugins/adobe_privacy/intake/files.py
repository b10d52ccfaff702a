"""Which files of the inbox are read: what is new or changed in a day's folder, and what arrived late in earlier ones.

A file is read once it is complete, and not again before it changes. It is recognised by its name, size and ETag.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from adobe_privacy.intake.inbox import file_key, is_request_file, shown_name
from adobe_privacy.intake.out_of_reach import OutOfReach, out_of_reach
from adobe_privacy.ledger.inbox import FileName
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import ObjectInfo, Store, local

# A file that changed less than this ago is looked at twice, so many seconds apart.
SETTLED_AFTER = timedelta(minutes=1)
SECOND_LOOK = 3.0
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A file as a listing shows it."""

    source: str
    name: FileName
    size: int
    mark: str  # with the size, what tells its contents from others
    modified: datetime
    what: str = ""  # where it is no file: what it is

    @property
    def shown(self) -> str:
        """Folder and name as they may be shown and kept."""
        return f"{self.name.day}/{self.name.shown}"


@dataclass
class InboxFiles:
    """What is to be read, in the order of the days, the run's own first. `not_read` hold no requests, or
    are no files; `growing` ones were still being written; `later` counts what nobody has
    read in folders of later days, `astray` what is named like requests or a day and lies where no run reads;
    `out_of_reach` are such files that came lately, None where nobody looked."""

    requests: list[InboxEntry] = field(default_factory=list)
    not_read: list[InboxEntry] = field(default_factory=list)
    unchanged: int = 0
    growing: int = 0
    later: dict[date, int] = field(default_factory=dict)
    astray: int = 0
    out_of_reach: list[OutOfReach] | None = None
    present: dict[date, set[str]] = field(default_factory=dict)  # of each folder that was listed, the keys


def files_to_read(
    store: Store,
    ledger: Ledger,
    day: date,
    *,
    late_days: int,
    look_later: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> InboxFiles:
    """Lists the day's folder and those of so many days before it, each once; a folder with a file that has just changed
    a second time."""
    found = InboxFiles()
    listed: list[InboxEntry] = []
    folders: set[date] = set()
    names: list[str] = []
    if late_days or look_later:
        names = _folder_names(store)
        folders, odd = _days(names)
        found.astray = odd + sum(is_request_file(info.key) for info in store.objects_directly_in())
    if late_days:
        found.out_of_reach = list(out_of_reach(store, ledger, names, day, late_days=late_days))
    late = sorted((each for each in folders if day - timedelta(days=late_days) <= each < day), reverse=True)
    later = sorted(each for each in folders if each > day) if look_later else []
    known = ledger.inbox.read_files(day - timedelta(days=late_days), max([day, *later]))
    for folder in (day, *late):
        entries = entries_of(store, ledger, folder)
        found.present[folder] = {entry.name.key for entry in entries}
        # Whoever runs a day again wants its rejected lines read again: a setting may have been what was wrong.
        again = ledger.inbox.files_with_problems(day) if folder == day else frozenset()
        new = [entry for entry in entries if _is_new(entry, known) or entry.name.key in again]
        found.unchanged += sum(map(_is_readable, entries)) - sum(map(_is_readable, new))
        listed += new
    for folder in later:
        if count := sum(_is_new(entry, known) for entry in entries_of(store, ledger, folder)):
            found.later[folder] = count
    complete = _complete(store, ledger, listed, sleep)
    found.growing = len(listed) - len(complete)
    for entry in complete:
        (found.requests if _is_readable(entry) else found.not_read).append(entry)
    return found


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that no run has read as it is now; `known` is what the ledger knows of it as it was."""

    name: FileName
    known: tuple[int, str] | None


def unread_files(
    store: Store, ledger: Ledger, first: date, last: date, *, older_than: datetime
) -> list[UnreadFile]:
    """The files of requests in the folders from `first` to `last` that were written before a moment and that no run has
    read since."""
    folders, _ = _days(_folder_names(store))
    known = ledger.inbox.read_files(first, last)
    return [
        UnreadFile(entry.name, known.get((folder, entry.name.key)))
        for folder in sorted(each for each in folders if first <= each <= last)
        for entry in entries_of(store, ledger, folder)
        if _is_readable(entry) and _is_new(entry, known) and entry.modified <= older_than
    ]


def _is_readable(entry: InboxEntry) -> bool:
    return not entry.what and is_request_file(entry.source)


def _folder_names(store: Store) -> list[str]:
    """The folders in the inbox, and the links to folders: a run of their day reads them, too."""
    links = (info.key.rpartition("/")[2] for info, what in store.not_files() if what == local.LINK)
    return sorted({*store.folders(), *links})


def _days(names: Iterable[str]) -> tuple[set[date], int]:
    """The days that have a folder, and how many others are named like a day: `20261120`, or `2026` with months."""
    found, odd = set(), 0
    for name in names:
        try:
            day = date.fromisoformat(name)
        except ValueError:
            odd += bool(_YEAR.search(name))
        else:
            # Python reads other spellings, too, which no run looks for.
            odd += f"{day:%Y-%m-%d}" != name
            found.add(day)
    return found, odd


_YEAR = re.compile(r"(?<!\d)20\d\d(?!\d{5})")


def entries_of(store: Store, ledger: Ledger, day: date) -> list[InboxEntry]:
    """The visible files of a folder, and what is named or lies there like one and is none; a folder too, if it is
    named like a file or holds one that nobody would read. Markers that hold nothing, such as `_SUCCESS`, are not
    among them."""
    folder = f"{day:%Y-%m-%d}"
    files = [
        _entry(ledger, day, info)
        for info in store.objects_directly_in(folder)
        if "/." not in info.key and (info.size or is_request_file(info.key))
    ]
    return (
        files
        + [
            _entry(ledger, day, info, what)
            for info, what in store.not_files(folder)
            if "/." not in info.key
            and what != local.FOLDER
            and not (what == local.LINK and _is_others(info.key))
        ]
        + [_entry(ledger, day, info, local.FOLDER) for info in _folders_with_files(store, folder)]
    )


def _folders_with_files(store: Store, folder: str) -> Iterator[ObjectInfo]:
    for name in store.folders(folder):
        if _is_others(name):
            continue
        key = f"{folder}/{name}"
        files = [
            info.modified for info in store.objects(key) if is_request_file(info.key) and "/." not in info.key
        ]
        if files or is_request_file(name):
            yield ObjectInfo(key, 0, max(files, default=NEVER), None, None)


def _is_others(name: str) -> bool:
    """Whether a folder is our own or another program's, whose begin with `_`."""
    name = name.rpartition("/")[2]
    return name == "rejected" or name.startswith((".", "_"))


def _entry(ledger: Ledger, day: date, info: ObjectInfo, what: str = "") -> InboxEntry:
    key = file_key(info.key, ledger)
    name = FileName(day, key, shown_name(info.key, key))
    return InboxEntry(info.key, name, info.size, info.etag or info.modified.isoformat(), info.modified, what)


def _is_new(entry: InboxEntry, known: dict[tuple[date, str], tuple[int, str]]) -> bool:
    return known.get((entry.name.day, entry.name.key)) != (entry.size, entry.mark)


def _complete(
    store: Store, ledger: Ledger, entries: Iterable[InboxEntry], sleep: Callable[[float], None]
) -> list[InboxEntry]:
    """Those that nobody is writing: they are older than a minute, or the same at two looks."""
    entries = list(entries)
    now = datetime.now(UTC)
    young = {entry.name.day for entry in entries if entry.modified > now - SETTLED_AFTER}
    if not young:
        return entries
    sleep(SECOND_LOOK)
    again = {entry for folder in young for entry in entries_of(store, ledger, folder)}
    return [entry for entry in entries if entry.modified <= now - SETTLED_AFTER or entry in again]
