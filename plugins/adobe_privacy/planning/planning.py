"""One day's plan: the inbox into the ledger, the ledger into batches.

Planning sends nothing. It may be repeated: what is known is recognised, what is claimed stays claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date

from adobe_privacy.ledger.claims import BatchContent
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.quotas import Quota
from adobe_privacy.ledger.schema import Batch
from adobe_privacy.planning.scratch import scratch_ledger
from adobe_privacy.planning.taking_in import LATE_DAYS, Intake, PlanSettings, take_in_day
from adobe_privacy.storage import Store

__all__ = ["LATE_DAYS", "MAX_BATCHES", "Intake", "Plan", "PlanSettings", "PlannedBatch", "plan_day"]

# Each batch is a handful of task instances. A full day of Adobe's limit is 20 batches, for each regulation and list
# of products a few more; what has no room is the next plan's.
MAX_BATCHES = 100


@dataclass(frozen=True)
class PlannedBatch:
    batch: Batch
    content: BatchContent


@dataclass(frozen=True)
class Plan:
    """What a run will do. `waiting` jobs are left for the next run, because of the quota or `max_jobs`."""

    intake: Intake
    batches: list[PlannedBatch]
    waiting: int
    quota: Quota
    daily_limit: int
    inbox_retention_days: int | None = None


def plan_day(
    store: Store,
    ledger: Ledger,
    *,
    day: date,
    run_id: str,
    settings: PlanSettings,
    dry_run: bool = False,
    still_asks: Callable[[str], bool] = lambda _: True,
) -> Plan:
    """Takes the day's requests in and claims batches for `run_id`. The plan lists these and every batch of the
    day that an earlier run left unfinished.

    With `dry_run` the same is computed and nothing is kept: not in the ledger, not under `rejected/`. Nobody who
    writes to the ledger waits for it.
    `still_asks` says of an actor, who asked a person about a batch's deletes, whether the question still stands; what
    nobody asks about any more is asked again.
    Raises StorageError where the inbox cannot be read.
    """
    if dry_run:
        with scratch_ledger(ledger, run_id=run_id, inbox_date=day) as scratch:
            return _plan(store, scratch, day, run_id, settings, still_asks, report=False)
    return _plan(store, ledger, day, run_id, settings, still_asks, report=True)


def _plan(
    store: Store,
    ledger: Ledger,
    day: date,
    run_id: str,
    settings: PlanSettings,
    still_asks: Callable[[str], bool],
    *,
    report: bool,
) -> Plan:
    for batch in ledger.approvals.open_questions():
        if not still_asks(batch.asked_by or ""):
            ledger.approvals.stop_asking(batch.id, batch.asked_by)
    intake = take_in_day(store, ledger, day=day, run_id=run_id, settings=settings, report=report)
    late = {date.fromisoformat(source.split("/", 1)[0]) for source in intake.late}
    _claim(ledger, day, run_id, settings, late)
    open_batches = ledger.claims.open_batches(run_id=run_id, inbox_date=day)
    contents = ledger.claims.batch_contents([batch.id for batch in open_batches])
    return Plan(
        intake=intake,
        batches=[
            PlannedBatch(batch, contents[batch.id])
            for batch in open_batches
            # A run that may send only so many jobs sends no other run's.
            if batch.id in contents
            and (settings.max_jobs is None or batch.run_id == run_id or not contents[batch.id].unsent)
        ][:MAX_BATCHES],
        waiting=ledger.claims.count_waiting(day, late),
        quota=ledger.quotas.today(),
        daily_limit=settings.daily_limit,
        inbox_retention_days=settings.inbox_retention_days,
    )


def _claim(ledger: Ledger, day: date, run_id: str, settings: PlanSettings, late: Collection[date]) -> None:
    """Claims batches for the run until nothing waits, or there is no room for more in the day or the run."""
    open_batches = ledger.claims.open_batches(run_id=run_id, inbox_date=day)
    for _ in range(MAX_BATCHES - len(open_batches)):
        # What the run claimed before it was tried again or cleared counts as well.
        room = None if settings.max_jobs is None else settings.max_jobs - ledger.claims.jobs_of_run(run_id)
        if room is not None and room <= 0:
            return
        batch = ledger.claims.claim_batch(
            run_id=run_id,
            inbox_date=day,
            daily_limit=int(settings.daily_limit * settings.share),
            products=",".join(settings.products),
            default_products=",".join(settings.default_products),
            max_jobs=room,
            approve_deletes=settings.approve_deletes,
            late=late,
        )
        if batch is None:
            return
