"""Results past their retention, attempts that came to nothing, and a rotating re-reading of the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

from adobe_privacy.archive.archiver import utc_now
from adobe_privacy.archive.errors import UnreadableManifest
from adobe_privacy.archive.manifest import (
    JOBS,
    MANIFEST,
    REJECTED,
    Denied,
    Erasure,
    Manifest,
    folders_below,
    key_store,
    parse_manifest,
    read_manifest,
)
from adobe_privacy.archive.signing import Sign, unsigned
from adobe_privacy.archive.verification import Opener, Verification, Witness, verify_archive
from adobe_privacy.plain_text import PlainText
from adobe_privacy.storage import (
    AccessDenied,
    Failures,
    ObjectInfo,
    ObjectNotFound,
    StorageError,
    Store,
)

LegalHold: TypeAlias = Callable[[str, str | None], bool]
"""Whether a legal hold forbids deleting, asked with the job id and the request id (`None` where unknown)."""

ATTEMPTS_WITHIN = timedelta(days=120)
"""A clean-up reads the folders of so many days each night: Adobe keeps results for 60 days after completion, so
an attempt can be no later than that in the folder of its day."""

CYCLE = 30
"""Of the older months a clean-up reads each one once in so many days."""


class Erasures(Protocol):
    """Who says whether a result may be erased, and remembers which erasures have begun."""

    def begin(self, manifest: Manifest) -> bool:
        """Note that this result is being erased, unless it is on hold: then false, and nothing is noted.

        From then on nobody can put it on hold any more.
        """
        ...

    def is_held(self, manifest: Manifest) -> bool:
        """The same question for a dry run, which notes nothing."""
        ...

    def done(self, manifest: Manifest) -> None:
        """Note that the erasure is confirmed in the archive, by this tombstone."""
        ...

    def unfinished(self) -> Iterable[str]:
        """The folders of erasures that have begun and are not done."""
        ...


class RetentionAction(BaseModel):
    """What was done about one object, or would be done in a dry run. `key` is relative to the archive."""

    model_config = ConfigDict(frozen=True)

    action: Literal["erased", "held", "swept", "failed"]
    key: PlainText
    detail: PlainText


def erase_expired(
    store: Store,
    retention_days: Mapping[str, int],
    *,
    erasures: Erasures,
    keys: Store | None = None,
    clock: Callable[[], datetime] = utc_now,
    dry_run: bool = False,
    sign: Sign = unsigned,
) -> Iterator[RetentionAction]:
    """Erase the results of jobs completed more than their regulation's days ago. Iterate to run it.

    A regulation that is not in `retention_days` is never touched. Of an erased result the manifest stays as
    a tombstone: size and hash of what was there, when it was erased and why. Manifests without a result
    (delete jobs) stay as they are, being the proof. `erasures` is asked about each result immediately before it is
    erased; a job on legal hold is left alone.

    Only folders whose date can be due are listed, and of these only manifests with something beside them are read.
    A result that cannot be erased, or a folder that may not be listed, is `failed` and stops no other;
    `StorageUnavailable` is raised where the store fails for several in a row.

    Of an encrypted result the data key is deleted first, and with it every copy of the result is gone. `keys` is
    where data keys lie if not beside the manifests; a result whose key lies somewhere else is `failed` and kept.

    The tombstone is written before the result is deleted and confirmed after it, so a crash in between is
    seen by the verifier and finished by the next run.

    Not promised: that a store with object versions forgets the bytes; the tombstone then says
    `versions_remain`, and the bucket needs a lifecycle rule that expires noncurrent versions.
    """
    for regulation, days in sorted(retention_days.items()):
        if days < 1:
            raise ValueError(f"the retention for {regulation} must be at least 1 day, not {days}")
    run = _Erasing(store, keys, erasures, retention_days, clock, dry_run, sign)
    begun = set(erasures.unfinished())
    for folder in sorted(begun):
        yield from run.folder(folder, begun=True)
    for regulation, days in sorted(retention_days.items()):
        for folder in _folders_with_results(
            store, regulation, _before(clock(), days).date(), run.closed.note
        ):
            if folder not in begun:
                yield from run.folder(folder, begun=False)
    yield from run.closed.actions


class _Erasing:
    """One run of `erase_expired`: what every folder shares."""

    def __init__(
        self,
        store: Store,
        keys: Store | None,
        erasures: Erasures,
        days: Mapping[str, int],
        clock: Callable[[], datetime],
        dry_run: bool,
        sign: Sign,
    ) -> None:
        self._store, self._keys, self._erasures, self._days = store, keys, erasures, days
        self._clock, self._dry_run, self._sign = clock, dry_run, sign
        self._failures = Failures()
        self.closed = _Closed()

    def folder(self, folder: str, *, begun: bool) -> Iterator[RetentionAction]:
        """Erase the result in a job's folder if it is due, or because its erasure has `begun`."""
        try:
            action = self._judge(read_manifest(self._store, folder), begun)
        except ObjectNotFound as error:
            # Without a manifest it is an attempt, and those are the clean-up's.
            action = RetentionAction(action="failed", key=folder, detail=str(error)) if begun else None
        except (UnreadableManifest, StorageError) as error:
            self._failures.note(error)
            action = RetentionAction(action="failed", key=f"{folder}/{MANIFEST}", detail=str(error))
        else:
            self._failures.over()
        if action is not None:
            yield action

    def _judge(self, manifest: Manifest, begun: bool) -> RetentionAction | None:
        key, erasure = manifest.object_key, manifest.erasure
        if erasure is not None and erasure.erased_at is not None:
            if begun:
                self._erasures.done(manifest)
            return None
        days = self._days.get(manifest.regulation)
        expired = days is not None and manifest.completed_at <= _before(self._clock(), days)
        if key is None or not (begun or erasure is not None or expired):
            return None
        key_place = key_store(self._store, self._keys, manifest)
        if key_place is None:
            place = manifest.sealed and manifest.sealed.keys
            detail = f"its data key lies in {place}, which is not where keys are looked for now"
            return RetentionAction(action="failed", key=key, detail=detail)
        allowed = not self._erasures.is_held(manifest) if self._dry_run else self._erasures.begin(manifest)
        if not allowed:
            return RetentionAction(action="held", key=key, detail="legal hold")
        reason = f"retention of {days} days for {manifest.regulation}" if days else "retention"
        if not self._dry_run:
            self._erase(key_place, manifest, reason)
        return RetentionAction(action="erased", key=key, detail=reason)

    def _erase(self, keys: Store, manifest: Manifest, reason: str) -> None:
        assert manifest.object_key is not None
        key = f"{manifest.folder}/{MANIFEST}"
        version = manifest.version_id if manifest.sealed is None else manifest.sealed.key_version_id
        erasure = manifest.erasure or Erasure(
            reason=reason, started_at=self._clock(), versions_remain=version is not None
        )
        self._store.write(key, self._sign(manifest.model_copy(update={"erasure": erasure}).to_json()))
        if manifest.data_key is not None:
            keys.delete(manifest.data_key)
        self._store.delete(manifest.object_key)
        confirmed = erasure.model_copy(update={"erased_at": self._clock()})
        tombstone = self._sign(manifest.model_copy(update={"erasure": confirmed}).to_json())
        self._store.write(key, tombstone)
        self._erasures.done(parse_manifest(key, tombstone))


def clean_up(
    store: Store,
    *,
    older_than: timedelta,
    on_hold: LegalHold,
    keys: Store | None = None,
    clock: Callable[[], datetime] = utc_now,
    dry_run: bool = False,
) -> Iterator[RetentionAction]:
    """Delete what no manifest names: attempts that were killed, and rejected downloads, with their data keys.
    Iterate to run it.

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
    run = _CleanUp([store] if keys is None else [store, keys], clock() - older_than, on_hold, dry_run)
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

    def __init__(self, places: list[Store], before: datetime, on_hold: LegalHold, dry_run: bool) -> None:
        self._places, self._before, self._on_hold, self._dry_run = places, before, on_hold, dry_run
        self._failures = Failures()
        self.closed = _Closed()

    def rejected(self) -> Iterator[RetentionAction]:
        for place in self._places:
            for info in self._objects(place, REJECTED):
                if info.modified < self._before:
                    yield self._delete(place, info)

    def months(self, today: date) -> Iterator[str]:
        """The months that are read today."""
        recent = f"{today - ATTEMPTS_WITHIN:%Y/%m}"
        found = (folders_below(place, JOBS, 3, self.closed.note) for place in self._places)
        for month in sorted({month for some in found for month in some}):
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
        for place in self._places:
            for info in self._objects(place, month):
                folder, _, name = info.key.rpartition("/")
                if name == MANIFEST:
                    certain.add(folder)
                else:
                    attempts.setdefault(folder, set()).add(name.partition(".")[0])
        for folder, found in sorted(attempts.items()):
            # Of one attempt beside a manifest, the manifest is of that one: nothing else was ever stored.
            if folder not in certain or len(found) > 1:
                yield from self._folder(folder)

    def _folder(self, folder: str) -> Iterator[RetentionAction]:
        key = f"{folder}/{MANIFEST}"
        beside = [
            (place, info)
            for place in self._places
            for info in self._objects(place, folder)
            if info.key != key and info.modified < self._before
        ]
        if not beside:
            return
        named: set[str | None] = set()
        try:
            manifest = read_manifest(self._places[0], folder)
            named = {manifest.object_key, manifest.data_key}
        except ObjectNotFound:
            pass
        except (UnreadableManifest, StorageError) as error:
            # What it names cannot be known, so nothing beside it may go.
            self._failures.note(error)
            yield RetentionAction(action="failed", key=key, detail=str(error))
            return
        for place, info in beside:
            if info.key not in named:
                yield self._delete(place, info)

    def _delete(self, place: Store, info: ObjectInfo) -> RetentionAction:
        job_id = info.key.split("/")[-2]
        if self._on_hold(job_id, None):
            return RetentionAction(action="held", key=info.key, detail="legal hold")
        try:
            if not self._dry_run:
                place.delete(info.key)
        except StorageError as error:
            self._failures.note(error)
            return RetentionAction(action="failed", key=info.key, detail=str(error))
        self._failures.over()
        return RetentionAction(action="swept", key=info.key, detail="named by no manifest")


class _Closed:
    """The folders that cannot be listed."""

    def __init__(self) -> None:
        self.actions: list[RetentionAction] = []

    def note(self, folder: str, error: StorageError) -> None:
        self.actions.append(RetentionAction(action="failed", key=folder, detail=str(error)))


def verify_sample(
    store: Store,
    *,
    every_days: int,
    opener: Opener | None = None,
    keys: Store | None = None,
    clock: Callable[[], datetime] = utc_now,
    witness: Witness | None = None,
) -> Verification:
    """Re-read today's share of the archive: run daily, each result is read once in `every_days` days.

    Which day a job falls on follows from its id, so nothing needs to be remembered between runs.
    """
    if every_days < 1:
        raise ValueError("every_days must be at least 1")
    today = clock().toordinal() % every_days

    def of_today(job_id: str) -> bool:
        return int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:8]) % every_days == today

    return verify_archive(store, opener=opener, keys=keys, selected=of_today, witness=witness)


def _before(now: datetime, days: int) -> datetime:
    """The latest completion that is `days` ago; the beginning of time where there is no such day."""
    try:
        return now - timedelta(days=days)
    except OverflowError:
        return datetime.min.replace(tzinfo=now.tzinfo)


def _folders_with_results(store: Store, regulation: str, last: date, denied: Denied) -> Iterator[str]:
    """Jobs' folders up to the day `last` in which something lies beside a manifest, or without one."""
    for prefix in _prefixes_until(store, f"{JOBS}/{regulation}", last, denied):
        folders = set()
        try:
            for info in store.objects(prefix):
                folder, _, name = info.key.rpartition("/")
                if name != MANIFEST and folder.count("/") == 5:
                    folders.add(folder)
        except AccessDenied as error:
            denied(prefix, error)
        yield from sorted(folders)


def _prefixes_until(store: Store, top: str, last: date, denied: Denied) -> Iterator[str]:
    """The months up to that day; of its own month the days. What is no date is nobody's result."""
    for month in folders_below(store, top, 2, denied):
        if month < f"{top}/{last:%Y/%m}":
            yield month
        elif month == f"{top}/{last:%Y/%m}":
            days = folders_below(store, month, 1, denied)
            yield from (day for day in days if day <= f"{month}/{last:%d}")
