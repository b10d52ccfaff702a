"""`make demo`: from nothing to archived results, by Airflow's own scheduler and triggerer.

Exits 0 only if every request of the sample reached the end that include/samples/expected.csv foresees, and every
archive verified.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from adobe_privacy.archive import verify_archive
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import open_store
from scripts.stack import ROOT, Stack, StackError, stop_on_signals

SAMPLES = ROOT / "include" / "samples"
# The demo's own, made anew at each start. Nothing else is touched, `make up`'s least of all.
HOME = ROOT / ".airflow" / "demo"
DATA = ROOT / "data" / "demo"
DAG_ID = "privacy_requests"
DAYS = {"three-days-ago": 3, "two-days-ago": 2, "yesterday": 1}
TIMEOUT = 600.0


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, sep="  ", flush=True)


def sample_days(today: date) -> dict[int, date]:
    """The three days before today, by their distance."""
    return {ago: today - timedelta(days=ago) for ago in DAYS.values()}


def lay_out_samples(inbox: Path, days: dict[int, date]) -> None:
    """Copies the sample into an inbox that is empty or not there yet."""
    for name, ago in DAYS.items():
        shutil.copytree(SAMPLES / "inbox" / name, inbox / f"{days[ago]:%Y-%m-%d}", dirs_exist_ok=True)


def watch(stack: Stack, expected_runs: int) -> None:
    """Prints how the runs go until all have ended."""
    deadline = time.monotonic() + TIMEOUT
    shown, shown_at = "", 0.0
    while time.monotonic() < deadline:
        stack.check_processes()
        runs = stack.runs(DAG_ID)
        text = "; ".join(f"{_day(run)} {run['state']} {_tasks(stack, run)}" for run in runs)
        if text != shown or time.monotonic() - shown_at > 5:
            shown, shown_at = text, time.monotonic()
            say(f"  {text or 'runs are being created'}")
        if len(runs) >= expected_runs and all(run["state"] in ("success", "failed") for run in runs):
            return
        time.sleep(1)
    raise StackError(f"the runs have not ended after {TIMEOUT:.0f} s; see {stack.logs}")


def _day(run: dict[str, Any]) -> str:
    return str(run["data_interval_start"] or run["logical_date"])[:10]


def _tasks(stack: Stack, run: dict[str, Any]) -> str:
    states = stack.task_states(DAG_ID, run["dag_run_id"])
    return "(" + ", ".join(f"{count} {state}" for state, count in sorted(states.items())) + ")"


def report(days: dict[int, date]) -> bool:
    """Prints what became of each request beside what was foreseen. True where both agree."""
    with Ledger(f"sqlite:///{HOME / 'privacy_ledger.db'}", actor="demo") as ledger:
        with (SAMPLES / "expected.csv").open() as file:
            expected = list(csv.DictReader(file))
        table = Table(title="What became of each request", title_justify="left")
        for heading in (
            "inbox",
            "request",
            "regulation",
            "action",
            "end",
            "outcome",
            "archive",
            "as foreseen",
        ):
            table.add_column(heading, overflow="fold")
        good = True
        seen: set[tuple[str, str]] = set()
        for row in expected:
            day = days[int(row["days_ago"])]
            if row["state"] == "rejected":
                found = _rejected(day)
                right = len(found) == 1 and f"(line {found[0]['line']})" == row["request_id"]
                reason = found[0]["reason"].split(":")[0] if found else "not rejected"
                cells = (row["request_id"], "", "", "rejected" if found else "missing", reason, "")
            else:
                jobs = [
                    job
                    for job in ledger.people.request_jobs(row["request_id"])
                    if job.action == row["action"]
                ]
                job = jobs[0] if len(jobs) == 1 else None
                seen.add((row["request_id"], row["action"]))
                right = job is not None and (job.state, job.outcome) == (row["state"], row["outcome"])
                if job is None:
                    cells = (row["request_id"], "", row["action"], "missing", "", "")
                else:
                    outcome = f"{job.outcome} {job.outcome_code or ''}".strip()
                    place = (job.manifest or "").removesuffix("/manifest.json")
                    cells = (job.request_id, job.regulation, job.action, job.state.value, outcome, place)
            good = good and right
            table.add_row(f"{day:%Y-%m-%d}", *cells, "yes" if right else "NO")
        total = sum(ledger.overview.counts().values())
    Console(width=max(140, Console().width)).print(table)
    if total != len(seen):
        say(f"The ledger has {total} jobs, the sample {len(seen)}")
        good = False
    return good


def _rejected(day: date) -> list[dict[str, Any]]:
    reports = sorted((DATA / "inbox" / f"{day:%Y-%m-%d}" / "rejected").glob("*.jsonl"))
    return [json.loads(line) for path in reports for line in path.read_text().splitlines()]


def verify() -> bool:
    """Hashes every archived object anew and compares it with its manifest, as the command `verify` does."""
    uri = f"file://{DATA / 'archive'}"
    verification = verify_archive(open_store(uri))
    for finding in verification:
        say(f"  {finding.severity}: {finding.key}: {finding.detail}")
    summary = verification.summary
    say(f"Archive: {uri}")
    say(
        f"python -m adobe_privacy verify: {summary.manifests} manifests, {summary.results} results, "
        f"{summary.errors} errors"
    )
    return summary.ok and summary.manifests > 0


def main() -> int:
    stop_on_signals()
    started = time.monotonic()
    for folder in (HOME, DATA):
        shutil.rmtree(folder, ignore_errors=True)
    days = sample_days(datetime.now(UTC).date())
    lay_out_samples(DATA / "inbox", days)
    first, last = min(days.values()), max(days.values())
    arguments = ("--scenario", str(SAMPLES / "scenario.json"))
    try:
        with Stack(HOME, DATA, simulator_arguments=arguments, say=say) as stack:
            say(f"Airflow is ready at {stack.url}")
            stack.wait_for_dag(DAG_ID)
            say(f"airflow backfill create --dag-id {DAG_ID} --from-date {first} --to-date {last}")
            stack.backfill(DAG_ID, str(first), str(last))
            watch(stack, len(days))
    except StackError as error:
        say(f"FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        say("Stopped")
        return 130
    good = report(days)
    verified = verify()
    say(f"{'Every' if verified else 'NOT every'} archive verified; {time.monotonic() - started:.0f} s")
    say(
        "`make up` leaves an Airflow of its own running, with the same sample, for a look at it in the browser"
    )
    return 0 if good and verified else 1


if __name__ == "__main__":
    sys.exit(main())
