"""Sends a batch's planned jobs: the intent first, then the call, then what Adobe answered."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from pydantic import ValidationError

from adobe_privacy.api.errors import (
    OutcomeUnknown,
    PrivacyServiceError,
    QuotaReached,
    RateLimited,
    RequestRefused,
)
from adobe_privacy.api.models import Action, CompanyContext, CreatedJobs, CreateJobsRequest, Identity, User
from adobe_privacy.api.names import include_codes
from adobe_privacy.intake.explained import explain
from adobe_privacy.intake.found_again import requests_of
from adobe_privacy.intake.request import check_products
from adobe_privacy.ledger.intents import DailyLimitReached
from adobe_privacy.ledger.limits import Doubt, Paused
from adobe_privacy.ledger.people import erased_file
from adobe_privacy.ledger.schema import REFUSED_TOGETHER, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ownership import claim
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.submission.batch_work import BatchWork, intent_of
from adobe_privacy.submission.recognition import folded
from adobe_privacy.submission.refusals import Refusals, halves

log = plain_logger(__name__)

LINE_GONE = "the request's line is gone or was changed, or this version refuses it: intake check says why"
AT_ADOBE = (JobState.SUBMITTED, JobState.COMPLETE, JobState.ARCHIVED, JobState.ERROR)


def by_reason(gone: Sequence[Job]) -> dict[str, list[Job]]:
    """Why these cannot be sent, although they were taken in."""
    reasons: dict[str, list[Job]] = {}
    for job in gone:
        reasons.setdefault(erased_file([job]) or LINE_GONE, []).append(job)
    return reasons


class Sending:
    """The calls of one batch's submission, and what was refused in them."""

    def __init__(self, work: BatchWork) -> None:
        self.work = work
        self.refusals: Refusals[str] = Refusals()
        # Whether Adobe took somebody after a refusal that may have been the daily limit.
        self._doubt_lifted = False
        # Users refused alone who may have been too many jobs for what was left of the day: Adobe's day, and how many.
        self._too_large: dict[str, tuple[date, int]] = {}

    async def send(self, jobs: Sequence[Job]) -> None:
        """Sends `jobs`, or one user of them where the daily limit is in doubt. Raises Paused."""
        payload = self._payload(jobs)
        if payload is None:
            return
        users, sendable = payload
        if (doubt := self.work.ledger.limits.doubt()) is not None:
            users = [random.choice(self._unsuspected(users))]
            if doubt.batch_id != self.work.batch.id:
                self.refusals.remember({"another batch"})
            elif doubt.alone is not None and doubt.alone not in self.refusals.suspects:
                self.refusals.remember({doubt.alone})
        keys = {user.key for user in users}
        # Before the intent, whose clock runs: a token may take its time.
        await self.work.client.fetch_token()
        await self._intend_and_post(users, [job for job in sendable if job.key in keys])

    def _unsuspected(self, users: Sequence[User]) -> Sequence[User]:
        """Those that were not refused alone, if any."""
        doubt = self.work.ledger.limits.doubt()
        alone = {*self.refusals.suspects, doubt.alone if doubt else None}
        return [user for user in users if user.key not in alone] or users

    async def _intend_and_post(self, users: Sequence[User], jobs: Sequence[Job]) -> None:
        # Before the intent: what cannot be written down cannot be sent either.
        request = self._request(users)
        try:
            intended = self.work.ledger.intents.intend(
                self.work.batch.id,
                [job.id for job in jobs],
                daily_limit=self.work.settings.daily_limit,
                approve_deletes=self.work.settings.approve_deletes,
            )
        except DailyLimitReached:
            self.work.carry_over(jobs, "the organisation's jobs of this UTC day are used up")
            return
        if len(intended) < len(jobs):
            # Put on hold, or taken by another call meanwhile: the batch is looked at afresh.
            reason = "the batch changed before it was sent"
            self.work.ledger.intents.withdraw(intended, JobState.PLANNED, reason, refund=True)
            return
        self._claim_archive(intended)
        await self._post(request, users, intended)

    def _claim_archive(self, intended: Sequence[Job]) -> None:
        """Nothing is sent that a ledger restored from a backup could not find out about."""
        try:
            claim(self.work.ledger, self.work.archive)
        except Exception as error:
            self._withdraw(intended, f"not sent: {type(error).__name__}")
            raise

    def _request(self, users: Sequence[User]) -> CreateJobsRequest:
        try:
            return CreateJobsRequest(
                users=tuple(users),
                include=include_codes(filter(None, self.work.batch.products.split(","))),
                regulation=self.work.batch.regulation,
                **self._options(),
            )
        except ValidationError as error:
            why = explain(error, {})
            refusal = RequestRefused(f"nothing was sent: {why}")
            raise self._given_up(refusal, f"before it was sent: {why}") from None

    def _options(self) -> dict[str, Any]:
        """What the batch's requests say, and where they say nothing, the connection."""
        settings, batch = self.work.settings, self.work.batch
        said = dict(settings.options) | (json.loads(batch.options) if batch.options else {})
        more = [CompanyContext(**context) for context in said.pop("company_contexts", [])]
        instead = {context.namespace.lower() for context in more}
        contexts = [each for each in settings.company_contexts if each.namespace.lower() not in instead]
        return said | {"company_contexts": (*contexts, *more)}

    def _payload(self, jobs: Sequence[Job]) -> tuple[Sequence[User], list[Job]] | None:
        """The users of `jobs`, identities read from the inbox now. Jobs whose line is gone are refused;
        those whose file cannot be read are left for the next run. Raises StorageError where none can be read: it may
        be the store."""
        work = self.work
        found = requests_of(jobs, work.inbox, work.ledger)
        requests, unreadable = found.requests, found.unreadable
        if unreadable:
            work.leave_unreadable(found.left(jobs), unreadable)
            if not requests:
                raise next(iter(unreadable.values()))
        if gone := found.gone(jobs):
            for reason, rows in by_reason(gone).items():
                work.result.refused += work.ledger.claims.refuse([job.id for job in rows], reason)
            work.result.notes += sorted(
                {f"{job.request_id}: {erased_file([job]) or f'no longer in {job.source}'}" for job in gone}
            )
        sendable = [job for job in jobs if job.request_id in requests]
        for action in Action:
            problem = check_products({action}, filter(None, work.batch.products.split(",")))
            rows = [job for job in sendable if job.action == action]
            if problem and rows:
                # It was taken in with other products in mind.
                work.result.refused += work.ledger.claims.refuse([job.id for job in rows], problem)
                work.result.notes.append(f"{len(rows)} jobs refused ({action}): {problem}")
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
        work = self.work
        if work.ledger.now() - intent_of(jobs[0]) > work.settings.max_intent_age:
            # Somebody else may soon take the call for over.
            self._withdraw(jobs, "not sent: the intent was too old")
            return
        try:
            async with asyncio.timeout(work.settings.call_timeout):
                created = await work.client.create_jobs(request)
        except TimeoutError:
            log.warning("Creating jobs took longer than %.0f s and was given up", work.settings.call_timeout)
        except OutcomeUnknown as error:
            log.warning("%s", error)
        except RateLimited as error:
            self._withdraw(jobs, "not made: Adobe has too many requests")
            raise Paused(work.ledger.limits.pause(error.retry_after)) from None
        except QuotaReached as error:
            self._withdraw(jobs, "not made: Adobe says that the day's limit is reached")
            await self._after_limit(error, users, jobs)
        except RequestRefused as error:
            self._withdraw(jobs, f"not made: {error}")
            self.refusals.refused([user.key for user in users], error)
            if self.refusals.too_many and not self._anybody_taken():
                raise self._given_up(error, f"by Adobe: {error}") from None
            await self._send_halves(users, jobs)
        except PrivacyServiceError as error:
            # Certainly nothing was made: the batch is as before the intent.
            self._withdraw(jobs, f"not sent: {type(error).__name__}")
            raise
        else:
            self._record(created, jobs)

    def _withdraw(self, jobs: Sequence[Job], reason: str) -> None:
        self.work.ledger.intents.withdraw(jobs, JobState.PLANNED, reason, refund=True)

    def _record(self, created: CreatedJobs, jobs: Sequence[Job]) -> None:
        work = self.work
        intended = {(job.key, job.action): job for job in jobs}
        made = [
            (intended[place], row.job_id)
            for row in created.jobs
            if (place := (row.key or "", row.action or "")) in intended
        ]
        changed = self._changed(created, intended)
        if changed:
            work.ledger.limits.note_keys(unchanged=False)
            work.result.notes.append(
                "Adobe gives the users' keys back changed: whatever ends without an answer stays unknown"
            )
        elif made:
            work.ledger.limits.note_keys(unchanged=True)
        work.lost_calls = 0
        self.refusals.taken()
        today, taken = work.client.server_time().date(), len(made) + len(changed)
        self._too_large = {
            key: (day, count)
            for key, (day, count) in self._too_large.items()
            if day != today or count > taken
        }
        self._doubt_lifted = True
        work.result.submitted += work.ledger.intents.record_submitted(
            [*made, *changed], adobe_request_id=created.request_id, reason="Adobe's answer", answered=True
        )

    @staticmethod
    def _changed(created: CreatedJobs, intended: dict[tuple[str, str], Job]) -> list[tuple[Job, str]]:
        """The jobs whose key came back in another spelling."""
        alike: dict[tuple[str, str], list[Job]] = {}
        for (key, action), job in intended.items():
            alike.setdefault((folded(key), action), []).append(job)
        changed = []
        for row in created.jobs:
            if row.key is None or row.action is None or (row.key, row.action) in intended:
                continue
            same = alike.get((folded(row.key), row.action), [])
            if len(same) == 1:
                changed.append((same[0], row.job_id))
        return changed

    # -- refusals -----------------------------------------------------------------------------------------

    async def _send_halves(self, users: Sequence[User], jobs: Sequence[Job]) -> None:
        if len(users) > 1:
            for half in halves(users):
                keys = {user.key for user in half}
                await self._intend_and_post(half, [job for job in jobs if job.key in keys])

    async def _after_limit(self, error: QuotaReached, users: Sequence[User], jobs: Sequence[Job]) -> None:
        """Adobe documents no sentence for its daily limit, so one refusal proves nothing. Everybody pauses for some
        minutes, then one user is sent. The day is over only where two refusals had no user in common, and the
        second was of one user: one bad user must not stop all others, nor many what one could still get."""
        work, keys = self.work, [user.key for user in users]
        self.refusals.refused(keys, error)
        if len(keys) == 1:
            self._too_large[keys[0]] = work.client.server_time().date(), len(jobs)
        doubted = work.ledger.limits.doubt() is not None
        if self.refusals.more_than_one_user and len(users) == 1:
            work.ledger.quotas.record_refusal(intent_of(jobs[0]).date())
            reason = "Adobe says that the organisation's limit of this UTC day is reached"
            work.carry_over(work.planned(), reason)
            # They were refused for the day, not for themselves.
            self.refusals.suspects.clear()
        elif not doubted and not self._doubt_lifted:
            doubt = Doubt(work.batch.id, keys[0] if len(keys) == 1 else None)
            until = work.ledger.limits.begin_doubt(doubt, pause=True)
            if until is not None:
                raise Paused(until)
        elif len(users) > 1:
            await self._send_halves(users, jobs)
        elif doubted:
            # The next user is asked for at once; where there is none, another batch tells.
            work.ledger.limits.begin_doubt(Doubt(work.batch.id, keys[0]), pause=False)
            if not self._others_planned(keys):
                self.refusals.suspects.clear()
                work.carry_over(jobs, "Adobe refused it alone, and took nobody else to compare it with")

    def _others_planned(self, keys: Collection[str]) -> bool:
        return any(job.key not in keys for job in self.work.planned())

    def judge_suspects(self, *, unresolved: bool) -> None:
        """Users that Adobe refused alone are refused for good, but only where it took others of the batch. Where it
        took nobody, the fault is the batch's or the day's, and all of them wait for it to be mended. A refusal that
        may be the daily limit counts only where Adobe took as many jobs at once after it, on the same day."""
        suspects = self.refusals.suspects
        if not suspects or unresolved:
            return  # what is not resolved may yet tell whether somebody was taken
        if not self._anybody_taken():
            if self.work.ledger.limits.doubt() is None:
                error = next(iter(suspects.values()))
                raise self._given_up(error, f"by Adobe: {error}")
            return
        planned = self.work.planned()
        for key, error in suspects.items():
            rows = [job for job in planned if job.key == key]
            if rows and isinstance(error, QuotaReached) and key in self._too_large:
                reason = "Adobe refused it for the day's limit, and took nobody with as many jobs after it"
                self.work.carry_over(rows, reason)
            elif rows:
                self.work.result.refused += self.work.ledger.claims.refuse(
                    [job.id for job in rows], f"Adobe refuses it: {error}"
                )
                self.work.result.notes.append(f"{rows[0].request_id}: {error}")
        suspects.clear()

    def _anybody_taken(self) -> bool:
        return bool(self.work.ledger.claims.batch_jobs(self.work.batch.id, *AT_ADOBE))

    def _given_up(self, error: Exception, refused: str) -> Exception:
        """The batch is at fault: the next plan makes another, with the settings of then. Until it is taken, a person is
        told of its jobs, and by whom and why they were `refused`."""
        # What may be the day's limit passes by itself.
        reason = str(error) if isinstance(error, QuotaReached) else f"{REFUSED_TOGETHER}{refused}"
        self.work.carry_over(self.work.planned(), reason)
        return error
