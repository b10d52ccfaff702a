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
from sqlalchemy.orm import Session

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.alarms import NextAlarm, Raised
from adobe_privacy.ledger.attention import KINDS, LASTING, Kind, Level
from adobe_privacy.ledger.attention_reader import RunScope
from adobe_privacy.ledger.doubts import SeenJob
from adobe_privacy.ledger.inbox import FileName, Problem
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.limits import Doubt
from adobe_privacy.ledger.others import OthersJob
from adobe_privacy.ledger.overview import Filters, Position
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import AccessKind, Batch, Job, ProblemKind, ProductAnswer
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic
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
                    "products": "" if number % 7 == 0 else "analytics",
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
    with ledger.unit.engine.begin() as connection:
        connection.execute(insert(Batch), batches)
        connection.execute(insert(Job), jobs)
        connection.execute(insert(ProductAnswer), list(_answers(jobs)))
        for name in ("received", "planned", "submitted"):
            adobe_job_id = "adobe_job_id" if name == "submitted" else "NULL"
            connection.exec_driver_sql(
                "INSERT INTO privacy_transitions (job_id, at, actor, to_state, attempt, adobe_job_id, reason) "
                f"SELECT id, received_at, 'dag/run/task', '{name}', 1, {adobe_job_id}, '' FROM privacy_jobs"
            )
        if connection.dialect.name == "postgresql":
            for table in ("privacy_jobs", "privacy_transitions"):
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000000)"))


def _answers(jobs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What Analytics answered to every archived job, and Target to one of a thousand."""
    for job in jobs:
        if job["state"] is JobState.ARCHIVED:
            one = {"job_id": job["id"], "attempt": 1, "position": 0}
            yield one | {
                "product": "analytics",
                "name": "Analytics",
                "code": "6000-200",
                "verdict": Verdict.DONE.value,
            }
            if job["id"] % 1000 == 0:
                yield one | {
                    "position": 1,
                    "product": "target",
                    "name": "Target",
                    "code": "6053-200",
                    "verdict": Verdict.WRONG_NAMESPACE.value,
                }


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
        with ledger.unit.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in upkeep[request.param]:
                connection.exec_driver_sql(statement)
        yield ledger


def _claim(ledger: Ledger) -> Batch:
    batch = ledger.claims.claim_batch(run_id=RUN, inbox_date=DAY, daily_limit=20_000, max_users=500)
    assert batch is not None
    return batch


def _intend(ledger: Ledger) -> None:
    batch = _claim(ledger)
    ids = [job.id for job in ledger.claims.batch_jobs(batch.id)]
    ledger.intents.intend(batch.id, ids, daily_limit=20_000)


def _submit_and_finish(ledger: Ledger) -> None:
    batch = _claim(ledger)
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=20_000
    )
    made = [(job, f"new-{job.id}") for job in jobs]
    ledger.intents.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
    ledger.results.record_complete([FinishedJob(jobs[0], None, "done", None)])
    ledger.results.record_archived({jobs[0].id: "m"})
    ledger.results.record_error(
        jobs[1], completed_at=None, outcome_code="1020-400", reason="", try_again=True
    )


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
    return lambda ledger: ledger.overview.page(Filters(**filters), after=after)


def _attention(kind: Kind) -> Callable[[Ledger], Any]:
    return lambda ledger: ledger.attention.jobs(kind, limit=100)


CALLS: dict[str, Callable[[Ledger], Any]] = {
    "intake.receive": lambda ledger: ledger.intake.receive(
        [received(n) for n in range(1000)] + [received(0, source="2026-11-21/again.jsonl")]
    ),
    "quotas.today": lambda ledger: ledger.quotas.today(),
    "claims.claim_batch": _claim,
    "claims.claim_batch, a day before the waiting ones": lambda ledger: ledger.claims.claim_batch(
        run_id=RUN, inbox_date=DAY - timedelta(days=500), daily_limit=20_000
    ),
    "claims.open_batches": lambda ledger: ledger.claims.open_batches(run_id="run-20", inbox_date=DAY),
    "claims.batch_contents": lambda ledger: ledger.claims.batch_contents(
        [f"batch-{n:04d}" for n in range(10)]
    ),
    "claims.jobs_of_run": lambda ledger: ledger.claims.jobs_of_run("run-20"),
    "claims.count_waiting": lambda ledger: ledger.claims.count_waiting(DAY),
    "claims.batch": lambda ledger: ledger.claims.batch("batch-0001"),
    "claims.batch_jobs": lambda ledger: ledger.claims.batch_jobs(
        "batch-0001", JobState.ARCHIVED, JobState.ERROR
    ),
    "approvals.delete_plan": lambda ledger: ledger.approvals.delete_plan("batch-0003"),
    "approvals.unapproved_deletes": lambda ledger: ledger.approvals.unapproved_deletes(
        "batch-0003", approve_deletes=True
    ),
    "approvals.decide": lambda ledger: (
        ledger.approvals.decide(
            "batch-0003", ledger.approvals.delete_plan("batch-0003").hash, approved=True, hold={"OLD-301"}
        ),
        ledger.approvals.unapproved_deletes("batch-0003", approve_deletes=True),
    ),
    "claims.claim_batch, deletes apart": lambda ledger: ledger.claims.claim_batch(
        run_id=RUN, inbox_date=DAY, daily_limit=20_000, max_users=500, approve_deletes=True
    ),
    "intents.intend": _intend,
    "record_…": _submit_and_finish,
    "intents.withdraw": lambda ledger: ledger.intents.withdraw(
        ledger.claims.batch_jobs("batch-0004"), JobState.PLANNED, "absent", refund=True
    ),
    "claims.unclaim": lambda ledger: ledger.claims.unclaim("batch-0003", "no room"),
    "claims.refuse": lambda ledger: ledger.claims.refuse(
        [job.id for job in ledger.claims.batch_jobs("batch-0003")], "gone"
    ),
    "claims.note_unreadable": lambda ledger: ledger.claims.note_unreadable(
        {job.id: "permission denied" for job in ledger.claims.batch_jobs("batch-0003")}
    ),
    "quotas.record_refusal": lambda ledger: ledger.quotas.record_refusal(ledger.now().date()),
    "intents.known_adobe_jobs": lambda ledger: ledger.intents.known_adobe_jobs(
        [f"adobe-{n}" for n in range(2000)]
    ),
    "others.register": lambda ledger: ledger.others.register([others_job(n) for n in range(1000)]),
    "others.jobs_at_adobe": lambda ledger: ledger.others.jobs_at_adobe(
        [f"adobe-{n}" for n in range(2000)], JobState.SUBMITTED, JobState.ERROR
    ),
    "approvals.ask": lambda ledger: ledger.approvals.ask("batch-0003", NOON),
    "approvals.stop_asking": lambda ledger: ledger.approvals.stop_asking("batch-0003"),
    "approvals.open_questions": lambda ledger: ledger.approvals.open_questions(),
    "approvals.run_ended": lambda ledger: ledger.approvals.run_ended("run-3"),
    "limits.pause": lambda ledger: ledger.limits.pause(60.0),
    "limits.not_before": lambda ledger: ledger.limits.not_before(),
    "limits.begin_doubt": lambda ledger: ledger.limits.begin_doubt(Doubt("batch-0003", None), pause=True),
    "limits.doubt": lambda ledger: ledger.limits.doubt(),
    "limits.note_keys": lambda ledger: ledger.limits.note_keys(unchanged=True),
    "limits.keys_come_back": lambda ledger: ledger.limits.keys_come_back(),
    "limits.note_open_job_listed": lambda ledger: ledger.limits.note_open_job_listed(),
    "limits.lists_show_open_jobs": lambda ledger: ledger.limits.lists_show_open_jobs(),
    "protection.accept": lambda ledger: ledger.protection.accept({"approve_deletes": "true"}),
    "protection.check": lambda ledger: ledger.protection.check({"approve_deletes": "true"}),
    "protection.in_force": lambda ledger: ledger.protection.in_force(),
    "results.judged_before": lambda ledger: ledger.results.judged_before(500),
    "results.answers": lambda ledger: ledger.results.answers(range(1, 2000)),
    "others.settled": lambda ledger: ledger.others.settled([f"adobe-{n}" for n in range(2000)]),
    "others.least_recently_asked": lambda ledger: list(
        ledger.others.least_recently_asked(["gdpr"], NOON - timedelta(days=40))
    ),
    "others.ask": lambda ledger: ledger.others.ask(range(1, 500)),
    "opt_outs.intend": lambda ledger: ledger.opt_outs.intend(
        DAY, limit=100, abandoned_before=NOON, lost={1, 2}
    ),
    "opt_outs.told_unreadable": lambda ledger: ledger.opt_outs.told_unreadable(DAY),
    "opt_outs.jobs": lambda ledger: ledger.opt_outs.jobs(DAY - timedelta(days=190), JobState.RECEIVED),
    "opt_outs.record_accepted, opt_outs.record_receipts": lambda ledger: ledger.opt_outs.record_receipts(
        [
            (job, f"optouts/{job.id}.json")
            for job in ledger.opt_outs.record_accepted(
                ledger.opt_outs.intend(DAY, limit=100, abandoned_before=NOON)
            )
        ]
    ),
    "chain.head": lambda ledger: ledger.chain.head(),
    "chain.filed": lambda ledger: ledger.chain.filed([f"adobe-{n}" for n in range(500)]),
    "accesses.note": lambda ledger: ledger.accesses.note(AccessKind.DOWNLOADED, request_id="OLD-7"),
    "accesses.of_request": lambda ledger: ledger.accesses.of_request("OLD-7"),
    "accesses.deeds": lambda ledger: ledger.accesses.deeds(),
    "accesses.people": lambda ledger: ledger.accesses.people(),
    "doubts.lost": lambda ledger: ledger.doubts.lost(),
    "doubts.count": lambda ledger: ledger.doubts.count(),
    "doubts.jobs": lambda ledger: ledger.doubts.jobs(range(1, 500)),
    "doubts.note_seen": lambda ledger: ledger.doubts.note_seen([SeenJob("new-1", "OLD-7", "access")]),
    "doubts.look_up": lambda ledger: ledger.doubts.look_up("batch-0003", range(1, 500)),
    "handing_in.known": lambda ledger: ledger.handing_in.known({"OLD-7", "NEW-1"}),
    "handing_in.record": lambda ledger: ledger.handing_in.record({"NEW-1": "0" * 64}, f"{DAY}/page.jsonl"),
    "handing_in.of_request": lambda ledger: ledger.handing_in.of_request("OLD-7"),
    "handing_in.next_id": lambda ledger: ledger.handing_in.next_id("DSR-{year}-{number}"),
    "search.by_prints": lambda ledger: ledger.search.by_prints(["0" * 32]),
    "search.by_text": lambda ledger: ledger.search.by_text("OLD-7"),
    "people.request_jobs": lambda ledger: ledger.people.request_jobs("OLD-7"),
    "people.history": lambda ledger: ledger.people.history("OLD-7"),
    "people.hold": lambda ledger: ledger.people.hold("OLD-7", "lawsuit"),
    "erasures.is_held": lambda ledger: (
        ledger.people.hold("OLD-7", "lawsuit"),
        ledger.erasures.is_held("adobe-1", "OLD-7"),
    ),
    "erasures.is_archived": lambda ledger: ledger.erasures.is_archived("adobe-1", "jobs/manifest.json"),
    "erasures.begin": lambda ledger: ledger.erasures.begin(
        "adobe-2", "OLD-8", "jobs/gdpr/2026/01/01/adobe-2"
    ),
    "erasures.note_stopped": lambda ledger: (
        ledger.erasures.begin("adobe-2", "OLD-8", "jobs/lgpd_bra/2026/01/01/adobe-2"),
        ledger.erasures.note_stopped("jobs/lgpd_bra/2026/01/01/adobe-2"),
    ),
    "erasures.is_stopped": lambda ledger: ledger.erasures.is_stopped("adobe-2"),
    "erasures.not_due": lambda ledger: ledger.erasures.not_due("adobe-2"),
    "erasures.done": lambda ledger: ledger.erasures.done("adobe-2"),
    "erasures.unfinished": lambda ledger: ledger.erasures.unfinished(),
    "erasures.of_request": lambda ledger: ledger.erasures.of_request("OLD-8"),
    "erasures.too_late": lambda ledger: ledger.erasures.too_late("OLD-8"),
    "people.release": lambda ledger: ledger.people.release("OLD-7", "settled", seen=10**9),
    "seen.of_requests": lambda ledger: ledger.seen.of_requests(),
    "seen.of_inbox": lambda ledger: ledger.seen.of_inbox(),
    "people.resend": lambda ledger: ledger.people.resend("OLD-7", "mended"),
    "people.close": lambda ledger: ledger.people.close("OLD-7", "settled"),
    "people.undone": lambda ledger: ledger.people.undone("OLD-7"),
    "people.stopped": lambda ledger: ledger.people.stopped("OLD-7"),
    "figures.with_total": lambda ledger: ledger.figures.with_total(DAY - timedelta(days=3), DAY),
    "people.extend": lambda ledger: ledger.people.extend("OLD-7", DAY + timedelta(days=90), "told"),
    "overview.run_jobs": lambda ledger: list(ledger.overview.run_jobs(run_id="run-20", inbox_date=DAY)),
    "figures.requests": lambda ledger: ledger.figures.requests(DAY - timedelta(days=3), DAY),
    "evidence": lambda ledger: evidence(ledger, "OLD-7"),
    "overview.due": lambda ledger: ledger.overview.due(DAY + timedelta(days=400), limit=100),
    "overview.horizon": lambda ledger: ledger.overview.horizon(),
    "overview.counts": lambda ledger: ledger.overview.counts(),
    "attention.counts": lambda ledger: ledger.attention.counts(),
    "overview.sizes": lambda ledger: ledger.overview.sizes([kind for kind in LASTING if kind.states]),
    "attention.counts, of a run": lambda ledger: ledger.attention.counts(KINDS, RunScope("run-20", DAY)),
    "attention.counts, of a run of opt-outs": lambda ledger: ledger.attention.counts(
        [kind for kind in KINDS if kind.level is Level.PERSON], RunScope("run-20", DAY, opt_outs=True)
    ),
    **{f"attention.jobs, {kind.name}": _attention(kind) for kind in LASTING if kind.states},
    "attention.problems": lambda ledger: ledger.attention.problems(KINDS[0], limit=100),
    "attention.told": lambda ledger: ledger.attention.told(),
    "attention.record_told": lambda ledger: ledger.attention.record_told({"rejected": NOON}),
    "inbox.record": lambda ledger: ledger.inbox.record(
        FileName(DAY, "0" * 64, "a.jsonl"),
        [Problem(ProblemKind.LINE, "why", 3)],
        size=1,
        mark="m",
        run_id="run",
    ),
    "inbox.close_removed": lambda ledger: ledger.inbox.close_removed({DAY: []}),
    "inbox.close_removed, out of reach too": lambda ledger: ledger.inbox.close_removed({DAY: []}, []),
    "inbox.add_unread": lambda ledger: ledger.inbox.add_unread(
        FileName(DAY, "a" * 64, "a.jsonl"), "no plan looks", known=None, run_id=RUN
    ),
    "inbox.note_look": lambda ledger: ledger.inbox.note_look("file:///inbox"),
    "inbox.looked_at": lambda ledger: ledger.inbox.looked_at("file:///inbox"),
    "inbox.first_read": lambda ledger: ledger.inbox.first_read(),
    "inbox.read_files": lambda ledger: ledger.inbox.read_files(DAY - timedelta(days=45), DAY),
    "inbox.files_with_problems": lambda ledger: ledger.inbox.files_with_problems(DAY),
    "inbox.close_accepted": lambda ledger: ledger.inbox.close_accepted(),
    "inbox.close": lambda ledger: ledger.inbox.close(DAY, "a.jsonl", "no request"),
    "overview.page": _page(),
    "overview.page, all states": _page(states=tuple(JobState)),
    "overview.page, archived of a rare kind": _page(
        states=(JobState.ARCHIVED,), regulation="lgpd_bra", action="access", product="target"
    ),
    "overview.page, archived of a product that none has": _page(
        states=(JobState.ARCHIVED,), product="marketo"
    ),
    "overview.page, archived of a product of all": _page(states=(JobState.ARCHIVED,), product="analytics"),
    "overview.page, archived of a rare law": _page(states=(JobState.ARCHIVED,), regulation="lgpd_bra"),
    "overview.page, a verdict of a job": _page(verdict=Verdict.DONE),
    "overview.page, a month": _page(
        states=(JobState.ARCHIVED,), first_day=DAY - timedelta(days=30), last_day=DAY
    ),
    "overview.page, a day": _page(states=(JobState.ARCHIVED,), first_day=DAY, last_day=DAY),
    "overview.page, a request": _page(request_id="OLD-7"),
    "overview.page, a batch": _page(batch_id="batch-0007", states=(JobState.ARCHIVED,)),
    **{f"overview.page, {kind.name}": _page(attention=kind) for kind in LASTING if kind.states},
    "overview.page, a verdict": _page(verdict=Verdict.NOT_DONE),
    "overview.page, a common answer": _page(verdict=Verdict.DONE, product="analytics"),
    "overview.page, a rare answer": _page(verdict=Verdict.WRONG_NAMESPACE, product="target"),
    "overview.page, a rare code": _page(code="6053-200"),
    "overview.every": lambda ledger: next(ledger.overview.every(Filters(states=tuple(JobState)))),
    "overview.job": lambda ledger: ledger.overview.job(7),
    "overview.request": lambda ledger: ledger.overview.request("OLD-7"),
    "overview.daily_figures": lambda ledger: ledger.overview.daily_figures(60),
    "waiting.jobs": lambda ledger: ledger.waiting.jobs("batch-0001"),
    "waiting.in_vain": lambda ledger: ledger.waiting.in_vain(["adobe-1"]),
    "waiting.note_in_vain": lambda ledger: ledger.waiting.note_in_vain({"adobe-2": 1}, {"adobe-1": 2}),
    "late.batches": lambda ledger: ledger.late.batches(NOON),
    "others.note_sweep": lambda ledger: ledger.others.note_sweep(),
    "others.swept_at": lambda ledger: ledger.others.swept_at(),
    "others.not_done": lambda ledger: ledger.others.not_done(["adobe-2", "adobe-7"]),
    "late.waiting": lambda ledger: ledger.late.waiting(NOON),
    "late.opt_outs": lambda ledger: ledger.late.opt_outs(NOON),
    "latency.recent": lambda ledger: ledger.latency.recent("access"),
    "alarms.jobs_due": lambda ledger: list(ledger.alarms.jobs_due(NOON - timedelta(days=100))),
    "alarms.unarchived": lambda ledger: ledger.alarms.unarchived(NOON),
    "alarms.raised, alarms.record": lambda ledger: ledger.alarms.record(
        [Raised("clock", f"OLD-{n}", 50) for n in range(2000)],
        dict.fromkeys(range(1, 2000), NextAlarm(NOON, instead_of=NOON)),
    ),
}


# Once a night, in no hurry: they look through what they judge.
NIGHTLY = {
    "inbox_erasures.candidates",
    "inbox_erasures.standing",
    "inbox_erasures.begin",
    "inbox_erasures.done",
    "inbox_erasures.unfinished",
    "forgetting.due",
    "chain.seal",
    "chain.seals",
    "chain.unwritten",
    "chain.problems",
    "chain.odd_jobs",
    "chain.manifests",
    "chain.earlier",
    "chain.receipts",
    "chain.record_written",
    "forgetting.forget",
}
# After a restore, and once in a ledger's life.
AFTER_A_RESTORE = {
    "doubts.begin",
    "doubts.candidates",
    "erasures.record_found",
    "erasures.results_not_erased",
    "identity.known",
    "identity.own",
    "identity.renew",
    "identity.is_empty",
    "identity.has_claimed",
    "identity.note_claim",
    "opt_outs.record_found",
}


def test_the_list_of_calls_is_complete() -> None:
    with Ledger("sqlite://", actor="test") as ledger:
        topics = {name: topic for name, topic in vars(ledger).items() if isinstance(topic, Topic)}
    public = {
        f"{name}.{method}"
        for name, topic in topics.items()
        for method, value in vars(type(topic)).items()
        if callable(value) and not method.startswith("_")
    }
    named = {part for call in CALLS for part in call.split(", ")}
    recorded = {
        "intents.record_submitted",
        "results.record_complete",
        "results.record_archived",
        "results.record_error",
        "results.record_answers",
        "results.record_gone",
        "results.record_judged_again",
    }
    without_query = {"intake.fingerprint", "intake.fingerprint_of", "intake.person_print"}
    assert public - named - recorded - NIGHTLY - AFTER_A_RESTORE - without_query == set()


@pytest.mark.parametrize("call", CALLS)
def test_no_query_reads_or_sorts_a_whole_table(large_ledger: Ledger, call: str) -> None:
    with _undone(large_ledger), _explained(large_ledger) as plans:
        CALLS[call](large_ledger)
        assert plans, "the call has executed nothing"
        explain = _sqlite_faults if large_ledger.unit.engine.dialect.name == "sqlite" else _postgres_faults
        for statement, plan in plans:
            assert explain(call, plan) == [], f"{statement}\n" + "\n".join(plan)


@pytest.mark.parametrize(
    ("name", "index", "table"),
    [
        # The index of the states leads to all archived jobs, which are nearly all, or to all that wait.
        ("not_done", "ix_privacy_jobs_undone", "privacy_answers"),
        ("refused_together", "ix_privacy_transitions_refused", "privacy_transitions"),
    ],
)
def test_the_few_of_many_are_found_by_their_own_index(
    large_ledger: Ledger, name: str, index: str, table: str
) -> None:
    kind = next(kind for kind in KINDS if kind.name == name)
    with _explained(large_ledger) as explained:
        large_ledger.overview.sizes([kind])
        large_ledger.attention.jobs(kind, limit=20)
        large_ledger.overview.page(Filters(attention=kind))
    plans = ["\n".join(plan) for statement, plan in explained if table in statement]
    assert len(plans) == 3
    for plan in plans:
        assert index in plan, plan


@contextmanager
def _undone(ledger: Ledger) -> Iterator[None]:
    """All that is done inside goes through one transaction, which is rolled back."""
    with ledger.unit.engine.connect() as connection, pytest.MonkeyPatch.context() as patch:
        transaction = connection.begin()

        @contextmanager
        def session() -> Iterator[Session]:
            with Session(connection, expire_on_commit=False) as session:
                yield session
                session.flush()

        patch.setattr(ledger.unit, "write", session)
        patch.setattr(ledger.unit, "read", session)
        yield
        transaction.rollback()


@contextmanager
def _explained(ledger: Ledger) -> Iterator[list[tuple[str, list[str]]]]:
    """Collects the plan of every statement, right before it is executed."""
    plans: list[tuple[str, list[str]]] = []
    sqlite = ledger.unit.engine.dialect.name == "sqlite"
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

    event.listen(ledger.unit.engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(ledger.unit.engine, "before_cursor_execute", explain)


REFUSED_TOGETHER = "USING INDEX ix_privacy_transitions_refused"
UNFINISHED_ERASURES = "USING INDEX ix_privacy_erasures_unfinished"
# What these are about is every entry of an index that is narrow, or holds few of the jobs.
WHOLE_INDEXES: dict[str, str | tuple[str, ...]] = {
    "counts": "USING COVERING INDEX ix_privacy_jobs_state",
    "people.holds": "ix_privacy_jobs_held",
    "overview.counts": "SCAN privacy_daily_figures",
    "attention.counts": (
        "USING INDEX ix_privacy_jobs_held",
        "INDEX ix_privacy_jobs_at_adobe",
        REFUSED_TOGETHER,
        UNFINISHED_ERASURES,
    ),
    "overview.sizes": (
        "USING INDEX ix_privacy_jobs_held",
        "INDEX ix_privacy_jobs_at_adobe",
        REFUSED_TOGETHER,
        UNFINISHED_ERASURES,
    ),
    **dict.fromkeys(
        (
            "attention.counts, of a run",
            "attention.counts, of a run of opt-outs",
        ),
        (REFUSED_TOGETHER, UNFINISHED_ERASURES),
    ),
    **dict.fromkeys(
        ("attention.jobs, refused_together", "overview.page, refused_together"), REFUSED_TOGETHER
    ),
    **dict.fromkeys(
        ("attention.jobs, not_erased", "overview.page, not_erased", "people.close", "people.stopped"),
        UNFINISHED_ERASURES,
    ),
    "attention.jobs, held": "USING INDEX ix_privacy_jobs_held",
    "attention.jobs, expiring": "USING INDEX ix_privacy_jobs_at_adobe",
    "attention.told": "SCAN privacy_attention_told",
    # A dozen rows, and few more of what is asked for in vain.
    **dict.fromkeys(
        ("protection.accept", "protection.check", "protection.in_force", "waiting.note_in_vain"),
        "SCAN privacy_settings",
    ),
    # One row, the last of the primary key.
    "chain.head": "SCAN privacy_seals",
    # What people did, the newest first: an index that holds nothing else.
    **dict.fromkeys(
        ("accesses.deeds", "accesses.people"),
        ("USING INDEX ix_privacy_transitions_people", "SCAN privacy_accesses", "SCAN privacy_approvals"),
    ),
    # SQLite has no index for a part of a text: it reads the ids, a narrow table.
    "search.by_text": "SCAN privacy_request_ids",
    "evidence": "SCAN privacy_seals",
    "erasures.is_held": "USING INDEX ix_privacy_jobs_held",
    "erasures.begin": "USING INDEX ix_privacy_jobs_held",
    "erasures.note_stopped": "USING INDEX ix_privacy_jobs_held",
    "erasures.unfinished": "USING INDEX ix_privacy_erasures_unfinished",
    "overview.page, held": "USING INDEX ix_privacy_jobs_held",
    "overview.page, expiring": "USING INDEX ix_privacy_jobs_at_adobe",
    "overview.horizon": "USING INDEX ix_privacy_jobs_alarm",
}
SORTED_BY_INDEX = (
    "claims.claim_batch",
    "claims.claim_batch, a day before the waiting ones",
    "claims.claim_batch, deletes apart",
    "claims.count_waiting",
    "overview.due",
    "overview.page",
    "overview.page, all states",
    "overview.page, archived of a rare kind",
    "overview.page, a month",
    "overview.page, overdue",
    "overview.page, soon",
    "overview.page, error",
    "overview.page, refused",
    "overview.page, a verdict",
    "latency.recent",
    "alarms.jobs_due",
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
