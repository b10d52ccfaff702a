"""What waiting costs, and whether all that is promised of it holds for weeks on end.

    python benchmarks/waiting.py [--only looks,weeks] [--days 45] [--requests 200] [--poll-interval 3600]

`looks`: 10,000 open jobs in 50 batches, calls per look. `weeks`: the project's own trigger, planning, submission,
archiving and sweep for as many days of requests as asked and until the last is settled, against the simulator, in
virtual time: access takes minutes to 20 days, deletion 15 to 45. On the way the triggerer is restarted, Adobe is
out for a day, and on another it takes only 100 jobs. Prints Markdown; exits 1 where something promised does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]
HOME = tempfile.TemporaryDirectory(prefix="adobe-privacy-waiting-")
os.environ |= {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": HOME.name,
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
}

from adobe_privacy.api.client import PrivacyServiceClient  # noqa: E402
from adobe_privacy.api.config import ClientConfig  # noqa: E402
from adobe_privacy.api.errors import PrivacyServiceError  # noqa: E402
from adobe_privacy.api.models import CompanyContext  # noqa: E402
from adobe_privacy.api.transport import Transport  # noqa: E402
from adobe_privacy.ledger.ledger import Ledger  # noqa: E402
from adobe_privacy.ledger.states import JobState  # noqa: E402
from adobe_privacy.planning.planning import PlanSettings, plan_day  # noqa: E402
from adobe_privacy.reporting.run_report import settle  # noqa: E402
from adobe_privacy.results.completion import Completion, complete_jobs  # noqa: E402
from adobe_privacy.results.sweep import sweep  # noqa: E402
from adobe_privacy.storage import FileOptions, Store, open_store  # noqa: E402
from adobe_privacy.submission.submission import SubmissionSettings, submit_batch  # noqa: E402
from adobe_privacy.triggers import privacy_jobs  # noqa: E402
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger  # noqa: E402
from adobe_privacy.waiting.looks import JobWatch, WaitingJob  # noqa: E402
from adobe_privacy.waiting.shared_looks import shared_looks  # noqa: E402
from benchmarks import virtual_time  # noqa: E402
from benchmarks.virtual_time import VirtualClock  # noqa: E402
from tests.support.simulator import Simulator, running_simulator  # noqa: E402

DAY = timedelta(days=1)
RETRIES = 3
MAX_ACTIVE_RUNS = 64


def config_of(simulator: Simulator) -> ClientConfig:
    return simulator.client_config(
        retry_attempts=2,
    )


# -- 10,000 open jobs ---------------------------------------------------------------------------------------


async def looks(simulator: Simulator, ledger: Ledger) -> bool:
    """Fifty batches of two hundred open jobs each, five looks."""
    config = config_of(simulator)
    since = datetime.now(UTC) - timedelta(minutes=10)
    ids = simulator.create_jobs(
        count=10_000,
        created_at=since.isoformat(),
        completed_at="2099-01-01T00:00:00Z",
        products=["profileService"],
    )
    jobs = [WaitingJob(job_id, since) for job_id in ids]
    batches = [jobs[start : start + 200] for start in range(0, len(jobs), 200)]
    watches = [JobWatch(list_lag=0) for _ in batches]
    rows: list[tuple[int, int, int, float]] = []

    async def batch(number: int) -> int:
        async with shared_looks(config, "gdpr") as shared:
            listed = await shared.next(
                interval=0.1,
                since=since,
                new_since=watches[number].new_since(batches[number]),
                limits=ledger.limits,
            )
            return (
                await watches[number].judge(batches[number], listed, shared.client, datetime.now(UTC))
            ).open

    async with shared_looks(config, "gdpr"):
        for _ in range(5):
            before, began = simulator.calls(), time.perf_counter()
            counts = await asyncio.gather(*(batch(number) for number in range(len(batches))))
            after = simulator.calls()
            rows.append(
                (
                    sum(counts),
                    after["list"] - before["list"],
                    after["detail"] - before["detail"],
                    time.perf_counter() - began,
                )
            )
    print("### 10,000 open jobs in 50 batches, five looks\n")
    print("| look | open jobs seen | list calls | detail calls | seconds |\n|---|---|---|---|---|")
    for number, (count, lists, details, seconds) in enumerate(rows, 1):
        print(f"| {number} | {count} | {lists} | {details} | {seconds:.2f} |")
    print("\nA trigger for each batch with a loop of its own would make fifty times as many list calls.\n")
    return all(count == 10_000 and lists <= 12 and not details for count, lists, details, _ in rows)


# -- 45 days ------------------------------------------------------------------------------------------------


@dataclass
class Weeks:
    clock: VirtualClock
    simulator: Simulator
    folder: Path
    days: int
    requests: int
    poll_interval: float
    active: int = 0
    most_active: int = 0
    late_runs: list[str] = field(default_factory=list)
    red_runs: list[str] = field(default_factory=list)
    red_sweeps: int = 0
    swept: int = 0
    restarts: int = 0
    waiting: set[asyncio.Task[Any]] = field(default_factory=set)
    runs: list[asyncio.Task[None]] = field(default_factory=list)
    calls: list[tuple[date, dict[str, int], int]] = field(default_factory=list)

    @property
    def config(self) -> ClientConfig:
        return config_of(self.simulator)

    @property
    def inbox(self) -> Store:
        return open_store(f"file://{self.folder / 'inbox'}", FileOptions(create=True))

    @property
    def archive(self) -> Store:
        return open_store(f"file://{self.folder / 'archive'}", FileOptions(create=True))

    def ledger(self, actor: str) -> Ledger:
        return Ledger(f"sqlite:///{self.folder / 'ledger.db'}", actor=actor, now=self.clock.now)

    # What a day's run does, step by step, with Airflow's retries.

    async def run_of(self, day: date) -> None:
        run_id = f"privacy_requests/scheduled__{day}"
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        with self.ledger(run_id) as ledger:
            plan = await asyncio.to_thread(
                plan_day, self.inbox, ledger, day=day, run_id=run_id, settings=PlanSettings()
            )
            await asyncio.gather(*(self.batch(planned.batch.id) for planned in plan.batches))
            settlement = settle(ledger, run_id=run_id, inbox_date=day)
        if settlement.problems:
            self.red_runs.append(f"{day}: {settlement.problems} jobs")
        self.active -= 1

    async def batch(self, batch_id: str) -> None:
        if not await self.with_retries(self.submit, batch_id):
            return
        first_look_after = 0.0
        while True:
            event = await self.wait(batch_id, first_look_after)
            if event is not None and event["status"] != "finished":
                self.late_runs.append(f"{batch_id}: {event['status']}")
                return
            completion = None if event is None else await self.with_retries(self.complete, batch_id)
            if not completion:
                return
            if not completion.open:
                return
            first_look_after = self.poll_interval

    async def with_retries(self, step: Any, *arguments: Any) -> Any:
        for _ in range(RETRIES + 1):
            try:
                return await asyncio.to_thread(asyncio.run, step(*arguments))
            except PrivacyServiceError:
                await asyncio.sleep(30)
        return None

    async def submit(self, batch_id: str) -> bool:
        async def no_time(_seconds: float) -> None:
            # A thread's sleep would take real time.
            return None

        settings = SubmissionSettings(company_contexts=(CompanyContext.organisation(self.config.org_id),))
        with self.ledger(f"submit {batch_id}") as ledger:
            async with PrivacyServiceClient(self.config, sleep=no_time) as client:
                await submit_batch(
                    batch=ledger.claims.batch(batch_id),
                    inbox=self.inbox,
                    archive=self.archive,
                    ledger=ledger,
                    client=client,
                    settings=settings,
                    sleep=no_time,
                )
        return True

    async def wait(self, batch_id: str, first_look_after: float) -> dict[str, Any] | None:
        """As a deferred task: its trigger is started anew wherever a triggerer starts."""
        with self.ledger("wait") as ledger:
            deadline = ledger.claims.batch(batch_id).created_at + timedelta(days=46)
        while True:
            trigger = PrivacyJobsTrigger(
                batch_id=batch_id,
                adobe_privacy_conn_id="adobe_privacy_default",
                ledger_conn_id="privacy_ledger",
                poll_interval=self.poll_interval,
                deadline=deadline.timestamp(),
                first_look_after=first_look_after,
            )
            task = asyncio.ensure_future(anext(aiter(trigger.run())))
            self.waiting.add(task)
            try:
                return dict((await task).payload)
            except asyncio.CancelledError:
                self.restarts += 1
                await asyncio.sleep(60)
            finally:
                self.waiting.discard(task)

    async def complete(self, batch_id: str) -> Completion:
        with self.ledger(f"archive {batch_id}") as ledger:
            jobs = ledger.claims.batch_jobs(batch_id, JobState.SUBMITTED, JobState.COMPLETE)
            async with PrivacyServiceClient(self.config) as client:
                return await complete_jobs(
                    jobs,
                    ledger=ledger,
                    archive=self.archive,
                    client=client,
                )

    async def sweep(self, day: date) -> bool:
        with self.ledger(f"sweep {day}") as ledger:
            async with PrivacyServiceClient(self.config) as client:
                result = await sweep(
                    first=day - 2 * DAY,
                    last=day + DAY,
                    ledger=ledger,
                    archive=self.archive,
                    client=client,
                    # All of Adobe's codes are a hundred calls more a day, and as many empty answers.
                    regulations=("gdpr",),
                )
        self.swept += result.archived
        return not (result.failures or result.errors or result.gone)

    # The calendar.

    def put_requests(self, day: date) -> None:
        """Half ask for access, three in ten for deletion, the others for both."""
        folder = self.folder / "inbox" / str(day)
        folder.mkdir(parents=True)
        kinds = (["access"],) * 5 + (["delete"],) * 3 + (["access", "delete"],) * 2
        lines = [
            {
                "request_id": f"DSR-{day}-{number:04d}",
                "regulation": "gdpr",
                "actions": kinds[number % 10],
                "identities": [{"namespace": "email", "value": f"s{number}.{day}@example.com"}],
                "products": ["profileService"],
            }
            for number in range(self.requests)
        ]
        (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    async def until(self, moment: datetime) -> None:
        await asyncio.sleep((moment - self.clock.now()).total_seconds())

    async def events(self) -> None:
        begin = self.clock.start
        await self.until(begin + 10 * DAY + timedelta(hours=12))
        for task in list(self.waiting):
            task.cancel()
        await self.until(begin + 20 * DAY + timedelta(minutes=30))
        self.simulator.fault("any", "error_before", status=503, times=None)
        await asyncio.sleep(86400)
        self.simulator.clear_faults()
        await self.until(begin + 30 * DAY)
        self.simulator.switch(daily_job_limit=100)
        await asyncio.sleep(86400)
        self.simulator.switch(daily_job_limit=20_000)

    async def live(self) -> None:
        events = asyncio.create_task(self.events())
        day = self.clock.start.date()
        number = 0
        while True:
            before = self.simulator.calls()
            if number < self.days:
                self.put_requests(day)
            await self.until(datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY)
            if not await self.with_retries(self.sweep, day):
                self.red_sweeps += 1
            # A day after the last requests' is planned for what the quota left over.
            if number <= self.days:
                self.runs.append(asyncio.create_task(self.run_of(day)))
            after = self.simulator.calls()
            calls = {name: after[name] - before[name] for name in ("list", "detail", "content", "create")}
            self.calls.append((day, calls, self.active))
            number += 1
            day += DAY
            if number % 5 == 0:
                print(f"day {number}: {self.active} runs wait", file=sys.stderr, flush=True)
            if number > self.days and all(run.done() for run in self.runs):
                break
        await events
        await asyncio.gather(*self.runs)


async def weeks(clock: VirtualClock, simulator: Simulator, folder: Path, options: argparse.Namespace) -> bool:
    os.environ["AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT"] = simulator.connection_json(products=["profileService"])
    os.environ["AIRFLOW_CONN_PRIVACY_LEDGER"] = json.dumps(
        {"conn_type": "sqlite", "host": str(folder / "ledger.db")}
    )
    clock.on_leap = lambda now: simulator.set_clock(now=now.isoformat(), rate=0)
    clock.leap(0)
    # The trigger reads the time from where everybody does; a call's time is no virtual one.
    virtual = {
        "time": SimpleNamespace(time=lambda: clock.now().timestamp()),
        "datetime": SimpleNamespace(now=lambda _zone: clock.now()),
    }
    vars(privacy_jobs).update(virtual)
    loop = asyncio.get_running_loop()
    exchange = Transport.exchange
    still = clock.during(exchange)

    async def standing_still(self: Transport, call: Any) -> bytes:
        return await (still if asyncio.get_running_loop() is loop else exchange)(self, call)

    Transport.exchange = standing_still  # type: ignore[method-assign]
    world = Weeks(clock, simulator, folder, options.days, options.requests, options.poll_interval)
    began = time.perf_counter()
    try:
        await world.live()
    finally:
        Transport.exchange = exchange  # type: ignore[method-assign]
    return report(world, time.perf_counter() - began)


def report(world: Weeks, seconds: float) -> bool:
    truth = {job["jobId"]: job for job in world.simulator.jobs()}
    with world.ledger("report") as ledger:
        jobs = ledger.others.jobs_at_adobe(truth, *JobState)
        states = ledger.overview.counts()
    outage = [world.clock.start + 20 * DAY + timedelta(minutes=30) + number * DAY for number in range(2)]
    delays: list[timedelta] = []
    after_outage: list[timedelta] = []
    for job in jobs:
        completed = datetime.fromisoformat(truth[job.adobe_job_id or ""]["completedDate"])
        if job.action == "access" and job.archived_at is not None:
            # What Adobe could not hand out counts from the outage's end.
            if completed < outage[1] and job.archived_at > outage[0]:
                after_outage.append(job.archived_at - outage[1])
            else:
                delays.append(job.archived_at - completed)
    jobs_made = Counter((job["key"], job["action"]) for job in truth.values())
    expired = sum(job.action == "access" and job.archived_at is None for job in jobs)
    print(f"### {world.days} days of {world.requests} requests, until the last is settled\n")
    print(
        f"{len(world.calls)} virtual days in {seconds:.0f} s, a look every {world.poll_interval:.0f} s at first; "
        "the triggerer restarted on day 11, Adobe out on day 21, 100 jobs a day on day 31.\n"
    )
    print("| days | list calls | detail calls | content calls | create calls | runs waiting |")
    print("|---|---|---|---|---|---|")
    for start in range(0, len(world.calls), 5):
        some = world.calls[start : start + 5]
        sums = {name: sum(calls[name] for _, calls, _ in some) for name in some[0][1]}
        print(
            f"| {start + 1}–{start + len(some)} | {sums['list']} | {sums['detail']} | {sums['content']} "
            f"| {sums['create']} | {some[-1][2]} |"
        )
    checks = {
        "every job settled": set(states) == {JobState.ARCHIVED},
        "each request submitted exactly once": set(jobs_made.values()) == {1}
        and len(jobs_made) == states.get(JobState.ARCHIVED, 0),
        "no access result expired": not expired,
        "every access result archived within a day of its completion, the outage apart": max(delays)
        <= DAY + timedelta(minutes=5),
        "those of the outage within a day of its end": all(delay <= DAY for delay in after_outage),
        "max_active_runs never the brake": world.most_active < MAX_ACTIVE_RUNS,
        "no wait ended without a result": not world.late_runs,
    }
    access = sum(job.action == "access" for job in jobs)
    after = _text(max(after_outage, default=timedelta()))
    print(f"\n{len(jobs)} jobs, {access} of them access; the sweep archived {world.swept}.")
    print(f"Longest from completion to archive: {_text(max(delays))}.")
    print(f"Of {len(after_outage)} results that the outage kept back, from its end: {after}.")
    print(f"Most runs at once: {world.most_active}. Waits taken up after the restart: {world.restarts}.")
    print(f"Red sweeps: {world.red_sweeps}; red runs: {', '.join(world.red_runs) or 'none'}.\n")
    for promise, holds in checks.items():
        print(f"- {'yes' if holds else '**NO**'}: {promise}")
    print()
    return all(checks.values())


def _text(delay: timedelta) -> str:
    return f"{delay / timedelta(hours=1):.1f} h"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", default="looks", help="looks (seconds), weeks (ten minutes), or looks,weeks"
    )
    parser.add_argument("--days", type=int, default=45)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--poll-interval", type=float, default=3600.0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    good = True
    print("## Waiting\n")
    if "looks" in options.only:
        with (
            running_simulator() as simulator,
            tempfile.TemporaryDirectory(prefix="adobe-privacy-looks-") as folder,
            Ledger(f"sqlite:///{folder}/ledger.db", actor="benchmark") as ledger,
        ):
            good = asyncio.run(looks(simulator, ledger)) and good
    if "weeks" in options.only:
        switches = {
            "access_delay_seconds": "300..1728000",
            "delete_delay_seconds": f"{15 * 86400}..{45 * 86400 - 3600}",
            "processing_delay_seconds": "60..600",
        }
        with (
            running_simulator(switches=switches, clock_rate=0) as simulator,
            tempfile.TemporaryDirectory(prefix="adobe-privacy-weeks-") as folder,
        ):
            (Path(folder) / "inbox").mkdir()
            good = virtual_time.run(lambda clock: weeks(clock, simulator, Path(folder), options)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
