"""The inbox is forgotten: a file is erased once all its requests have been at an end for long enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from adobe_privacy.intake.files import InboxEntry, entries_of
from adobe_privacy.intake.inbox import as_shown, delete_report, is_request_file, read_file
from adobe_privacy.ledger.inbox_erasures import Begun, FileAsRead, Standing
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import Failures, ObjectNotFound, StorageError, Store


@dataclass(frozen=True, slots=True)
class InboxAction:
    """What was done about a file, or would be in a dry run. `key` is its folder and its name as it may be shown."""

    action: Literal["erased", "held", "kept", "failed"]
    key: str
    detail: str


def erase_inbox(store: Store, ledger: Ledger, *, days: int, dry_run: bool = False) -> Iterator[InboxAction]:
    """Erases the files of the inbox that were read, and whose requests have all been at an end for `days` days, each
    with its report under `rejected/`. Iterate to run it.

    Kept are files with a request on hold or not at an end, or with a line that nobody corrected or closed; files that
    nobody has read, or that changed since; and files of which nothing could be read. The ledger decides at the moment
    of erasing, together with holds, and keeps a line of what was erased: keyed hashes of name and content, size and
    counts. An erasure that was killed is finished by the next call.

    A file that cannot be erased is `failed` and stops no other; StorageUnavailable is raised where the store fails for
    several in a row. Not promised: that a store with object versions forgets the bytes; and a file that is replaced at
    the very moment of its erasure may be taken for the old one.
    """
    if days < 1:
        raise ValueError(f"inbox files must be kept for at least 1 day, not {days}")
    yield from _Run(store, ledger, ledger.now() - timedelta(days=days), dry_run).run()


class _Run:
    def __init__(self, store: Store, ledger: Ledger, before: datetime, dry_run: bool) -> None:
        self._store, self._ledger, self._before, self._dry_run = store, ledger, before, dry_run
        self._failures = Failures()

    def run(self) -> Iterator[InboxAction]:
        candidates = self._ledger.inbox_erasures.candidates(self._before)
        begun: dict[date, list[Begun]] = {}
        for erasure in self._ledger.inbox_erasures.unfinished():
            begun.setdefault(erasure.day, []).append(erasure)
        for day in sorted(candidates.keys() | begun.keys()):
            try:
                entries = {entry.name.key: entry for entry in entries_of(self._store, self._ledger, day)}
            except StorageError as error:
                yield self._failed(f"{day}", error)
                continue
            for erasure in begun.get(day, ()):
                yield from self._finish(erasure, entries)
            keys = candidates.get(day, set())
            for key in sorted(keys & entries.keys()):
                yield from self._judge(entries[key])

    def _finish(self, erasure: Begun, entries: dict[str, InboxEntry]) -> Iterator[InboxAction]:
        """An erasure that had begun. Its file may be gone, or be another by now."""
        entry = entries.get(erasure.key)
        same = entry is not None and (entry.size, entry.mark[:255]) == (erasure.size, erasure.mark)
        if entry is not None and same:
            entries.pop(erasure.key)
            yield self._erase(entry, erasure.id)
        elif not self._dry_run:
            self._ledger.inbox_erasures.done(erasure.id, erased=False)

    def _judge(self, entry: InboxEntry) -> Iterator[InboxAction]:
        erasures = self._ledger.inbox_erasures
        file = FileAsRead(entry.name, _sources(entry), entry.size, entry.mark)
        standing = erasures.standing(file, ended_before=self._before)
        erasure: int | None = None
        if standing is Standing.DUE:
            try:
                with as_shown(entry.source, entry.shown):
                    read = self._read(entry)
            except ObjectNotFound:
                return
            except StorageError as error:
                yield self._failed(entry.shown, error)
                return
            self._failures.over()
            if isinstance(read, str):
                yield InboxAction("kept", entry.shown, read)
                return
            if self._dry_run:
                standing = erasures.standing(read, ended_before=self._before)
            else:
                standing, erasure = erasures.begin(read, ended_before=self._before)
        if standing is Standing.DUE:
            yield self._erase(entry, erasure)
        else:
            yield InboxAction("held" if standing is Standing.HELD else "kept", entry.shown, standing.value)

    def _read(self, entry: InboxEntry) -> FileAsRead | str:
        """What is in a file, or why that is not known."""
        if entry.what or not is_request_file(entry.source) or not entry.source.isprintable():
            return "nothing of it was read"
        content = self._ledger.intake.fingerprint_of(self._store.chunks(entry.source))
        request_ids: set[str] = set()
        rejected = 0
        for line in read_file(self._store, entry.source):
            if line.whole_file:
                return "nothing of it was read"
            if line.request is None:
                rejected += 1
            else:
                request_ids.add(line.request.request_id)
        if not self._is_still(entry):
            return Standing.CHANGED.value
        return FileAsRead(
            entry.name, _sources(entry), entry.size, entry.mark, content, frozenset(request_ids), rejected
        )

    def _erase(self, entry: InboxEntry, erasure: int | None) -> InboxAction:
        try:
            if not self._dry_run:
                with as_shown(entry.source, entry.shown):
                    delete_report(self._store, entry.source)
                    if self._is_still(entry):
                        self._store.delete(entry.source)
        except StorageError as error:
            return self._failed(entry.shown, error)
        self._failures.over()
        # A dry run has none.
        if erasure is not None and not self._dry_run:
            self._ledger.inbox_erasures.done(erasure)
        return InboxAction("erased", entry.shown, "all its requests are at an end")

    def _is_still(self, entry: InboxEntry) -> bool:
        try:
            info = self._store.info(entry.source)
        except ObjectNotFound:
            return False
        return (info.size, info.etag or info.modified.isoformat()) == (entry.size, entry.mark)

    def _failed(self, key: str, error: StorageError) -> InboxAction:
        """Raises the error where it is the last straw."""
        self._failures.note(error)
        return InboxAction("failed", key, str(error))


def _sources(entry: InboxEntry) -> tuple[str, ...]:
    """What jobs call a file: its name as it may be shown; in older ledgers its own."""
    return tuple(dict.fromkeys((entry.shown, entry.source)))
