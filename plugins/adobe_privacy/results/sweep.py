"""Archives what Adobe has finished and the ledger does not have as archived, whoever asked for it and whenever.

So no result waits behind the slower jobs of its batch, jobs made by hand in Adobe's UI are kept as well, and what
finished while nobody swept is found by the next sweep.

Adobe's documents disagree on what the list's dates mean (a job's creation, its last change or its completion).
The lists reach 45 days back, and are read as far as they reach. What a sweep does is decided by state: a job that
is listed as finished is archived. A job in the ledger that no list shows is asked for by its id. What follows under
each reading: a job that someone else made more than 45 days ago may be in no list any more.

May be repeated, and run beside itself and beside the runs that wait: what has a manifest is not fetched again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    PrivacyServiceError,
    RateLimited,
    RequestRefused,
)
from adobe_privacy.api.facts import DETAIL_KEPT, LIST_LOOK_BACK, LIST_REACH, RESULT_KEPT
from adobe_privacy.api.models import JobSummary
from adobe_privacy.archive import ArchiveSettings
from adobe_privacy.intake.request import request_id_in
from adobe_privacy.ledger.doubts import SeenJob
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.others import AtAdobe, OthersJob
from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.states import OPEN_AT_ADOBE, JobState
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.regulations.clocks import DEFAULT, Clocks, due_dates
from adobe_privacy.regulations.codes import REGULATIONS, listing_codes
from adobe_privacy.results.completion import Completion, complete_jobs
from adobe_privacy.results.verdicts import missed
from adobe_privacy.storage import Store

log = plain_logger(__name__)

DAY = timedelta(days=1)
# Adobe's list has a row per job and no regulation in it, and wants one code per call: so many calls at once.
LISTS_AT_ONCE = 4
# So many jobs are asked for by their ids in one sweep: first of those that no list shows.
ASKED_SINGLY = 500
# A job that is listed as open is asked for by its id once it is so old. The last is before Adobe may forget its detail.
ASKED_THOUGH_OPEN = tuple(timedelta(days=days) for days in (3, 7, 14, 28))
# After so many lists that cannot be read, and none that can, Adobe is taken to be away.
LISTS_TRIED = 3
# The ledger is asked about so many listed jobs at once.
CHUNK = 1000


_ACTION = re.compile(r"[a-z-]{1,32}")


class DayOutOfReach(Exception):
    """Adobe no longer lists what finished on that day; the text says what is still possible."""


@dataclass
class Sweep:
    """What one sweep did.

    `finished` jobs ended on the days swept. `asked` jobs were in no list and were asked for by their ids; `not_asked`
    ones have their turn in a later sweep. `asked_though_open` ones were listed as open. `left` jobs may be what became
    of a call of ours without an answer: the submission settles that. `doubtful` ones the ledger took for not sent: it
    has lost something, and their submission looks for them. `errors` are those of our own jobs that are final,
    `not_done` those that this sweep archived and that some product did not do, and `gone` names jobs that can be read
    no more: all of them need a person. `failures` may go away when tried again, but for as many results as are
    `damaged`; and so may what is wrong with the lists in `not_listed`, and with the manifests of older versions in
    `not_read`.
    """

    finished: int = 0
    adopted: int = 0
    archived: int = 0
    partial: int = 0
    missed: int = 0
    bytes: int = 0
    asked: int = 0
    not_asked: int = 0
    asked_though_open: int = 0
    left: int = 0
    doubtful: int = 0
    errors: list[str] = field(default_factory=list)
    not_done: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    damaged: int = 0
    not_listed: list[str] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)


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
    default_products: Sequence[str] = (),
    on_progress: Callable[[Completion], None] | None = None,
) -> Sweep:
    """Archives every job of these regulations that Adobe lists as finished and that is not archived yet. As far as the
    sweep's budget of single questions goes, it archives those too that no list shows, or that one shows as open for
    long. A job that is not ours gets a row of its own in the ledger, without its user key. The UTC days from `first` to
    `last` limit only what is counted and told of jobs that were archived before or can be read no more.
    `default_products` are those of requests that name none.

    A list that cannot be read costs no other.

    Raises DayOutOfReach where Adobe lists none of the days, PrivacyServiceError where nothing can be listed.
    """
    await client.learn_server_time()
    now = client.server_time()
    earliest = (now - LIST_REACH).date()
    if last < earliest:
        raise DayOutOfReach(
            f"what finished on {last} can no longer be listed: Adobe lists jobs of the last "
            f"{LIST_LOOK_BACK.days} days. The earliest "
            f"day that can be swept is {earliest}. Jobs of ours that are not archived yet are asked for by their "
            "ids in every later sweep, as long as Adobe knows them; of others, whoever knows a job's id can fetch "
            f"its result for {RESULT_KEPT.days} days after its completion"
        )
    listed = await _listed(client, regulations, ledger, (first, last), (earliest, now.date() + DAY))
    readable = {
        job_id: found
        for job_id, found in listed.unsettled.items()
        if found.row.last_modified_at is None or found.row.last_modified_at > now - DETAIL_KEPT
    }
    result = Sweep(
        finished=len(listed.on_days), doubtful=listed.doubtful, not_listed=list(listed.failures.values())
    )
    unreadable = listed.unsettled.keys() - readable.keys()
    unknown = unreadable - ledger.intents.known_adobe_jobs(unreadable)
    result.gone = [f"Adobe job {job_id}, not ours" for job_id in sorted(unknown & listed.on_days.keys())]
    _register(ledger, readable, clocks, result)
    jobs = {job.id: job for job in ledger.others.jobs_at_adobe(listed.unsettled, *OPEN_AT_ADOBE)}
    for job in _asked_singly(ledger, regulations, listed, result):
        jobs.setdefault(job.id, job)
    completion = await complete_jobs(
        list(jobs.values()),
        ledger=ledger,
        archive=archive,
        client=client,
        settings=settings,
        clocks=clocks,
        default_products=default_products,
        on_progress=on_progress,
    )
    result.archived, result.failures = completion.archived, completion.failures
    result.damaged = completion.damaged
    result.gone += completion.gone
    result.partial, result.bytes = completion.partial, completion.bytes
    # Those of the last two days whenever they are swept, of earlier ones those that ended just now.
    of_late = {job_id for job_id, day in listed.on_days.items() if day >= last - DAY}
    result.missed = len(completion.missed)
    told = of_late | {job.adobe_job_id or "" for job in jobs.values()}
    result.errors = _errors(ledger, told)
    # What was archived before was told then. Until a person acts, the list of what needs a person has it.
    result.not_done = _not_done(ledger, {job.adobe_job_id or "" for job in jobs.values()})
    return result


@dataclass(frozen=True)
class _Finished:
    regulation: str
    row: JobSummary


@dataclass
class _Listed:
    """What Adobe's lists show, by Adobe's job ids: what is open, what ended on the days swept, and of all that
    ended what the ledger does not know or has still work with."""

    open: set[str] = field(default_factory=set)
    on_days: dict[str, date] = field(default_factory=dict)
    unsettled: dict[str, _Finished] = field(default_factory=dict)
    # Rows of which the ledger was not asked yet: whether it takes them for not sent (and how many jobs it did), and
    # whether it has work with them.
    seen: list[JobSummary] = field(default_factory=list)
    ended: list[JobSummary] = field(default_factory=list)
    doubtful: int = 0
    failures: dict[str, str] = field(default_factory=dict)  # by the code of the list


async def _listed(
    client: PrivacyServiceClient,
    regulations: Collection[str],
    ledger: Ledger,
    days: tuple[date, date],
    reach: tuple[date, date],
) -> _Listed:
    gate = asyncio.Semaphore(LISTS_AT_ONCE)
    failures: list[PrivacyServiceError] = []
    read: list[str] = []

    async def under(code: str) -> _Listed:
        part = _Listed()
        async with gate:
            try:
                # Whether `toDate` is within is documented nowhere.
                async for row in client.list_jobs(code, from_date=reach[0], to_date=reach[1]):
                    _note(ledger, row, part, code, days)
                read.append(code)
            except (AuthenticationFailed, ConnectionFailed):
                raise
            except PrivacyServiceError as error:
                failures.append(error)
                limited = sum(isinstance(each, RateLimited) for each in failures)
                if isinstance(error, RequestRefused) and code not in REGULATIONS:
                    # A retired code may be refused one day: under a code that Adobe does not know there are no jobs.
                    log.debug("%s: %s", code, error)
                elif (not read and len(failures) == LISTS_TRIED) or limited == LISTS_AT_ONCE:
                    raise
                else:
                    part.failures[code] = f"the list of {code}: {error}"
            _keep_unsettled(ledger, part, code)
            _note_seen(ledger, part)
        return part

    codes = [(code, regulation) for regulation in regulations for code in listing_codes(regulation)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [(regulation, group.create_task(under(code))) for code, regulation in codes]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    if len(failures) == len(codes):
        raise next((error for error in failures if isinstance(error, RateLimited)), failures[0])
    whole = _Listed()
    # The oldest guide lists jobs of ccpa under gdpr too. The more particular code counts, which comes later.
    for regulation, task in tasks:
        part = task.result()
        whole.open |= part.open
        whole.doubtful += part.doubtful
        whole.failures |= part.failures
        whole.on_days |= part.on_days
        whole.unsettled |= {
            job_id: _Finished(regulation, found.row) for job_id, found in part.unsettled.items()
        }
    return whole


def _note(ledger: Ledger, row: JobSummary, part: _Listed, code: str, days: tuple[date, date]) -> None:
    part.seen.append(row)
    if len(part.seen) == CHUNK:
        _note_seen(ledger, part)
    if not row.status.is_terminal:
        part.open.add(row.job_id)
        return
    day = row.last_modified_at.date() if row.last_modified_at else None
    if day is not None and days[0] <= day <= days[1]:
        part.on_days[row.job_id] = day
    part.ended.append(row)
    if len(part.ended) == CHUNK:
        _keep_unsettled(ledger, part, code)


def _keep_unsettled(ledger: Ledger, part: _Listed, code: str) -> None:
    rows, part.ended = part.ended, []
    settled = ledger.others.settled([row.job_id for row in rows])
    part.unsettled |= {row.job_id: _Finished(code, row) for row in rows if row.job_id not in settled}


def _note_seen(ledger: Ledger, part: _Listed) -> None:
    """What Adobe lists and the ledger takes for not sent, its submission looks up before it sends it."""
    rows, part.seen = part.seen, []
    seen = [
        SeenJob(row.job_id, request_id, row.action or "")
        for row in rows
        if (request_id := request_id_in(row.key or "")) is not None
    ]
    part.doubtful += ledger.doubts.note_seen(seen)


def _asked_singly(ledger: Ledger, regulations: Collection[str], listed: _Listed, result: Sweep) -> list[Job]:
    """The jobs that the ledger has at Adobe and that no list shows, as many as may be asked for singly. If that leaves
    room, the oldest of those that a list has shown as open for long."""
    chosen: list[int] = []
    though_open: list[AtAdobe] = []
    now = ledger.now()
    # A job may be missing from the lists for some time after it was made.
    for job in ledger.others.least_recently_asked(regulations, now - DAY):
        if job.adobe_job_id in listed.unsettled:
            continue
        # What was seen complete is complete, whatever a list says.
        if job.adobe_job_id in listed.open and job.outcome is None:
            if _has_its_turn(job, now):
                though_open.append(job)
        elif len(chosen) < ASKED_SINGLY:
            chosen.append(job.id)
        else:
            result.not_asked += 1
    result.asked = len(chosen)
    # What is stuck is older than what Adobe is still at work with.
    oldest = sorted(though_open, key=lambda job: job.submitted_at)[: ASKED_SINGLY - len(chosen)]
    result.asked_though_open = len(oldest)
    chosen += [job.id for job in oldest]
    return ledger.others.ask(chosen) if chosen else []


def _has_its_turn(job: AtAdobe, now: datetime) -> bool:
    """Whether a job that is listed as open has reached an age since it was last asked for."""
    return any(job.asked_at < job.submitted_at + age <= now for age in ASKED_THOUGH_OPEN)


def _register(ledger: Ledger, found: Mapping[str, _Finished], clocks: Clocks, result: Sweep) -> None:
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
        # Where a row does not say, the detail may.
        action=row.action if row.action and _ACTION.fullmatch(row.action) else "access",
        created_at=created_at,
        due_on=due_dates(found.regulation, created_at, clocks=clocks).answer_by,
        request_id_in_key=request_id_in(row.key or ""),
    )


def _errors(ledger: Ledger, job_ids: Collection[str]) -> list[str]:
    """Our own jobs among these that ended in error for good."""
    return [
        f"{_named(job)}: Adobe ended it in error, {job.outcome_code or 'no code'}"
        for job in ledger.others.jobs_at_adobe(job_ids, JobState.ERROR)
        if job.origin is Origin.INBOX
    ]


def _not_done(ledger: Ledger, job_ids: Collection[str]) -> list[str]:
    """Our own jobs among these of which some product did not do what was asked, while nobody has acted."""
    jobs = ledger.others.not_done(job_ids)
    answers = ledger.results.answers([job.id for job in jobs])
    return [
        f"{_named(job)}: {job.outcome}: {', '.join(missed(job.action, answers.get(job.id, ())))}"
        for job in jobs
    ]


def _named(job: Job) -> str:
    return f"{job.key} ({job.action}, {job.regulation}, Adobe job {job.adobe_job_id})"
