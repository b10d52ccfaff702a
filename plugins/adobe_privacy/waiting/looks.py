"""Finds out which of a batch's jobs Adobe is done with, by list calls, at the price of next to no job detail.

A look lists the open jobs of a regulation: one call per thousand of them and window of 30 days, however many
batches wait and however long the history. A job of ours that was listed as open and is not any more is taken to
be finished. That is a hint, rows can move between pages while they are read: whoever acts on it reads the job's
detail, and goes on waiting where it is not final.

A job that no list has shown may be finished, or new, or hidden from the lists: too old for them, under a renamed
code, or because Adobe's date filters leave open jobs out (one reading of its documents). Of such jobs a few are
asked for singly, once no other job of their batch is known to be open. One that cannot be asked for, while another of
its batch can, is waited for no longer: the archive step and the sweep ask for it again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    NotFound,
    PrivacyServiceError,
    RateLimited,
    RequestRefused,
    TemporarilyUnavailable,
    UnreadableAnswer,
)
from adobe_privacy.api.facts import LIST_REACH
from adobe_privacy.api.models import JobStatus
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.plain_text import plain_logger

log = plain_logger(__name__)

DAY = timedelta(days=1)
# What passes by itself. Anything else is told to those who wait.
PASSING = (ConnectionFailed, TemporarilyUnavailable, UnreadableAnswer)
MAY_PASS = (*PASSING, AuthenticationFailed)
# So many looks in a row, at each of which other jobs of the batch answered.
ASKED_IN_VAIN = 10
# Of one batch and look. A wrong guess costs one detail per job of the batch, after which it is made anew.
ASKED_SINGLY = 5
# Between two looks passes this part of the youngest job's age: what has taken days may take hours more.
SHARE_OF_AGE = 0.01
LONGEST_INTERVAL = 3600.0


class WaitingJob(NamedTuple):
    """A job at Adobe, by Adobe's id."""

    job_id: str
    submitted_at: datetime


def waiting_jobs(ledger: Ledger, batch_id: str) -> list[WaitingJob]:
    """The jobs of a batch that are at Adobe and not known to be finished."""
    return [WaitingJob(*job) for job in ledger.waiting.jobs(batch_id)]


@dataclass(frozen=True)
class OpenJobs:
    """What one look at Adobe's lists showed. Jobs submitted before the day `first` were not looked for, those
    that are not yet in process only as far as was asked."""

    submitted: frozenset[str]
    processing: frozenset[str]
    first: date


@dataclass(frozen=True)
class Progress:
    """How many jobs of a batch are open and finished, and Adobe's ids of those of which that cannot be asked."""

    open: int
    finished: int
    denied: tuple[str, ...] = ()


def look_interval(jobs: Iterable[WaitingJob], now: datetime, poll_interval: float) -> float:
    """Seconds until jobs are worth another look: the longer they have taken, the more, up to an hour.
    Never less than `poll_interval`."""
    ages = [(now - job.submitted_at).total_seconds() for job in jobs]
    return max(poll_interval, min(LONGEST_INTERVAL, SHARE_OF_AGE * min(ages, default=0.0)))


class OpenJobsList:
    """Adobe's lists of one regulation's open jobs. Remembers which filters this service refuses."""

    def __init__(self, regulation: str) -> None:
        self.regulation = regulation
        self._refused: set[JobStatus] = set()

    async def look(
        self, client: PrivacyServiceClient, *, since: datetime, new_since: datetime | None
    ) -> OpenJobs:
        """The open jobs made since `since`; of those not yet in process the ones made since `new_since` only,
        none where that is None. Raises PrivacyServiceError."""
        supposed = client.server_time().date()
        try:
            listed = await self._look(client, since, new_since)
        except RequestRefused:
            if client.server_time().date() == supposed:
                raise
        else:
            if abs(client.server_time().date() - supposed) <= DAY:
                return listed
        # Dates in lists go by Adobe's clock, which the first answer told.
        return await self._look(client, since, new_since)

    async def _look(
        self, client: PrivacyServiceClient, since: datetime, new_since: datetime | None
    ) -> OpenJobs:
        today = client.server_time().date()
        first = _first_day(since, today)
        processing = await self._listed(client, JobStatus.PROCESSING, first, today)
        submitted: frozenset[str] = frozenset()
        if new_since is not None:
            submitted = await self._listed(client, JobStatus.SUBMITTED, _first_day(new_since, today), today)
        return OpenJobs(submitted, processing, first)

    async def _listed(
        self, client: PrivacyServiceClient, status: JobStatus, first: date, today: date
    ) -> frozenset[str]:
        if status in self._refused:
            return frozenset()
        try:
            # Whether `toDate` is within is documented nowhere.
            listing = client.list_jobs(
                self.regulation, from_date=first, to_date=today + DAY, status=status, thorough=False
            )
            return frozenset([job.job_id async for job in listing])
        except RequestRefused:
            # Only one of Adobe's documents knows the filter `submitted`.
            if status is not JobStatus.SUBMITTED:
                raise
            self._refused.add(status)
            return frozenset()


async def list_open_jobs(
    client: PrivacyServiceClient, regulation: str, jobs: Iterable[Job]
) -> frozenset[str]:
    """Which of the ledger's jobs Adobe lists as open, by Adobe's ids. Raises PrivacyServiceError."""
    since = min((job.submitted_at for job in jobs if job.submitted_at is not None), default=None)
    if since is None:
        return frozenset()
    listed = await OpenJobsList(regulation).look(client, since=since, new_since=since)
    return listed.submitted | listed.processing


def _first_day(since: datetime, today: date) -> date:
    return max(min(since.date(), today) - DAY, today - LIST_REACH)


@dataclass
class JobWatch:
    """What is known of one batch's jobs from one look to the next. May be lost: it only saves calls.

    `seen` were listed as in process, `final` are those whose detail said that they have ended, and the detail of
    `denied` ones could not be read while another's could. `in_vain` counts how many times in a row each was asked for
    without an answer.
    `list_lag`: seconds for which a job may be missing from the lists after it was submitted; a younger one
    that no list shows counts as open. One that was submitted by a clock further ahead than that is of unknown age.
    """

    list_lag: float
    seen: set[str] = field(default_factory=set)
    final: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    looked: bool = False
    in_vain: Counter[str] = field(default_factory=Counter)

    def new_since(self, jobs: Iterable[WaitingJob]) -> datetime | None:
        """When the oldest job was submitted that may not be in process yet."""
        return min(
            (job.submitted_at for job in jobs if job.job_id not in self.seen | self.final), default=None
        )

    async def judge(
        self, jobs: Sequence[WaitingJob], listed: OpenJobs, client: PrivacyServiceClient, now: datetime
    ) -> Progress:
        """How many of `jobs` are still open. Raises PrivacyServiceError where some had to be asked for, and none of
        the batch could be."""
        self.looked = True
        self.denied -= listed.processing | listed.submitted
        self.seen |= {job.job_id for job in jobs} & listed.processing
        lag = timedelta(seconds=self.list_lag)
        still_open = sum(
            job.job_id in listed.processing
            or job.job_id in listed.submitted
            or (job.job_id not in self.seen and abs(now - job.submitted_at) < lag)
            for job in jobs
        )
        if not still_open:
            doubtful = self._doubtful(jobs, listed)
            known = [job.job_id for job in jobs if job.job_id not in {*doubtful, *self.denied}]
            still_open = await self._ask(doubtful, known, client)
        denied = tuple(sorted({job.job_id for job in jobs} & self.denied))
        return Progress(still_open, len(jobs) - still_open - len(denied), denied)

    def _doubtful(self, jobs: Sequence[WaitingJob], listed: OpenJobs) -> list[str]:
        return [
            job.job_id
            for job in jobs
            if job.job_id not in self.final
            and job.job_id not in self.denied
            and (job.job_id not in self.seen or job.submitted_at.date() < listed.first)
        ]

    async def _ask(self, doubtful: Sequence[str], known: Sequence[str], client: PrivacyServiceClient) -> int:
        """Asks for some of the doubtful jobs singly; returns how many are open. Where none of them answers, some that
        are taken to be finished tell whether a job can be asked for at all. Raises the first error where none can."""
        failed: dict[str, PrivacyServiceError] = {}
        answers = await self._answers(_some(doubtful), client, failed)
        if failed and not answers:
            answers = await self._answers(_some(known), client, failed)
        if failed and not answers:
            raise next(iter(failed.values()))
        denied = {job_id: error for job_id, error in failed.items() if self._is_denied(job_id, error)}
        for job_id, error in denied.items():
            log.warning("job %s is waited for no longer, since it cannot be asked for: %s", job_id, error)
        self.denied |= denied.keys()
        return sum(answers) + len(failed) - len(denied)

    def _is_denied(self, job_id: str, error: PrivacyServiceError) -> bool:
        """What may pass by itself is waited for, as long as it does not come again and again for this job alone."""
        self.in_vain[job_id] += 1
        return not isinstance(error, MAY_PASS) or self.in_vain[job_id] >= ASKED_IN_VAIN

    async def _answers(
        self, job_ids: Collection[str], client: PrivacyServiceClient, failed: dict[str, PrivacyServiceError]
    ) -> list[bool]:
        """Of each of these jobs that could be asked for, whether it is open. The others are added to `failed`."""
        answers = []
        for job_id in job_ids:
            try:
                is_open = not (await client.get_job(job_id)).status.is_terminal
            except RateLimited:
                raise
            except PrivacyServiceError as error:
                if not (isinstance(error, NotFound) and error.job_data):
                    failed[job_id] = error
                    continue
                # Its data is gone, 30 days after its completion: there is nothing to wait for.
                is_open = False
            self.in_vain.pop(job_id, None)
            if not is_open:
                self.final.add(job_id)
            answers.append(is_open)
        return answers


def _some(job_ids: Sequence[str]) -> list[str]:
    return random.sample(job_ids, min(ASKED_SINGLY, len(job_ids)))
