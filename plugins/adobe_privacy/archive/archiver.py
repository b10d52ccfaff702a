"""Archiving finished jobs."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from adobe_privacy.archive.completeness import ProductOutcome, judge
from adobe_privacy.archive.manifest import MANIFEST, REJECTED, Manifest, find_manifest, job_folder
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
    limits: ZipLimits | None = None,
    keep_rejected: bool = False,
    clock: Callable[[], datetime] = utc_now,
) -> Manifest:
    """Archive one job, once, and return its manifest.

    A job that has a manifest already is left as it is and nothing is downloaded. Otherwise the result is
    downloaded, checked and stored under a name of this attempt's own, and `manifest.json` is created last.
    Of several tasks archiving the same job one writes the manifest, the others return that one and remove
    what they had stored. Without `download` (delete jobs, jobs that ended without a result) the archive is
    the manifest alone.

    Raises `DownloadIncomplete`, `InvalidArchive`, `UnreadableManifest`, `StorageError` or the client's own
    errors; there is no manifest of this attempt then, and calling again is safe. With `keep_rejected`, bytes
    that failed their check are kept as `rejected/<jobId>/<attempt>.zip`.

    Not promised: that a killed attempt's bytes are gone. They are named by no manifest, and the retention run
    removes them.
    """
    manifest, _ = await _archive(store, job, download, limits or ZipLimits(), keep_rejected, clock)
    return manifest


@dataclass(frozen=True)
class Archived:
    """What became of one job of a batch: a manifest or an error, never both.

    `resumed` is true where the job had been archived before.
    """

    job: CompletedJob
    manifest: Manifest | None = None
    error: Exception | None = None
    resumed: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a batch is. `archived` includes the `resumed` ones; `bytes` counts what was archived now."""

    total: int
    archived: int = 0
    resumed: int = 0
    failed: int = 0
    bytes: int = 0


async def archive_many(
    store: Store,
    jobs: Iterable[tuple[CompletedJob, OpenDownload | None]],
    *,
    concurrency: int = 16,
    limits: ZipLimits | None = None,
    keep_rejected: bool = False,
    clock: Callable[[], datetime] = utc_now,
    progress: Callable[[Progress], None] | None = None,
) -> list[Archived]:
    """Archive a batch, at most `concurrency` at once, and say for every job what became of it, in their order.

    The job that completed first, whose result expires first, goes first. An error of one job is returned in
    its place and costs no other; a batch that was killed is simply run again, and what has a manifest is not
    downloaded again. `progress` is called after every job, on the event loop.

    Raises `StorageError` before anything is downloaded if the store cannot be written at all. Memory is up
    to 4 MiB for each small result in flight and about 45 MiB for each one larger than a block.
    """
    batch = list(jobs)
    await asyncio.to_thread(store.check_writable)
    results: dict[int, Archived] = {}
    state = Progress(len(batch))
    waiting = iter(sorted(range(len(batch)), key=lambda index: batch[index][0].completed_at))

    async def work() -> None:
        nonlocal state
        for index in waiting:
            job, download = batch[index]
            try:
                manifest, resumed = await _archive(
                    store, job, download, limits or ZipLimits(), keep_rejected, clock
                )
            except Exception as error:
                results[index] = Archived(job, error=error)
                state = replace(state, failed=state.failed + 1)
            else:
                results[index] = Archived(job, manifest, resumed=resumed)
                state = replace(
                    state,
                    archived=state.archived + 1,
                    resumed=state.resumed + resumed,
                    bytes=state.bytes + (0 if resumed else manifest.size or 0),
                )
            if progress is not None:
                progress(state)

    async with asyncio.TaskGroup() as workers:
        for _ in range(min(concurrency, len(batch))):
            workers.create_task(work())
    return [results[index] for index in range(len(batch))]


async def _archive(
    store: Store,
    job: CompletedJob,
    download: OpenDownload | None,
    limits: ZipLimits,
    keep_rejected: bool,
    clock: Callable[[], datetime],
) -> tuple[Manifest, bool]:
    """The manifest, and whether it had been there before."""
    folder = job_folder(job.regulation, job.completed_at, job.job_id)
    existing = await _manifest_of(store, job)
    if existing is not None:
        return existing, True
    result: Transferred | None = None
    name = f"{uuid.uuid4().hex}.zip"
    if download is not None:
        result = await transfer(
            store,
            f"{folder}/{name}",
            download,
            limits=limits,
            rejected_key=f"{REJECTED}/{job.job_id}/{name}" if keep_rejected else None,
        )
    manifest = _describe(job, result, name, clock())
    return await _commit(store, job, manifest), False


def _describe(job: CompletedJob, result: Transferred | None, name: str, archived_at: datetime) -> Manifest:
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
