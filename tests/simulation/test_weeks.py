"""Ten weeks of a day after another, in which Airflow is out for four days and for nine, files come late every week,
answers are lost and the ledger is restored from a back-up of three days ago: nothing is sent twice, and nothing is lost
that Adobe still had."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.planning.planning import PlanSettings, plan_day
from adobe_privacy.results.completion import complete_jobs
from adobe_privacy.results.sweep import sweep
from adobe_privacy.storage import FileOptions, Store, open_store
from adobe_privacy.submission.reconciliation import Reconciliation, reconcile
from adobe_privacy.submission.submission import submit_batch
from tests.submission.test_restore import back_up, restore
from tests.submission.test_submission import config, settings
from tests.support.ledgers import FakeClock
from tests.support.simulator import Simulator, running_simulator

BEGIN = datetime(2026, 9, 1, 0, 30, tzinfo=UTC)
DAYS_WITH_REQUESTS = 70
# Adobe takes up to 45 days for a delete.
DAYS = DAYS_WITH_REQUESTS + 50
OUTAGES = (range(12, 16), range(33, 42))
# Before the runs of the first day the ledger is backed up, before those of the second it is restored.
BACKED_UP, RESTORED = 52, 55
A_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def adobe() -> Iterator[Simulator]:
    switches = {
        "access_delay_seconds": "300..1728000",
        "delete_delay_seconds": f"{15 * 86400}..{45 * 86400 - 3600}",
        "processing_delay_seconds": "60..600",
    }
    with running_simulator(start_time=BEGIN.isoformat(), clock_rate=0, switches=switches) as simulator:
        yield simulator


class Weeks:
    """Where a schedule without catch-up carries each day's run and sweep, as long as Airflow is there."""

    def __init__(self, simulator: Simulator, folder: Path, ledger: Ledger, clock: FakeClock) -> None:
        self.simulator, self.folder, self.ledger, self.clock = simulator, folder, ledger, clock
        self.client = PrivacyServiceClient(config(simulator))
        self.wanted: set[tuple[str, str]] = set()
        # Told by a sweep as what Adobe has no more.
        self.gone: list[str] = []
        self.sweeps_failed = 0

    def place(self, name: str) -> Store:
        return open_store(f"file://{self.folder / name}", FileOptions(create=True))

    def hand_in(self, day: date, name: str) -> None:
        lines = []
        for number, actions in enumerate((["access"], ["delete"], ["access", "delete"])):
            request_id = f"DSR-{day}-{name}-{number}"
            self.wanted |= {(request_id, action) for action in actions}
            lines.append(
                {
                    "request_id": request_id,
                    "regulation": "gdpr",
                    "actions": actions,
                    "identities": [{"namespace": "email", "value": f"{name}{number}.{day}@example.com"}],
                    "products": ["profileService"],
                }
            )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        self.place("inbox").write(f"{day}/{name}.jsonl", text.encode())

    async def run(self, day: date) -> None:
        plan = plan_day(
            self.place("inbox"), self.ledger, day=day, run_id=f"run of {day}", settings=PlanSettings()
        )
        for planned in plan.batches:
            result = await submit_batch(
                batch=planned.batch,
                inbox=self.place("inbox"),
                archive=self.place("archive"),
                ledger=self.ledger,
                client=self.client,
                settings=settings(self.simulator),
                sleep=self.sleep,
            )
            assert result.not_before is None
        # What waits and archive of the runs do, of which a restart loses none.
        jobs = [
            job
            for planned in plan.batches
            for job in self.ledger.claims.batch_jobs(planned.batch.id, JobState.COMPLETE)
        ]
        await complete_jobs(jobs, ledger=self.ledger, archive=self.place("archive"), client=self.client)

    async def sweep(self, day: date) -> None:
        result = await sweep(
            first=day - 2 * A_DAY,
            last=day + A_DAY,
            ledger=self.ledger,
            archive=self.place("archive"),
            client=self.client,
            regulations=("gdpr",),
        )
        self.gone += result.gone
        self.sweeps_failed += bool(result.failures or result.errors)

    async def reconcile(self) -> Reconciliation:
        return await reconcile(
            ledger=self.ledger,
            inbox=self.place("inbox"),
            archive=self.place("archive"),
            client=self.client,
            settings=PlanSettings(organisation=self.simulator.org_id),
            apply=True,
            regulations=("gdpr",),
        )

    async def sleep(self, seconds: float) -> None:
        self.pass_time(timedelta(seconds=seconds))

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(seconds=by.total_seconds())
        self.simulator.set_clock(now=self.clock().isoformat(), rate=0)

    def jobs(self) -> list[Job]:
        return [job for key, _ in self.wanted for job in self.ledger.people.request_jobs(key)]


@pytest.mark.timeout(600)
async def test_ten_weeks_with_outages_late_files_and_a_restore_lose_nothing_and_send_nothing_twice(
    adobe: Simulator, tmp_path: Path, sqlite_url: str
) -> None:
    clock = FakeClock(BEGIN)
    with Ledger(sqlite_url, actor="weeks", now=clock) as ledger:
        ledger.protection.check({"organisation": adobe.org_id})
        weeks = Weeks(adobe, tmp_path, ledger, clock)
        async with weeks.client:
            for number in range(DAYS):
                day = (BEGIN + number * A_DAY).date()
                weeks.pass_time(datetime(day.year, day.month, day.day, 0, 30, tzinfo=UTC) - clock())
                # Files are handed in whether Airflow is there or not, and once a week into a folder of three days ago.
                if number < DAYS_WITH_REQUESTS:
                    weeks.hand_in(day - A_DAY, "a")
                    if number % 7 == 5:
                        weeks.hand_in(day - 4 * A_DAY, "late")
                if any(number in outage for outage in OUTAGES):
                    continue
                if number % 10 == 3:
                    adobe.fault("create", ("drop_after", "partial_response", "drop_before")[number // 10 % 3])
                if number == BACKED_UP:
                    backup = back_up(ledger)
                if number == RESTORED:
                    known = len(adobe.jobs())
                    restore(ledger, backup)
                    with pytest.raises(LedgerError, match="older than the archive"):
                        await weeks.run(day - A_DAY)
                    found = await weeks.reconcile()
                    assert found.applied
                    assert len(found.at_adobe) >= 3 * 4, "what was sent since the back-up is recognised"
                    assert found.archived, "what was archived since is recorded"
                    assert len(adobe.jobs()) == known, "nothing was sent"
                await weeks.run(day - A_DAY)
                await weeks.sweep(day - A_DAY)
        made = Counter((job["key"], job["action"]) for job in adobe.jobs())
        assert set(made) == weeks.wanted, "lost"
        assert set(made.values()) == {1}, "sent twice"
        assert weeks.gone == []
        assert weeks.sweeps_failed == 0
        assert {job.state for job in weeks.jobs()} == {JobState.ARCHIVED}
        results = sum(1 for _ in (tmp_path / "archive").rglob("manifest.json"))
        assert results == len(weeks.wanted)
