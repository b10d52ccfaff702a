"""Times of Adobe's about a job, beside our own."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from adobe_privacy.ledger.schema import Job


def not_before(end: datetime | None, beginning: datetime | None) -> datetime | None:
    """When something ended. Adobe cuts the seconds off, so the end of a quick job seems to lie before its beginning."""
    return beginning if end is not None and beginning is not None and end < beginning else end


def is_earlier(received_at: datetime, known: datetime, folder: date) -> bool:
    """Whether a request was received earlier than is known. That it lies in a day's folder says no time of that day."""
    says_nothing = received_at == datetime.combine(folder, time(), UTC) and known.date() == folder
    return received_at < known and not says_nothing


def within(moment: datetime | None, job: Job) -> datetime | None:
    """A time of Adobe's about a job: it was not before the job was sent, and not after its result was here, whatever
    Adobe's clock says."""
    moment = not_before(moment, job.submitted_at)
    if moment is not None and job.archived_at is not None and moment > job.archived_at:
        return not_before(job.archived_at, job.submitted_at)
    return moment
