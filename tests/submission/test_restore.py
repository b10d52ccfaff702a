"""The restore drill, and what a sweep makes of a ledger that has lost something."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Base
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ownership import check_owner
from adobe_privacy.planning.planning import PlanSettings
from adobe_privacy.results.sweep import sweep
from adobe_privacy.storage import open_store
from adobe_privacy.submission.reconciliation import Reconciliation, reconcile
from tests.submission.day import START, Day
from tests.submission.test_submission import config, hand_in, line, plan
from tests.support.ledgers import DAY, FakeClock
from tests.support.simulator import Simulator


@pytest.fixture
async def drill(adobe: Simulator, tmp_path: Path, ledger_url: str) -> AsyncIterator[Day]:
    adobe.reset()
    (tmp_path / "inbox").mkdir()
    clock = FakeClock(START)
    with Ledger(ledger_url, actor="test", now=clock) as ledger:
        ledger.protection.check({"organisation": adobe.org_id})
        async with PrivacyServiceClient(config(adobe)) as client:
            yield Day(adobe, open_store(f"file://{tmp_path}/inbox"), ledger, client, clock)


Backup = dict[str, list[dict[str, Any]]]


def back_up(ledger: Ledger) -> Backup:
    with ledger.unit.read() as session:
        tables = Base.metadata.sorted_tables
        return {each.name: [dict(row) for row in session.execute(select(each)).mappings()] for each in tables}


def restore(ledger: Ledger, backup: Backup) -> None:
    with ledger.unit.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(delete(table))
        for table in Base.metadata.sorted_tables:
            if backup[table.name]:
                session.execute(insert(table), backup[table.name])


async def reconciled(day: Day, *, apply: bool) -> Reconciliation:
    return await reconcile(
        ledger=day.ledger,
        inbox=day.inbox,
        archive=day.archive,
        client=day.client,
        settings=PlanSettings(organisation=day.simulator.org_id),
        apply=apply,
        regulations=("gdpr",),
    )


async def run(day: Day, run_id: str) -> None:
    for batch in plan(day.inbox, day.ledger, run_id=run_id):
        await day.submit(batch)


def made(day: Day) -> Counter[tuple[str, str]]:
    return Counter((job["key"], job["action"]) for job in day.simulator.jobs())


def by_id(day: Day) -> dict[str, str]:
    return {f"{job['key']} {job['action']}": job["jobId"] for job in day.simulator.jobs()}


async def test_the_restore_drill(drill: Day) -> None:
    """Back-up, 100 requests, restore: nothing sent before `reconcile`, and after it 0 twice and 0 lost."""
    hand_in(drill.inbox, line(0, "access"), name="before.jsonl")
    await run(drill, "before")
    # Taken in before the back-up, sent after it.
    hand_in(drill.inbox, *(line(number) for number in range(1, 21)), name="known.jsonl")
    planned = plan(drill.inbox, drill.ledger, run_id="lost")
    batches = [each for each in planned if drill.ledger.claims.batch_jobs(each.id, JobState.PLANNED)]
    backup = back_up(drill.ledger)
    for batch in batches:
        await drill.submit(batch)
    # Taken in and sent after the back-up.
    hand_in(drill.inbox, *(line(number) for number in range(21, 101)), name="unknown.jsonl")
    await run(drill, "lost, too")
    assert len(made(drill)) == made(drill).total() == 201
    drill.pass_time(timedelta(hours=1))

    restore(drill.ledger, backup)
    # What arrives now was never sent.
    hand_in(drill.inbox, *(line(number) for number in range(101, 111)), name="new.jsonl")
    with pytest.raises(LedgerError, match="older than the archive"):
        check_owner(drill.ledger, drill.archive, drill.simulator.org_id)
    for batch in batches:
        with pytest.raises(LedgerError, match="older than the archive"):
            await drill.submit(batch)
    assert made(drill).total() == 201

    before = back_up(drill.ledger)
    found = await reconciled(drill, apply=False)
    assert (found.differs, found.requests, len(found.at_adobe)) == (True, 90, 200)
    assert back_up(drill.ledger) == before, "a dry run changes nothing"

    found = await reconciled(drill, apply=True)
    assert (found.requests, len(found.at_adobe), found.doubtful) == (90, 200, 20)
    assert made(drill).total() == 201, "it sends nothing"
    check_owner(drill.ledger, drill.archive, drill.simulator.org_id)

    await run(drill, "after")
    assert made(drill).total() == len(made(drill)) == 201 + 20, "0 twice"
    ids = by_id(drill)
    for number in range(1, 111):
        for job in drill.ledger.people.request_jobs(f"DSR-{number}"):
            assert job.state is JobState.SUBMITTED
            assert job.adobe_job_id == ids[f"{job.key} {job.action}"], "0 lost"
    again = await reconciled(drill, apply=False)
    assert (again.differs, again.at_adobe, again.unknown) == (False, [], 0)


async def test_what_cannot_be_known_is_not_sent(drill: Day) -> None:
    """Adobe's lists do not show yet what was sent a moment before the restore."""
    hand_in(drill.inbox, line(1, "access"))
    [batch] = plan(drill.inbox, drill.ledger)
    backup = back_up(drill.ledger)
    await drill.submit(batch)
    restore(drill.ledger, backup)
    drill.simulator.switch(list_lag_seconds=3600)
    found = await reconciled(drill, apply=True)
    assert (found.at_adobe, found.doubtful) == ([], 1)
    # Nobody ever saw an open job in a list: its absence proves nothing.
    result = await drill.submit(plan(drill.inbox, drill.ledger, run_id="after")[0])
    assert made(drill).total() == 1
    assert result.unknown == 1
    drill.simulator.switch(list_lag_seconds=0)
    result = await drill.submit(batch)
    assert result.recognised == 1
    assert made(drill).total() == 1


async def test_a_sweep_marks_what_the_ledger_takes_for_not_sent(drill: Day) -> None:
    """p10: neither the archive nor a person has noticed the restore."""
    hand_in(drill.inbox, line(1))
    drill.ledger.intake.fingerprint(b"")
    backup = back_up(drill.ledger)
    await run(drill, "run")
    restore(drill.ledger, backup)
    (Path(drill.archive.location.prefix) / "ledger.json").unlink()
    [batch] = plan(drill.inbox, drill.ledger, run_id="after the restore")
    swept = await sweep(
        first=DAY,
        last=DAY + timedelta(days=2),
        ledger=drill.ledger,
        archive=drill.archive,
        client=drill.client,
        regulations=["gdpr"],
    )
    assert swept.doubtful == 2
    result = await drill.submit(batch)
    assert (result.recognised, result.submitted) == (2, 0)
    assert made(drill) == {("DSR-1", "access"): 1, ("DSR-1", "delete"): 1}


async def test_a_ledger_that_is_lost_for_good_goes_on_with_an_empty_one(drill: Day) -> None:
    backup = back_up(drill.ledger)
    hand_in(drill.inbox, *(line(number) for number in range(1, 4)))
    await run(drill, "lost")
    restore(drill.ledger, backup)
    drill.pass_time(timedelta(hours=1))
    with pytest.raises(LedgerError, match="an empty one"):
        check_owner(drill.ledger, drill.archive, drill.simulator.org_id)
    await reconciled(drill, apply=True)
    await run(drill, "after")
    assert made(drill).total() == len(made(drill)) == 6


async def test_the_ledger_that_had_the_archive_stops(drill: Day, tmp_path: Path) -> None:
    hand_in(drill.inbox, line(1))
    await run(drill, "run")
    still_running = back_up(drill.ledger)
    drill.ledger.identity.renew(at_least=0)
    await reconciled(drill, apply=True)
    restore(drill.ledger, still_running)
    with pytest.raises(LedgerError, match="belongs to the ledger"):
        check_owner(drill.ledger, drill.archive, drill.simulator.org_id)
