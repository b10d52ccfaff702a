"""Six processes on one ledger do at random what runs and people do; every invariant holds afterwards.

How they interleave is chance. What must hold is not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random

import pytest
from sqlalchemy import text

from adobe_privacy.ledger.delete_plan import PlanChanged
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from tests.support.ledgers import DAY, received

PROCESSES = 6
STEPS = 60
REQUESTS = 120
LIMIT = 100_000

# Each counts what must not be there.
INVARIANTS = {
    "a state that is not the last of its history": """
        SELECT count(*) FROM privacy_jobs j WHERE state <> (
            SELECT to_state FROM privacy_transitions t WHERE t.job_id = j.id ORDER BY t.id DESC LIMIT 1)""",
    "a history that jumps": """
        SELECT count(*) FROM (
            SELECT from_state, lag(to_state) OVER (PARTITION BY job_id ORDER BY id) AS before
            FROM privacy_transitions) x WHERE from_state IS NOT NULL AND from_state <> before""",
    "an attempt that was sent twice": """
        SELECT count(*) FROM (
            SELECT job_id, attempt FROM privacy_transitions
            WHERE from_state = 'submitting' AND to_state = 'submitted'
            GROUP BY job_id, attempt HAVING count(*) > 1) x""",
    "something sent without an intent": """
        SELECT count(*) FROM privacy_transitions t WHERE to_state = 'submitted' AND from_state = 'submitting'
        AND NOT EXISTS (SELECT 1 FROM privacy_transitions i WHERE i.job_id = t.job_id AND i.attempt = t.attempt
                        AND i.to_state = 'submitting' AND i.id < t.id)""",
    "a delete at Adobe that nobody approved": """
        SELECT count(*) FROM privacy_jobs j JOIN privacy_batches b ON b.id = j.batch_id
        WHERE b.needs_approval AND j.action = 'delete' AND j.state IN ('submitting', 'submitted')
        AND j.approval_id IS NULL""",
    "a planned job without a batch, or a waiting one with a batch": """
        SELECT count(*) FROM privacy_jobs
        WHERE (state = 'planned' AND batch_id IS NULL) OR (state = 'received' AND batch_id IS NOT NULL)""",
    "an archived job without a manifest, or another with one": """
        SELECT count(*) FROM privacy_jobs WHERE (state = 'archived') <> (manifest IS NOT NULL)""",
}
USED = "SELECT coalesce(sum(jobs), 0) FROM privacy_usage"
CHARGED = """
    SELECT (SELECT count(*) FROM privacy_transitions WHERE to_state = 'submitting' AND from_state <> 'submitting')
         - (SELECT count(*) FROM privacy_transitions WHERE from_state = 'submitting' AND reason = 'refused')"""
FIGURES = """
    SELECT (SELECT sum(arrived) FROM privacy_daily_figures) - (SELECT count(*) FROM privacy_jobs),
           (SELECT sum(archived) FROM privacy_daily_figures)
         - (SELECT count(*) FROM privacy_transitions WHERE to_state = 'archived' AND from_state <> 'archived')"""


def in_state(jobs: list[Job], state: JobState) -> list[Job]:
    return [job for job in jobs if job.state is state]


def send(ledger: Ledger, batch_id: str, jobs: list[Job], chance: random.Random, name: str) -> None:
    wanted = [job.id for job in chance.sample(jobs, min(len(jobs), 10))]
    intents = ledger.intents.intend(batch_id, wanted, daily_limit=LIMIT) if wanted else []
    answer = chance.random()
    if intents and answer < 0.6:
        sent = [(job, f"{name}-{job.id}-{job.attempt}-{job.intent_at}") for job in intents]
        ledger.intents.record_submitted(sent, adobe_request_id="r", reason="sent")
    elif intents and answer < 0.8:
        ledger.intents.withdraw(intents, JobState.PLANNED, "refused", refund=True)


def finish(ledger: Ledger, jobs: list[Job], chance: random.Random) -> None:
    submitted = in_state(jobs, JobState.SUBMITTED)
    for job in submitted[:2]:
        if chance.random() < 0.3:
            ledger.results.record_error(
                job, completed_at=None, outcome_code="1020-400", reason="", try_again=chance.random() < 0.7
            )
    ledger.results.record_complete([FinishedJob(job, None, "done", None) for job in submitted[2:]])
    ledger.results.record_archived({job.id: f"m-{job.adobe_job_id}" for job in submitted[2:]})


def decide(ledger: Ledger, batch_id: str, chance: random.Random) -> None:
    with contextlib.suppress(PlanChanged):
        ledger.approvals.decide(
            batch_id, ledger.approvals.delete_plan(batch_id).hash, approved=chance.random() < 0.8
        )


def person(ledger: Ledger, chance: random.Random) -> None:
    request_id = f"DSR-{chance.randrange(REQUESTS)}"
    act = chance.choice(
        [ledger.people.hold, ledger.people.release, ledger.people.resend, ledger.people.close]
    )
    if act is not ledger.people.close or chance.random() < 0.2:
        act(request_id, "a person")


def work(url: str, seed: int) -> None:
    chance, name = random.Random(seed), f"process-{seed}"
    with Ledger(url, actor=name) as ledger:
        for _ in range(STEPS):
            what = chance.random()
            if what < 0.25:
                ledger.claims.claim_batch(
                    run_id=name,
                    inbox_date=DAY,
                    daily_limit=LIMIT,
                    max_users=15,
                    approve_deletes=chance.random() < 0.5,
                )
            batches = [b for seed in range(PROCESSES) for b in _batches(ledger, f"process-{seed}")]
            if not batches:
                continue
            batch_id = chance.choice(batches)
            jobs = ledger.claims.batch_jobs(batch_id)
            if what < 0.5:
                send(ledger, batch_id, jobs, chance, name)
            elif what < 0.6:
                ledger.intents.withdraw(in_state(jobs, JobState.SUBMITTING), JobState.PLANNED, "absent")
            elif what < 0.75:
                finish(ledger, jobs, chance)
            elif what < 0.85:
                decide(ledger, batch_id, chance)
            else:
                person(ledger, chance)


def _batches(ledger: Ledger, run_id: str) -> list[str]:
    return [batch.id for batch in ledger.claims.open_batches(run_id=run_id, inbox_date=DAY)]


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    ledger.intake.receive([received(number, "access", "delete") for number in range(REQUESTS)])
    return ledger


def test_six_processes_at_random_keep_every_invariant(filled: Ledger, ledger_url: str) -> None:
    processes = [
        multiprocessing.get_context("spawn").Process(target=work, args=(ledger_url, seed))
        for seed in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    with filled.unit.engine.connect() as connection:
        broken = {name: connection.scalar(text(query)) for name, query in INVARIANTS.items()}
        assert broken == dict.fromkeys(INVARIANTS, 0)
        assert connection.scalar(text(USED)) == connection.scalar(text(CHARGED))
        assert tuple(connection.execute(text(FIGURES)).one()) == (0, 0)
        moved = set(connection.scalars(text("SELECT DISTINCT to_state FROM privacy_transitions")))
    assert {"planned", "submitting", "submitted", "archived", "error"} <= moved, "nothing of it was idle"
