"""One day's plan: the inbox into the ledger, the ledger into batches.

Planning sends nothing. It may be repeated: what is known is recognised, what is claimed stays claimed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from adobe_privacy.ledger.ledger import Ledger, Quota, ReceivedJob, ReceivedRequest, Reception
from adobe_privacy.ledger.tables import Batch
from adobe_privacy.regulations.clocks import DEFAULT, Clocks, due_dates
from adobe_privacy.requests.inbox import Line, files_of, read_file, write_rejected
from adobe_privacy.requests.request import Action, PrivacyRequest, check_products, user_key
from adobe_privacy.storage import Store

CHUNK = 1000


@dataclass(frozen=True)
class PlanSettings:
    """How a day is planned.

    `daily_limit` is the organisation's jobs per UTC day. `share` is the part of it that this run may fill:
    below 1 for a backfill, so that the schedule keeps its room. `products` replaces what requests ask for.
    """

    daily_limit: int = 20_000
    share: float = 1.0
    products: tuple[str, ...] = ()
    default_products: tuple[str, ...] = ()
    max_jobs: int | None = None
    clocks: Clocks = DEFAULT


@dataclass
class Intake:
    """What one reading of a day's folder found. Holds request ids and reasons, no identity."""

    files: list[str] = field(default_factory=list)
    new: int = 0
    duplicates: int = 0
    opt_outs: int = 0
    rejected: list[Line] = field(default_factory=list)
    at_risk: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class PlannedBatch:
    batch: Batch
    users: int
    jobs: int
    actions: dict[str, int]
    first_due: date | None


@dataclass(frozen=True)
class Plan:
    """What a run will do. `waiting` jobs are left for the next run, because of the quota or `max_jobs`."""

    intake: Intake
    batches: list[PlannedBatch]
    waiting: int
    quota: Quota
    daily_limit: int


def plan_day(
    store: Store, ledger: Ledger, *, day: date, run_id: str, settings: PlanSettings, dry_run: bool = False
) -> Plan:
    """Takes the day's requests in and claims batches for `run_id`. The plan lists these and every batch of the
    day that an earlier run left unfinished.

    With `dry_run` the same is computed and nothing is kept: not in the ledger, not under `rejected/`.
    Raises StorageError where the inbox cannot be read.
    """
    if dry_run:
        with ledger.rehearsal():
            return _plan(store, ledger, day, run_id, settings, report=False)
    return _plan(store, ledger, day, run_id, settings, report=True)


def _plan(
    store: Store, ledger: Ledger, day: date, run_id: str, settings: PlanSettings, *, report: bool
) -> Plan:
    intake = Intake()
    for source in files_of(store, day):
        intake.files.append(source)
        rejected = list(_take_in(store, ledger, source, day, settings, intake))
        intake.rejected += rejected
        if report:
            write_rejected(store, source, rejected)
    room = settings.max_jobs
    while room is None or room > 0:
        batch = ledger.claim_batch(
            run_id=run_id,
            inbox_date=day,
            daily_limit=int(settings.daily_limit * settings.share),
            products=",".join(settings.products),
            default_products=",".join(settings.default_products),
            max_jobs=room,
        )
        if batch is None:
            break
        if room is not None:
            room -= len(ledger.batch_jobs(batch.id))
    return Plan(
        intake=intake,
        batches=[_describe(ledger, batch) for batch in ledger.open_batches(run_id=run_id, inbox_date=day)],
        waiting=ledger.count_waiting(day),
        quota=ledger.quota(),
        daily_limit=settings.daily_limit,
    )


def _take_in(
    store: Store, ledger: Ledger, source: str, day: date, settings: PlanSettings, intake: Intake
) -> Iterator[Line]:
    """Writes a file's new requests into the ledger, a chunk at a time, and yields the lines it refuses."""
    chunk: list[tuple[Line, ReceivedRequest]] = []
    for line in read_file(store, source):
        request = line.request
        if request is None:
            yield line
            continue
        problem = None
        if any(action is not Action.OPT_OUT_OF_SALE for action in request.actions):
            products = settings.products or request.products or settings.default_products
            problem = check_products(request, products)
        if problem:
            yield Line(source, line.number, reason=problem, request_id=request.request_id)
            continue
        chunk.append((line, received(request, ledger, source, day, settings.clocks, intake)))
        if len(chunk) == CHUNK:
            yield from _record(ledger, chunk, intake)
            chunk = []
    yield from _record(ledger, chunk, intake)


def received(
    request: PrivacyRequest, ledger: Ledger, source: str, day: date, clocks: Clocks, intake: Intake
) -> ReceivedRequest:
    """The request as the ledger knows it: with its clock, without its identities."""
    actions = [action.value for action in request.actions]
    # A request without a time came some time on the folder's day, wherever the law holds.
    unsaid = request.received_at == datetime.combine(day, time(), UTC)
    moment = day if unsaid else request.received_at
    due = due_dates(request.regulation, moment, actions=actions, clocks=clocks)
    if due.at_risk:
        intake.at_risk[f"{request.regulation}: {due.at_risk}"] += 1
    jobs = []
    for action in request.actions:
        if action is Action.OPT_OUT_OF_SALE:
            intake.opt_outs += 1
            due_on = due.opt_out_by or due.answer_by
            jobs.append(ReceivedJob(action.value, 1, request.request_id, due_on))
        else:
            jobs += [
                ReceivedJob(action.value, part, user_key(request.request_id, part), due.answer_by)
                for part in range(1, len(request.parts()) + 1)
            ]
    return ReceivedRequest(
        request_id=request.request_id,
        regulation=request.regulation,
        fingerprint=ledger.fingerprint(request.content()),
        source=source,
        inbox_date=day,
        products=",".join(request.products),
        received_at=request.received_at,
        jobs=tuple(jobs),
    )


def _record(ledger: Ledger, chunk: list[tuple[Line, ReceivedRequest]], intake: Intake) -> Iterator[Line]:
    answers = ledger.receive([request for _, request in chunk])
    for (line, request), answer in zip(chunk, answers, strict=True):
        if answer is Reception.NEW:
            intake.new += 1
        elif answer is Reception.DUPLICATE:
            intake.duplicates += 1
        else:
            yield Line(
                line.source,
                line.number,
                reason="request_id: known already with other content; a changed request needs an id of its own",
                request_id=request.request_id,
            )


def _describe(ledger: Ledger, batch: Batch) -> PlannedBatch:
    jobs = ledger.batch_jobs(batch.id)
    return PlannedBatch(
        batch=batch,
        users=len({job.key for job in jobs}),
        jobs=len(jobs),
        actions=dict(Counter(job.action for job in jobs)),
        first_due=min((job.due_on for job in jobs), default=None),
    )
