"""Resolves calls whose outcome is unknown: what Adobe has is recognised, what it certainly has not is sent again.

A job's absence from Adobe's lists is believed only where

1. the longest time is over that the call can still be under way, and then the time that the lists may lag behind,
2. several lists in a row agree,
3. the lists are known to show jobs that are not finished: one such job was seen in a list of this organisation,
4. the lists reach the day of the call,
5. Adobe is not known to give users' keys back changed.

Anything else stays unknown: it is not sent again, a person is told, and the next submission looks anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adobe_privacy.api.errors import PrivacyServiceError, RateLimited, RequestRefused, TemporarilyUnavailable
from adobe_privacy.api.facts import LIST_REACH
from adobe_privacy.api.models import JobStatus, JobSummary
from adobe_privacy.ledger.doubts import may_be_made_since
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import OPEN_AT_ADOBE, JobState
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.regulations.codes import listing_codes
from adobe_privacy.submission.batch_work import BatchWork, intent_of
from adobe_privacy.submission.recognition import Search, folded, recognise

log = plain_logger(__name__)

# Adobe rounds creation times to minutes, and clocks differ.
CLOCK_TOLERANCE = timedelta(days=1)
# An intent's jobs are looked for as long as the lists reach back beyond the tolerance above.
LOOK_BACK = LIST_REACH - CLOCK_TOLERANCE
# Rows can move between pages while they are read: so many lists in a row must bring nothing new before a job's
# absence is believed.
AGREEING_LISTINGS = 3
# After this many calls of which nothing came, going on at once is of no use.
MAX_LOST_CALLS = 3
# Where rows do not say whether a job is finished, so many of our own are asked for.
ASKED_SINGLY = 3
OPEN = (JobStatus.SUBMITTED, JobStatus.PROCESSING)


@dataclass
class _Lists:
    """What the lists of one search showed."""

    open_job: bool = False
    newest: datetime | None = None
    # Folded keys of ours, in rows that do not say their id or action.
    unclear: set[str] = field(default_factory=set)

    def note(self, row: JobSummary) -> None:
        self.open_job = self.open_job or row.status in OPEN
        if row.created_at is not None:
            self.newest = max(self.newest or row.created_at, row.created_at)


class UnknownOutcomes:
    """The jobs of one batch whose call ended without an answer. `left` are those that stay unknown."""

    def __init__(self, work: BatchWork) -> None:
        self.work = work
        self.left: set[int] = set()

    async def resolve(self, jobs: Sequence[Job]) -> None:
        """Recognises what is at Adobe; gives up on what is long overdue; waits a little for the rest."""
        work = self.work
        looked_at = work.ledger.now()
        forgotten = [job for job in jobs if looked_at - intent_of(job) > LOOK_BACK]
        if forgotten:
            work.result.refused += work.ledger.intents.withdraw(
                forgotten, JobState.GONE, "whether Adobe has it cannot be looked up any more: ask Adobe"
            )
            return
        overdue = [job for job in jobs if looked_at >= _until(job) + work.settings.settle_after]
        lists = _Lists()
        missing = {job.id for job in await self.recognise(jobs, lists, thoroughly=bool(overdue))}
        absent = [job for job in overdue if job.id in missing]
        if absent:
            await self._judge(absent, lists)
        elif missing:
            over = max(_until(job) for job in jobs if job.id in missing) + work.settings.settle_after
            left = (over - work.ledger.now()).total_seconds()
            log.info(
                "%d jobs of batch %s may be at Adobe: listing again, for %.0f s at most",
                len(missing),
                work.batch.id,
                max(0.0, left),
            )
            await work.sleep(min(max(left, 0.1), work.settings.look_interval))

    # -- what is there ------------------------------------------------------------------------------------

    async def recognise(self, jobs: Sequence[Job], lists: _Lists, *, thoroughly: bool) -> list[Job]:
        """Finds `jobs` at Adobe by user key and action; returns those that are not there (yet)."""
        work = self.work
        search = Search((job.key, job.action) for job in jobs)
        time_lost = work.ledger.doubts.lost()
        since = min(may_be_made_since(job, time_lost) for job in jobs)
        async for listed in self._listed(since, lists, thoroughly=thoroughly):
            search.note(listed)
        lists.unclear |= search.unclear(work.ledger, work.client.keys_without_id)
        result = recognise(work.ledger, jobs, search, "found at Adobe by its user key")
        work.result.notes += result.notes
        if result.job_ids:
            work.lost_calls = 0
            work.result.recognised += result.count
            log.info("Recognised %d jobs of batch %s that Adobe had already", result.count, work.batch.id)
        return [job for job in jobs if job.id not in result.job_ids]

    async def _listed(
        self, intent: datetime, lists: _Lists, *, thoroughly: bool
    ) -> AsyncIterator[JobSummary]:
        """Adobe's jobs of the batch's regulation since an intent, each once.

        `thoroughly` lists until several lists in a row brought no older job that was not seen before.
        """
        work = self.work
        await work.client.learn_server_time()
        began = work.client.server_time()
        since = intent + min(began - work.ledger.now(), timedelta()) - CLOCK_TOLERANCE
        seen: set[str] = set()
        agreeing = 0
        while agreeing < (AGREEING_LISTINGS if thoroughly else 1):
            agreeing += 1
            for code in listing_codes(work.batch.regulation):
                async for listed in self._listed_under(code, since):
                    if listed.job_id in seen:
                        continue
                    seen.add(listed.job_id)
                    lists.note(listed)
                    if listed.created_at is None or listed.created_at >= since:
                        yield listed
                    # Adobe tells whole minutes. What is made while we list is no disagreement.
                    if listed.created_at is not None and listed.created_at < began - timedelta(minutes=1):
                        agreeing = min(agreeing, 1)

    async def _listed_under(
        self, code: str, since: datetime, *, thorough: bool = True
    ) -> AsyncIterator[JobSummary]:
        now = self.work.client.server_time()
        # Whether `toDate` is within is documented nowhere.
        first, last = max(since, now - LIST_REACH).date(), now.date() + timedelta(days=1)
        try:
            async for listed in self.work.client.list_jobs(
                code, from_date=first, to_date=last, thorough=thorough
            ):
                yield listed
        except RequestRefused:
            # Jobs are made under the current code: where a retired one is refused, nothing is missed.
            if code == self.work.batch.regulation:
                raise

    # -- what is not --------------------------------------------------------------------------------------

    async def _judge(self, absent: Sequence[Job], lists: _Lists) -> None:
        time_lost, reach = self.work.ledger.doubts.lost(), self.work.ledger.now() - LOOK_BACK
        older = [job for job in absent if may_be_made_since(job, time_lost) < reach]
        unclear = [job for job in absent if folded(job.key) in lists.unclear and job not in older]
        recent = [job for job in absent if job not in older and job not in unclear]
        if unclear:
            self._leave(unclear, "Adobe lists a job of the same user key without its id or action")
        if older:
            self._leave(older, "Adobe's lists do not reach back to when it may have been sent")
        if recent:
            doubt = await self._why_not_believed(recent, lists)
            if doubt is None:
                self._send_again(recent)
            else:
                self._leave(recent, doubt)

    def _leave(self, absent: Sequence[Job], doubt: str) -> None:
        self.left |= {job.id for job in absent}
        self.work.result.unknown += len(absent)
        self.work.result.notes.append(
            f"{len(absent)} jobs: outcome unknown, not sent again: {doubt}. Look for them in Adobe's UI: "
            + ", ".join(sorted({job.request_id for job in absent})[:10])
        )

    async def _why_not_believed(self, absent: Sequence[Job], lists: _Lists) -> str | None:
        """Why the absence of these jobs from the lists proves nothing; None where it does."""
        work = self.work
        if work.ledger.limits.keys_come_back() is False:
            return "Adobe gives the users' keys back changed"
        if not (lists.open_job or work.ledger.limits.lists_show_open_jobs() or await self._find_open_job()):
            return "Adobe's lists were never seen to show a job that is not finished"
        if lists.open_job:
            work.ledger.limits.note_open_job_listed()
        if not self._reached_day_of(max(_until(job) for job in absent), lists):
            return "Adobe's lists end before the day of the call; the next run looks again"
        return None

    async def _find_open_job(self) -> bool:
        """Whether any list shows a job that is not finished: by its row, or one of ours by its detail."""
        work = self.work
        silent: list[str] = []
        for code in listing_codes(work.batch.regulation):
            since = work.client.server_time() - LIST_REACH
            async for listed in self._listed_under(code, since, thorough=False):
                if listed.status in OPEN:
                    work.ledger.limits.note_open_job_listed()
                    return True
                if listed.status is JobStatus.UNKNOWN:
                    silent.append(listed.job_id)
        for job in work.ledger.others.jobs_at_adobe(silent, *OPEN_AT_ADOBE)[-ASKED_SINGLY:]:
            try:
                detail = await work.client.get_job(str(job.adobe_job_id))
            except RateLimited:
                raise
            except PrivacyServiceError as error:
                # It is no witness, and another job may be one.
                log.warning("Job %s cannot be asked for: %s", job.adobe_job_id, error)
                continue
            if detail.status in OPEN:
                work.ledger.limits.note_open_job_listed()
                return True
        return False

    def _reached_day_of(self, intent: datetime, lists: _Lists) -> bool:
        """A service that takes no `toDate` after today, and does not count that day in, hides what is of today."""
        client = self.work.client
        now = client.server_time()
        day = (intent + (now - self.work.ledger.now())).date()
        shown = lists.newest is not None and lists.newest.date() >= day
        return client.lists_all_of_today or shown or now.date() > day

    def _send_again(self, absent: Sequence[Job]) -> None:
        work = self.work
        count = work.ledger.intents.withdraw(
            absent, JobState.PLANNED, "not at Adobe when the list had had time to show it"
        )
        log.info("%d jobs of batch %s are certainly not at Adobe: they are sent again", count, work.batch.id)
        work.lost_calls += bool(count)
        if work.lost_calls == MAX_LOST_CALLS:
            raise TemporarilyUnavailable(
                f"{MAX_LOST_CALLS} calls in a row ended without a usable answer and made no jobs. Nothing is "
                "lost; try again later.",
                method="POST",
                route="/jobs",
            )


def _until(job: Job) -> datetime:
    """The latest moment at which a call may have begun that made the job."""
    return max(intent_of(job), job.doubt_until or intent_of(job))
