"""Archives what Adobe finished on given days, whoever asked for it.

So no result waits behind the slower jobs of its batch, and jobs made by hand in Adobe's UI are kept as well.

Adobe's documents disagree on what the list's dates mean (a job's creation, its last change or its completion).
So the lists are asked for every day on which a job finished then may count, and the rows' own dates decide.
They reach 45 days back. What follows under each reading: a job that someone else made more than 45 days ago may
be in no list any more; of our own such jobs, the ledger knows the ids, and they are asked for singly.

May be repeated, and run beside itself and beside the runs that wait: what has a manifest is not fetched again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import RequestRefused
from adobe_privacy.api.models import JobSummary
from adobe_privacy.archive import ArchiveSettings
from adobe_privacy.intake.request import request_id_in
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.others import OthersJob
from adobe_privacy.ledger.schema import Origin
from adobe_privacy.ledger.states import JobState
from adobe_privacy.regulations.clocks import DEFAULT, Clocks, due_dates
from adobe_privacy.regulations.codes import REGULATIONS, listing_codes
from adobe_privacy.results.completion import Completion, complete_jobs
from adobe_privacy.storage import Store
from adobe_privacy.waiting.looks import LOOK_BACK

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
# Privacy jobs guide, "job ID": job data can be read for 30 days after completion.
DETAIL_KEPT = timedelta(days=30)
# Adobe's list has a row per job and no regulation in it, and wants one code per call: so many calls at once.
LISTS_AT_ONCE = 4
ASKED_SINGLY = 500
OPEN_AT_ADOBE = (JobState.SUBMITTED, JobState.COMPLETE)


class DayOutOfReach(Exception):
    """Adobe no longer lists what finished on that day; the text says what is still possible."""


@dataclass
class Sweep:
    """What became of the jobs that finished on the days swept.

    `left` jobs may be what became of a call of ours without an answer: the submission settles that. `errors`
    are those of our own jobs that are final, and `gone` names what can be read no more: both need a person.
    `failures` may go away when tried again.
    """

    finished: int = 0
    adopted: int = 0
    archived: int = 0
    partial: int = 0
    bytes: int = 0
    left: int = 0
    errors: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def sweep(
    *,
    first: date,
    last: date,
    ledger: Ledger,
    archive: Store,
    client: PrivacyServiceClient,
    regulations: Collection[str] = tuple(REGULATIONS),
    clocks: Clocks = DEFAULT,
    settings: ArchiveSettings | None = None,
    on_progress: Callable[[Completion], None] | None = None,
) -> Sweep:
    """Archives every job of these regulations that finished on the UTC days from `first` to `last`, both
    included, and is not archived yet. A job that is not ours gets a row of its own in the ledger, without its
    user key. Days further back than Adobe lists are left out.

    Raises DayOutOfReach where that is so for all of them, PrivacyServiceError where nothing can be listed.
    """
    await client.learn_server_time()
    now = client.server_time()
    earliest = (now - LOOK_BACK).date()
    if last < earliest:
        raise DayOutOfReach(
            f"what finished on {last} can no longer be listed: Adobe lists jobs of the last 45 days. The earliest "
            f"day that can be swept is {earliest}. Jobs of ours that are not archived yet are asked for by their "
            "ids in every later sweep, as long as Adobe knows them; of others, whoever knows a job's id can fetch "
            "its result for 60 days after its completion"
        )
    rows = await _finished_jobs(client, regulations, earliest, max(first, earliest), last)
    readable = {
        job_id: found
        for job_id, found in rows.items()
        if found.row.last_modified_at is None or found.row.last_modified_at > now - DETAIL_KEPT
    }
    result = Sweep(finished=len(rows))
    result.gone = _gone(ledger, rows.keys() - readable.keys())
    _adopt(ledger, readable, clocks, result)
    jobs = {job.id: job for job in ledger.others.jobs_at_adobe(readable, *OPEN_AT_ADOBE)}
    # What the lists do not reach any more.
    moment = ledger.now()
    for job in ledger.others.submitted_between(
        moment - 2 * LOOK_BACK, moment - LOOK_BACK + DAY, limit=ASKED_SINGLY
    ):
        jobs.setdefault(job.id, job)
    completion = await complete_jobs(
        list(jobs.values()),
        ledger=ledger,
        archive=archive,
        client=client,
        settings=settings,
        on_progress=on_progress,
    )
    result.archived, result.failures = completion.archived, completion.failures
    result.partial, result.bytes = completion.partial, completion.bytes
    # Those of the last two days whenever they are swept, of earlier ones those that ended just now.
    of_late = {
        job_id
        for job_id, found in readable.items()
        if found.row.last_modified_at is not None and found.row.last_modified_at.date() >= last - DAY
    }
    result.errors = _errors(ledger, of_late | {job.adobe_job_id or "" for job in jobs.values()})
    return result


@dataclass(frozen=True)
class _Finished:
    regulation: str
    row: JobSummary


async def _finished_jobs(
    client: PrivacyServiceClient, regulations: Collection[str], since: date, first: date, last: date
) -> dict[str, _Finished]:
    """The jobs that finished on those days, by Adobe's id. `since` is as far back as the lists reach."""
    gate = asyncio.Semaphore(LISTS_AT_ONCE)
    refusals: list[RequestRefused] = []

    async def under(code: str) -> list[JobSummary]:
        async with gate:
            try:
                # Whether `toDate` is within is documented nowhere.
                listing = client.list_jobs(code, from_date=since, to_date=last + DAY)
                return [row async for row in listing if _finished_between(row, first, last)]
            except RequestRefused as error:
                # A retired code may be one day; under a code that Adobe does not know there are no jobs.
                log.log(logging.WARNING if code in REGULATIONS else logging.DEBUG, "%s: %s", code, error)
                refusals.append(error)
                return []

    codes = [(code, regulation) for regulation in regulations for code in listing_codes(regulation)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [(regulation, group.create_task(under(code))) for code, regulation in codes]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    if len(refusals) == len(codes):
        raise refusals[0]
    # The oldest guide lists jobs of ccpa under gdpr too. The more particular code counts, which comes later.
    return {row.job_id: _Finished(regulation, row) for regulation, task in tasks for row in task.result()}


def _finished_between(row: JobSummary, first: date, last: date) -> bool:
    # A row without a date may be of those days: whether it is archived, the ledger knows.
    return row.status.is_terminal and (
        row.last_modified_at is None or first <= row.last_modified_at.date() <= last
    )


def _gone(ledger: Ledger, job_ids: Collection[str]) -> list[str]:
    """Of jobs that can be read no more, those that should have been archived."""
    open_jobs = ledger.others.jobs_at_adobe(job_ids, *OPEN_AT_ADOBE)
    unknown = set(job_ids) - ledger.intents.known_adobe_jobs(job_ids)
    return [f"{job.key} ({job.action}, Adobe job {job.adobe_job_id})" for job in open_jobs] + [
        f"Adobe job {job_id}, not ours" for job_id in sorted(unknown)
    ]


def _adopt(ledger: Ledger, found: Mapping[str, _Finished], clocks: Clocks, result: Sweep) -> None:
    unknown = found.keys() - ledger.intents.known_adobe_jobs(found)
    jobs = [_others_job(found[job_id], clocks) for job_id in sorted(unknown)]
    left = ledger.others.register(jobs)
    result.left = len(left)
    result.adopted = len(jobs) - len(left)


def _others_job(found: _Finished, clocks: Clocks) -> OthersJob:
    row = found.row
    # Older than the list's dates it cannot be by much, and its completion is the latest that it can be.
    created_at = row.created_at or row.last_modified_at or datetime.now(UTC)
    return OthersJob(
        adobe_job_id=row.job_id,
        regulation=found.regulation,
        action=row.action or "access",
        created_at=created_at,
        due_on=due_dates(found.regulation, created_at, clocks=clocks).answer_by,
        request_id_in_key=request_id_in(row.key or ""),
    )


def _errors(ledger: Ledger, job_ids: Collection[str]) -> list[str]:
    """Our own jobs among these that ended in error for good."""
    return [
        f"{job.key} ({job.action}, {job.regulation}, Adobe job {job.adobe_job_id}): "
        f"Adobe ended it in error, {job.outcome_code or 'no code'}"
        for job in ledger.others.jobs_at_adobe(job_ids, JobState.ERROR)
        if job.origin is Origin.INBOX
    ]
