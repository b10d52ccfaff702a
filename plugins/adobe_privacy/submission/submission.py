"""Submits one batch so that every job of it is made at Adobe exactly once, whatever happens on the way.

Adobe has no idempotency key, so the order of steps is the promise:

1. The intent is committed to the ledger before the call.
2. An intent whose outcome is unknown — the call timed out, the process was killed, the ledger could not be
   written — is settled by looking: jobs at Adobe with our user key and action, made since the intent and
   belonging to nothing else in the ledger, are adopted.
3. A job's absence is believed only after `settle_after`: the longest time that the call can still be under way,
   and then the time that Adobe's list may lag behind; and only when several listings in a row agree. Only then
   is it sent again.

What it does not promise: a process that is suspended in the moment between the last look at its intent's age
and the call, for longer than `settle_after`, could send what another process has sent meanwhile. The clocks of
the machines that submit are taken to agree to within a minute or so; Adobe's is not. A call under way at midnight
UTC is charged to the day of its intent.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import (
    OutcomeUnknown,
    PrivacyServiceError,
    QuotaReached,
    RateLimited,
    RequestRefused,
    TemporarilyUnavailable,
)
from adobe_privacy.api.facts import DAILY_JOBS, GATEWAY_TIMEOUT, LIST_REACH
from adobe_privacy.api.models import (
    Action,
    CompanyContext,
    CreateJobsRequest,
    Identity,
    JobSummary,
    User,
)
from adobe_privacy.api.names import include_codes
from adobe_privacy.intake.inbox import requests_of
from adobe_privacy.intake.request import check_products, explain
from adobe_privacy.ledger.intents import DailyLimitReached
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Batch, Job
from adobe_privacy.ledger.states import UNSENT_STATES, JobState
from adobe_privacy.regulations.codes import listing_codes
from adobe_privacy.storage import Store

log = logging.getLogger(__name__)

AT_ADOBE = (JobState.SUBMITTED, JobState.COMPLETE, JobState.ARCHIVED, JobState.ERROR)

# Adobe rounds creation times to minutes, and clocks differ.
CLOCK_TOLERANCE = timedelta(days=1)
# An intent's jobs are looked for as long as the list reaches back beyond the tolerance above.
LOOK_BACK = LIST_REACH - CLOCK_TOLERANCE
# Rows can move between pages while they are read: so many listings in a row must bring nothing new before a
# job's absence is believed.
AGREEING_LISTINGS = 3
# After this many refusals, and nobody taken, the fault is not a single user's.
MAX_REFUSALS = 24
# After this many calls of which nothing came, going on at once is of no use.
MAX_LOST_CALLS = 3


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
        """Seconds between two looks for jobs whose fate is unknown."""
        return self.timeout / 4

    @property
    def settle_after(self) -> timedelta:
        """So long after an intent, a job that is in no list was not made and will not be."""
        return self.max_intent_age + timedelta(seconds=self.call_timeout + self.list_lag)


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

    Raises PrivacyServiceError where Adobe cannot be used as it is (credentials, permission, outage), and
    RequestRefused where the fault is the whole batch's: its jobs wait for the next plan then.
    """
    work = _Work(batch, inbox, ledger, client, settings, sleep, Submission())
    while True:
        unsent = ledger.claims.batch_jobs(batch.id, *UNSENT_STATES)
        unsettled = [job for job in unsent if job.state is JobState.SUBMITTING]
        held = {job.id for job in unsent if job.on_hold}
        if unsettled:
            await work.settle(unsettled)
        elif held:
            ledger.claims.unclaim(batch.id, "on hold", job_ids=held)
        elif unapproved := ledger.approvals.unapproved_deletes(
            batch.id, approve_deletes=settings.approve_deletes
        ):
            work.leave_unapproved(unapproved)
        elif unsent:
            await work.send(unsent)
        else:
            return work.result


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
    lost_calls: int = 0

    # -- looking ------------------------------------------------------------------------------------------

    async def settle(self, jobs: Sequence[Job]) -> None:
        """Adopts what is at Adobe; gives up on what is long overdue; waits a little for the rest."""
        looked_at = self.ledger.now()
        forgotten = [job for job in jobs if looked_at - _intent(job) > LOOK_BACK]
        if forgotten:
            self.result.refused += self.ledger.intents.withdraw(
                forgotten, JobState.GONE, "whether Adobe has it cannot be looked up any more: ask Adobe"
            )
            return
        overdue = [job for job in jobs if looked_at >= _intent(job) + self.settings.settle_after]
        missing = {job.id for job in await self.adopt(jobs, thoroughly=bool(overdue))}
        absent = [job for job in overdue if job.id in missing]
        if absent:
            self._send_again(absent)
        elif missing:
            over = max(_intent(job) for job in jobs if job.id in missing) + self.settings.settle_after
            left = (over - self.ledger.now()).total_seconds()
            log.info(
                "%d jobs of batch %s may be at Adobe: looking again, for %.0f s at most",
                len(missing),
                self.batch.id,
                max(0.0, left),
            )
            await self.sleep(min(max(left, 0.1), self.settings.look_interval))

    def _send_again(self, absent: Sequence[Job]) -> None:
        count = self.ledger.intents.withdraw(
            absent, JobState.PLANNED, "not at Adobe when the list had had time to show it"
        )
        log.info("%d jobs of batch %s are certainly not at Adobe: they are sent again", count, self.batch.id)
        self.lost_calls += bool(count)
        if self.lost_calls == MAX_LOST_CALLS:
            raise TemporarilyUnavailable(
                f"{MAX_LOST_CALLS} calls in a row ended without a usable answer and made no jobs. Nothing is "
                "lost; try again later.",
                method="POST",
                route="/jobs",
            )

    async def adopt(self, jobs: Sequence[Job], *, thoroughly: bool) -> list[Job]:
        """Finds `jobs` at Adobe by user key and action; returns those that are not there (yet)."""
        wanted = {(job.key, job.action): job for job in jobs}
        found: dict[tuple[str, str], list[JobSummary]] = {}
        async for listed in self._listed(min(_intent(job) for job in jobs), thoroughly=thoroughly):
            place = (listed.key or "", listed.action or "")
            if place in wanted:
                found.setdefault(place, []).append(listed)
        known = self.ledger.intents.known_adobe_jobs({row.job_id for rows in found.values() for row in rows})
        adopted: list[tuple[Job, str]] = []
        for place, rows in found.items():
            ours = sorted((row for row in rows if row.job_id not in known), key=_age)
            if ours:
                adopted.append((wanted[place], ours[0].job_id))
            if len(ours) > 1:
                self.result.notes.append(
                    f"{place[0]} ({place[1]}): Adobe has {len(ours)} jobs, see {ours[1].job_id}"
                )
        if adopted:
            self.lost_calls = 0
            count = self.ledger.intents.record_submitted(
                adopted, adobe_request_id=None, reason="found at Adobe by its user key"
            )
            self.result.adopted += count
            log.info("adopted %d jobs of batch %s that Adobe had already", count, self.batch.id)
        there = {job.id for job, _ in adopted}
        return [job for job in jobs if job.id not in there]

    async def _listed(self, intent: datetime, *, thoroughly: bool) -> AsyncIterator[JobSummary]:
        """Adobe's jobs of the batch's regulation since an intent, each once.

        `thoroughly` lists until several listings in a row brought no older job that was not seen before.
        """
        await self.client.learn_server_time()
        began = self.client.server_time()
        since = intent + min(began - self.ledger.now(), timedelta()) - CLOCK_TOLERANCE
        seen: set[str] = set()
        agreeing = 0
        while agreeing < (AGREEING_LISTINGS if thoroughly else 1):
            agreeing += 1
            for code in listing_codes(self.batch.regulation):
                async for listed in self._listed_under(code, since):
                    if listed.job_id in seen:
                        continue
                    seen.add(listed.job_id)
                    if listed.created_at is None or listed.created_at >= since:
                        yield listed
                    # Adobe tells whole minutes. What is made while we look is no disagreement.
                    if listed.created_at is not None and listed.created_at < began - timedelta(minutes=1):
                        agreeing = min(agreeing, 1)

    async def _listed_under(self, code: str, since: datetime) -> AsyncIterator[JobSummary]:
        now = self.client.server_time()
        # Whether `toDate` is within is documented nowhere.
        first, last = max(since, now - LIST_REACH).date(), now.date() + timedelta(days=1)
        try:
            async for listed in self.client.list_jobs(code, from_date=first, to_date=last):
                yield listed
        except RequestRefused:
            # Jobs are made under the current code: where a retired one is refused, nothing is missed.
            if code == self.batch.regulation:
                raise

    # -- sending ------------------------------------------------------------------------------------------

    def leave_unapproved(self, jobs: Sequence[Job]) -> None:
        """What was not approved as it stands goes back to the next plan, and so before a person."""
        self._carry_over(jobs, "not approved as a part of this batch")

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
        # Before the intent: what cannot be written down cannot be sent either.
        request = self._request(users)
        try:
            intended = self.ledger.intents.intend(
                self.batch.id,
                [job.id for job in jobs],
                daily_limit=self.settings.daily_limit,
                approve_deletes=self.settings.approve_deletes,
            )
        except DailyLimitReached:
            self._carry_over(jobs, "the organisation's jobs of this UTC day are used up")
            return
        if len(intended) < len(jobs):
            # Put on hold, or taken by another call meanwhile: the batch is looked at afresh.
            reason = "the batch changed before it was sent"
            self.ledger.intents.withdraw(intended, JobState.PLANNED, reason, refund=True)
            return
        await self._post(request, users, intended)

    def _request(self, users: Sequence[User]) -> CreateJobsRequest:
        try:
            return CreateJobsRequest(
                users=tuple(users),
                include=include_codes(filter(None, self.batch.products.split(","))),
                regulation=self.batch.regulation,
                **self._options(),
            )
        except ValidationError as error:
            raise self._given_up(RequestRefused(f"nothing was sent: {explain(error)}")) from None

    def _options(self) -> dict[str, Any]:
        """What the batch's requests say, and where they say nothing, the connection."""
        said = dict(self.settings.options) | (json.loads(self.batch.options) if self.batch.options else {})
        more = [CompanyContext(**context) for context in said.pop("company_contexts", [])]
        instead = {context.namespace for context in more}
        contexts = [each for each in self.settings.company_contexts if each.namespace not in instead]
        return said | {"company_contexts": (*contexts, *more)}

    def _payload(self, jobs: Sequence[Job]) -> tuple[list[User], list[Job]] | None:
        """The users of `jobs`, identities read from the inbox now. Jobs whose line is gone are refused."""
        requests = requests_of(jobs, self.inbox, self.ledger)
        gone = [job for job in jobs if job.request_id not in requests]
        if gone:
            self.result.refused += self.ledger.claims.refuse(
                [job.id for job in gone], "the request's line is not in the inbox any more, or was changed"
            )
            self.result.notes += sorted({f"{job.request_id}: no longer in {job.source}" for job in gone})
        sendable = [job for job in jobs if job.request_id in requests]
        for action in Action:
            problem = check_products({action}, filter(None, self.batch.products.split(",")))
            rows = [job for job in sendable if job.action == action]
            if problem and rows:
                # It was taken in with other products in mind.
                self.result.refused += self.ledger.claims.refuse([job.id for job in rows], problem)
                self.result.notes.append(f"{len(rows)} jobs refused ({action}): {problem}")
                sendable = [job for job in sendable if job.action != action]
        by_key: dict[str, list[Job]] = {}
        for job in sendable:
            by_key.setdefault(job.key, []).append(job)
        users = [
            User(
                key=key,
                actions=tuple(sorted(Action(job.action) for job in rows)),
                identities=tuple(
                    Identity(
                        namespace=i.namespace,
                        value=i.value,
                        type=i.type,
                        is_deleted_client_side=i.is_deleted_client_side,
                    )
                    for i in requests[rows[0].request_id].parts()[rows[0].part - 1]
                ),
            )
            for key, rows in by_key.items()
        ]
        return (users, [job for rows in by_key.values() for job in rows]) if users else None

    async def _post(self, request: CreateJobsRequest, users: Sequence[User], jobs: Sequence[Job]) -> None:
        """One call for `jobs`, whose intent is committed. Leaves them settled, or `SUBMITTING` where the
        outcome is unknown."""
        if self.ledger.now() - _intent(jobs[0]) > self.settings.max_intent_age:
            # Somebody else may soon take the call for over.
            self.ledger.intents.withdraw(
                jobs, JobState.PLANNED, "not sent: the intent was too old", refund=True
            )
            return
        try:
            async with asyncio.timeout(self.settings.call_timeout):
                created = await self.client.create_jobs(request)
        except TimeoutError:
            log.warning("Creating jobs took longer than %.0f s and was given up", self.settings.call_timeout)
            return
        except OutcomeUnknown as error:
            log.warning("%s", error)
            return
        except (QuotaReached, RateLimited) as error:
            # Adobe's documents give the daily limit 400 in one place and 429 in another. A 429 that says when to
            # come again is the rate limit; after any other, stopping for the day does no harm, and going on may.
            if isinstance(error, RateLimited) and error.retry_after is not None:
                reason = f"not sent: {type(error).__name__}"
                self.ledger.intents.withdraw(jobs, JobState.PLANNED, reason, refund=True)
                raise
            self.ledger.quotas.record_refusal(len(jobs))
            self.ledger.intents.withdraw(jobs, JobState.PLANNED, "Adobe: daily limit reached", refund=True)
            self._carry_over(jobs, "Adobe says that the organisation's limit of this UTC day is reached")
            return
        except RequestRefused as error:
            await self._after_refusal(error, users, jobs)
            return
        except PrivacyServiceError as error:
            # Certainly nothing was made: the batch is as before the intent.
            self.ledger.intents.withdraw(
                jobs, JobState.PLANNED, f"not sent: {type(error).__name__}", refund=True
            )
            raise
        intended = {(job.key, job.action): job for job in jobs}
        made = [
            (intended[place], row.job_id)
            for row in created.jobs
            if (place := (row.key or "", row.action or "")) in intended
        ]
        self.lost_calls = 0
        self.result.submitted += self.ledger.intents.record_submitted(
            made, adobe_request_id=created.request_id, reason="Adobe's answer"
        )

    async def _after_refusal(self, error: RequestRefused, users: Sequence[User], jobs: Sequence[Job]) -> None:
        """Adobe refuses a request whole for one bad user: halves find that one, so that the others go."""
        self.ledger.intents.withdraw(jobs, JobState.PLANNED, f"not made: {error}", refund=True)
        self.refusals += 1
        if self.refusals > MAX_REFUSALS and not self._anybody_taken():
            raise self._given_up(error)
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
        suspects, self.suspects = self.suspects, {}
        if not suspects or self.ledger.claims.batch_jobs(self.batch.id, JobState.SUBMITTING):
            return  # what is not settled may yet tell whether somebody was taken
        if len({job.key for job in jobs}) > 1 and not self._anybody_taken():
            raise self._given_up(next(iter(suspects.values())))
        for key, error in suspects.items():
            rows = [job for job in jobs if job.key == key]
            self.result.refused += self.ledger.claims.refuse(
                [job.id for job in rows], f"Adobe refuses it: {error}"
            )
            self.result.notes.append(f"{rows[0].request_id}: {error}")

    def _anybody_taken(self) -> bool:
        return bool(self.ledger.claims.batch_jobs(self.batch.id, *AT_ADOBE))

    def _given_up(self, error: RequestRefused) -> RequestRefused:
        """The batch is at fault: the next plan makes another, with the settings of then."""
        self._carry_over(self.ledger.claims.batch_jobs(self.batch.id, JobState.PLANNED), str(error))
        return error

    def _carry_over(self, jobs: Sequence[Job], reason: str) -> None:
        count = self.ledger.claims.unclaim(self.batch.id, reason, job_ids={job.id for job in jobs})
        self.result.carried_over += count
        if count:
            self.result.notes.append(f"{count} jobs wait for the next run: {reason}")


def _age(listed: JobSummary) -> tuple[bool, datetime, str]:
    """The oldest first, those without a time last."""
    return listed.created_at is None, listed.created_at or datetime.max.replace(tzinfo=UTC), listed.job_id


def _intent(job: Job) -> datetime:
    if job.intent_at is None:
        raise ValueError(f"job {job.id} of the ledger is {job.state} without an intent")
    return job.intent_at
