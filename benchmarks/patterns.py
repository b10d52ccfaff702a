"""This DAG beside one mapped task for each job (the usual pattern), and beside a bare asyncio script; the same client.

    python benchmarks/patterns.py [--requests 200,1000] [--per-job 200,1000]

Prints a Markdown section, and writes benchmarks/figures/patterns.json with charts of it. Access requests of one day, a
simulator that is done with each after three seconds, LocalExecutor with eight slots on a real Airflow. A run's time is
from its start to its end, as Airflow tells. `--per-job` is for which sizes the mapped DAG runs too: it takes long, and
is stopped once it took longer than is promised. What is shown of it then is the least that it takes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from benchmarks.figures import keep  # noqa: E402
from scripts.stack import Stack  # noqa: E402
from tests.support.airflow import let_the_schedule_go_first  # noqa: E402
from tests.support.simulator import Simulator  # noqa: E402

OURS, MAPPED, BARE = "this DAG", "one mapped task a job", "a bare script"
OUR_DAG = "privacy_requests"
PROMISED_TIMES, PROMISED_SECONDS = 20, 30
LONGEST = 3600.0


def fill(inbox: Path, count: int) -> str:
    day = datetime.now(UTC).date() - timedelta(days=1)
    folder = inbox / f"{day}"
    folder.mkdir(parents=True, mode=0o700)
    lines = (
        {
            "request_id": f"DSR-{number}",
            "regulation": "gdpr",
            "actions": ["access"],
            "identities": [{"namespace": "email", "value": f"subject{number}@example.com"}],
            "products": ["profileService"],
        }
        for number in range(count)
    )
    (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(day)


def run_dag(stack: Stack, dag_id: str, longest: float, **params: Any) -> tuple[float, int, bool]:
    """Seconds from the run's start to its end, how many task instances it had, and whether it has ended."""
    with stack.api() as api:
        api.patch(f"/dags/{dag_id}", json={"is_paused": False}).raise_for_status()
        body = {"logical_date": None, "conf": params}
        run_id = api.post(f"/dags/{dag_id}/dagRuns", json=body).raise_for_status().json()["dag_run_id"]
        while True:
            stack.check_processes()
            run = api.get(f"/dags/{dag_id}/dagRuns/{run_id}").raise_for_status().json()
            ended = run["state"] in ("success", "failed")
            seconds = seconds_of(run)
            if ended or seconds > longest:
                break
            time.sleep(1)
        instances = api.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 1})
        if run["state"] == "failed":
            raise SystemExit(f"{dag_id} failed: see {stack.home}")
    return seconds, int(instances.raise_for_status().json()["total_entries"]), ended


def seconds_of(run: Mapping[str, Any]) -> float:
    """From the run's start to its end, or until now."""
    if run["start_date"] is None:
        return 0.0
    until = datetime.fromisoformat(run["end_date"]) if run["end_date"] else datetime.now(UTC)
    return (until - datetime.fromisoformat(run["start_date"])).total_seconds()


def measure(pattern: str, count: int, longest: float = LONGEST) -> dict[str, Any]:
    """In an Airflow of its own, so that no pattern finds what another has left."""
    home = Path(tempfile.mkdtemp(prefix="patterns-"))
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(ROOT / "dags" / "privacy_requests.py", dags)
    shutil.copy(ROOT / "benchmarks" / "dags" / "mapped_per_job.py", dags)
    (home / "data" / "archive").mkdir(parents=True, mode=0o700)
    try:
        with (
            Stack(
                home / "airflow",
                home / "data",
                port=18480,
                dags=dags,
                simulator_arguments=("--port", "0"),
                # 1,024 would do; a pattern that is compared is not to fail by a limit.
                environment={"AIRFLOW__CORE__MAX_MAP_LENGTH": "100000"},
                say=lambda _: None,
            ) as stack,
            Simulator(stack.simulator_url) as simulator,
        ):
            if pattern == OURS:
                stack.wait_for_dag(OUR_DAG)
                # Its run takes in yesterday's folder too: beside the run that is measured, it would do the same work.
                let_the_schedule_go_first(stack, OUR_DAG)
            day = fill(home / "data" / "inbox", count)
            if pattern == BARE:
                began = time.monotonic()
                subprocess.run(
                    [
                        sys.executable,
                        ROOT / "benchmarks" / "bare_script.py",
                        simulator.api_url,
                        simulator.token_url,
                        home / "data" / "inbox",
                        home / "data" / "archive",
                    ],
                    check=True,
                )
                seconds, instances, ended = time.monotonic() - began, 0, True
            else:
                dag_id = OUR_DAG if pattern == OURS else "mapped_per_job"
                stack.wait_for_dag(dag_id)
                params = {"inbox_day": day} if pattern == OURS else {}
                seconds, instances, ended = run_dag(stack, dag_id, longest, **params)
            results = len(list((home / "data" / "archive").rglob("*.zip")))
            if results != count and (ended or pattern != MAPPED):
                raise SystemExit(f"{pattern}: {results} of {count} results are in the archive")
            calls = {name: number for name, number in simulator.calls().items() if number}
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return {
        "pattern": pattern,
        "requests": count,
        "seconds": seconds,
        "instances": instances,
        "calls": calls,
        "results": results,
        "ended": ended,
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", default="200,1000")
    parser.add_argument("--per-job", default="200,1000")
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.requests.split(",")]
    mapped = {int(size) for size in arguments.per_job.split(",") if size}
    rows = []
    for size in sizes:
        ours = measure(OURS, size)
        rows += [ours, measure(BARE, size)]
        if size in mapped:
            # A little more than is promised, so that the promise is kept or not, and is not rounded to.
            rows.append(measure(MAPPED, size, 1.05 * PROMISED_TIMES * ours["seconds"]))
    found = {(row["pattern"], row["requests"]): row for row in rows}
    print("## The same requests in other patterns\n")
    print("| requests | pattern | seconds | beside ours | task instances | calls to Adobe |")
    print("| ---: | --- | ---: | ---: | ---: | --- |")
    for row in rows:
        ratio = row["seconds"] / found[OURS, row["requests"]]["seconds"]
        calls = ", ".join(f"{number} {name}" for name, number in sorted(row["calls"].items()))
        more = "" if row["ended"] else "more than "
        pattern = row["pattern"] + ("" if row["ended"] else f", stopped with {row['results']:,} results")
        print(
            f"| {row['requests']:,} | {pattern} | {more}{row['seconds']:.0f} | {more}{ratio:.1f} "
            f"| {row['instances']:,} | {calls} |"
        )
    print(
        "\nThe mapped tasks ask for each job every five seconds. `aepp`, Adobe's own client for Python, has no other "
        "way than a call for each job, either: its calls grow with jobs, ours with lists."
    )
    chart = [
        (f"{row['pattern']}, {row['requests']:,}" + ("" if row["ended"] else ", stopped"), row["seconds"])
        for row in rows
    ]
    keep("patterns", rows, chart, title="Seconds from the run's start to its end", unit="s")
    largest = max(sizes)
    kept = found[OURS, largest]["seconds"] <= found[BARE, largest]["seconds"] + PROMISED_SECONDS
    if (MAPPED, largest) in found and largest >= 1000:
        kept &= found[MAPPED, largest]["seconds"] >= PROMISED_TIMES * found[OURS, largest]["seconds"]
    print(
        f"\nPromised: at most {PROMISED_SECONDS} s more than the script, and at 1,000 requests {PROMISED_TIMES} times "
        f"faster than a task a job: **{'kept' if kept else 'NOT KEPT'}**."
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
