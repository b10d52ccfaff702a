"""What the archive is told of a finished job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from adobe_privacy.api.models import JobDetail, JobStatus
from adobe_privacy.api.moments import as_exact
from adobe_privacy.archive import CompletedJob, ProductOutcome
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.times import not_before
from adobe_privacy.results.verdicts import Answer, Judgement, of_empty_result

NEVER = datetime.max.replace(tzinfo=UTC)


def _processed(answer: Answer, job: Job) -> datetime | None:
    moment = not_before(answer.processed_at, job.submitted_at)
    return None if moment is None else as_exact(moment, answer.processed_at)


def completed_job(
    job: Job, detail: JobDetail, judgement: Judgement, completed_at: datetime, products: Sequence[str]
) -> CompletedJob:
    """What the archive is told of a job: no identity."""
    return CompletedJob(
        job_id=detail.job_id,
        request_id=job.request_id,
        request_key=job.key,
        regulation=job.regulation,
        action=job.action,
        status=detail.status.value,
        completed_at=as_exact(completed_at, detail.last_modified_at),
        verdict=judgement.verdict.value,
        products=tuple(
            ProductOutcome(
                name=answer.name,
                status=answer.status,
                code=answer.code,
                verdict=answer.verdict.value,
                processed_at=_processed(answer, job),
                retry_count=answer.retry_count,
            )
            for answer in judgement.answers
            if answer.status is not None
        ),
        products_requested=tuple(products),
        processed_count=_total(product.processed_count for product in detail.products),
        ignored_count=_total(product.ignored_count for product in detail.products),
        verdict_without_data=(
            of_empty_result(judgement).verdict.value if detail.status is JobStatus.COMPLETE else None
        ),
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def end_of(job: Job, detail: JobDetail) -> datetime:
    """When a job ended in error: the same at every call, as it is part of where its manifest lies."""
    told = detail.last_modified_at or detail.created_at or job.submitted_at
    return not_before(told, job.submitted_at) or NEVER
