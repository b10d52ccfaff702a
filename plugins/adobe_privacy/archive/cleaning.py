"""Attempts that came to nothing, and rejected downloads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import TypeAlias

from adobe_privacy.archive.archiver import utc_now
from adobe_privacy.archive.encryption import SUFFIX
from adobe_privacy.archive.errors import UnreadableManifest
from adobe_privacy.archive.manifest import JOBS, MANIFEST, REJECTED, folders_below, read_manifest
from adobe_privacy.archive.retention import ClosedFolders, RetentionAction
from adobe_privacy.storage import Failures, ObjectInfo, ObjectNotFound, StorageError, Store

LegalHold: TypeAlias = Callable[[str, str | None], bool]
"""Whether a legal hold forbids deleting, asked with the job id and the request id (`None` where unknown)."""

IsArchived: TypeAlias = Callable[[str, str], bool]
"""Whether a job of Adobe's was archived with its manifest at this place, for all that the ledger knows."""

IsLost: TypeAlias = Callable[[str], bool]
"""Whether a person is told, or was, that the manifest of a job's erasure is gone, asked with the job id."""

ATTEMPTS_WITHIN = timedelta(days=120)
"""A clean-up reads the folders of so many days each night: Adobe keeps results for 60 days after completion, so
an attempt can be no later than that in the folder of its day."""

CYCLE = 30
"""Of the older months a clean-up reads each one once in so many days."""


def clean_up(
    store: Store,
    *,
    older_than: timedelta,
    on_hold: LegalHold,
    is_archived: IsArchived,
    is_lost: IsLost = lambda _: False,
    keys: Store | None = None,
    clock: Callable[[], datetime] = utc_now,
    dry_run: bool = False,
) -> Iterator[RetentionAction]:
    """Delete what no manifest names: attempts that were killed, and rejected downloads, with their data keys.
    Iterate to run it.

    Where a manifest should be and is not, nothing is deleted: what it named may be the only copy of a result. Such a
    folder is `failed`, or `lost` where a person is told of it already. In `keys`, which may serve other archives too,
    only the data keys of what is deleted here go.

    Only objects last written longer ago than `older_than` are touched; keep it well above the longest
    download, since a running attempt has no manifest yet either. Read are the months of the last 120 days, and the
    older ones in turn, each once in 30 days. A manifest is read only where more than one attempt lies beside it.
    Files that a killed process was still writing are removed too; for buckets that is the work of a lifecycle rule
    (AbortIncompleteMultipartUpload).

    `on_hold` is asked about each object immediately before it is deleted. An object that cannot be deleted, or a folder
    that may not be listed, is `failed` and stops no other.
    """
    if older_than < timedelta(hours=1):
        raise ValueError("attempts may still be running: clean up only what is older than an hour")
    run = _CleanUp(store, keys, clock() - older_than, on_hold, is_archived, is_lost, dry_run)
    yield from run.rejected()
    for month in run.months(clock().date()):
        yield from run.month(month)
    yield from run.closed.actions
    for key in store.abandoned_uploads(clock() - older_than):
        action = RetentionAction(action="swept", key=key, detail="an unfinished write")
        try:
            if not dry_run:
                store.delete_abandoned(key)
        except StorageError as error:
            action = RetentionAction(action="failed", key=key, detail=str(error))
        yield action


class _CleanUp:
    """One run of `clean_up`."""

    def __init__(
        self,
        store: Store,
        keys: Store | None,
        before: datetime,
        on_hold: LegalHold,
        is_archived: IsArchived,
        is_lost: IsLost,
        dry_run: bool,
    ) -> None:
        self._store, self._keys, self._before, self._dry_run = store, keys, before, dry_run
        self._on_hold, self._is_archived, self._is_lost = on_hold, is_archived, is_lost
        self._failures = Failures()
        self.closed = ClosedFolders()

    def rejected(self) -> Iterator[RetentionAction]:
        for info in self._objects(self._store, REJECTED):
            if info.modified < self._before:
                yield self._delete(info)

    def months(self, today: date) -> Iterator[str]:
        """The months that are read today."""
        recent = f"{today - ATTEMPTS_WITHIN:%Y/%m}"
        for month in folders_below(self._store, JOBS, 3, self.closed.note):
            turn = hashlib.sha256(month.encode()).digest()[0] % CYCLE
            if month.split("/", 2)[2] >= recent or turn == today.toordinal() % CYCLE:
                yield month

    def _objects(self, place: Store, prefix: str) -> Iterator[ObjectInfo]:
        try:
            yield from place.objects(prefix)
        except StorageError as error:
            self._failures.note(error)
            self.closed.note(prefix, error)

    def month(self, month: str) -> Iterator[RetentionAction]:
        attempts: dict[str, set[str]] = {}
        certain: set[str] = set()
        for info in self._objects(self._store, month):
            folder, _, name = info.key.rpartition("/")
            if name == MANIFEST:
                certain.add(folder)
            else:
                attempts.setdefault(folder, set()).add(name.partition(".")[0])
        for folder, found in sorted(attempts.items()):
            # Of one attempt beside a manifest, the manifest is of that one: nothing else was ever stored.
            if folder not in certain or len(found) > 1:
                yield from self._folder(folder, seen=folder in certain)

    def _folder(self, folder: str, *, seen: bool) -> Iterator[RetentionAction]:
        """What lies in a job's folder; a manifest was `seen` there or not."""
        key = f"{folder}/{MANIFEST}"
        beside = [
            info
            for info in self._objects(self._store, folder)
            if info.key != key and info.modified < self._before
        ]
        if not beside:
            return
        named: set[str | None] = set()
        try:
            manifest = read_manifest(self._store, folder)
            named = {manifest.object_key, manifest.data_key}
        except ObjectNotFound:
            job_id = folder.rpartition("/")[2]
            if self._is_lost(job_id):
                yield RetentionAction(action="lost", key=key, detail="not known to be erased")
                return
            if seen or self._is_archived(job_id, key):
                yield RetentionAction(action="failed", key=key, detail=_MANIFEST_MISSING)
                return
        except (UnreadableManifest, StorageError) as error:
            # What it names cannot be known, so nothing beside it may go.
            self._failures.note(error)
            yield RetentionAction(action="failed", key=key, detail=str(error))
            return
        for info in beside:
            if info.key not in named:
                yield self._delete(info)

    def _delete(self, info: ObjectInfo) -> RetentionAction:
        """Delete an object, and before it, its data key where that lies elsewhere."""
        job_id = info.key.split("/")[-2]
        if self._on_hold(job_id, None):
            return RetentionAction(action="held", key=info.key, detail="legal hold")
        try:
            if not self._dry_run:
                if self._keys is not None and info.key.endswith(SUFFIX):
                    self._keys.delete(f"{info.key.removesuffix(f'.zip{SUFFIX}')}.key")
                self._store.delete(info.key)
        except StorageError as error:
            self._failures.note(error)
            return RetentionAction(action="failed", key=info.key, detail=str(error))
        self._failures.over()
        return RetentionAction(action="swept", key=info.key, detail="named by no manifest")


_MANIFEST_MISSING = (
    "the job was archived, and its manifest is not there: nothing beside it is deleted. Restore the manifest from a "
    "version or a backup of the archive"
)
