"""Results past their retention, attempts that came to nothing, and a rotating re-reading of the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from adobe_privacy.archive.archiver import utc_now
from adobe_privacy.archive.errors import UnreadableManifest
from adobe_privacy.archive.manifest import (
    JOBS,
    MANIFEST,
    REJECTED,
    Erasure,
    Manifest,
    key_store,
    manifest_keys,
    parse_manifest,
)
from adobe_privacy.archive.verification import Opener, Verification, verify_archive
from adobe_privacy.storage import ObjectNotFound, Store

LegalHold: TypeAlias = Callable[[str, str | None], bool]
"""Whether a legal hold forbids erasing, asked with the job id and the request id (`None` where unknown)."""


class RetentionAction(BaseModel):
    """What was done about one object, or would be done in a dry run. `key` is relative to the archive."""

    model_config = ConfigDict(frozen=True)

    action: Literal["erased", "held", "swept", "failed"]
    key: str
    detail: str


def erase_expired(
    store: Store,
    retention_days: Mapping[str, int],
    *,
    on_hold: LegalHold,
    keys: Store | None = None,
    clock: Callable[[], datetime] = utc_now,
    dry_run: bool = False,
) -> Iterator[RetentionAction]:
    """Erase the results of jobs completed more than their regulation's days ago. Iterate to run it.

    A regulation that is not in `retention_days` is never touched. Of an erased result the manifest stays as
    a tombstone: size and hash of what was there, when it was erased and why. Manifests without a result
    (delete jobs) stay as they are, being the proof. A job on legal hold is left alone.

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
        for key in list(manifest_keys(store, regulation)):
            try:
                manifest = parse_manifest(key, store.read(key))
            except (UnreadableManifest, ObjectNotFound) as error:
                yield RetentionAction(action="failed", key=key, detail=str(error))
                continue
            unfinished = manifest.erasure is not None and manifest.erasure.erased_at is None
            expired = manifest.completed_at + timedelta(days=days) <= clock()
            if manifest.object_key is None or not (unfinished or (expired and manifest.erasure is None)):
                continue
            if on_hold(manifest.job_id, manifest.request_id):
                yield RetentionAction(action="held", key=manifest.object_key, detail="legal hold")
                continue
            key_place = key_store(store, keys, manifest)
            if key_place is None:
                place = manifest.sealed and manifest.sealed.keys
                detail = f"its data key lies in {place}, which is not where keys are looked for now"
                yield RetentionAction(action="failed", key=manifest.object_key, detail=detail)
                continue
            reason = f"retention of {days} days for {regulation}"
            if not dry_run:
                _erase(store, key_place, key, manifest, reason, clock)
            yield RetentionAction(action="erased", key=manifest.object_key, detail=reason)


def _erase(
    store: Store, keys: Store, key: str, manifest: Manifest, reason: str, clock: Callable[[], datetime]
) -> None:
    assert manifest.object_key is not None
    version = manifest.version_id if manifest.sealed is None else manifest.sealed.key_version_id
    erasure = manifest.erasure or Erasure(
        reason=reason, started_at=clock(), versions_remain=version is not None
    )
    store.write(key, manifest.model_copy(update={"erasure": erasure}).to_json())
    if manifest.data_key is not None:
        keys.delete(manifest.data_key)
    store.delete(manifest.object_key)
    confirmed = erasure.model_copy(update={"erased_at": clock()})
    store.write(key, manifest.model_copy(update={"erasure": confirmed}).to_json())


def sweep_attempts(
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
    download, since a running attempt has no manifest yet either. Files that a killed process was still
    writing are removed too; for buckets that is the work of a lifecycle rule (AbortIncompleteMultipartUpload).
    """
    if older_than < timedelta(hours=1):
        raise ValueError("attempts may still be running: sweep only what is older than an hour")
    before = clock() - older_than
    places = [store] if keys is None else [store, keys]
    found = [(at, info) for at in places for folder in (JOBS, REJECTED) for info in at.objects(folder)]
    for place, info in found:
        folder, _, name = info.key.rpartition("/")
        if name == MANIFEST or info.modified >= before:
            continue
        if folder.startswith(f"{JOBS}/"):
            try:
                manifest = parse_manifest(f"{folder}/{MANIFEST}", store.read(f"{folder}/{MANIFEST}"))
            except ObjectNotFound:
                manifest = None
            except UnreadableManifest as error:
                # What it names cannot be known, so nothing beside it may go.
                yield RetentionAction(action="failed", key=info.key, detail=str(error))
                continue
            if manifest is not None and info.key in (manifest.object_key, manifest.data_key):
                continue
        if on_hold(folder.rpartition("/")[2], None):
            yield RetentionAction(action="held", key=info.key, detail="legal hold")
            continue
        if not dry_run:
            place.delete(info.key)
        yield RetentionAction(action="swept", key=info.key, detail="named by no manifest")
    for key in store.abandoned_uploads(before):
        if not dry_run:
            store.delete_abandoned(key)
        yield RetentionAction(action="swept", key=key, detail="an unfinished write")


def verify_sample(
    store: Store,
    *,
    every_days: int,
    opener: Opener | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Verification:
    """Re-read today's share of the archive: run daily, each result is read once in `every_days` days.

    Which day a job falls on follows from its id, so nothing needs to be remembered between runs.
    """
    if every_days < 1:
        raise ValueError("every_days must be at least 1")
    today = clock().toordinal() % every_days

    def of_today(job_id: str) -> bool:
        return int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:8]) % every_days == today

    return verify_archive(store, opener=opener, selected=of_today)
