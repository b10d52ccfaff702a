"""Adobe's latency as the ledger has seen it, and what follows for a request."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.planning import latency
from adobe_privacy.planning.latency import Latencies, observed_latencies, risk
from adobe_privacy.regulations.clocks import due_dates
from tests.support.ledgers import DAY, FakeClock, counted, received


def finish(
    ledger: Ledger, clock: FakeClock, days: list[float], *actions: str, products: str = "analytics"
) -> None:
    """One batch whose jobs took so many days each; archived, unless the number is negative: then in error."""
    first = sum(counted(ledger).values())
    requests = [received(first + n, *actions, products=products) for n in range(len(days))]
    ledger.intake.receive(requests)
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000)
    assert batch is not None
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=20_000
    )
    made = [(job, f"adobe-{job.id}") for job in jobs]
    ledger.intents.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
    jobs = ledger.claims.batch_jobs(batch.id)
    begin = clock.moment
    for job, took in zip(jobs, days * max(1, len(actions)), strict=True):
        completed_at = begin + timedelta(days=abs(took))
        if took < 0:
            ledger.results.record_error(
                job, completed_at=completed_at, outcome_code=None, reason="", try_again=False
            )
        else:
            ledger.results.record_complete([FinishedJob(job, completed_at, "done", None)])
            ledger.results.record_archived({job.id: "m"})
    clock.moment = begin + timedelta(days=max(map(abs, days)))


def test_the_95th_percentile_of_an_action_and_product_is_found(ledger: Ledger, clock: FakeClock) -> None:
    # Of 100 jobs, five take longer than 19 days.
    finish(ledger, clock, [number / 5 for number in range(1, 96)] + [40.0] * 5)
    assert observed_latencies(ledger).days("access", ["analytics"]) == pytest.approx(19)
    assert observed_latencies(ledger).days("delete", ["analytics"]) == 30, "of deletions nothing is known"


def test_too_few_jobs_say_nothing(ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(ledger, clock, [2.0] * (latency.ENOUGH_JOBS - 1))
    assert observed_latencies(ledger).days("access", ["analytics"]) == 30
    finish(ledger, clock, [2.0])
    assert observed_latencies(ledger).days("access", ["analytics"]) == 2


def test_a_job_for_several_products_counts_for_each_and_the_slowest_product_decides(
    ledger: Ledger, clock: FakeClock
) -> None:
    finish(ledger, clock, [3.0] * 60)
    finish(ledger, clock, [8.0] * 60, products="audienceManager,target")
    found = observed_latencies(ledger)
    assert found.days("access", ["analytics"]) == 3
    assert found.days("access", ["target"]) == 8
    assert found.days("access", ["analytics", "audienceManager"]) == 8
    assert found.days("access", ["analytics", "profileService"]) == 30, "nothing is known of one of them"
    assert found.days("access", []) == 30


def test_errors_are_not_counted_and_old_jobs_forgotten(ledger: Ledger, clock: FakeClock) -> None:
    finish(ledger, clock, [4.0] * 60 + [-1.0] * 60)
    assert observed_latencies(ledger).days("access", ["analytics"]) == 4
    clock.advance(days=400)
    assert observed_latencies(ledger) == Latencies()


def test_only_the_jobs_finished_last_count(
    ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adobe_privacy.ledger.latency.RECENT_JOBS", 60)
    finish(ledger, clock, [20.0] * 60)
    finish(ledger, clock, [5.0] * 60)
    assert observed_latencies(ledger).days("access", ["analytics"]) == 5


def test_a_part_of_a_day_counts_as_a_whole_one() -> None:
    found = Latencies({("access", "analytics"): 4.2})
    assert found.submit_by(date(2026, 12, 20), "access", ["analytics"]) == date(2026, 12, 15)
    assert found.submit_by(date(2026, 12, 20), "delete", ["analytics"]) == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("regulation", "day", "days"),
    [
        ("lgpd_bra", "2026-11-20", 15),
        ("pipa_kor", "2026-11-20", 10),
        ("gdpr", "2027-02-03", 28),  # a month of February
        ("gdpr", "2026-06-15", 30),  # a month of 30 days
        ("hipaa_usa", "2026-11-20", 30),
        ("nzpa_nzl", "2026-11-02", 28),
    ],
)
def test_a_period_no_longer_than_adobes_latency_is_at_risk(regulation: str, day: str, days: int) -> None:
    today = date.fromisoformat(day)
    assert f"due in {days} days" in str(risk(due_dates(regulation, today), 30, today))


@pytest.mark.parametrize(("regulation", "day"), [("gdpr", "2026-10-15"), ("ccpa", "2026-11-20")])
def test_a_longer_period_is_not(regulation: str, day: str) -> None:
    today = date.fromisoformat(day)
    assert risk(due_dates(regulation, today), 30, today) is None


def test_a_risk_goes_by_what_was_observed_and_by_the_days_that_are_left() -> None:
    due = due_dates("gdpr", date(2026, 10, 15))
    assert risk(due, 12.3, date(2026, 11, 2)) is None
    assert "as many as Adobe may take" in str(risk(due, 12.3, date(2026, 11, 3)))
    assert "due in 12 days but Adobe may take 13" in str(risk(due, 12.3, date(2026, 11, 4)))
    assert "was due 5 days ago" in str(risk(due, 12.3, date(2026, 11, 21)))


def test_a_risk_advises_a_notice_of_extension_only_where_one_can_still_be_given() -> None:
    day = date(2026, 11, 20)
    assert "notice of extension" in str(risk(due_dates("hipaa_usa", day), 30, day))
    assert "notice of extension" not in str(risk(due_dates("lgpd_bra", day), 30, day))
    assert "notice of extension" not in str(risk(due_dates("hipaa_usa", day), 30, date(2026, 12, 21)))
