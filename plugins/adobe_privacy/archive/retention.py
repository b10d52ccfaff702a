"""Results past their retention, and a rotating re-reading of the rest."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from adobe_privacy.archive.archiver import utc_now
from adobe_privacy.archive.checking import Opener
from adobe_privacy.archive.errors import UnreadableManifest
from adobe_privacy.archive.manifest import (
    JOBS,
    MANIFEST,
    Denied,
    Erasure,
    Manifest,
    folders_below,
    key_store,
    parse_manifest,
)
from adobe_privacy.archive.signing import Sign, unsigned
from adobe_privacy.archive.verification import Verification, Witness, verify_archive
from adobe_privacy.plain_text import PlainText
from adobe_privacy.storage import (
    AccessDenied,
    Failures,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    StorageError,
    StorageUnavailable,
    Store,
    check_replaces,
)

TRIES = 5
"""So often a result is judged anew that another run erases at the same moment: that run ends after a few writes."""


class Erasures(Protocol):
    """Who says whether a result may be erased, and remembers which erasures have begun."""

    def begin(self, manifest: Manifest) -> bool:
        """Note that this result is being erased, unless it is on hold: then false, and nothing is noted.

        From then on nobody can put it on hold any more, unless the store refuses the tombstone: a manifest without
        `erasure` is of a result that nobody has touched.
        """
        ...

    def is_held(self, manifest: Manifest) -> bool:
        """The same question for a dry run, which notes nothing."""
        ...

    def not_due(self, manifest: Manifest) -> None:
        """An erasure that has begun, and left this result untouched, is not due any more: the retention was changed."""
        ...

    def done(self, manifest: Manifest) -> None:
        """Note that the erasure is confirmed in the archive, by this tombstone."""
        ...

    def unfinished(self) -> Iterable[str]:
        """The folders of erasures that have begun and are not done."""
        ...

    def stopped(self, folder: str) -> bool:
        """Note that such a folder has no manifest any more; false where nobody is told of it by that."""
        ...


class RetentionAction(BaseModel):
    """What was done about one object, or would be done in a dry run. `key` is relative to the archive."""

    model_config = ConfigDict(frozen=True)

    action: Literal["erased", "held", "swept", "failed", "lost"]
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

    A regulation that is not in `retention_days` is never touched; but where a tombstone was begun, the erasure is
    finished. Of an erased result the manifest stays as a tombstone: size and hash of what was there, when it was
    erased and why. Manifests without a result (delete jobs) stay as they are, being the proof. `erasures` is
    asked about each result immediately before it is erased; a job on legal hold is left alone.

    Only folders whose date can be due are listed, and of these only manifests with something beside them are read.
    A result that cannot be erased, or a folder that may not be listed, is `failed` and stops no other;
    `StorageUnavailable` is raised where the store fails for several in a row, `StoreUnfit` before anything is erased
    where it replaces objects whatever the condition.

    Of an encrypted result the data key is deleted first, and with it every copy of the result is gone. `keys` is
    where data keys lie if not beside the manifests; a result whose key lies somewhere else is `failed` and kept.

    An erasure that has begun and whose manifest is gone is `lost`, and is not done: nobody can see whether anything
    is left of the result. `erasures` is told, and a person has to look at it. Each run looks again, and finishes it
    once the manifest is there.

    The tombstone is written before the result is deleted and confirmed after it, so a crash in between is
    seen by the verifier and finished by the next run. Each is written on the condition that the manifest is still the
    one that was read: of two runs at the same moment, one writes, and a confirmed tombstone is never written again.

    Not promised: that a store with object versions forgets the bytes; the tombstone then says
    `versions_remain`, and the bucket needs a lifecycle rule that expires noncurrent versions.
    """
    for regulation, days in sorted(retention_days.items()):
        if days < 1:
            raise ValueError(f"the retention for {regulation} must be at least 1 day, not {days}")
    if not dry_run:
        check_replaces(store)
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
        self._versions: dict[str, bool] = {}
        self.closed = ClosedFolders()

    def folder(self, folder: str, *, begun: bool) -> Iterator[RetentionAction]:
        """Erase the result in a job's folder if it is due, or because its tombstone was begun. For all that `erasures`
        knows, its erasure has `begun`."""
        try:
            action = self._judged(folder, begun)
        except ObjectNotFound as error:
            # Without a manifest it is an attempt, and those are the clean-up's.
            action = self._without_manifest(folder, str(error)) if begun else None
        except (UnreadableManifest, StorageError) as error:
            self._failures.note(error)
            action = RetentionAction(action="failed", key=f"{folder}/{MANIFEST}", detail=str(error))
        else:
            self._failures.over()
        if action is not None:
            yield action

    def _judged(self, folder: str, begun: bool) -> RetentionAction | None:
        key = f"{folder}/{MANIFEST}"
        for _ in range(TRIES):
            text, seen = self._store.read_with_info(key)
            try:
                return self._judge(parse_manifest(key, text), seen, begun)
            except ObjectExists:
                # Another run erases the same result: what it has written counts.
                begun = True
        uri = self._store.location.object_uri(key)
        raise StorageUnavailable(f"{uri} was changed by others {TRIES} times in a row: run again", uri=uri)

    def _without_manifest(self, folder: str, problem: str) -> RetentionAction:
        told = self._dry_run or self._erasures.stopped(folder)
        return RetentionAction(action="lost" if told else "failed", key=folder, detail=problem)

    def _judge(self, manifest: Manifest, seen: ObjectInfo, begun: bool) -> RetentionAction | None:
        key, erasure = manifest.object_key, manifest.erasure
        if erasure is not None and erasure.erased_at is not None:
            if begun:
                self._erasures.done(manifest)
            return None
        days = self._days.get(manifest.regulation)
        expired = days is not None and manifest.completed_at <= _before(self._clock(), days)
        if key is None or not (erasure is not None or expired):
            if begun and not self._dry_run:
                self._erasures.not_due(manifest)
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
            self._erase(key_place, manifest, seen, reason)
        return RetentionAction(action="erased", key=key, detail=reason)

    def _keeps_versions(self, keys: Store) -> bool:
        """Whether a place of its own for data keys keeps versions by now."""
        uri = keys.location.uri
        if uri not in self._versions:
            probe = f".version-check-{uuid.uuid4().hex}"
            self._versions[uri] = keys.create(probe, b"").version is not None
            keys.delete(probe)
        return self._versions[uri]

    def _erase(self, keys: Store, manifest: Manifest, seen: ObjectInfo, reason: str) -> None:
        assert manifest.object_key is not None
        key = f"{manifest.folder}/{MANIFEST}"
        version = manifest.version_id if manifest.sealed is None else manifest.sealed.key_version_id
        erasure = manifest.erasure or Erasure(
            reason=reason,
            started_at=self._clock(),
            versions_remain=version is not None or (keys is not self._store and self._keeps_versions(keys)),
        )
        begun = self._sign(manifest.model_copy(update={"erasure": erasure}).to_json())
        written = self._store.replace(key, begun, seen)
        if manifest.data_key is not None:
            keys.delete(manifest.data_key)
        self._store.delete(manifest.object_key)
        # The place may have begun to keep versions after the result was written.
        remain = erasure.versions_remain or (keys is self._store and written.version is not None)
        confirmed = erasure.model_copy(update={"erased_at": self._clock(), "versions_remain": remain})
        tombstone = self._sign(manifest.model_copy(update={"erasure": confirmed}).to_json())
        self._store.replace(key, tombstone, written)
        self._erasures.done(parse_manifest(key, tombstone))


class ClosedFolders:
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
