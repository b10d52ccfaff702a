"""Submits one batch so that every job of it is made at Adobe exactly once, whatever happens on the way.

Adobe has no idempotency key, so the order of steps is the promise:

1. The intent is committed to the ledger before the call.
2. An intent whose outcome is unknown — the call timed out, the process was killed, the ledger could not be
   written — is settled by looking: jobs at Adobe with our user key and action, made since the intent and
   belonging to nothing else in the ledger, are adopted.
3. A job's absence is believed only after `settle_after`: the longest time that the call can still be under way,
   and then the time that Adobe's list may lag behind. Only then is it sent again.

What it does not promise: a process that is suspended after its intent for longer than `settle_after` and then
goes on could send what another process has sent meanwhile. It refuses to send an intent older than
`MAX_INTENT_AGE`, which leaves the moment between that check and the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import OutcomeUnknown, PrivacyServiceError, QuotaReached, RequestRefused
from adobe_privacy.api.models import Action, CompanyContext, CreateJobsRequest, Identity, User
from adobe_privacy.ledger.ledger import DailyLimitReached, Ledger
from adobe_privacy.ledger.tables import Batch, Job, JobState
from adobe_privacy.regulations.codes import listing_codes
from adobe_privacy.requests.inbox import find_requests
from adobe_privacy.requests.request import PrivacyRequest
from adobe_privacy.storage import Store

log = logging.getLogger(__name__)

# An intent that waited longer than this for its call is not sent but looked up.
MAX_INTENT_AGE = timedelta(seconds=15)
# Adobe rounds creation times to minutes, and clocks differ.
CLOCK_TOLERANCE = timedelta(days=1)
# Adobe lists jobs of the last 45 days (privacy jobs guide, "fromDate"), less the tolerance above.
LOOK_BACK = timedelta(days=43)
# After this many refused halves the fault is not a single user's.
MAX_REFUSALS = 24


@dataclass(frozen=True)
class SubmissionSettings:
    """`call_timeout`: seconds after which a create call is given up; Adobe's gateway drops one after 60 by itself
    (best practices page). `list_lag`: seconds for which a job may be missing from Adobe's list."""

    daily_limit: int = 20_000
    call_timeout: float = 90.0
    list_lag: float = 300.0
    look_interval: float = 10.0
    company_contexts: tuple[CompanyContext, ...] = ()

    @property
    def settle_after(self) -> timedelta:
        return MAX_INTENT_AGE + timedelta(seconds=self.call_timeout + self.list_lag)


@dataclass
class Submission:
    """What became of a batch's jobs in this call."""

    submitted: int = 0
    adopted: int = 0
    refused: int = 0
    carried_over: int = 0
    notes: list[str] = field(default_factory=list)


async def submit_batch(
    *,
    batch: Batch,
    inbox: Store,
    ledger: Ledger,
    client: PrivacyServiceClient,
    settings: SubmissionSettings,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Submission:
    """Returns when no job of `batch` is `PLANNED` or `SUBMITTING` any more: each is at Adobe, refused, or left
    to a later plan. May be called again after any failure, and beside another call for the same batch.

    Raises PrivacyServiceError where Adobe cannot be used as it is (credentials, permission, outage).
    """
    work = _Work(batch, inbox, ledger, client, settings, sleep, Submission())
    while True:
        unsettled = ledger.batch_jobs(batch.id, JobState.SUBMITTING)
        if unsettled:
            await work.settle(unsettled)
            continue
        planned = ledger.batch_jobs(batch.id, JobState.PLANNED)
        if not planned:
            return work.result
        await work.send(planned)


@dataclass
class _Work:
    batch: Batch
    inbox: Store
    ledger: Ledger
    client: PrivacyServiceClient
    settings: SubmissionSettings
    sleep: Callable[[float], Awaitable[None]]
    result: Submission
    refusals: int = 0
    suspects: dict[str, RequestRefused] = field(default_factory=dict)

    # -- looking ------------------------------------------------------------------------------------------

    async def settle(self, jobs: Sequence[Job]) -> None:
        """Adopts what is at Adobe; gives up on what is long overdue; waits a little for the rest."""
        looked_at = self.ledger.now()
        forgotten = [job for job in jobs if looked_at - _intent(job) > LOOK_BACK]
        if forgotten:
            self.result.refused += self.ledger.withdraw(
                forgotten, JobState.REFUSED, "whether Adobe has it cannot be looked up any more: ask Adobe"
            )
            return
        missing = await self.adopt(jobs)
        absent = [job for job in missing if looked_at >= _intent(job) + self.settings.settle_after]
        if absent:
            count = self.ledger.withdraw(
                absent, JobState.PLANNED, "not at Adobe when the list had had time to show it"
            )
            log.info(
                "%d jobs of batch %s are certainly not at Adobe: they are sent again", count, self.batch.id
            )
        elif missing:
            over = max(_intent(job) for job in missing) + self.settings.settle_after
            left = (over - self.ledger.now()).total_seconds()
            log.info(
                "%d jobs of batch %s may be at Adobe: looking again, for %.0f s at most",
                len(missing),
                self.batch.id,
                max(0.0, left),
            )
            await self.sleep(min(max(left, 0.1), self.settings.look_interval))

    async def adopt(self, jobs: Sequence[Job]) -> list[Job]:
        """Finds `jobs` at Adobe by user key and action; returns those that are not there (yet)."""
        wanted = {(job.key, job.action): job for job in jobs}
        ahead = self.client.server_time() - self.ledger.now()
        since = min(_intent(job) for job in jobs) + min(ahead, timedelta()) - CLOCK_TOLERANCE
        # Whether `toDate` is within is documented nowhere.
        tomorrow = self.client.server_time().date() + timedelta(days=1)
        found: dict[tuple[str, str], list[tuple[datetime | None, str]]] = {}
        for code in listing_codes(self.batch.regulation):
            async for listed in self.client.list_jobs(code, from_date=since.date(), to_date=tomorrow):
                place = (listed.key or "", listed.action or "")
                if place in wanted and (listed.created_at is None or listed.created_at >= since):
                    found.setdefault(place, []).append((listed.created_at, listed.job_id))
        ids = {job_id for rows in found.values() for _, job_id in rows}
        known = self.ledger.known_adobe_jobs(ids)
        adopted: dict[int, str] = {}
        for place, rows in found.items():
            rows = sorted((row for row in rows if row[1] not in known), key=lambda row: (row[0] is None, row))
            if rows:
                adopted[wanted[place].id] = rows[0][1]
            if len(rows) > 1:
                self.result.notes.append(
                    f"{place[0]} ({place[1]}): Adobe has {len(rows)} jobs, see {rows[1][1]}"
                )
        if adopted:
            count = self.ledger.record_submitted(
                adopted, adobe_request_id=None, reason="found at Adobe by its user key"
            )
            self.result.adopted += count
            log.info("adopted %d jobs of batch %s that Adobe had already", count, self.batch.id)
        return [job for job in jobs if job.id not in adopted]

    # -- sending ------------------------------------------------------------------------------------------

    async def send(self, jobs: Sequence[Job]) -> None:
        payload = self._payload(jobs)
        if payload is None:
            return
        users, sendable = payload
        # Before the intent, whose clock runs: a token may take its time.
        await self.client.fetch_token()
        await self._intend_and_post(users, sendable)
        self._judge_suspects(sendable)

    async def _intend_and_post(self, users: Sequence[User], jobs: Sequence[Job]) -> None:
        try:
            intended = self.ledger.intend(
                self.batch.id, [job.id for job in jobs], daily_limit=self.settings.daily_limit
            )
        except DailyLimitReached:
            self._carry_over(jobs, "the organisation's jobs of this UTC day are used up")
            return
        if len(intended) < len(jobs):
            # Put on hold, or taken by another call meanwhile: the batch is looked at afresh.
            self.ledger.withdraw(
                intended, JobState.PLANNED, "the batch changed before it was sent", refund=True
            )
            self._release_held(jobs)
            return
        await self._post(users, intended)

    def _release_held(self, jobs: Sequence[Job]) -> None:
        held = {job.id for job in self.ledger.batch_jobs(self.batch.id, JobState.PLANNED) if job.on_hold}
        self.ledger.unclaim(self.batch.id, "on hold", job_ids=held & {job.id for job in jobs})

    def _payload(self, jobs: Sequence[Job]) -> tuple[list[User], list[Job]] | None:
        """The users of `jobs`, identities read from the inbox now. Jobs whose line is gone are refused."""
        requests = self._read_requests(jobs)
        gone = [job for job in jobs if job.request_id not in requests]
        if gone:
            self.result.refused += self.ledger.refuse(
                [job.id for job in gone], "the request's line is not in the inbox any more, or was changed"
            )
            self.result.notes += sorted({f"{job.request_id}: no longer in {job.source}" for job in gone})
        by_key: dict[str, list[Job]] = {}
        for job in jobs:
            if job.request_id in requests:
                by_key.setdefault(job.key, []).append(job)
        users = [
            User(
                key=key,
                actions=tuple(sorted(Action(job.action) for job in rows)),
                identities=tuple(
                    Identity(namespace=i.namespace, value=i.value, type=i.type)
                    for i in requests[rows[0].request_id].parts()[rows[0].part - 1]
                ),
            )
            for key, rows in by_key.items()
        ]
        return (users, [job for rows in by_key.values() for job in rows]) if users else None

    def _read_requests(self, jobs: Sequence[Job]) -> dict[str, PrivacyRequest]:
        prints = {job.request_id: job.fingerprint for job in jobs}
        found: dict[str, PrivacyRequest] = {}
        for source in sorted({job.source for job in jobs}):
            wanted = {job.request_id for job in jobs if job.source == source}
            for request in find_requests(self.inbox, source, wanted):
                if self.ledger.fingerprint(request.content()) == prints[request.request_id]:
                    found[request.request_id] = request
        return found

    async def _post(self, users: Sequence[User], jobs: Sequence[Job]) -> None:
        """One call for `jobs`, whose intent is committed. Leaves them settled, or `SUBMITTING` where the
        outcome is unknown."""
        if self.ledger.now() - _intent(jobs[0]) > MAX_INTENT_AGE:
            return  # too late to be sure that nobody looks already
        request = CreateJobsRequest(
            users=tuple(users),
            include=tuple(self.batch.products.split(",")),
            regulation=self.batch.regulation,
            company_contexts=self.settings.company_contexts,
        )
        try:
            async with asyncio.timeout(self.settings.call_timeout):
                created = await self.client.create_jobs(request)
        except TimeoutError:
            log.warning("Creating jobs took longer than %.0f s and was given up", self.settings.call_timeout)
            return
        except OutcomeUnknown as error:
            log.warning("%s", error)
            return
        except QuotaReached:
            self.ledger.record_quota_refusal()
            self.ledger.withdraw(jobs, JobState.PLANNED, "Adobe: daily limit reached", refund=True)
            self._carry_over(jobs, "Adobe says that the organisation's limit of this UTC day is reached")
            return
        except RequestRefused as error:
            await self._after_refusal(error, users, jobs)
            return
        except PrivacyServiceError as error:
            # Certainly nothing was made: the batch is as before the intent.
            self.ledger.withdraw(jobs, JobState.PLANNED, f"not sent: {type(error).__name__}", refund=True)
            raise
        ids = {(job.key, job.action): job.id for job in jobs}
        answered = {
            ids[place]: row.job_id
            for row in created.jobs
            if (place := (row.key or "", row.action or "")) in ids
        }
        self.result.submitted += self.ledger.record_submitted(
            answered, adobe_request_id=created.request_id, reason="Adobe's answer"
        )

    async def _after_refusal(self, error: RequestRefused, users: Sequence[User], jobs: Sequence[Job]) -> None:
        """Adobe refuses a request whole for one bad user: halves find that one, so that the others go."""
        self.ledger.withdraw(jobs, JobState.PLANNED, f"not made: {error}", refund=True)
        self.refusals += 1
        if self.refusals > MAX_REFUSALS:
            raise error
        if len(users) == 1:
            self.suspects[users[0].key] = error
            return
        middle = len(users) // 2
        for half in (users[:middle], users[middle:]):
            keys = {user.key for user in half}
            await self._intend_and_post(half, [job for job in jobs if job.key in keys])

    def _judge_suspects(self, jobs: Sequence[Job]) -> None:
        """Users that Adobe refused alone are refused for good, unless it took nobody of the batch: then the
        fault is the batch's, and all of them wait for it to be mended."""
        if not self.suspects:
            return
        if not self.result.submitted and len({job.key for job in jobs}) > 1:
            raise next(iter(self.suspects.values()))
        for key, error in self.suspects.items():
            rows = [job for job in jobs if job.key == key]
            self.result.refused += self.ledger.refuse([job.id for job in rows], f"Adobe refuses it: {error}")
            self.result.notes.append(f"{rows[0].request_id}: {error}")
        self.suspects = {}

    def _carry_over(self, jobs: Sequence[Job], reason: str) -> None:
        count = self.ledger.unclaim(self.batch.id, reason, job_ids={job.id for job in jobs})
        self.result.carried_over += count
        if count:
            self.result.notes.append(f"{count} jobs wait for the next run: {reason}")


def _intent(job: Job) -> datetime:
    if job.intent_at is None:
        raise ValueError(f"job {job.id} of the ledger is {job.state} without an intent")
    return job.intent_at
