"""Archiving finished jobs."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adobe_privacy.archive.completeness import ProductOutcome, judge
from adobe_privacy.archive.manifest import MANIFEST, REJECTED, Manifest, find_manifest, job_folder
from adobe_privacy.archive.settings import ArchiveSettings
from adobe_privacy.archive.transfer import OpenDownload, Transferred, transfer
from adobe_privacy.archive.zip_check import ZipLimits
from adobe_privacy.storage import ObjectExists, StorageError, StorageUnavailable, Store

log = logging.getLogger(__name__)

_COMMIT_ATTEMPTS = 5


def utc_now() -> datetime:
    """The clock that archiving uses by default."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class CompletedJob:
    """A job that will not change any more, in the words of its final detail. No identity belongs in here.

    `products` are (name, status, code) as answered, `products_requested` the codes asked for, empty where
    unknown. `processed_count` and `ignored_count` count identities, `None` where Adobe did not say.
    `completed_at` needs a time zone and must be the same at every call: it is part of where the job lies.
    """

    job_id: str
    request_id: str
    request_key: str
    regulation: str
    action: str
    status: str
    completed_at: datetime
    products: Sequence[tuple[str, str, str | None]] = ()
    products_requested: Sequence[str] = ()
    processed_count: int | None = None
    ignored_count: int | None = None


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

    Raises `DownloadIncomplete`, `InvalidArchive`, `UnreadableManifest`, `StorageError` or the client's own
    errors; there is no manifest of this attempt then, and calling again is safe. Where the settings say so,
    bytes that failed their check are kept as `rejected/<jobId>/<attempt>.zip`.

    Not promised: that a killed attempt's bytes are gone. They are named by no manifest, and the retention run
    removes them.
    """
    settings = settings or ArchiveSettings()
    existing = await _manifest_of(store, job)
    if existing is not None:
        return existing
    folder = job_folder(job.regulation, job.completed_at, job.job_id)
    result: Transferred | None = None
    name = f"{uuid.uuid4().hex}.zip"
    if download is not None:
        result = await transfer(
            store,
            f"{folder}/{name}",
            download,
            limits=settings.limits,
            rejected_key=f"{REJECTED}/{job.job_id}/{name}" if settings.keep_rejected else None,
        )
    return await _commit(store, job, _describe(job, result, name, settings, clock()))


def _describe(
    job: CompletedJob,
    result: Transferred | None,
    name: str,
    settings: ArchiveSettings,
    archived_at: datetime,
) -> Manifest:
    outcomes = [ProductOutcome(name=name, status=status, code=code) for name, status, code in job.products]
    completeness = judge(
        requested=job.products_requested,
        outcomes=outcomes,
        processed=job.processed_count,
        ignored=job.ignored_count,
        folders=result.summary.folders if result else (),
        result_missing=job.action == "access" and result is None,
    )
    manifest = Manifest(
        job_id=job.job_id,
        request_id=job.request_id,
        request_key=job.request_key,
        regulation=job.regulation,
        action=job.action,
        status=job.status,
        completed_at=job.completed_at.astimezone(UTC),
        archived_at=archived_at,
        products=outcomes,
        completeness=completeness,
    )
    if result is None:
        return manifest
    return manifest.model_copy(
        update={
            "object": name,
            "size": result.size,
            "sha256": result.sha256,
            "members": result.summary.members,
            "inflated_size": result.summary.inflated_bytes,
            "limits": None if settings.limits == ZipLimits() else settings.limits,
            "etag": result.written.etag,
            "version_id": result.written.version,
        }
    )


async def _commit(store: Store, job: CompletedJob, manifest: Manifest) -> Manifest:
    for _ in range(_COMMIT_ATTEMPTS):
        try:
            await store.create_async(f"{manifest.folder}/{MANIFEST}", manifest.to_json())
        except ObjectExists:
            winner = await _manifest_of(store, job)
            if winner is None:
                # S3 refuses both of two simultaneous creates (409); one of them has to come again.
                continue
            # The name tells a manifest of our own, whose answer was lost, from one of somebody else.
            if manifest.object_key is not None and winner.object != manifest.object:
                try:
                    await store.delete_async(manifest.object_key)
                except StorageError as error:
                    log.warning(
                        "A superseded copy of job %s stays until the retention run: %s", job.job_id, error
                    )
            return winner
        return manifest
    raise StorageUnavailable(
        f"{store.location.object_uri(manifest.folder)}: the store neither took nor has a manifest; retry",
        uri=store.location.uri,
    )


async def _manifest_of(store: Store, job: CompletedJob) -> Manifest | None:
    return await find_manifest(
        store, regulation=job.regulation, completed_at=job.completed_at, job_id=job.job_id
    )
