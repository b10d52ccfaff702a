"""Takes a batch's finished jobs to their end: reads each final detail, archives results, writes the ledger.

May be repeated and run beside itself: what has a manifest is not fetched again, and one bad job costs no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.codes import Outcome, outcome_code, retry_can_help
from adobe_privacy.api.errors import AuthenticationFailed, NotFound, PermissionDenied, PrivacyServiceError
from adobe_privacy.api.models import JobDetail, JobStatus
from adobe_privacy.archive import ArchiveError, CompletedJob, archive_job
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.tables import Job, Origin
from adobe_privacy.storage import StorageError, Store

log = logging.getLogger(__name__)

CONCURRENCY = 16
MAX_ATTEMPTS = 3


@dataclass
class Completion:
    """What became of the jobs that were looked at. `open` ones are not final at Adobe yet. Of the `archived`
    ones, `partial` are those that some product did not do in full; `bytes` is the size of their results."""

    archived: int = 0
    partial: int = 0
    bytes: int = 0
    open: int = 0
    errors: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def complete_jobs(
    jobs: Sequence[Job],
    *,
    products: Sequence[str],
    ledger: Ledger,
    archive: Store,
    client: PrivacyServiceClient,
    concurrency: int = CONCURRENCY,
    max_attempts: int = MAX_ATTEMPTS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Completion:
    """Finishes those of `jobs` that Adobe is done with. `products` are the ones asked for.

    A job that fails here is named in `failures` and stays as it was, to be tried again. Raises
    AuthenticationFailed or PermissionDenied where no job can be read.
    """
    work = _Work(tuple(products), ledger, archive, client, max_attempts, Completion())
    gate = asyncio.Semaphore(concurrency)
    done = 0

    async def one(job: Job) -> None:
        nonlocal done
        async with gate:
            await work.finish(job)
        done += 1
        if on_progress is not None:
            on_progress(done, len(jobs))

    try:
        async with asyncio.TaskGroup() as group:
            # Results expire 30 days after completion: the oldest first.
            for job in sorted(jobs, key=lambda job: job.submitted_at or datetime.max.replace(tzinfo=UTC)):
                group.create_task(one(job))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return work.result


@dataclass
class _Work:
    products: tuple[str, ...]
    ledger: Ledger
    archive: Store
    client: PrivacyServiceClient
    max_attempts: int
    result: Completion

    async def finish(self, job: Job) -> None:
        if job.adobe_job_id is None:
            raise ValueError(f"job {job.id} of the ledger is {job.state}: it is not at Adobe yet")
        try:
            detail = await self.client.get_job(job.adobe_job_id)
        except (AuthenticationFailed, PermissionDenied):
            raise
        except PrivacyServiceError as error:
            gone = "Adobe no longer knows the job; it keeps job data for 30 days after completion"
            self._fail(job, gone if isinstance(error, NotFound) else error)
            return
        try:
            if detail.status is JobStatus.COMPLETE:
                await self._archive(job, detail)
            elif detail.status in (JobStatus.ERROR, JobStatus.EXPIRED):
                self._record_error(job, detail)
            else:
                self.result.open += 1
        except (PrivacyServiceError, ArchiveError, StorageError) as error:
            # Of one result, an expired address too: the others are not to wait for it.
            self._fail(job, error)

    def _fail(self, job: Job, reason: Exception | str) -> None:
        log.warning("job %s: %s", job.adobe_job_id, reason)
        self.result.failures.append(f"{job.key} ({job.action}, Adobe job {job.adobe_job_id}): {reason}")

    async def _archive(self, job: Job, detail: JobDetail) -> None:
        outcome, code = overall_outcome(detail)
        completed_at = self.ledger.record_complete(
            job, completed_at=detail.last_modified_at, outcome=outcome, outcome_code=code
        )
        download = None
        if job.action == "access":
            download = partial(self.client.download, detail.job_id, detail.download_url)
        completed = completed_job(job, detail, completed_at, self.products)
        manifest = await archive_job(self.archive, completed, download)
        self.ledger.record_archived(job, manifest=f"{manifest.folder}/manifest.json")
        self.result.archived += 1
        self.result.partial += outcome == Outcome.PARTIAL
        self.result.bytes += manifest.size or 0

    def _record_error(self, job: Job, detail: JobDetail) -> None:
        _, code = overall_outcome(detail)
        failed = [product.name for product in detail.products if product.outcome is Outcome.FAILED]
        reason = f"Adobe: {detail.status}, {code or 'no code'}, {', '.join(failed) or 'no product named'}"
        ours = job.origin is Origin.INBOX
        try_again = ours and retry_can_help(code) and job.attempt < self.max_attempts
        self.ledger.record_error(
            job, completed_at=detail.last_modified_at, outcome_code=code, reason=reason, try_again=try_again
        )
        self.result.errors.append(
            f"{job.key} ({job.action}): {reason}" + ("; sent again" if try_again else "")
        )


def completed_job(
    job: Job, detail: JobDetail, completed_at: datetime, products: Sequence[str]
) -> CompletedJob:
    """What the archive is told of a job: no identity."""
    return CompletedJob(
        job_id=detail.job_id,
        request_id=job.request_id,
        request_key=job.key,
        regulation=job.regulation,
        action=job.action,
        status=detail.status.value,
        completed_at=completed_at,
        products=tuple(
            (product.name, product.status.value, outcome_code(product.message_code))
            for product in detail.products
        ),
        products_requested=tuple(products),
        processed_count=_total(product.processed_count for product in detail.products),
        ignored_count=_total(product.ignored_count for product in detail.products),
    )


# The graver comes first.
_GRAVITY = (Outcome.FAILED, Outcome.PENDING, Outcome.PARTIAL, Outcome.NOT_APPLICABLE, Outcome.FULL)


def overall_outcome(detail: JobDetail) -> tuple[str, str | None]:
    """One word for a finished job and the code behind it: `full` only where every product did all it was asked."""
    # Of several failures, one that comes again at the next try.
    products = sorted(
        detail.products,
        key=lambda product: (_GRAVITY.index(product.outcome), retry_can_help(product.message_code)),
    )
    if not products:
        return Outcome.FULL.value, None
    gravest = products[0]
    word = gravest.outcome
    if word is Outcome.PENDING or (word is Outcome.NOT_APPLICABLE and products[-1].outcome is not word):
        word = Outcome.PARTIAL
    return word.value, outcome_code(gravest.message_code)


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
