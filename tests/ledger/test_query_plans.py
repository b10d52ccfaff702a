"""Every statement that the ledger really executes is explained by the database that executes it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from adobe_privacy.ledger.alarms import Raised, jobs_with_alarm, record, unarchived
from adobe_privacy.ledger.figures import figures
from adobe_privacy.ledger.latency import recent_latencies
from adobe_privacy.ledger.ledger import FinishedJob, Ledger, OthersJob
from adobe_privacy.ledger.overview import Concern, Filters, Overview, Position
from adobe_privacy.ledger.schema import Batch, Job, JobState
from adobe_privacy.ledger.waiting import submitted_jobs
from adobe_privacy.reporting.reports import evidence
from tests.support.ledgers import DAY, NOON, FakeClock, Postgres, received

REQUESTS = 20_000
PER_BATCH = 100
RUN = "privacy_requests/scheduled__2026-11-20"
# A ledger of some years has mostly archived jobs; a request in five is an opt-out that another DAG takes.
STATES = [JobState.ARCHIVED] * 40 + [JobState.SUBMITTED] * 2 + [JobState.ERROR, JobState.REFUSED]
IN_BATCH = frozenset(JobState) - {JobState.RECEIVED}
FINISHED = frozenset({JobState.COMPLETE, JobState.ARCHIVED})
# Small enough to sort: a batch, a page, the batches of a day.
SORTABLE = 2500


def _fill(ledger: Ledger) -> None:
    """Two jobs for most requests, in batches of one state each; the last thousand wait."""
    batches = [
        {
            "id": f"batch-{number:04d}",
            "regulation": "gdpr",
            "products": "analytics",
            "inbox_date": DAY - timedelta(days=number),
            "run_id": f"run-{number}",
            "created_at": NOON - timedelta(days=number),
        }
        for number in range(REQUESTS // PER_BATCH)
    ]
    jobs: list[dict[str, Any]] = []
    for number in range(REQUESTS):
        opt_out, age = number % 5 == 0, number // PER_BATCH
        state = JobState.RECEIVED if opt_out or age >= 190 else STATES[age % len(STATES)]
        if age == 3 and not opt_out:
            state = JobState.PLANNED
        if age == 4 and not opt_out:
            state = JobState.SUBMITTING
        for action in ("opt_out_of_sale",) if opt_out else ("access", "delete"):
            job_id = len(jobs) + 1
            jobs.append(
                {
                    "id": job_id,
                    "request_id": f"OLD-{number}",
                    "regulation": "gdpr",
                    "action": action,
                    "part": 1,
                    "key": f"OLD-{number}",
                    "fingerprint": f"{number:064d}",
                    "source": f"{DAY - timedelta(days=age)}/requests.jsonl",
                    "inbox_date": DAY - timedelta(days=age),
                    "products": "analytics",
                    "received_at": NOON - timedelta(days=age),
                    "due_on": DAY + timedelta(days=(15 if opt_out else 30) - age),
                    "alarm_at": NOON + timedelta(days=15 - age),
                    "submitted_at": NOON - timedelta(days=age) if state in FINISHED else None,
                    "completed_at": NOON - timedelta(days=age - 9) if state in FINISHED else None,
                    "state": state,
                    "on_hold": False,
                    "attempt": 1,
                    "batch_id": f"batch-{age:04d}" if state in IN_BATCH else None,
                    "intent_at": NOON if state is JobState.SUBMITTING else None,
                    "adobe_job_id": f"adobe-{job_id}"
                    if state not in (JobState.RECEIVED, JobState.PLANNED)
                    else None,
                }
            )
    with ledger.engine.begin() as connection:
        connection.execute(insert(Batch), batches)
        connection.execute(insert(Job), jobs)
        for name in ("received", "planned", "submitted"):
            adobe_job_id = "adobe_job_id" if name == "submitted" else "NULL"
            connection.exec_driver_sql(
                "INSERT INTO privacy_transitions (job_id, at, actor, to_state, attempt, adobe_job_id, reason) "
                f"SELECT id, received_at, 'dag/run/task', '{name}', 1, {adobe_job_id}, '' FROM privacy_jobs"
            )
        if connection.dialect.name == "postgresql":
            for table in ("privacy_jobs", "privacy_transitions"):
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000000)"))


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "ledger.db"
    with Ledger(f"sqlite:///{path}", actor="test", now=FakeClock()) as ledger:
        _fill(ledger)
    return path


@pytest.fixture(scope="module", params=["sqlite", "sqlite, analysed", "postgres"])
def large_ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ledger]:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database("large")
    else:
        path = tmp_path_factory.mktemp("copy") / "ledger.db"
        shutil.copy(request.getfixturevalue("large_file"), path)
        url = f"sqlite:///{path}"
    with Ledger(url, actor="test", now=FakeClock()) as ledger:
        if request.param == "postgres":
            _fill(ledger)
        upkeep = {"sqlite": (), "sqlite, analysed": ("ANALYZE",), "postgres": ("VACUUM ANALYZE",)}
        with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in upkeep[request.param]:
                connection.exec_driver_sql(statement)
        yield ledger


def _claim(ledger: Ledger) -> Batch:
    batch = ledger.claim_batch(run_id=RUN, inbox_date=DAY, daily_limit=20_000, max_users=500)
    assert batch is not None
    return batch


def _intend(ledger: Ledger) -> None:
    batch = _claim(ledger)
    ids = [job.id for job in ledger.batch_jobs(batch.id)]
    ledger.intend(batch.id, ids, daily_limit=20_000)


def _submit_and_finish(ledger: Ledger) -> None:
    batch = _claim(ledger)
    jobs = ledger.intend(batch.id, [job.id for job in ledger.batch_jobs(batch.id)], daily_limit=20_000)
    made = [(job, f"new-{job.id}") for job in jobs]
    ledger.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
    ledger.record_complete([FinishedJob(jobs[0], None, "full", None)])
    ledger.record_archived({jobs[0].id: "m"})
    ledger.record_error(jobs[1], completed_at=None, outcome_code="1020-400", reason="", try_again=True)


def others_job(number: int) -> OthersJob:
    return OthersJob(
        adobe_job_id=f"others-{number}",
        regulation="gdpr",
        action="access",
        created_at=NOON,
        due_on=DAY,
        request_id_in_key=f"OLD-{number}",
    )


def _page(**filters: Any) -> Callable[[Ledger], Any]:
    after = Position(DAY - timedelta(days=100), 20_000)
    return lambda ledger: Overview(ledger.engine, ledger.now).page(Filters(**filters), after=after)


CALLS: dict[str, Callable[[Ledger], Any]] = {
    "receive": lambda ledger: ledger.receive(
        [received(n) for n in range(1000)] + [received(0, source="2026-11-21/again.jsonl")]
    ),
    "quota": lambda ledger: ledger.quota(),
    "claim_batch": _claim,
    "claim_batch, a day before the waiting ones": lambda ledger: ledger.claim_batch(
        run_id=RUN, inbox_date=DAY - timedelta(days=500), daily_limit=20_000
    ),
    "open_batches": lambda ledger: ledger.open_batches(run_id="run-20", inbox_date=DAY),
    "batch_contents": lambda ledger: ledger.batch_contents([f"batch-{n:04d}" for n in range(10)]),
    "count_waiting": lambda ledger: ledger.count_waiting(DAY),
    "batch": lambda ledger: ledger.batch("batch-0001"),
    "batch_jobs": lambda ledger: ledger.batch_jobs("batch-0001", JobState.ARCHIVED, JobState.ERROR),
    "delete_plan": lambda ledger: ledger.delete_plan("batch-0003"),
    "unapproved_deletes": lambda ledger: ledger.unapproved_deletes("batch-0003", approve_deletes=True),
    "decide": lambda ledger: (
        ledger.decide("batch-0003", ledger.delete_plan("batch-0003").hash, approved=True, hold={"OLD-301"}),
        ledger.unapproved_deletes("batch-0003", approve_deletes=True),
    ),
    "claim_batch, deletes apart": lambda ledger: ledger.claim_batch(
        run_id=RUN, inbox_date=DAY, daily_limit=20_000, max_users=500, approve_deletes=True
    ),
    "intend": _intend,
    "record_…": _submit_and_finish,
    "withdraw": lambda ledger: ledger.withdraw(
        ledger.batch_jobs("batch-0004"), JobState.PLANNED, "absent", refund=True
    ),
    "unclaim": lambda ledger: ledger.unclaim("batch-0003", "no room"),
    "refuse": lambda ledger: ledger.refuse([job.id for job in ledger.batch_jobs("batch-0003")], "gone"),
    "record_quota_refusal": lambda ledger: ledger.record_quota_refusal(1),
    "known_adobe_jobs": lambda ledger: ledger.known_adobe_jobs([f"adobe-{n}" for n in range(2000)]),
    "adopt": lambda ledger: ledger.adopt([others_job(n) for n in range(1000)]),
    "jobs_at_adobe": lambda ledger: ledger.jobs_at_adobe(
        [f"adobe-{n}" for n in range(2000)], JobState.SUBMITTED, JobState.ERROR
    ),
    "submitted_between": lambda ledger: ledger.submitted_between(
        NOON - timedelta(days=80), NOON - timedelta(days=40), limit=500
    ),
    "intend_opt_outs": lambda ledger: ledger.intend_opt_outs(
        DAY, limit=100, abandoned_before=NOON, lost={1, 2}
    ),
    "opt_outs": lambda ledger: ledger.opt_outs(DAY - timedelta(days=190), JobState.RECEIVED),
    "record_opted_out, record_receipts": lambda ledger: ledger.record_receipts(
        [
            (job, f"optouts/{job.id}.json")
            for job in ledger.record_opted_out(ledger.intend_opt_outs(DAY, limit=100, abandoned_before=NOON))
        ]
    ),
    "request_jobs": lambda ledger: ledger.request_jobs("OLD-7"),
    "history": lambda ledger: ledger.history("OLD-7"),
    "hold": lambda ledger: ledger.hold("OLD-7", "lawsuit"),
    "holds": lambda ledger: (ledger.hold("OLD-7", "lawsuit"), ledger.holds()),
    "release": lambda ledger: ledger.release("OLD-7", "settled"),
    "run_jobs": lambda ledger: list(ledger.run_jobs(run_id="run-20", inbox_date=DAY)),
    "counts": lambda ledger: ledger.counts(),
    "figures": lambda ledger: figures(ledger, DAY - timedelta(days=3), DAY),
    "evidence": lambda ledger: evidence(ledger, "OLD-7"),
    "due": lambda ledger: ledger.due(DAY + timedelta(days=400), limit=100),
    "Overview.counts": lambda ledger: Overview(ledger.engine, ledger.now).counts(),
    "Overview.concerns": lambda ledger: Overview(ledger.engine, ledger.now).concerns(),
    "Overview.page": _page(),
    "Overview.page, all states": _page(states=tuple(JobState)),
    "Overview.page, archived of a rare kind": _page(
        states=(JobState.ARCHIVED,), regulation="lgpd_bra", action="access", product="target"
    ),
    "Overview.page, a month": _page(
        states=(JobState.ARCHIVED,), first_day=DAY - timedelta(days=30), last_day=DAY
    ),
    "Overview.page, a day": _page(states=(JobState.ARCHIVED,), first_day=DAY, last_day=DAY),
    "Overview.page, a request": _page(request_id="OLD-7"),
    "Overview.page, a batch": _page(batch_id="batch-0007", states=(JobState.ARCHIVED,)),
    **{f"Overview.page, {concern}": _page(concern=concern) for concern in Concern},
    "Overview.job": lambda ledger: Overview(ledger.engine).job(7),
    "Overview.request": lambda ledger: Overview(ledger.engine).request("OLD-7"),
    "Overview.daily_figures": lambda ledger: Overview(ledger.engine).daily_figures(60),
    "submitted_jobs": lambda ledger: submitted_jobs(ledger, "batch-0001"),
    "recent_latencies": lambda ledger: recent_latencies(ledger, "access"),
    "jobs_with_alarm": lambda ledger: list(jobs_with_alarm(ledger, NOON - timedelta(days=100))),
    "unarchived": lambda ledger: unarchived(ledger, NOON),
    "raised, record": lambda ledger: record(
        ledger,
        [Raised("clock", f"OLD-{n}", 50) for n in range(2000)],
        dict.fromkeys(range(1, 2000), NOON),
    ),
}


def test_the_list_of_calls_is_complete() -> None:
    public = {name for name, value in vars(Ledger).items() if callable(value) and not name.startswith("_")}
    public |= {f"Overview.{name}" for name in vars(Overview) if not name.startswith("_")}
    named = {name.split(",")[0] for name in CALLS}
    recorded = {"record_submitted", "record_complete", "record_archived", "record_error", "record_receipts"}
    assert public - named - recorded - {"close", "rehearsal", "fingerprint"} == set()


@pytest.mark.parametrize("call", CALLS)
def test_no_query_reads_or_sorts_a_whole_table(large_ledger: Ledger, call: str) -> None:
    with large_ledger.rehearsal(), _explained(large_ledger) as plans:
        CALLS[call](large_ledger)
        assert plans, "the call has executed nothing"
        explain = _sqlite_faults if large_ledger.engine.dialect.name == "sqlite" else _postgres_faults
        for statement, plan in plans:
            assert explain(call, plan) == [], f"{statement}\n" + "\n".join(plan)


@contextmanager
def _explained(ledger: Ledger) -> Iterator[list[tuple[str, list[str]]]]:
    """Collects the plan of every statement, right before it is executed."""
    plans: list[tuple[str, list[str]]] = []
    sqlite = ledger.engine.dialect.name == "sqlite"
    seen: set[str] = set()

    def explain(
        _connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        kind = re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)", statement)
        if kind is None or "pg_advisory" in statement or statement in seen or "pg_catalog" in statement:
            return
        seen.add(statement)
        some = parameters[0] if many and parameters else parameters
        explaining = cursor.connection.cursor()
        explaining.execute(("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + statement, some)
        plans.append((statement, [str(row[-1]) for row in explaining.fetchall()]))
        explaining.close()

    event.listen(ledger.engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(ledger.engine, "before_cursor_execute", explain)


# What these are about is every entry of an index that is narrow, or holds few of the jobs.
WHOLE_INDEXES: dict[str, str | tuple[str, ...]] = {
    "counts": "USING COVERING INDEX ix_privacy_jobs_state",
    "holds": "ix_privacy_jobs_held",
    "Overview.counts": "SCAN privacy_daily_figures",
    "Overview.concerns": ("USING INDEX ix_privacy_jobs_held", "INDEX ix_privacy_jobs_at_adobe"),
    "Overview.page, held": "USING INDEX ix_privacy_jobs_held",
    "Overview.page, expiring": "USING INDEX ix_privacy_jobs_at_adobe",
}
SORTED_BY_INDEX = (
    "claim_batch",
    "claim_batch, a day before the waiting ones",
    "claim_batch, deletes apart",
    "count_waiting",
    "due",
    "counts",
    "Overview.page",
    "Overview.page, all states",
    "Overview.page, archived of a rare kind",
    "Overview.page, a month",
    "Overview.page, overdue",
    "Overview.page, soon",
    "Overview.page, failed",
    "recent_latencies",
    "jobs_with_alarm",
)


def _sqlite_faults(call: str, plan: list[str]) -> list[str]:
    faults = []
    for line in plan:
        scan = line.startswith("SCAN privacy_")
        if scan and not (call in WHOLE_INDEXES and line.endswith(WHOLE_INDEXES[call])):
            faults.append(line)
        if "TEMP B-TREE" in line and call in SORTED_BY_INDEX:
            faults.append(line)
    return faults


def _postgres_faults(_call: str, plan: list[str]) -> list[str]:
    faults = []
    for line in plan:
        rows = int(found.group(1)) if (found := re.search(r" rows=(\d+)", line)) else 0
        if re.search(r"Seq Scan on privacy_(jobs|transitions)", line):
            faults.append(line)
        if "Sort  (" in line and rows > SORTABLE:
            faults.append(line)
    return faults
