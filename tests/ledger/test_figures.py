"""The figures of 11 CCR § 7102, beside figures counted by hand. On SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from adobe_privacy.ledger.figures import RequestFigures
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from tests.support.ledgers import DAY, FakeClock, received

RECEIVED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def take_in(ledger: Ledger, number: int, *actions: str, **fields: object) -> None:
    ledger.intake.receive([received(number, *actions, **fields)])  # type: ignore[arg-type]


def submit(ledger: Ledger) -> list[Job]:
    """Everything that waits, sent to Adobe."""
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000)
    assert batch is not None
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=20_000
    )
    made = [(job, f"adobe-{job.id}-{job.attempt}") for job in jobs]
    ledger.intents.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
    return ledger.claims.batch_jobs(batch.id, JobState.SUBMITTED)


def archive(ledger: Ledger, job: Job, *, outcome: str = "done") -> None:
    ledger.results.record_complete([FinishedJob(job, None, outcome, None)])
    ledger.results.record_archived({job.id: f"jobs/{job.adobe_job_id}/manifest.json"})


def only(ledger: Ledger, **options: object) -> RequestFigures:
    [row] = ledger.figures.requests(DAY, DAY, **options)  # type: ignore[arg-type]
    return row


@pytest.mark.parametrize(
    ("days", "median_days", "mean_days"),
    [
        ([4], 4.0, 4.0),
        ([9, 1], 5.0, 5.0),
        ([1, 2, 40], 2.0, 43 / 3),
        ([3, 44, 7, 10], 8.5, 16.0),
        ([0, 0, 0, 0, 45], 0.0, 9.0),
    ],
)
def test_median_and_mean_days(
    ledger: Ledger, clock: FakeClock, days: list[int], median_days: float, mean_days: float
) -> None:
    for number in range(len(days)):
        take_in(ledger, number)
    jobs = {job.request_id: job for job in submit(ledger)}
    for number, after in enumerate(days):
        clock.moment = RECEIVED + timedelta(days=after, hours=1)
        archive(ledger, jobs[f"DSR-{number}"])
    row = only(ledger)
    assert row.median_days == median_days
    assert row.mean_days == pytest.approx(mean_days)
    assert (row.received, row.whole, row.complied) == (len(days), len(days), len(days))


def test_days_are_those_of_the_calendar(ledger: Ledger, clock: FakeClock) -> None:
    take_in(ledger, 1, received_at=datetime(2026, 11, 20, 23, 50, tzinfo=UTC))
    clock.moment = datetime(2026, 11, 21, 0, 10, tzinfo=UTC)
    archive(ledger, submit(ledger)[0])
    assert only(ledger).median_days == 1.0


def test_each_standing_is_counted_once_and_they_add_up(ledger: Ledger) -> None:
    for number in range(1, 9):
        take_in(ledger, number)
    jobs = {job.request_id: job for job in submit(ledger)}
    archive(ledger, jobs["DSR-1"])
    archive(ledger, jobs["DSR-2"], outcome="nothing to do")
    archive(ledger, jobs["DSR-3"], outcome="in part")
    for number, again in ((4, False), (5, True)):
        ledger.results.record_error(
            jobs[f"DSR-{number}"], completed_at=None, outcome_code="1", reason="", try_again=again
        )
    take_in(ledger, 9)
    take_in(ledger, 10)
    ledger.people.hold("DSR-10", "litigation")
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000, max_jobs=1)
    assert batch is not None
    refused = ledger.claims.batch_jobs(batch.id)
    ledger.claims.refuse([job.id for job in refused], "gone")
    row = only(ledger)
    # 1, 2 | 3 | - | 4 and the refused one | the one of 5 and 9 that was not refused, 6, 7, 8, 10
    assert (row.received, row.whole, row.part, row.denied, row.failed, row.open) == (10, 2, 1, 0, 2, 5)
    ledger.people.close("DSR-4", "identity not proven")
    ledger.people.close("DSR-10", "identity not proven")
    row = only(ledger)
    # What is on hold is open, whatever else is true of it.
    assert (row.received, row.whole, row.part, row.denied, row.failed, row.open) == (10, 2, 1, 1, 1, 5)
    assert row.median_days is not None


def test_an_error_that_an_older_version_judged_is_complied_with_in_no_part(ledger: Ledger) -> None:
    take_in(ledger, 1)
    [job] = submit(ledger)
    ledger.results.record_error(
        job, completed_at=None, outcome="as judged before", outcome_code="1", reason="", try_again=False
    )
    assert (only(ledger).failed, only(ledger).part) == (1, 0)


def test_the_total_is_of_all_requests(ledger: Ledger, clock: FakeClock) -> None:
    take_in(ledger, 1, regulation="ccpa")
    take_in(ledger, 2, regulation="gdpr")
    take_in(ledger, 3, "delete", regulation="gdpr")
    jobs = [*submit(ledger), *submit(ledger)]
    clock.moment = RECEIVED + timedelta(days=2)
    for job, days in zip(jobs, (0, 2, 8), strict=True):
        clock.advance(days=days)
        archive(ledger, job)
    rows, total = ledger.figures.with_total(DAY, DAY)
    assert len(rows) == 3
    assert (total.regulation, total.action) == (None, None)
    assert (total.received, total.whole, total.complied) == (3, 3, 3)
    assert (total.median_days, total.mean_days) == (4.0, 6.0)


def test_whether_a_request_was_answered_in_time(ledger: Ledger, clock: FakeClock) -> None:
    due = DAY + timedelta(days=30)
    for number in range(6):
        take_in(ledger, number, due=due)
    jobs = {job.request_id: job for job in submit(ledger)}
    ledger.people.extend("DSR-1", due + timedelta(days=60), "many requests")
    ledger.people.extend("DSR-1", due + timedelta(days=61), "and more")
    assert ledger.people.request_jobs("DSR-1")[0].first_due_on == due
    clock.moment = datetime(2026, 12, 20, 23, 59, 59, tzinfo=UTC)
    archive(ledger, jobs["DSR-0"])
    assert (only(ledger).in_time, only(ledger).late, only(ledger).overdue) == (1, 0, 0)
    clock.advance(seconds=1)
    for number in (1, 2):
        archive(ledger, jobs[f"DSR-{number}"], outcome="in part")
    ledger.results.record_error(
        jobs["DSR-3"], completed_at=None, outcome_code="1", reason="", try_again=False
    )
    ledger.people.close("DSR-4", "identity not proven")
    row = only(ledger)
    # 0, and 1 within its extension | 2 | 3 and 5, for which somebody still waits; 4 was denied | 1
    assert (row.in_time, row.late, row.overdue, row.extended) == (2, 1, 2, 1)


def test_a_job_sent_again_has_failed_no_more(ledger: Ledger) -> None:
    take_in(ledger, 1)
    [job] = submit(ledger)
    ledger.results.record_error(job, completed_at=None, outcome_code="1", reason="", try_again=False)
    assert (only(ledger).failed, only(ledger).open) == (1, 0)
    ledger.people.resend("DSR-1", "mended")
    assert (only(ledger).failed, only(ledger).open) == (0, 1)


def test_a_subjects_several_jobs_are_one_request(ledger: Ledger, clock: FakeClock) -> None:
    for number in (1, 2, 3):
        take_in(ledger, number, "delete", parts=2)
    jobs = {(job.request_id, job.part): job for job in submit(ledger)}
    clock.moment = RECEIVED + timedelta(days=3)
    for place in (("DSR-1", 1), ("DSR-2", 1), ("DSR-3", 1)):
        archive(ledger, jobs[place])
    assert (only(ledger).received, only(ledger).open) == (3, 3), "half done is not done"
    clock.moment = RECEIVED + timedelta(days=10)
    archive(ledger, jobs["DSR-1", 2])
    ledger.results.record_error(
        jobs["DSR-2", 2], completed_at=None, outcome_code="1", reason="", try_again=False
    )
    row = only(ledger)
    assert (row.received, row.whole, row.part, row.open) == (3, 1, 1, 1)
    assert row.median_days == 6.5, "10 days for the first, 3 for what was done of the second"


def test_actions_and_regulations_are_apart_and_opt_outs_are_counted(ledger: Ledger) -> None:
    take_in(ledger, 1, "access", "delete", regulation="ccpa")
    take_in(ledger, 2, regulation="gdpr")
    take_in(ledger, 3, "opt_out_of_sale", regulation="ccpa")
    opt_outs = ledger.opt_outs.intend(DAY, limit=10, abandoned_before=RECEIVED)
    ledger.opt_outs.record_receipts(
        [(job, "optouts/3.json") for job in ledger.opt_outs.record_accepted(opt_outs)]
    )
    rows = ledger.figures.requests(DAY, DAY)
    assert [(row.regulation, row.action, row.received, row.whole) for row in rows] == [
        ("ccpa", "access", 1, 0),
        ("ccpa", "delete", 1, 0),
        ("ccpa", "opt_out_of_sale", 1, 1),
        ("gdpr", "access", 1, 0),
    ]
    assert [row.regulation for row in ledger.figures.requests(DAY, DAY, regulation="gdpr")] == ["gdpr"]


def test_the_period_includes_its_first_and_its_last_day(ledger: Ledger) -> None:
    for number, moment in enumerate(
        [
            datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
        ]
    ):
        take_in(ledger, number, received_at=moment)
    [row] = ledger.figures.requests(date(2026, 1, 1), date(2026, 12, 31))
    assert row.received == 2
    assert ledger.figures.requests(date(2024, 1, 1), date(2024, 12, 31)) == []
