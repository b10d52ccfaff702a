"""How many connections and file descriptors a triggerer needs for a thousand batches that wait.

    python benchmarks/waiting_connections.py [--batches 1000]

Prints a Markdown section; exits 1 where a promise does not hold. Each batch has one job at the simulator that never
finishes, and the project's own trigger. SQLite and PostgreSQL one after the other, in a process of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

# docs/production.md: of one triggerer, however many batches wait.
MOST_CONNECTIONS = 5
MOST_DESCRIPTORS = 50
LOOKS = 3


async def wait_for(names: list[str], simulator: object, count_connections: object) -> tuple[int, int, int]:
    """The most connections and descriptors seen, and how many waits ended."""
    from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger

    async def wait(name: str) -> None:
        trigger = PrivacyJobsTrigger(
            batch_id=name,
            adobe_privacy_conn_id="adobe_privacy_default",
            ledger_conn_id="privacy_ledger",
            poll_interval=2.0,
            deadline=time.time() + 3600,
        )
        async for _ in trigger.run():
            pass

    before = len(os.listdir("/proc/self/fd"))
    waits = [asyncio.create_task(wait(name)) for name in names]
    connections = descriptors = 0
    began = time.monotonic()
    # Bounded in time: the first look of all comes within seconds.
    while simulator.calls()["list"] < 2 * LOOKS and time.monotonic() - began < 120:  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        descriptors = max(descriptors, len(os.listdir("/proc/self/fd")) - before)
        connections = max(connections, await asyncio.to_thread(count_connections))  # type: ignore[arg-type]
    ended = sum(wait.done() for wait in waits)
    for each in waits:
        each.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    return connections, descriptors, ended


def measure(kind: str, batches: int) -> None:
    """Prints one row of the table; in a process of its own."""
    import psycopg

    from scripts.postgres import postgres_server
    from tests.support.ledgers import put_at_adobe
    from tests.support.simulator import running_simulator

    logging.disable(logging.WARNING)
    with (
        tempfile.TemporaryDirectory(prefix="waits-", ignore_cleanup_errors=True) as name,
        running_simulator(switches={"jobs_never_finish": "true"}) as simulator,
    ):
        server = postgres_server(Path(name) / "pg") if kind == "PostgreSQL" else None
        try:
            if server is None:
                url, where = (
                    f"sqlite:///{name}/ledger.db",
                    {"conn_type": "sqlite", "host": f"{name}/ledger.db"},
                )
            else:
                url = server.get_uri(driver="psycopg")
                with psycopg.connect(server.get_uri()) as connection:
                    info = connection.info
                    where = {
                        "conn_type": "postgres",
                        "host": info.host,
                        "login": info.user,
                        "schema": info.dbname,
                    }
            os.environ["AIRFLOW_CONN_PRIVACY_LEDGER"] = json.dumps(where)
            os.environ["AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT"] = simulator.connection_json(
                products=["profileService"], list_lag=0
            )
            ids = simulator.create_jobs(
                count=batches,
                products=["profileService"],
                key="DSR-{n}",
                created_at=(datetime.now(UTC) - timedelta(minutes=10)).isoformat(),
                completed_at="2099-01-01T00:00:00Z",
            )
            names = put_at_adobe(url, {"gdpr": ids})

            def count_connections() -> int:
                if server is None:
                    return 0
                query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                with psycopg.connect(server.get_uri()) as own:
                    row = own.execute(f"{query} AND pid <> pg_backend_pid()").fetchone()
                    return int(row[0]) if row else 0

            connections, descriptors, ended = asyncio.run(wait_for(names, simulator, count_connections))
        finally:
            if server is not None:
                server.cleanup()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    holds = connections <= MOST_CONNECTIONS and descriptors <= MOST_DESCRIPTORS and not ended
    shown = "" if kind == "SQLite" else connections
    print(
        f"| {kind} | {batches:,} | {shown} | {descriptors} | {memory:.0f} | {'yes' if holds else '**NO**'} |"
    )
    sys.exit(0 if holds else 1)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--kind", choices=["SQLite", "PostgreSQL"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        measure(options.kind, options.batches)
    print("### Batches that wait in one triggerer\n")
    print("| ledger | batches | connections | file descriptors | memory, MiB | as promised |")
    print("|---|---:|---:|---:|---:|---|", flush=True)
    good = True
    with tempfile.TemporaryDirectory(prefix="adobe-privacy-waits-") as home:
        environment = os.environ | {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": home,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        for kind in ("SQLite", "PostgreSQL"):
            command = [sys.executable, __file__, "--kind", kind, "--batches", str(options.batches)]
            good = subprocess.run(command, env=environment, check=False).returncode == 0 and good
    print(
        f"\nPromised: at most {MOST_CONNECTIONS} connections to PostgreSQL and {MOST_DESCRIPTORS} file descriptors."
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
