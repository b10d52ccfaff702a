"""Archiving finished jobs."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adobe_privacy.api.moments import as_exact
from adobe_privacy.archive.completeness import ProductOutcome, compare
from adobe_privacy.archive.encryption import SUFFIX, DataKey
from adobe_privacy.archive.errors import ArchiveError, DownloadIncomplete, InvalidArchive
from adobe_privacy.archive.manifest import (
    MANIFEST,
    REJECTED,
    Manifest,
    Sealed,
    find_manifest,
    holds_no_data,
    job_folder,
    parse_manifest,
)
from adobe_privacy.archive.settings import ArchiveSettings
from adobe_privacy.archive.transfer import OpenDownload, Transferred, transfer
from adobe_privacy.archive.zip_rules import ZipLimits
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.storage import ObjectExists, StorageError, StorageUnavailable, Store

log = plain_logger(__name__)

_COMMIT_ATTEMPTS = 5


def utc_now() -> datetime:
    """The clock that archiving uses by default."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class CompletedJob:
    """A job that will not change any more, in the words of its final detail. No identity belongs in here.

    `verdict` is that on the whole job, and `verdict_without_data` where its result holds nothing, None where that makes
    no difference. `products` is what was answered, `products_requested` the codes asked for, empty
    where unknown. `processed_count` and `ignored_count` count identities, `None` where Adobe did not say.
    `completed_at` needs a time zone and must be the same at every call: it is part of where the job lies.
    """

    job_id: str
    request_id: str
    request_key: str
    regulation: str
    action: str
    status: str
    completed_at: datetime
    verdict: str
    products: Sequence[ProductOutcome] = ()
    products_requested: Sequence[str] = ()
    processed_count: int | None = None
    ignored_count: int | None = None
    verdict_without_data: str | None = None


async def archive_job(
    store: Store,
    job: CompletedJob,
    download: OpenDownload | None,
    *,
    settings: ArchiveSettings | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Manifest:
    """Archive one job, once, and return its manifest.

    A job that has a manifest already is left as it is and nothing is downloaded. Otherwise the result is
    downloaded, checked and stored under a name of this attempt's own, and `manifest.json` is created last.
    Of several tasks archiving the same job one writes the manifest, the others return that one and remove
    what they had stored. Without `download` (delete jobs, jobs that ended without a result) the archive is
    the manifest alone.

    Raises an `ArchiveError`, `StorageError` or the client's own errors; there is no manifest of this attempt
    then, and calling again is safe. Where the settings say so, bytes that failed their check are kept as
    `rejected/<jobId>/<attempt>.zip`, encrypted like any other.

    Not promised: that a killed attempt's bytes are gone. They are named by no manifest, and the retention run
    removes them.
    """
    settings = settings or ArchiveSettings()
    existing = await _manifest_of(store, job)
    if existing is not None:
        if (existing.action, existing.status) != (job.action, job.status):
            raise ArchiveError(
                f"{store.location.object_uri(existing.folder)} has a manifest already, of {existing.action}, "
                f"{existing.status}; the job is {job.action}, {job.status}. Look at both, and move the wrong one away"
            )
        return existing
    stored = None if download is None else await _store(store, job, download, settings)
    return await _commit(store, job, _describe(job, stored, settings, clock()), settings)


@dataclass(frozen=True)
class _Stored:
    """A result in the store, named by nothing yet."""

    name: str
    result: Transferred
    sealed: Sealed | None


async def _store(
    store: Store, job: CompletedJob, download: OpenDownload, settings: ArchiveSettings
) -> _Stored:
    folder = job_folder(job.regulation, job.completed_at, job.job_id)
    attempt, rejected = uuid.uuid4().hex, f"{REJECTED}/{job.job_id}"
    encryption, data_key = settings.encryption, None
    name = f"{attempt}.zip"
    if encryption is not None:
        data_key, name = DataKey.generate(), name + SUFFIX
        # Before anything is fetched, so that a key that does not work is told at once.
        wrapped = await asyncio.to_thread(encryption.wrapper.wrap, data_key)
    try:
        result = await transfer(
            store,
            f"{folder}/{name}",
            download,
            limits=settings.limits,
            rejected_key=f"{rejected}/{name}" if settings.keep_rejected else None,
            data_key=data_key,
        )
    except (InvalidArchive, DownloadIncomplete):
        if encryption is not None and settings.keep_rejected:
            await (encryption.keys or store).write_async(f"{rejected}/{attempt}.key", wrapped)
        raise
    if encryption is None:
        return _Stored(name, result, None)
    written = await (encryption.keys or store).write_async(f"{folder}/{attempt}.key", wrapped)
    sealed = Sealed(
        size=result.sealed_size,
        sha256=result.sealed_sha256,
        key=f"{attempt}.key",
        key_size=len(wrapped),
        key_sha256=hashlib.sha256(wrapped).hexdigest(),
        keys=None if encryption.keys is None else encryption.keys.location.public_uri,
        wrapped_by=encryption.wrapper.name,
        key_version_id=written.version,
    )
    return _Stored(name, result, sealed)


def _describe(
    job: CompletedJob, stored: _Stored | None, settings: ArchiveSettings, archived_at: datetime
) -> Manifest:
    result = None if stored is None else stored.result
    empty = result is not None and holds_no_data(result.summary.members, result.summary.inflated_bytes)
    completeness = compare(
        verdict=(job.verdict_without_data if empty else None) or job.verdict,
        requested=job.products_requested,
        outcomes=job.products,
        processed=job.processed_count,
        ignored=job.ignored_count,
        folders=result.summary.folders if result else (),
    )
    told = job.completed_at.astimezone(UTC)
    completed_at = as_exact(min(told, archived_at), told)
    manifest = Manifest(
        job_id=job.job_id,
        request_id=job.request_id,
        request_key=job.request_key,
        regulation=job.regulation,
        action=job.action,
        status=job.status,
        completed_at=completed_at,
        archived_at=archived_at,
        products=[_answered(product, archived_at) for product in job.products],
        completeness=completeness,
        filed_under=None if told.date() == completed_at.date() else told.date(),
    )
    if stored is None or result is None:
        return manifest
    return manifest.model_copy(
        update={
            "object": stored.name,
            "size": result.size,
            "sha256": result.sha256,
            "members": result.summary.members,
            "inflated_size": result.summary.inflated_bytes,
            "limits": None if settings.limits == ZipLimits() else settings.limits,
            "etag": result.written.etag,
            "version_id": result.written.version,
            "sealed": stored.sealed,
        }
    )


def _answered(product: ProductOutcome, archived_at: datetime) -> ProductOutcome:
    if product.processed_at is None:
        return product
    processed_at = as_exact(min(told := product.processed_at, archived_at), told)
    return product.model_copy(update={"processed_at": processed_at})


async def _commit(store: Store, job: CompletedJob, manifest: Manifest, settings: ArchiveSettings) -> Manifest:
    key, text = f"{manifest.folder}/{MANIFEST}", settings.sign(manifest.to_json())
    for _ in range(_COMMIT_ATTEMPTS):
        try:
            await store.create_async(key, text)
        except ObjectExists:
            winner = await _manifest_of(store, job)
            if winner is None:
                # S3 refuses both of two simultaneous creates (409); one of them has to come again.
                continue
            # The name tells a manifest of our own, whose answer was lost, from one of somebody else.
            if manifest.object_key is not None and winner.object != manifest.object:
                try:
                    # The retention run deletes a key with its result: so the result goes last.
                    if manifest.data_key is not None and settings.encryption is not None:
                        await (settings.encryption.keys or store).delete_async(manifest.data_key)
                    await store.delete_async(manifest.object_key)
                except StorageError as error:
                    log.warning(
                        "A superseded copy of job %s stays until the retention run: %s", job.job_id, error
                    )
            return winner
        return parse_manifest(key, text)
    raise StorageUnavailable(
        f"{store.location.object_uri(manifest.folder)}: the store neither took nor has a manifest; retry",
        uri=store.location.uri,
    )


async def _manifest_of(store: Store, job: CompletedJob) -> Manifest | None:
    return await find_manifest(
        store, regulation=job.regulation, completed_at=job.completed_at, job_id=job.job_id
    )
