"""Times of Adobe's about a job, beside our own."""

from __future__ import annotations

from datetime import datetime

from adobe_privacy.ledger.schema import Job


def not_before(end: datetime | None, beginning: datetime | None) -> datetime | None:
    """When something ended. Adobe cuts the seconds off, so the end of a quick job seems to lie before its beginning."""
    return beginning if end is not None and beginning is not None and end < beginning else end


def within(moment: datetime | None, job: Job) -> datetime | None:
    """A time of Adobe's about a job: it was not before the job was sent, and not after its result was here, whatever
    Adobe's clock says."""
    moment = not_before(moment, job.submitted_at)
    if moment is not None and job.archived_at is not None and moment > job.archived_at:
        return not_before(job.archived_at, job.submitted_at)
    return moment
