"""`make test-chaos`: kills and suspends every component of a distributed Airflow while it works through a backfill.

In each round something else happens, in an order and at moments that follow from the seed. Whatever ends is started
again after three seconds, as a supervisor of services does it. Afterwards nothing may have been sent twice or lost,
each manifest must be true, and no run may need a person: prints the table, exits 0 only then.

The simulator keeps its jobs in a file. The S3 server's data is not hurt: the way to it is, so connections are cut or
hang. The disks are small ones of their own, which needs the right to mount. The clocks of both workers are stepped by
a library that is preloaded, which needs a C compiler. A triggerer's is not: the heartbeat that Airflow writes an hour
ahead keeps its triggers from any other for that hour. What the machine does not allow is left out, and the
table says so.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
from rich.console import Console
from rich.table import Table

from adobe_privacy.archive import verify_archive
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import JobState
from scripts.stack import BIN, ROOT, Stack, StackError, free_port, stop_on_signals
from tests.chaos.parts import Clock, Supervisor, full, signal_all, small_disk
from tests.storage.servers import S3Server, s3_server
from tests.support.distributed import (
    DAG_ID,
    LOST_MESSAGES_ARE_FOUND,
    WORKERS,
    Redis,
    fill_inbox,
    production,
    worker_command,
)
from tests.support.ledgers import Postgres, counted
from tests.support.privacy import request
from tests.support.simulator import SIMULATOR, Simulator

SWEEP = "privacy_sweep"
REGULATIONS = ("gdpr", "ccpa", "lgpd_bra")
AIRFLOWS_DATABASE, LEDGERS_DATABASE = "PostgreSQL of Airflow", "PostgreSQL of the ledger"
S3_WAY, TASK, WORKER = "S3 server", "task", "worker"
COMPONENTS = (
    *(WORKER, TASK, "triggerer", "scheduler", "dag-processor", "api-server"),
    *(AIRFLOWS_DATABASE, LEDGERS_DATABASE, "Redis", S3_WAY, "simulator"),
)
CLOCKS = {"clock +1h": 3600, "clock -1h": -3600}
BACKFILLED = 5
SHOWN = 20  # faults of a kind
T = TypeVar("T")


@dataclass(frozen=True)
class Round:
    component: str
    blow: str


@dataclass
class Outcome:
    round: Round
    # Seconds until a task instance ended well after the component was there again; None: it never did.
    recovered: float | None


def rounds_of(components: tuple[str, ...], number: int, choose: random.Random) -> list[Round]:
    each = [Round(component, blow) for component in components for blow in ("SIGKILL", "SIGSTOP")]
    each += [Round(LEDGERS_DATABASE, "disk full"), Round(WORKER, "disk full")]
    each += [Round(WORKER, blow) for blow in CLOCKS]
    ordered = []
    for _ in range(number):
        choose.shuffle(each)
        ordered += each
    return ordered


def retried(what: Callable[[], T], seconds: float = 120) -> T:
    """Asks again while a component is away."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return what()
        except (httpx.HTTPError, psycopg.Error, StackError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


class Inbox:
    """Days of the inbox, from yesterday backwards, as many as are asked for. `asked` is what they ask of Adobe."""

    def __init__(self, s3: S3Server, bucket: str, a_day: int) -> None:
        self._s3, self._bucket, self._a_day = s3, bucket, a_day
        self._days = 0
        self.asked: set[tuple[str, str]] = set()

    @property
    def requests(self) -> int:
        return self._days * self._a_day

    def next_day(self) -> str:
        """One more day, with its requests; each is for access and deletion."""
        self._days += 1
        day = str(datetime.now(UTC).date() - timedelta(days=self._days))
        lines = [
            request(
                number,
                *("access", "delete"),
                request_id=f"DSR-{number:04d}",
                regulation=REGULATIONS[self._days % len(REGULATIONS)],
            )
            for number in range(self.requests - self._a_day, self.requests)
        ]
        fill_inbox(self._s3, self._bucket, {day: lines})
        self.asked |= {(line["request_id"], action) for line in lines for action in line["actions"]}
        return day


class Chaos:
    def __init__(
        self,
        stack: Stack,
        simulator: Simulator,
        supervisor: Supervisor,
        *,
        disks: dict[str, Path],
        clock: Clock,
        inbox: Inbox,
        suspended: float,
        choose: random.Random,
        say: Callable[[str], None],
    ) -> None:
        self.stack, self.simulator, self.supervisor = stack, simulator, supervisor
        self.disks, self.clock, self.inbox = disks, clock, inbox
        self.suspended, self.choose, self.say = suspended, choose, say

    # -- work ---------------------------------------------------------------------------------------------

    def _count(self, query: str) -> int:
        assert self.stack.database is not None

        def asked() -> int:
            assert self.stack.database is not None
            with psycopg.connect(self.stack.database.get_uri(), connect_timeout=5) as connection:
                (found,) = connection.execute(query).fetchone() or (0,)
                return int(found)

        return retried(asked)

    def ended_well(self) -> int:
        return self._count("SELECT count(*) FROM task_instance WHERE state = 'success'")

    def under_way(self) -> int:
        return self._count("SELECT count(*) FROM dag_run WHERE state IN ('queued', 'running')")

    def backfill(self) -> None:
        days = [self.inbox.next_day() for _ in range(BACKFILLED)]
        self.stack.backfill(DAG_ID, days[-1], days[0])

    def at_work(self) -> int:
        """Runs under way that do not wait for a task's next try."""
        return self._count(
            "SELECT count(*) FROM dag_run run WHERE run.state IN ('queued', 'running') AND NOT EXISTS"
            " (SELECT 1 FROM task_instance task WHERE task.dag_id = run.dag_id AND task.run_id = run.run_id"
            " AND task.state = 'up_for_retry')"
        )

    def feed(self) -> None:
        """Three runs are at work: after those of the backfill one more for each that has ended, or that waits for
        minutes before it tries again; at most twelve in all."""
        while self.at_work() < 3 and self.under_way() < 12:
            self._trigger(self.inbox.next_day())

    def _trigger(self, day: str) -> None:
        def post() -> None:
            body = {"logical_date": None, "dag_run_id": f"chaos__{day}", "conf": {"inbox_day": day}}
            with self.stack.api() as api:
                answer = api.post(f"/dags/{DAG_ID}/dagRuns", json=body, timeout=20)
                # It was made by a call whose answer was lost.
                if answer.status_code != 409:
                    answer.raise_for_status()

        retried(post)

    # -- rounds -------------------------------------------------------------------------------------------

    def play(self, one: Round) -> Outcome:
        self.feed()
        time.sleep(self.choose.uniform(0, 5))
        begun = time.monotonic()
        if one.blow == "disk full":
            with full(self.disks[one.component]):
                time.sleep(self.suspended)
        elif one.blow in CLOCKS:
            self.clock.step(CLOCKS[one.blow])
            time.sleep(self.suspended)
            self.clock.step(0)
        else:
            self._hurt(one)
        back = time.monotonic()
        outcome = Outcome(one, self._until_it_goes_on(begun))
        took = "never" if outcome.recovered is None else f"{outcome.recovered:.0f} s"
        self.say(f"{one.component}, {one.blow}: back after {back - begun:.0f} s, work goes on after {took}")
        return outcome

    def _hurt(self, one: Round) -> None:
        name = self.choose.choice(WORKERS) if one.component == WORKER else one.component
        processes = self._a_task() if name == TASK else self.supervisor.processes(name)
        if one.blow == "SIGKILL":
            signal_all(processes, SIGKILL)
            psutil.wait_procs(processes, 5)
            if name != TASK:
                self._wait_for(name)
            return
        signal_all(processes, SIGSTOP)
        try:
            time.sleep(self.suspended)
        finally:
            signal_all(processes, SIGCONT)

    def _a_task(self) -> list[psutil.Process]:
        """The process of a task that runs: below a worker's process there is the task's supervisor, below that the
        task."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found = [task for name in WORKERS for task in self._tasks_of(name)]
            if found:
                return [self.choose.choice(sorted(found, key=lambda process: process.pid))]
            self.feed()
            time.sleep(0.2)
        raise AssertionError("no task runs")

    def _tasks_of(self, worker: str) -> list[psutil.Process]:
        tasks = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for slot in psutil.Process(self.stack.process(worker).pid).children():
                tasks += slot.children()
        return tasks

    def _wait_for(self, name: str) -> None:
        deadline = time.monotonic() + 60
        while not self.supervisor.is_up(name) and time.monotonic() < deadline:
            time.sleep(0.2)

    def _until_it_goes_on(self, begun: float) -> float | None:
        before = self.ended_well()
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            self.feed()
            if self.ended_well() > before:
                return time.monotonic() - begun
            time.sleep(0.5)
        return None

    # -- the end ------------------------------------------------------------------------------------------

    def settle(self, seconds: float) -> None:
        """Until each run has ended; then a day passes: the sweep archives what the backfill has left to it."""
        deadline = time.monotonic() + seconds
        while self.under_way() and time.monotonic() < deadline:
            time.sleep(1)

        def unpause() -> None:
            with self.stack.api() as api:
                api.patch(f"/dags/{SWEEP}", json={"is_paused": False}).raise_for_status()

        retried(unpause)
        made = f"SELECT count(*) FROM dag_run WHERE dag_id = '{SWEEP}'"
        while not self._count(made) and time.monotonic() < deadline:
            time.sleep(1)
        while self.under_way() and time.monotonic() < deadline:
            time.sleep(1)

    def runs_that_need_a_person(self) -> list[str]:
        assert self.stack.database is not None
        with psycopg.connect(self.stack.database.get_uri()) as connection:
            rows = connection.execute(
                "SELECT run.run_id, run.state, string_agg(task.task_id || ' ' || task.state, ', ')"
                " FROM dag_run run LEFT JOIN task_instance task ON task.dag_id = run.dag_id"
                " AND task.run_id = run.run_id AND task.state <> 'success'"
                " WHERE run.state <> 'success' GROUP BY 1, 2"
            ).fetchall()
        return [f"{run} is {state}: {tasks}" for run, state, tasks in rows]


@contextmanager
def set_up(home: Path, options: argparse.Namespace, say: Callable[[str], None]) -> Iterator[Any]:
    with ExitStack() as opened:
        disks: dict[str, Path] = {}
        for name, folder in ((LEDGERS_DATABASE, "ledger-disk"), (WORKER, "worker-disk")):
            if opened.enter_context(small_disk(home / folder, 400)):
                disks[name] = home / folder
        (home / "ledger-disk" / "postgres").mkdir()
        for folder in ("tmp", "logs"):
            (home / "worker-disk" / folder).mkdir()
        ledgers = Postgres(home / "ledger-disk" / "postgres")
        opened.callback(ledgers.stop)
        s3 = opened.enter_context(s3_server())
        bucket = s3.new_bucket()
        way, simulators_port = free_port(18481), free_port(18581)
        redis = Redis(home)
        ledger_url, results_url = ledgers.new_database("shared_ledger"), ledgers.new_database("celery")
        environment = production(
            redis=redis.url,
            ledger_url=ledger_url,
            results_url=results_url,
            s3=s3,
            bucket=bucket,
            endpoint=f"http://127.0.0.1:{way}",
        ) | {
            # What is lost with a worker's or a broker's memory is found again within the test.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
            **LOST_MESSAGES_ARE_FOUND,
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        }
        simulator_arguments = (
            *("--port", str(simulators_port), "--state", str(home / "simulator-state")),
            *("--switch", "processing_delay_seconds=1..3", "--switch", "list_lag_seconds=1"),
            *("--switch", "access_delay_seconds=2..12", "--switch", "delete_delay_seconds=2..12"),
        )
        stack = opened.enter_context(
            Stack(
                home / "airflow",
                home / "data",
                port=18680,
                simulator_arguments=simulator_arguments,
                environment=environment,
                say=say,
            )
        )
        assert stack.database is not None
        simulator = opened.enter_context(Simulator(stack.simulator_url))
        supervisor = Supervisor(stack, {AIRFLOWS_DATABASE: stack.database, LEDGERS_DATABASE: ledgers.server})
        s3_port = str(urlsplit(s3.endpoint).port)
        supervisor.start(
            S3_WAY, sys.executable, str(ROOT / "tests/chaos/relay.py"), str(way), "127.0.0.1", s3_port
        )
        supervisor.adopt("simulator", sys.executable, str(SIMULATOR), *simulator_arguments)
        for component in ("api-server", "scheduler", "dag-processor", "triggerer"):
            supervisor.adopt(component, str(BIN / "airflow"), component)
        clock = Clock(home)
        supervisor.start("Redis", *redis.command)
        own_disk = {
            "TMPDIR": str(home / "worker-disk" / "tmp"),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "worker-disk" / "logs"),
        }
        for name in WORKERS:
            supervisor.start(name, *worker_command(name), **own_disk, **clock.environment)
        opened.enter_context(supervisor)
        chaos = Chaos(
            stack,
            simulator,
            supervisor,
            disks=disks,
            clock=clock,
            inbox=Inbox(s3, bucket, options.a_day),
            suspended=options.suspended,
            choose=random.Random(options.seed),
            say=say,
        )
        left_out = {name for name in (LEDGERS_DATABASE, WORKER) if name not in disks}
        yield chaos, ledger_url, s3.store(bucket), left_out, bool(clock.environment)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-chaos", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1, help="of each component and blow (1)")
    parser.add_argument("--suspended", type=float, help="seconds of a SIGSTOP (12, or 60 with more rounds)")
    parser.add_argument("--a-day", type=int, help="requests of each day (3, or 20 with more rounds)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="components, separated by commas")
    options = parser.parse_args()
    options.suspended = options.suspended or (12.0 if options.rounds == 1 else 60.0)
    options.a_day = options.a_day or (3 if options.rounds == 1 else 20)
    stop_on_signals()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", flush=True)

    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    home.chmod(0o711)
    faults: list[str] = []
    outcomes: list[Outcome] = []
    with set_up(home, options, say) as (chaos, ledger_url, archive, full_left_out, clocks):
        chaos.stack.wait_for_dag(DAG_ID)
        chaos.backfill()
        rounds = rounds_of(COMPONENTS, options.rounds, chaos.choose)
        wanted = set(options.only.split(",")) if options.only else None
        left_out: Counter[Round] = Counter()
        for one in rounds:
            if wanted and one.component not in wanted and one.blow not in wanted:
                continue
            if (one.blow == "disk full" and one.component in full_left_out) or (
                one.blow in CLOCKS and not clocks
            ):
                left_out[one] += 1
                continue
            outcomes.append(chaos.play(one))
        chaos.say("All blows are over; waiting until each run has ended")
        chaos.settle(3600)
        need_a_person = chaos.runs_that_need_a_person()
        made = Counter((job["key"], job["action"]) for job in chaos.simulator.jobs())
        asked = chaos.inbox.asked
        twice = {job: number for job, number in made.items() if number > 1}
        lost = asked - made.keys()
        with Ledger(ledger_url, actor="chaos") as ledger:
            states = counted(ledger)
            attention = {kind: number for kind, number in ledger.attention.counts().items() if number}
        verification = verify_archive(archive)
        findings = list(verification)
        false = [str(finding) for finding in findings if finding.severity == "error"]
        # What a killed attempt left, which no manifest names: `clean_up` deletes it after a week.
        left_behind = len(findings) - len(false)
        unarchived = len(asked) - states.get(JobState.ARCHIVED, 0)
        faults += [f"sent {number} times: {job}" for job, number in twice.items()]
        faults += [f"lost: {job}" for job in sorted(lost)]
        faults += [f"not archived: {unarchived} of {len(asked)} jobs, {states}"] if unarchived else []
        faults += [f"false manifest: {finding}" for finding in false]
        if verification.summary.manifests != len(asked):
            faults.append(f"{verification.summary.manifests} manifests of {len(asked)}")
        faults += [f"needs a person: {run}" for run in need_a_person]
        faults += [f"needs a person: {number} {kind}" for kind, number in attention.items()]
        faults += [f"no recovery: {one.round}" for one in outcomes if one.recovered is None]
        restarts = chaos.supervisor.restarts
    print_table(outcomes, left_out, seed=options.seed)
    print(
        f"{len(asked)} jobs of {chaos.inbox.requests} requests; {len(outcomes)} blows, {restarts} restarts in "
        f"{time.monotonic() - started:.0f} s: {len(twice)} twice, {len(lost)} lost, {unarchived} not archived, "
        f"{len(false)} false manifests, {len(need_a_person) + len(attention)} need a person; "
        f"{left_behind} objects of killed attempts that no manifest names"
    )
    kinds: Counter[str] = Counter()
    for fault in faults:
        kind = fault.partition(":")[0]
        kinds[kind] += 1
        if kinds[kind] <= SHOWN:
            print(f"FAULT {fault}")
    if faults:
        print("Faults of a kind, of which so many are shown:", SHOWN, dict(kinds))
        print(f"The logs are in {home}")
        return 1
    shutil.rmtree(home, ignore_errors=True)
    return 0


def print_table(outcomes: list[Outcome], left_out: Counter[Round], *, seed: int) -> None:
    table = Table("component", "blow", "rounds", "recovered in s (median, longest)", title=f"seed {seed}")
    times: dict[Round, list[float | None]] = defaultdict(list)
    for outcome in outcomes:
        times[outcome.round].append(outcome.recovered)
    for one, recovered in sorted(times.items(), key=lambda item: (item[0].component, item[0].blow)):
        known = [seconds for seconds in recovered if seconds is not None]
        text = f"{statistics.median(known):.0f}, {max(known):.0f}" if known else ""
        missing = len(recovered) - len(known)
        table.add_row(
            one.component,
            one.blow,
            str(len(recovered)),
            text + (f"; {missing} not within 180 s" if missing else ""),
        )
    for one, number in left_out.items():
        table.add_row(one.component, one.blow, f"0 of {number}", "LEFT OUT: not possible on this machine")
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
