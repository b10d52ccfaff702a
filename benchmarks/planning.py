"""What planning a large inbox folder costs in each format, beside pydantic's validation of the same requests alone.

    python benchmarks/planning.py [--requests 100000]

Prints a Markdown section. Planning reads the folder, validates each line, computes its due dates and its fingerprint,
writes it into the ledger with its history, and claims batches for all of it. The files are older than a minute, so
that planning does not look at them twice. Each row runs in a process of its own; memory is how much that process's peak
grew over what it held before. What is compared is CPU time, which other work on the machine changes less than the time
that passes; on PostgreSQL, the server's CPU time is in it. Validation is measured three times before each format, and
a row is compared with the fastest of these.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil  # type: ignore[import-untyped]
import sqlalchemy

from adobe_privacy.intake.request import PrivacyRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.planning.planning import MAX_BATCHES, PlanSettings, plan_day
from adobe_privacy.storage import open_store
from scripts.postgres import postgres_server

DAY = date(2026, 11, 20)
SETTINGS = PlanSettings(daily_limit=10_000_000)
# What planning may cost: so many times validation, and so many MiB.
PROMISED = {"SQLite": 15, "PostgreSQL": 30}
PROMISED_MIB = 64
NOT_KEPT = "**NO**"


IDENTITIES = (("email", "standard"), ("loyaltyAccount", "integrationCode"))


def requests_of(count: int) -> Iterator[dict[str, Any]]:
    """Access and delete requests under three laws, two identities each."""
    for number in range(count):
        values = (f"subject{number}@example.com", f"L{number:011X}")
        yield {
            "request_id": f"DSR-2026-{number:07}",
            "received_at": f"2026-11-20T{number % 24:02}:{number % 60:02}:{number % 59:02}Z",
            "regulation": ("gdpr", "ccpa", "lgpd_bra")[number % 3],
            "actions": (["access"], ["delete"])[number % 2],
            "identities": [
                {"namespace": namespace, "value": value, "type": type_}
                for (namespace, type_), value in zip(IDENTITIES, values, strict=True)
            ],
            "products": ["identity", "profileService"],
        }


def as_lines(requests: Iterator[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(request) + "\n" for request in requests)


def as_document(requests: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield "["
    for number, request in enumerate(requests):
        yield ("," if number else "") + json.dumps(request, indent=2)
    yield "]"


def as_body(requests: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield '{"include": ["identity", "profileService"], "regulation": "gdpr", "users": ['
    for number, request in enumerate(requests):
        user = {"key": request["request_id"], "action": request["actions"], "userIDs": request["identities"]}
        yield ("," if number else "") + json.dumps(user, indent=2)
    yield "]}"


def as_table(requests: Iterator[dict[str, Any]], separator: str = ",") -> Iterator[str]:
    fields = ("request_id", "received_at", "regulation", "actions", "products")
    yield separator.join((*fields, *(f"{namespace}:{type_}" for namespace, type_ in IDENTITIES))) + "\n"
    for request in requests:
        values = (request[name] for name in fields)
        cells = ("|".join(value) if isinstance(value, list) else value for value in values)
        yield separator.join((*cells, *(each["value"] for each in request["identities"]))) + "\n"


# The file's name, its encoding, and how it is written.
FORMATS: dict[str, tuple[str, str, Callable[[Iterator[dict[str, Any]]], Iterator[str]]]] = {
    "JSON lines": ("requests.jsonl", "utf-8", as_lines),
    "JSON document": ("requests.json", "utf-8", as_document),
    "Adobe's body": ("body.json", "utf-8", as_body),
    "CSV": ("requests.csv", "utf-8", as_table),
    "CSV, semicolons, UTF-16": ("export.csv", "utf-16", functools.partial(as_table, separator=";")),
}


def write_inbox(folder: Path, kind: str, requests: int) -> Path:
    """A folder with one file of that format, written an hour ago."""
    name, encoding, writer = FORMATS[kind]
    path = folder / name.replace(".", "-") / "inbox" / f"{DAY}" / name
    path.parent.mkdir(parents=True)
    with path.open("w", encoding=encoding) as file:
        file.writelines(writer(requests_of(requests)))
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
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


def measured(work: Callable[[], dict[str, float]], server: psutil.Process | None = None) -> dict[str, float]:
    """Seconds that passed, seconds of CPU, the server's too, and MiB by which the peak grew, in a forked process."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def run() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started, used = time.perf_counter(), time.process_time()
        found = work()
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        results.put(found | {"seconds": seconds, "cpu": cpu, "growth": growth})

    used_before = cpu_of(server)
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
    result["cpu"] += cpu_of(server) - used_before
    return result


def cpu_of(server: psutil.Process | None) -> float:
    """Seconds of CPU that a server's processes have used, those that have ended too."""
    if server is None:
        return 0.0
    running = sum(sum(process.cpu_times()[:2]) for process in server.children())
    return float(running + sum(server.cpu_times()[:4]))


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    server = postgres_server(folder)
    try:
        yield server.get_uri(driver="psycopg"), psutil.Process(server.get_pid())
    finally:
        server.cleanup()


class Row(NamedTuple):
    what: str
    database: str
    found: dict[str, float]
    alone: dict[str, float]

    def in_words(self, requests: int) -> str:
        seconds, cpu, alone = (
            each / requests * 1e6 for each in (self.found["seconds"], self.found["cpu"], self.alone["cpu"])
        )
        times, promised = cpu / alone, PROMISED[self.database]
        growth = self.found["growth"]
        kept = "yes" if times <= promised and growth < PROMISED_MIB else NOT_KEPT
        return (
            f"| {self.what}, {self.database} | {seconds:.0f} | {cpu:.0f} | {alone:.0f} | {times:.1f} | {promised} "
            f"| {growth:.0f} | {kept} |"
        )


def main(requests: int) -> int:
    os.umask(0o077)  # an inbox that every user of the machine may read is refused
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="planning-") as name,
        # The server opens the folder above its own to its own user.
        tempfile.TemporaryDirectory(prefix="planning-pg-") as server_folder,
        postgres(Path(server_folder) / "pg") as (address, server),
    ):
        paths = {kind: write_inbox(Path(name), kind, requests) for kind in FORMATS}
        for number, (kind, path) in enumerate(paths.items()):
            database = f"bench_{number}"
            with sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT").connect() as connection:
                connection.execute(sqlalchemy.text(f"CREATE DATABASE {database}"))
            url = sqlalchemy.make_url(address).set(database=database)
            ledgers = {
                "SQLite": (f"sqlite:///{path.parents[2]}/ledger.db", None),
                "PostgreSQL": (url.render_as_string(hide_password=False), server),
            }
            validated = [measured(functools.partial(validate_alone, paths["JSON lines"])) for _ in range(3)]
            alone = min(validated, key=lambda found: found["cpu"])
            for where, ledger in ledgers.items():
                rows.append(Row(f"planning, {kind}", where, planned(path, *ledger, new=requests), alone))
                if kind == "JSON lines":
                    rows.append(Row("planning again", where, planned(path, *ledger, new=0), alone))
    print(f"## Planning {requests:,} requests of one folder\n")
    print(
        "µs per request; promised: at most so many times pydantic's validation alone, in CPU time of one run, and"
    )
    print(f"less than {PROMISED_MIB} MiB.\n")
    print("| | µs | µs of CPU | validation alone, µs of CPU | times | promised | growth, MiB | kept |")
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    told = [row.in_words(requests) for row in rows]
    print(*told, sep="\n")
    return 1 if any(NOT_KEPT in row for row in told) else 0


def planned(path: Path, url: str, server: psutil.Process | None, *, new: int) -> dict[str, float]:
    if not new:
        os.utime(path, (time.time() - 1800,) * 2)  # as if it had been written again
    found = measured(functools.partial(plan, path, url), server)
    waits = found["waiting"] and found["batches"] < MAX_BATCHES
    if waits or found["new"] != new:
        raise SystemExit(f"{found}: not everything was planned, so the time means nothing")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=100_000)
    sys.exit(main(parser.parse_args().requests))
