"""How long the page and each call of its API take on a ledger of a million jobs.

    python benchmarks/page.py [--jobs 1000000] [--only postgresql]

Prints a Markdown section. A call goes through the whole web application but for Airflow's check of the login, which is
the same as that of Airflow's own pages. The ledger has a request for each job, three changes of each job and an answer
of two products to each archived one. Four in a hundred jobs are not archived; one in a hundred thousand is under a
rare law, one in ten thousand was answered with a rare code. `missing` names the routes that no call of the table asks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import Connection, make_url, text

from adobe_privacy.archive import ArchiveSettings, archive_job
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import FileOptions, open_store
from scripts.postgres import postgres_server
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory
from tests.archive.zips import make_zip

LIMIT = 100  # milliseconds, on PostgreSQL
REPEATS = 15
DAYS = 400
PERSON = {"namespace": "email", "value": "jane.roe@example.com"}


@dataclass(frozen=True)
class Call:
    """A call of the page: a GET, or a POST where it has a body. `any_time` is of those that may take longer."""

    what: str
    path: str
    body: Mapping[str, str] | None = field(default=None, hash=False)
    any_time: bool = False

    @property
    def route(self) -> tuple[str, str]:
        return ("GET" if self.body is None else "POST", self.path.partition("?")[0])


CALLS = (
    Call("the page, as HTML", "/"),
    Call("the page on one kind of attention, as HTML", "/?attention=overdue"),
    Call("overview: states, attention, quota, 60 days", "/api/overview"),
    Call("all that needs a person", "/api/attention"),
    Call("what was not done by some product", "/api/attention?attention=not_done"),
    Call("the first 50 jobs", "/api/jobs"),
    Call("a later page", "/api/jobs?after={later}"),
    Call("50 overdue jobs", "/api/jobs?attention=overdue"),
    Call("50 jobs not done by some product", "/api/jobs?attention=not_done"),
    Call("50 archived jobs", "/api/jobs?state=archived"),
    Call("50 archived jobs, a page from the middle", "/api/jobs?state=archived&after={half}"),
    Call("50 archived jobs under a frequent law", "/api/jobs?state=archived&regulation=gdpr"),
    Call("50 archived jobs under a rare law", "/api/jobs?state=archived&regulation=nzpa_nzl"),
    Call("50 archived jobs under a law that none has", "/api/jobs?state=archived&regulation=pdpa_tha"),
    Call("50 archived jobs of a rare action", "/api/jobs?state=archived&action=opt_out_of_sale"),
    Call("50 archived jobs of a product of all", "/api/jobs?state=archived&product=analytics"),
    Call("50 archived jobs of a product that none has", "/api/jobs?state=archived&product=marketo"),
    Call(
        "50 archived jobs of a month a year ago", "/api/jobs?state=archived&from={year_ago}&to={year_ago_end}"
    ),
    Call("50 jobs of a frequent verdict", "/api/jobs?verdict=done"),
    Call("50 jobs of a rare verdict", "/api/jobs?verdict=in+part"),
    Call("50 jobs of a verdict that none has", "/api/jobs?verdict=not+done"),
    Call("50 jobs of a rare code", "/api/jobs?code=6053-200"),
    Call("50 jobs of a frequent code of one product", "/api/jobs?code=6000-200&product=analytics"),
    Call("50 jobs of a frequent code under a rare law", "/api/jobs?code=6000-200&regulation=nzpa_nzl"),
    Call("50 jobs of one day of the inbox", "/api/jobs?state=all&from={day}&to={day}"),
    Call("the jobs of a batch", "/api/jobs?batch={batch}"),
    Call("the jobs of a request", "/api/jobs?request={middle}"),
    Call("find a whole id", "/api/find", {"text": "{middle}"}),
    Call("find a part of an id that 10 have", "/api/find", {"text": "{part}"}),
    Call("find a part of an id that all have", "/api/find", {"text": "dsr-20"}),
    Call("find a part that none has, of parts that all have", "/api/find", {"text": "26-2026-"}),
    Call("find a part that none has", "/api/find", {"text": "no-such-id"}),
    Call("find Adobe's job id", "/api/find", {"text": "adobe-{number}"}),
    Call("find a batch", "/api/find", {"text": "{batch}"}),
    Call("find a person", "/api/find-person", PERSON),
    Call("one request with its history", "/api/request?id={middle}"),
    Call("the same, as HTML", "/request?id={middle}"),
    Call("a request's evidence", "/api/evidence?id={middle}"),
    Call("the same, as HTML", "/evidence.html?id={middle}"),
    Call("a manifest", "/api/manifest?job={number}"),
    Call("the same, as HTML", "/manifest?job={number}"),
    Call("people's decisions", "/api/decisions"),
    Call("people's decisions of half a year ago", "/api/decisions?before={half_year_ago}"),
    Call("one kind of decisions", "/api/decisions?what=released"),
    Call("the same, as HTML", "/decisions?what=released"),
    Call("a small result, checked", "/api/result?job={number}"),
    Call("the form of a new request", "/new"),
    Call("a file of the page", "/static/page.css"),
    Call("the API's description", "/api/openapi.json"),
    Call("the form of the report", "/report"),
    Call("the report on a month's requests", "/api/report?from={month_ago}&to={today}", any_time=True),
    Call("the same to be printed", "/report.html?from={month_ago}&to={today}", any_time=True),
    Call("overdue jobs as CSV", "/api/export.csv?attention=overdue", any_time=True),
    Call("overdue jobs as JSON", "/api/export.json?attention=overdue", any_time=True),
)
EVERY_POST = ("/api/find", "/api/find-person")

# How the two databases say: a day some days before today, a moment on it, the numbers from 1 to :jobs, some text.
WORDS: dict[str, dict[str, str]] = {
    "sqlite": {
        "day": "date('now', (0 - ({0})) || ' days')",
        "moment": "strftime('%Y-%m-%d 09:30:00.000000', 'now', (0 - ({0})) || ' days')",
        "numbers": "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {jobs})",
        "from": "numbers",
        "padded": "printf('%07d', i)",
        "hex": "lower(hex(randomblob(16)))",
    },
    "postgresql": {
        "day": "(CURRENT_DATE - CAST({0} AS integer))",
        "moment": "((CURRENT_DATE - CAST({0} AS integer)) + time '09:30') AT TIME ZONE 'UTC'",
        "numbers": "",
        "from": "generate_series(1, {jobs}) AS numbers(i)",
        "padded": "lpad(CAST(i AS text), 7, '0')",
        "hex": "md5(CAST(i AS text))",
    },
}


def request_of(job: int) -> str:
    return f"DSR-2026-{job:07}"


def fill(url: str, jobs: int, folder: Path | None = None) -> None:
    """The oldest jobs come first; what is not archived is among the youngest tenth. The middle job's result is in the
    archive."""
    with Ledger(url, actor="benchmark") as ledger:
        key = ledger.intake.person_print(PERSON["namespace"], PERSON["value"])
        with ledger.unit.engine.begin() as connection:
            for statement in _statements(connection, jobs, key):
                connection.execute(text(statement))
        if ledger.unit.engine.dialect.name == "postgresql":
            with ledger.unit.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        if folder is not None:
            _archive(ledger, jobs // 2, folder)


def _statements(connection: Connection, jobs: int, key: str) -> Iterator[str]:
    words = WORDS[connection.dialect.name]
    # Days ago, from the oldest to today.
    ago = f"(({jobs} - i) * {DAYS} / {jobs})"
    day, moment, padded = words["day"].format, words["moment"].format, words["padded"]
    numbers, source = words["numbers"].format(jobs=jobs), words["from"].format(jobs=jobs)
    state = f"""CASE WHEN i <= {jobs} * 9 / 10 OR i % 5 < 3 THEN 'archived' WHEN i % 1000 = 3 THEN 'error'
        WHEN i % 1000 = 4 THEN 'refused' WHEN i > {jobs} - 300 THEN 'planned' WHEN i > {jobs} - 800 THEN 'received'
        WHEN i % 1000 = 8 THEN 'complete' ELSE 'submitted' END"""
    yield f"""
        INSERT INTO privacy_batches (id, regulation, products, options, inbox_date, run_id, created_at, needs_approval)
        {words["numbers"].format(jobs=jobs // 1000 + 1)}
        SELECT 'batch-' || (i - 1), 'gdpr', 'analytics,profileService', '', {day("0")}, 'run-' || i, {moment("0")},
            {"1" if connection.dialect.name == "sqlite" else "true"} FROM {words["from"].format(jobs=jobs // 1000 + 1)}
    """
    yield f"""
        INSERT INTO privacy_jobs (id, request_id, regulation, action, part, key, fingerprint, source, options,
            warnings, inbox_date, products, received_at, taken_in_at, due_on, origin, state, on_hold, attempt,
            batch_id, submitted_at, adobe_job_id, completed_at, outcome, outcome_code, archived_at, manifest)
        {numbers}
        SELECT i, 'DSR-2026-' || {padded},
            CASE WHEN i % 100000 = 7 THEN 'nzpa_nzl' WHEN i % 3 = 0 THEN 'ccpa' ELSE 'gdpr' END,
            CASE WHEN i % 10000 = 1 THEN 'opt_out_of_sale' WHEN i % 2 = 0 THEN 'access' ELSE 'delete' END, 1,
            'DSR-2026-' || {padded}, 'f', 'file', '', CASE WHEN i % 1000 = 9 THEN 'a warning' ELSE '' END,
            {day(f"{ago} + 1")}, CASE WHEN i % 4 = 0 THEN '' ELSE 'analytics,profileService' END, {moment(ago)},
            {moment(ago)}, {day(f"{ago} - 30")}, 'inbox', state, i % 20000 = 5, 1,
            CASE WHEN state <> 'received' THEN 'batch-' || (i / 1000) END,
            CASE WHEN state NOT IN ('received', 'planned') THEN {moment(ago)} END,
            CASE WHEN state NOT IN ('received', 'planned', 'refused') THEN 'adobe-' || i END,
            CASE WHEN state IN ('archived', 'complete') THEN {moment(ago)} END,
            CASE WHEN state IN ('archived', 'complete') THEN CASE WHEN i % 1000 = 2 OR i % 10000 = 3
                THEN 'in part' ELSE 'done' END END,
            CASE WHEN state IN ('archived', 'complete') THEN '6000-200' END,
            CASE WHEN state = 'archived' THEN {moment(ago)} END,
            CASE WHEN state = 'archived' THEN 'jobs/gdpr/' || i || '/manifest.json' END
        FROM (SELECT i, {state} AS state FROM {source}) AS rows
    """
    yield "INSERT INTO privacy_request_ids SELECT lower(request_id), request_id FROM privacy_jobs"
    yield f"""
        INSERT INTO privacy_person_prints (print, request_id) {numbers}
        SELECT {words["hex"]}, 'DSR-2026-' || {padded} FROM {source}
    """
    yield f"INSERT INTO privacy_person_prints (print, request_id) VALUES ('{key}', '{request_of(jobs // 2)}')"
    for position, product in enumerate(("analytics", "profileService")):
        rare = "CASE WHEN job_id % 1000 = 2 THEN {0} WHEN job_id % 10000 = 3 THEN {1} ELSE {2} END".format
        first = position == 0
        yield f"""
            INSERT INTO privacy_answers (job_id, attempt, position, product, name, asked, status, code, verdict)
            SELECT job_id, 1, {position}, '{product}', '{product}', NULL, 'complete',
                {"'6000-200'" if first else rare("'6052-200'", "'6053-200'", "'6000-200'")},
                {"'done'" if first else rare("'not done'", "'wrong namespace'", "'done'")}
            FROM (SELECT id AS job_id FROM privacy_jobs WHERE state = 'archived') AS archived
        """
    for step in ("received", "submitted", "archived"):
        yield f"""
            INSERT INTO privacy_transitions (job_id, at, actor, to_state, attempt, adobe_job_id, reason)
            SELECT id, received_at, 'privacy_requests/scheduled__2026/plan', '{step}', 1,
                {"adobe_job_id" if step == "submitted" else "NULL"}, '' FROM privacy_jobs
        """
    # One request in a hundred was put on hold and released by one of ten officers.
    for reason in ("on hold: a lawsuit", "hold ended: settled"):
        yield f"""
            INSERT INTO privacy_transitions (job_id, at, actor, from_state, to_state, attempt, reason)
            SELECT id, received_at, 'user/officer-' || (id / 100 % 10), state, state, 1, '{reason}'
            FROM privacy_jobs WHERE id % 100 = 0 ORDER BY id
        """
    yield """
        INSERT INTO privacy_accesses (at, actor, kind, request_id, about)
        SELECT archived_at, 'user/officer-1', 'downloaded', request_id, 'the result' FROM privacy_jobs
        WHERE id % 50 = 0 AND state = 'archived' ORDER BY id
    """
    yield f"""
        INSERT INTO privacy_daily_figures (day, arrived, archived, seconds, longest)
        SELECT {"date(received_at)" if connection.dialect.name == "sqlite" else "CAST(received_at AS date)"},
            count(*), sum(CASE WHEN state = 'archived' THEN 1 ELSE 0 END), 0, 0
        FROM privacy_jobs GROUP BY 1
    """


def _archive(ledger: Ledger, job_id: int, folder: Path) -> None:
    store = open_store(f"file://{folder}", FileOptions(create=True))
    name = request_of(job_id)
    finished = access_job(f"adobe-{job_id}", request_id=name, request_key=name)
    open_download = FromMemory(make_zip()).open
    manifest = asyncio.run(archive_job(store, finished, open_download, settings=ArchiveSettings()))
    with ledger.unit.engine.begin() as connection:
        key = {"manifest": f"{manifest.folder}/manifest.json", "id": job_id}
        connection.execute(text("UPDATE privacy_jobs SET manifest = :manifest WHERE id = :id"), key)


def missing(app: Any) -> set[tuple[str, str]]:
    """The routes of the page that no call asks: every GET, and the searches."""
    from fastapi.routing import APIRoute

    routes = [
        route for route in app.routes if isinstance(route, APIRoute) and "{organisation}" not in route.path
    ]
    wanted = {("GET", route.path) for route in routes if "GET" in route.methods}
    wanted |= {("POST", path) for path in EVERY_POST}
    asked = {call.route for call in CALLS} | {("GET", "/static/{name}")}
    return wanted - asked


def measure(url: str, jobs: int, folder: Path) -> dict[Call, tuple[float, float]]:
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
    service = {"conn_type": "adobe_privacy", "login": "id", "password": "secret"}
    extra = {"org_id": "0123456789ABCDEF@AdobeOrg", "products": ["analytics", "profileService"]}
    os.environ |= {
        "AIRFLOW_CONN_PRIVACY_LEDGER": json.dumps(connection),
        "AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT": json.dumps(service | {"extra": extra}),
        "AIRFLOW_VAR_PRIVACY_ARCHIVE_URI": f"file://{folder}",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from airflow.api_fastapi.core_api.security import get_user
        from fastapi.testclient import TestClient

        from adobe_privacy.web import access
        from adobe_privacy.web.app import create_app

    app = create_app()
    if left_out := missing(app):
        raise SystemExit(f"no call asks {sorted(left_out)}")
    for allowed in (access.may_read, access.may_ask, access.may_download):
        app.dependency_overrides[allowed] = lambda: None
    for shown in (access.user_may_write, access.user_may_run, access.user_may_download):
        app.dependency_overrides[shown] = lambda: True
    app.dependency_overrides[get_user] = lambda: SimpleNamespace(get_name=lambda: "officer")
    with TestClient(app) as client:
        last = client.get("/api/jobs?limit=500").raise_for_status().json()["jobs"][-1]
        today = datetime.now(UTC).date()
        values = {
            "later": f"{last['due_on']}.{last['id']}",
            "half": f"{today - timedelta(days=DAYS // 2 - 30)}.{jobs // 2}",
            "day": last["inbox_date"],
            "today": today,
            "month_ago": today - timedelta(days=30),
            "half_year_ago": f"{today - timedelta(days=182)}T00:00:00Z",
            "year_ago": today - timedelta(days=365),
            "year_ago_end": today - timedelta(days=335),
            "batch": f"batch-{jobs // 2000}",
            "number": jobs // 2,
            "middle": request_of(jobs // 2),
            "part": request_of(jobs // 2)[-7:-1],
        }

        def median(call: Call) -> tuple[float, float]:
            path = call.path.format(**values)
            body = {name: value.format(**values) for name, value in (call.body or {}).items()}
            times = []
            for _ in range(3 if call.any_time else REPEATS + 1):
                started, cpu = time.perf_counter(), time.process_time()
                answer = client.get(path) if call.body is None else client.post(path, json=body)
                times.append((time.perf_counter() - started, time.process_time() - cpu))
                if answer.status_code != 200:
                    raise SystemExit(f"{path} answered {answer.status_code}: {answer.text[:300]}")
            wall, of_cpu = (statistics.median(some) * 1000 for some in zip(*times[1:], strict=True))
            return wall, of_cpu

        found = {call: median(call) for call in CALLS}
        rare = client.get("/api/jobs?state=archived&regulation=nzpa_nzl").json()["jobs"]
        if len(rare) < jobs // 100_000 // 2:
            raise SystemExit(f"{len(rare)} jobs of the rare law were found: the times mean nothing")
        person = client.post("/api/find-person", json=PERSON).json()["request_ids"]
        if person != [values["middle"]]:
            raise SystemExit("the person was not found: the times mean nothing")
    for source in app.state.sources.values():
        source.close()
    return found


def main(jobs: int, only: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="page-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ |= {
            "AIRFLOW_HOME": name,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        server = postgres_server(folder / "pg")
        try:
            found: dict[str, dict[Call, tuple[float, float]]] = {}
            for kind, url in (
                ("SQLite", f"sqlite:///{folder}/ledger.db"),
                ("PostgreSQL", server.get_uri(driver="psycopg")),
            ):
                if only in (None, kind.lower()):
                    archive = folder / f"archive-{kind}"
                    fill(url, jobs, archive)
                    found[kind] = measure(url, jobs, archive)
        finally:
            server.cleanup()
    print(f"## The page on a ledger of {jobs:,} jobs\n")
    print(
        f"Milliseconds a call, the medians of {REPEATS}; Airflow's check of the login is not in them. The CPU time is "
        "that of the web application, which holds SQLite but not the PostgreSQL server. On PostgreSQL each is to take "
        f"less than {LIMIT}, but for those in italics. Load at the end: {os.getloadavg()[0]:.0f}.\n"
    )
    print("| | " + " | ".join(f"{kind} | of CPU" for kind in found) + " |")
    print("|---|" + "---:|---:|" * len(found))
    for call in CALLS:
        name = f"*{call.what}*" if call.any_time else call.what
        figures = (f"{wall:.1f} | {cpu:.1f}" for wall, cpu in (times[call] for times in found.values()))
        print(f"| {name} | " + " | ".join(figures) + " |")
    times = found.get("PostgreSQL", {})
    slow = [call.what for call in times if times[call][0] >= LIMIT and not call.any_time]
    if slow:
        print(f"\nAbove {LIMIT} on PostgreSQL: {', '.join(slow)}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    main(arguments.jobs, arguments.only)
