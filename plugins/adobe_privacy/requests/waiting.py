"""Finds out which of a batch's jobs Adobe is done with, by list calls alone.

One look costs one list call per thousand open jobs of the regulation, however many jobs are finished: only open
jobs are listed, and a job of ours that was there and is not any more is taken to be finished. That is a hint:
rows can move between pages while they are read. Whoever acts on it reads the job's detail, and goes on waiting
where it is not final.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import RequestRefused
from adobe_privacy.api.models import JobStatus

# Adobe lists jobs of the last 45 days (privacy jobs guide, "fromDate"); a day is left for time zones.
LOOK_BACK = timedelta(days=44)


@dataclass(frozen=True)
class Progress:
    open: int
    finished: int


@dataclass
class JobWatch:
    """Remembers between two looks which jobs were seen open.

    `list_lag`: seconds for which a job may be missing from the list after it was submitted; a younger one
    that no list shows counts as open.
    """

    regulation: str
    list_lag: float
    seen: set[str] = field(default_factory=set)
    refused_filters: set[JobStatus] = field(default_factory=set)

    async def look(
        self, client: PrivacyServiceClient, jobs: Collection[tuple[str, datetime]], now: datetime
    ) -> Progress:
        """`jobs` are Adobe's job ids and when each was submitted. Raises PrivacyServiceError."""
        if not jobs:
            return Progress(0, 0)
        listed = await self._open_jobs(client, min(moment for _, moment in jobs).date())
        self.seen |= listed
        lag = timedelta(seconds=self.list_lag)
        still_open = sum(
            job_id in listed or (job_id not in self.seen and now - moment < lag) for job_id, moment in jobs
        )
        return Progress(still_open, len(jobs) - still_open)

    async def _open_jobs(self, client: PrivacyServiceClient, since: date) -> set[str]:
        today = client.server_time().date()
        first = max(since - timedelta(days=1), today - LOOK_BACK)
        # Whether `toDate` is within is documented nowhere.
        last = today + timedelta(days=1)
        found: set[str] = set()
        for status in (JobStatus.SUBMITTED, JobStatus.PROCESSING):
            if status in self.refused_filters:
                continue
            try:
                async for job in client.list_jobs(
                    self.regulation, from_date=first, to_date=last, status=status
                ):
                    found.add(job.job_id)
            except RequestRefused:
                # Only one of Adobe's documents knows the filter `submitted`.
                if status is not JobStatus.SUBMITTED:
                    raise
                self.refused_filters.add(status)
        return found
