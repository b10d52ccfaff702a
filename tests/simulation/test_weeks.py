"""Ten weeks of a day after another, in which Airflow is out for four days and for nine, files come late every week,
answers are lost and the ledger is restored from a back-up of three days ago: nothing is sent twice, and nothing is lost
that Adobe still had.

Each batch is waited for by a trigger, as in Airflow. Its time leaps; a triggerer that stops cancels it, and the next
one starts it from what it had serialised.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.transport import Transport
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
from adobe_privacy.triggers import privacy_jobs
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger
from benchmarks import virtual_time
from benchmarks.virtual_time import VirtualClock
from tests.submission.test_restore import back_up, restore
from tests.submission.test_submission import config, settings
from tests.support.simulator import Simulator, running_simulator

BEGIN = datetime(2026, 9, 1, 0, 30, tzinfo=UTC)
DAYS_WITH_REQUESTS = 70
# Adobe takes up to 45 days for a delete.
DAYS = DAYS_WITH_REQUESTS + 50
OUTAGES = (range(12, 16), range(33, 42))
# Before the runs of the first day the ledger is backed up, before those of the second it is restored.
BACKED_UP, RESTORED = 52, 55
A_DAY = timedelta(days=1)
POLL_INTERVAL = 6 * 3600.0
T = TypeVar("T")


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

    def __init__(self, simulator: Simulator, folder: Path, ledger: Ledger, clock: VirtualClock) -> None:
        self.simulator, self.folder, self.ledger, self.clock = simulator, folder, ledger, clock
        self.wanted: set[tuple[str, str]] = set()
        # Told by a sweep as what Adobe has no more.
        self.gone: list[str] = []
        self.sweeps_failed = 0
        self.triggerer = asyncio.Event()
        self.triggerer.set()
        self.triggers: set[asyncio.Task[Any]] = set()
        self.waits: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self.taken_up = self.archived_by_waits = 0

    def place(self, name: str) -> Store:
        return open_store(f"file://{self.folder / name}", FileOptions(create=True))

    def client(self) -> PrivacyServiceClient:
        return PrivacyServiceClient(config(self.simulator))

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

    async def run(self, day: date) -> list[str]:
        """Returns the batches that are to be waited for."""
        plan = plan_day(
            self.place("inbox"), self.ledger, day=day, run_id=f"run of {day}", settings=PlanSettings()
        )
        async with self.client() as client:
            for planned in plan.batches:
                result = await submit_batch(
                    batch=planned.batch,
                    inbox=self.place("inbox"),
                    archive=self.place("archive"),
                    ledger=self.ledger,
                    client=client,
                    settings=settings(self.simulator),
                    sleep=self.sleep,
                )
                assert result.not_before is None
        return [planned.batch.id for planned in plan.batches]

    async def sweep(self, day: date) -> None:
        async with self.client() as client:
            result = await sweep(
                first=day - 2 * A_DAY,
                last=day + A_DAY,
                ledger=self.ledger,
                archive=self.place("archive"),
                client=client,
                regulations=("gdpr",),
            )
        self.gone += result.gone
        self.sweeps_failed += bool(result.failures or result.errors)

    async def reconcile(self) -> Reconciliation:
        async with self.client() as client:
            return await reconcile(
                ledger=self.ledger,
                inbox=self.place("inbox"),
                archive=self.place("archive"),
                client=client,
                settings=PlanSettings(organisation=self.simulator.org_id),
                apply=True,
                regulations=("gdpr",),
            )

    async def sleep(self, seconds: float) -> None:
        """Of a task, while everybody else's time stands still."""
        self.clock.leap(seconds)

    async def until(self, moment: datetime) -> None:
        await asyncio.sleep((moment - self.clock.now()).total_seconds())

    # -- waiting ------------------------------------------------------------------------------------------

    def wait_for(self, batch_id: str) -> None:
        # A run that was cleared waits again.
        if batch_id not in self.waits or self.waits[batch_id].done():
            self.waits[batch_id] = asyncio.create_task(self._wait(batch_id))

    async def _wait(self, batch_id: str) -> dict[str, Any]:
        deadline = self.clock.now() + timedelta(days=46)
        first_look_after = 0.0
        while True:
            arguments = {
                "batch_id": batch_id,
                "adobe_privacy_conn_id": "adobe_privacy_default",
                "ledger_conn_id": "privacy_ledger",
                "poll_interval": POLL_INTERVAL,
                "deadline": deadline.timestamp(),
                "first_look_after": first_look_after,
            }
            event = await self._event(arguments)
            if event["status"] != "finished" or await task(self._archive(batch_id)) == 0:
                return event
            first_look_after = POLL_INTERVAL

    async def _event(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Of a trigger, started anew wherever a triggerer starts."""
        while True:
            await self.triggerer.wait()
            trigger = PrivacyJobsTrigger(**arguments)
            waiting = asyncio.ensure_future(anext(aiter(trigger.run())))
            self.triggers.add(waiting)
            try:
                return dict((await waiting).payload)
            except asyncio.CancelledError:
                _, arguments = trigger.serialize()
                self.taken_up += 1
            finally:
                self.triggers.discard(waiting)

    async def _archive(self, batch_id: str) -> int:
        """Returns how many jobs are open still."""
        jobs = self.ledger.claims.batch_jobs(batch_id, JobState.SUBMITTED, JobState.COMPLETE)
        async with self.client() as client:
            completion = await complete_jobs(
                jobs, ledger=self.ledger, archive=self.place("archive"), client=client
            )
        self.archived_by_waits += completion.archived
        return completion.open

    def stop_triggerer(self) -> None:
        self.triggerer.clear()
        for waiting in self.triggers:
            waiting.cancel()

    def jobs(self) -> list[Job]:
        return [job for key, _ in self.wanted for job in self.ledger.people.request_jobs(key)]


async def task(step: Coroutine[Any, Any, T]) -> T:
    """On a worker: in a thread, and so a loop, of its own."""
    return await asyncio.to_thread(asyncio.run, step)


@pytest.fixture
def virtual(
    adobe: Simulator, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> VirtualClock:
    """What triggers read time and connections from. A call's time is no virtual one."""
    clock = VirtualClock(BEGIN)
    clock.on_leap = lambda now: adobe.set_clock(now=now.isoformat(), rate=0)
    monkeypatch.setenv(
        "AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", adobe.connection_json(products=["profileService"])
    )
    ledger = {"conn_type": "sqlite", "host": sqlite_url.removeprefix("sqlite:///")}
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps(ledger))
    monkeypatch.setattr(privacy_jobs, "time", SimpleNamespace(time=lambda: clock.now().timestamp()))
    monkeypatch.setattr(privacy_jobs, "datetime", SimpleNamespace(now=lambda _zone: clock.now()))
    exchange = Transport.exchange
    still = clock.during(exchange)

    async def standing_still(transport: Transport, call: Any) -> bytes:
        of_triggers = isinstance(asyncio.get_running_loop(), virtual_time.VirtualTimeLoop)
        return await (still if of_triggers else exchange)(transport, call)

    monkeypatch.setattr(Transport, "exchange", standing_still)
    return clock


@pytest.mark.timeout(1200)
def test_ten_weeks_with_outages_late_files_and_a_restore_lose_nothing_and_send_nothing_twice(
    adobe: Simulator, tmp_path: Path, sqlite_url: str, virtual: VirtualClock
) -> None:
    with Ledger(sqlite_url, actor="weeks", now=virtual.now) as ledger:
        ledger.protection.check({"organisation": adobe.org_id})

        async def live(clock: VirtualClock) -> Weeks:
            weeks = Weeks(adobe, tmp_path, ledger, clock)
            await ten_weeks(weeks)
            return weeks

        weeks = virtual_time.run(live, clock=virtual)
        made = Counter((job["key"], job["action"]) for job in adobe.jobs())
        assert set(made) == weeks.wanted, "lost"
        assert set(made.values()) == {1}, "sent twice"
        assert weeks.gone == []
        assert weeks.sweeps_failed == 0
        assert {job.state for job in weeks.jobs()} == {JobState.ARCHIVED}
        results = sum(1 for _ in (tmp_path / "archive").rglob("manifest.json"))
        assert results == len(weeks.wanted)


async def ten_weeks(weeks: Weeks) -> None:
    adobe, ledger = weeks.simulator, weeks.ledger
    since_backup: set[str] = set()
    for number in range(DAYS):
        day = (BEGIN + number * A_DAY).date()
        await weeks.until(datetime(day.year, day.month, day.day, 0, 30, tzinfo=UTC))
        # Files are handed in whether Airflow is there or not, and once a week into a folder of three days ago.
        if number < DAYS_WITH_REQUESTS:
            weeks.hand_in(day - A_DAY, "a")
            if number % 7 == 5:
                weeks.hand_in(day - 4 * A_DAY, "late")
        if any(number in outage for outage in OUTAGES):
            weeks.stop_triggerer()
            continue
        if number % 7 == 2:
            # Each wait moves to another triggerer.
            weeks.stop_triggerer()
        weeks.triggerer.set()
        if number % 10 == 3:
            adobe.fault("create", ("drop_after", "partial_response", "drop_before")[number // 10 % 3])
        if number == BACKED_UP:
            backup = back_up(ledger)
        if number == RESTORED:
            known = len(adobe.jobs())
            restore(ledger, backup)
            with pytest.raises(LedgerError, match="older than the archive"):
                await task(weeks.run(day - A_DAY))
            found = await task(weeks.reconcile())
            assert found.applied
            assert len(found.at_adobe) >= 3 * 4, "what was sent since the back-up is recognised"
            assert found.archived, "what was archived since is recorded"
            assert len(adobe.jobs()) == known, "nothing was sent"
        for batch_id in await task(weeks.run(day - A_DAY)):
            weeks.wait_for(batch_id)
            if BACKED_UP <= number < RESTORED:
                since_backup.add(batch_id)
        await task(weeks.sweep(day - A_DAY))
    ended = {batch_id: (await waiting)["status"] for batch_id, waiting in weeks.waits.items()}
    # Of batches that the restored ledger does not know, the sweep archives what reconcile recognised.
    assert {batch_id for batch_id, status in ended.items() if status != "finished"} <= since_backup
    assert weeks.taken_up > 20, "after a triggerer stopped"
    assert weeks.archived_by_waits > 10
