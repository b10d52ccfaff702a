"""What a run costs on a ledger of ten thousand jobs and of a million, and what memory a batch of a thousand needs.

    python benchmarks/runs.py [--ledgers 10000,1000000] [--requests 200] [--batches 10,1000]

Prints a Markdown section. A run is plan, submit, archive, settle and the alarms, as tasks call them, each batch in a
process of its own, against a simulator that is done at once; SQLite. Memory is how much the process's peak grew from
the smallest batch to the largest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

PROMISED_RATIO, PROMISED_MEBIBYTES = 2.0, 64


def one_run(requests: int, day: str) -> None:
    """In a process of its own; prints what it cost."""
    from datetime import date

    from adobe_privacy.operators.privacy_alarms import PrivacyAlarmsOperator
    from adobe_privacy.operators.privacy_requests import (
        ArchivePrivacyResultsOperator,
        CreatePrivacyJobsOperator,
        PlanPrivacyRequestsOperator,
        SettlePrivacyRequestsOperator,
    )
    from tests.support.privacy import context

    def now() -> Any:
        return context(date.fromisoformat(day))

    seconds: dict[str, float] = {}

    def timed(name: str, task: Any) -> Any:
        began = time.perf_counter()
        result = task.execute(now())
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
        return result

    batches = timed("plan", PlanPrivacyRequestsOperator(task_id="plan"))
    for batch_id in batches:
        timed("submit", CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id))
        timed("archive", ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id))
    settled = timed("settle", SettlePrivacyRequestsOperator(task_id="settle", batch_ids=batches))
    timed("alarms", PrivacyAlarmsOperator(task_id="alarms"))
    if settled["jobs"] != requests:
        raise SystemExit(f"{settled['jobs']} of {requests} jobs were settled")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def measure(ledger_jobs: int, requests: int) -> dict[str, Any]:
    from benchmarks.page import fill
    from benchmarks.patterns import fill as fill_inbox
    from tests.support.simulator import running_simulator

    switches = {f"{name}_delay_seconds": "0" for name in ("processing", "access", "delete")}
    with tempfile.TemporaryDirectory() as folder, running_simulator(switches=switches) as simulator:
        home = Path(folder)
        (home / "archive").mkdir(mode=0o700)
        # Of today: the history in the ledger ends yesterday.
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        (home / "inbox" / fill_inbox(home / "inbox", requests)).rename(home / "inbox" / day)
        # Older than a minute, so that planning does not look at it twice.
        os.utime(home / "inbox" / day / "requests.jsonl", (0, time.time() - 3600))
        if ledger_jobs:
            fill(f"sqlite:///{home / 'ledger.db'}", ledger_jobs)
            claim(home, simulator.org_id)
        environment = {
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT": simulator.connection_json(
                products=["profileService"], list_lag=0
            ),
            "AIRFLOW_CONN_PRIVACY_LEDGER": json.dumps(
                {"conn_type": "sqlite", "host": str(home / "ledger.db")}
            ),
            "AIRFLOW_VAR_PRIVACY_INBOX_URI": f"file://{home / 'inbox'}",
            "AIRFLOW_VAR_PRIVACY_ARCHIVE_URI": f"file://{home / 'archive'}",
        }
        done = subprocess.run(
            [sys.executable, __file__, "--one-run", f"{requests},{day}"],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def claim(home: Path, organisation: str) -> None:
    """The archive belongs to the ledger, as after its first run."""
    from adobe_privacy.ledger.ledger import Ledger
    from adobe_privacy.ownership import claim
    from adobe_privacy.storage import open_store

    with Ledger(f"sqlite:///{home / 'ledger.db'}", actor="benchmark") as ledger:
        # The run has its own requests to send, and no others'.
        with ledger.unit.engine.begin() as connection:
            connection.execute(
                text("UPDATE privacy_jobs SET state = 'archived' WHERE state IN ('received', 'planned')")
            )
        ledger.protection.check({"organisation": organisation})
        claim(ledger, open_store(f"file://{home / 'archive'}"))


def main() -> int:
    from benchmarks.figures import keep

    parser = argparse.ArgumentParser()
    parser.add_argument("--ledgers", default="10000,1000000")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--batches", default="10,1000")
    parser.add_argument("--one-run")
    arguments = parser.parse_args()
    if arguments.one_run:
        requests, day = arguments.one_run.split(",")
        one_run(int(requests), day)
        return 0
    ledgers = [int(size) for size in arguments.ledgers.split(",")]
    batches = [int(size) for size in arguments.batches.split(",")]
    by_ledger = {size: measure(size, arguments.requests) for size in ledgers}
    by_batch = {size: measure(0, size) for size in batches}
    steps = list(next(iter(by_ledger.values()))["seconds"])
    print(f"## A run of {arguments.requests} requests, by the size of the ledger\n")
    print(f"| jobs in the ledger | {' | '.join(steps)} | all, s |")
    print(f"| ---: | {' | '.join('---:' for _ in steps)} | ---: |")
    totals = {}
    for size, found in by_ledger.items():
        totals[size] = sum(found["seconds"].values())
        shown = " | ".join(f"{found['seconds'][step]:.2f}" for step in steps)
        print(f"| {size:,} | {shown} | {totals[size]:.2f} |")
    ratio = totals[max(ledgers)] / totals[min(ledgers)]
    growth = by_batch[max(batches)]["peak"] - by_batch[min(batches)]["peak"]
    print(
        f"\nA worker's peak memory: {growth:.0f} MiB more for a batch of {max(batches):,} than of {min(batches):,}."
    )
    bars = [(f"{size:,} jobs in the ledger", total) for size, total in totals.items()]
    figures = {"seconds": {str(size): found for size, found in by_ledger.items()}, "growth_mebibytes": growth}
    keep("runs", figures, bars, title=f"Seconds of a run of {arguments.requests} requests", unit="s")
    kept = ratio < PROMISED_RATIO and growth <= PROMISED_MEBIBYTES
    print(
        f"\nPromised: the largest ledger costs less than {PROMISED_RATIO:.0f} times the smallest (it costs {ratio:.2f} "
        f"times), and at most {PROMISED_MEBIBYTES} MiB: **{'kept' if kept else 'NOT KEPT'}**."
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
