"""Two months of requests, written into a ledger as the DAGs would have: what a page has to show after a while."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.results.verdicts import Answer
from tests.support.ledgers import FakeClock, received

DAYS = 58
# regulation, action, days to answer, days that Adobe takes, products
KINDS = (
    ("gdpr", "access", 30, (1, 5), "analytics,profileService"),
    ("gdpr", "delete", 30, (4, 24), "analytics,audienceManager"),
    ("ccpa", "delete", 45, (4, 30), "analytics"),
    ("ccpa", "access", 45, (1, 8), "analytics,target"),
    ("lgpd_bra", "access", 15, (1, 9), "campaign"),
)
OUTCOMES = (("done", "6000-200"),) * 6 + (("in part", "6054-200"), ("not done", "6052-200"))

# Requests of one day of which one product did nothing, and how many days ago that was.
UNDONE = ("DSR-2026-000151", "DSR-2026-000152")
UNDONE_AGO = 50


def write_history(url: str, today: date) -> None:
    """Nothing of it waits to be sent, so that no run of a DAG touches it. Among it are a request that is overdue,
    one on hold, one in error and one that Adobe will not keep much longer."""
    chance = random.Random(7)
    clock = FakeClock()
    finishing: dict[date, list[Job]] = {}
    first = today - timedelta(days=DAYS)
    number = 200  # the sample inbox has lower ones
    with Ledger(url, actor="privacy_requests", now=clock) as ledger:
        for day in (first + timedelta(days=ago) for ago in range(DAYS - 4)):
            clock.moment = datetime.combine(day, time(2, 10), UTC)
            run = f"privacy_requests/scheduled__{day}T00:00:00+00:00"
            ledger.unit.actor = f"{run}/plan"
            inbox_date = day - timedelta(days=1)
            requests = []
            for _ in range(chance.randint(2, 9) if day.weekday() < 5 else chance.randint(0, 2)):
                number += 1
                regulation, action, answer_in, _, products = chance.choice(KINDS)
                requests.append(
                    received(
                        f"2026-{number:06}",
                        action,
                        regulation=regulation,
                        products=products,
                        inbox_date=inbox_date,
                        received_at=clock.moment - timedelta(hours=chance.randint(3, 20)),
                        due=day + timedelta(days=answer_in),
                    )
                )
            ledger.intake.receive(requests)
            while batch := ledger.claims.claim_batch(run_id=run, inbox_date=inbox_date, daily_limit=20_000):
                ledger.unit.actor = f"{run}/batch.submit[0]"
                jobs = ledger.claims.batch_jobs(batch.id)
                jobs = ledger.intents.intend(batch.id, [job.id for job in jobs], daily_limit=20_000)
                made = [(job, f"{job.id:08}-0000-4000-8000-000000000000") for job in jobs]
                ledger.intents.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
                for job in ledger.claims.batch_jobs(batch.id):
                    kind = next(kind for kind in KINDS if kind[:2] == (job.regulation, job.action))
                    finishing.setdefault(day + timedelta(days=chance.randint(*kind[3])), []).append(job)
            ledger.unit.actor = f"{run}/batch.archive[0]"
            for job in finishing.pop(day, ()):
                _finish(ledger, job, chance)
        _leave_some_undone(ledger, clock, today)
        _leave_some_that_need_a_look(
            ledger, clock, today, [job for jobs in finishing.values() for job in jobs]
        )


def _leave_some_undone(ledger: Ledger, clock: FakeClock, today: date) -> None:
    """Target looked for nobody, and Analytics did what was asked."""
    day = today - timedelta(days=UNDONE_AGO)
    clock.moment = datetime.combine(day, time(9), UTC)
    ledger.intake.receive(
        [
            received(
                name.removeprefix("DSR-"),
                products="analytics,target",
                inbox_date=day,
                received_at=clock.moment,
                due=day + timedelta(days=30),
            )
            for name in UNDONE
        ]
    )
    batch = ledger.claims.claim_batch(run_id="privacy_requests/undone", inbox_date=day, daily_limit=20_000)
    assert batch is not None
    ids = [job.id for job in ledger.claims.batch_jobs(batch.id)]
    jobs = ledger.intents.intend(batch.id, ids, daily_limit=20_000)
    made = [(job, f"undone-{job.id}") for job in jobs]
    ledger.intents.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
    clock.moment += timedelta(days=6)
    answers = (
        Answer("analytics", "Analytics", Verdict.DONE, status="complete", code="6000-200"),
        Answer("target", "Target", Verdict.WRONG_NAMESPACE, status="complete", code="6053-200"),
    )
    for job in ledger.claims.batch_jobs(batch.id):
        found = FinishedJob(job, clock.moment, Verdict.IN_PART.value, "6053-200", answers)
        ledger.results.record_complete([found])
        ledger.results.record_archived({job.id: f"jobs/gdpr/2026/01/01/{job.adobe_job_id}/manifest.json"})


def _finish(ledger: Ledger, job: Job, chance: random.Random) -> None:
    outcome, code = chance.choice(OUTCOMES)
    ledger.results.record_complete([FinishedJob(job, ledger.now(), outcome, code)])
    ledger.results.record_archived(
        {job.id: f"jobs/{job.regulation}/{ledger.now():%Y/%m/%d}/{job.adobe_job_id}/manifest.json"}
    )


def _leave_some_that_need_a_look(
    ledger: Ledger, clock: FakeClock, today: date, still_open: list[Job]
) -> None:
    clock.moment = datetime.combine(today - timedelta(days=2), time(9), UTC)
    ledger.unit.actor = "user/privacy.officer"
    ledger.people.hold(still_open[-1].request_id, "claim 2026-17 is in court")
    ledger.unit.actor = "privacy_sweep/scheduled__2026/archive"
    failed = still_open[len(still_open) // 2]
    ledger.results.record_error(
        failed,
        completed_at=None,
        outcome_code="1000-400",
        reason="Adobe: error, 1000-400, Analytics",
        try_again=False,
    )
    clock.moment = datetime.combine(today - timedelta(days=33), time(2, 10), UTC)
    late = received(
        "2026-000200",
        inbox_date=clock.moment.date(),
        received_at=clock.moment - timedelta(hours=8),
        due=today - timedelta(days=3),
    )
    ledger.intake.receive([late])
    batch = ledger.claims.claim_batch(
        run_id="privacy_requests/late", inbox_date=late.inbox_date, daily_limit=20_000
    )
    assert batch is not None
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=20_000
    )
    ledger.intents.record_submitted([(jobs[0], "late")], adobe_request_id=None, reason="Adobe's answer")
    (job,) = ledger.claims.batch_jobs(batch.id)
    ledger.results.record_complete([FinishedJob(job, clock.moment + timedelta(days=6), "done", "6000-200")])
