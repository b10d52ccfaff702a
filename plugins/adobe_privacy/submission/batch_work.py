"""What the steps of one batch's submission share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.facts import DAILY_JOBS, GATEWAY_TIMEOUT
from adobe_privacy.api.models import CompanyContext
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Batch, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.storage import Store


@dataclass(frozen=True)
class SubmissionSettings:
    """`timeout`: seconds within which an answer must begin; Adobe's gateway drops a call after 60 by itself (best
    practices page). `list_lag`: seconds for which a job may be missing from Adobe's list, counted from the end of
    the call; what Adobe still makes of a call that was given up must appear within them. All other times follow
    from `timeout`. `approve_deletes`: no delete is sent that no person approved; those of a batch that was claimed so
    are not in any case. `options` are those of `intake/options.py` for requests that do not say otherwise."""

    daily_limit: int = DAILY_JOBS
    timeout: float = GATEWAY_TIMEOUT
    list_lag: float = 300.0
    approve_deletes: bool = False
    company_contexts: tuple[CompanyContext, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def call_timeout(self) -> float:
        """Seconds after which a create call is given up, whatever it is doing."""
        return 1.5 * self.timeout

    @property
    def max_intent_age(self) -> timedelta:
        """An intent that waited longer than this for its call is not sent."""
        return timedelta(seconds=self.timeout / 2)

    @property
    def look_interval(self) -> float:
        """Seconds between two lists for jobs whose outcome is unknown."""
        return self.timeout / 4

    @property
    def settle_after(self) -> timedelta:
        """So long after an intent, a job that is in no list was not made and will not be."""
        return self.max_intent_age + timedelta(seconds=self.call_timeout + self.list_lag)


@dataclass
class Submission:
    """What became of a batch's jobs in this call. `unknown` jobs may be at Adobe: they are not sent again, and a
    person is told. `unreadable` ones stay in the batch, since a file could not be read. With `not_before`, the rest of
    the batch waits: Adobe asked for a pause until then."""

    submitted: int = 0
    recognised: int = 0
    refused: int = 0
    carried_over: int = 0
    unknown: int = 0
    unreadable: int = 0
    not_before: datetime | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class BatchWork:
    """One call of `submit_batch`."""

    batch: Batch
    inbox: Store
    archive: Store
    ledger: Ledger
    client: PrivacyServiceClient
    settings: SubmissionSettings
    sleep: Callable[[float], Awaitable[None]]
    result: Submission = field(default_factory=Submission)
    # Calls of which nothing came, since Adobe last took a job.
    lost_calls: int = 0
    # Jobs that this call does not try again, since a file could not be read.
    unreadable: set[int] = field(default_factory=set)

    def planned(self) -> list[Job]:
        """What is to be sent, as far as it can be read."""
        planned = self.ledger.claims.batch_jobs(self.batch.id, JobState.PLANNED)
        return [job for job in planned if job.id not in self.unreadable]

    def leave_unreadable(self, jobs: Sequence[Job], errors: Mapping[str, Exception]) -> None:
        """Leaves jobs in their batch, of which the next run tries to read what it could not read now: by request id,
        why. A person is told."""
        self.unreadable |= {job.id for job in jobs}
        self.result.unreadable += len(jobs)
        reasons = {job.id: str(errors[job.request_id]) for job in jobs}
        self.ledger.claims.note_unreadable(reasons)
        self.result.notes += [
            f"{count} jobs are not sent before the next run: {reason}"
            for reason, count in Counter(reasons.values()).items()
        ]

    def carry_over(self, jobs: Sequence[Job], reason: str) -> None:
        """Gives `jobs`, of which nothing was sent, back to the next plan."""
        count = self.ledger.claims.unclaim(self.batch.id, reason, job_ids={job.id for job in jobs})
        self.result.carried_over += count
        if count:
            self.result.notes.append(f"{count} jobs wait for the next run: {reason}")


def intent_of(job: Job) -> datetime:
    if job.intent_at is None:
        raise ValueError(f"job {job.id} of the ledger is {job.state} without an intent")
    return job.intent_at
