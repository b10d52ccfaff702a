"""Planning a large day, beside the least that it could cost: validating the same lines.

    python benchmarks/planning.py [--requests 100000] [--runs 3]

Prints a markdown table. Both read the same file of requests; planning writes each into the ledger and claims the
batches. Each measurement is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

DAY = date(2026, 11, 20)
SOURCE = f"{DAY}/requests.jsonl"


def write_inbox(folder: Path, count: int) -> None:
    path = folder / SOURCE
    path.parent.mkdir(parents=True)
    with path.open("w") as file:
        for number in range(count):
            request = {
                "request_id": f"DSR-{number}",
                "regulation": ("gdpr", "ccpa", "lgpd_bra")[number % 3],
                "actions": ["access", "delete"],
                "identities": [
                    {"namespace": "email", "value": f"subject{number}@example.com"},
                    {"namespace": "loyaltyAccount", "value": f"L{number}", "type": "integrationCode"},
                ],
                "products": ["analytics", "profileService"],
            }
            file.write(json.dumps(request) + "\n")


def validate(inbox: Path) -> None:
    from adobe_privacy.requests.inbox import read_file
    from adobe_privacy.storage import open_store

    for line in read_file(open_store(f"file://{inbox}"), SOURCE):
        assert line.request is not None, line.reason


def plan(inbox: Path, ledger_path: Path) -> None:
    from adobe_privacy.ledger.ledger import Ledger
    from adobe_privacy.requests.planning import PlanSettings, plan_day
    from adobe_privacy.storage import open_store

    with Ledger(f"sqlite:///{ledger_path}", actor="benchmark") as ledger:
        planned = plan_day(
            open_store(f"file://{inbox}"), ledger, day=DAY, run_id="benchmark", settings=PlanSettings()
        )
    assert planned.batches
    assert not planned.intake.rejected


def measure(what: str, inbox: Path) -> tuple[float, int]:
    """Seconds, and how many KiB the process grew by at its peak."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", what, "--inbox", str(inbox)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, growth = done.stdout.split()
    return float(seconds), int(growth)


def measure_here(what: str, inbox: Path) -> None:
    import adobe_privacy.requests.planning  # noqa: F401  (what it imports is not what is measured)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        if what == "validate":
            validate(inbox)
        else:
            plan(inbox, Path(folder) / "ledger.db")
        seconds = time.perf_counter() - started
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", choices=("validate", "plan"), help=argparse.SUPPRESS)
    parser.add_argument("--inbox", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_here(options.measure, options.inbox)
        return
    with tempfile.TemporaryDirectory() as folder:
        inbox = Path(folder)
        write_inbox(inbox, options.requests)
        rounds = [(measure("validate", inbox), measure("plan", inbox)) for _ in range(options.runs)]
    per_row = 1e6 / options.requests
    print(f"## Planning {options.requests:,} requests of two actions, in one folder\n")
    print("| | µs a request (median) | peak memory growth, MiB |")
    print("|---|---|---|")
    for name, index in (("reading and validating alone", 0), ("planning into a SQLite ledger", 1)):
        seconds = statistics.median(one[index][0] for one in rounds)
        growth = max(one[index][1] for one in rounds) / 1024
        print(f"| {name} | {seconds * per_row:.0f} | {growth:.0f} |")
    ratio = statistics.median(planned[0] / validated[0] for validated, planned in rounds)
    print(f"\nPlanning takes {ratio:.1f} times what validation takes (median of {options.runs} rounds).")


if __name__ == "__main__":
    main()
