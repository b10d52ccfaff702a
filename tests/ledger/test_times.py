"""Times as Adobe tells them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.times import as_told, not_before
from adobe_privacy.reporting.reports import evidence, evidence_html
from adobe_privacy.results.verdicts import Answer
from adobe_privacy.web.words import answer_words, job_words
from tests.support.ledgers import DAY, FakeClock, received

MINUTE = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (MINUTE, "2026-11-21T12:00Z"),
        (MINUTE + timedelta(seconds=7, microseconds=5), "2026-11-21T12:00:07Z"),
        (None, None),
    ],
)
def test_minutes_stay_minutes(moment: datetime | None, told: str | None) -> None:
    assert as_told(moment) == told


def test_an_end_is_not_before_its_beginning() -> None:
    later = MINUTE + timedelta(seconds=45)
    assert not_before(MINUTE, later) == later
    assert not_before(later, MINUTE) == later
    assert not_before(None, later) is None
    assert not_before(MINUTE, None) == MINUTE


@pytest.mark.parametrize("in_error", [False, True])
def test_a_quick_job_ends_no_sooner_than_it_was_sent(
    ledger: Ledger, clock: FakeClock, in_error: bool
) -> None:
    clock.moment = sent = MINUTE + timedelta(seconds=45)
    ledger.intake.receive([received(1)])
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=9)
    assert batch is not None
    ids = [job.id for job in ledger.claims.batch_jobs(batch.id)]
    [job] = ledger.intents.intend(batch.id, ids, daily_limit=9)
    ledger.intents.record_submitted([(job, "a")], adobe_request_id=None, reason="answer")
    [job] = ledger.claims.batch_jobs(batch.id)
    answer = Answer("analytics", "Analytics", Verdict.DONE, code="6000-200", processed_at=MINUTE)
    if in_error:
        ledger.results.record_error(
            job, completed_at=MINUTE, outcome_code=None, reason="", try_again=False, answers=[answer]
        )
    else:
        finished = FinishedJob(job, MINUTE, Verdict.DONE, None, [answer])
        assert ledger.results.record_complete([finished]) == {job.id: sent}
    [job] = ledger.people.request_jobs("DSR-1")
    [kept] = ledger.results.answers([job.id])[job.id]
    assert (job.completed_at, kept.processed_at) == (sent, sent)
    assert job_words(job, DAY)["completed_at"] == "2026-11-21T12:00:45Z"
    assert answer_words(kept)["processed_at"] == "2026-11-21T12:00:45Z"
    # What an older version wrote is not shown either.
    job.completed_at = MINUTE
    assert job_words(job, DAY)["completed_at"] == "2026-11-21T12:00:45Z"


def test_the_evidence_shows_minutes(ledger: Ledger, clock: FakeClock) -> None:
    clock.moment = MINUTE
    ledger.intake.receive([received(1)])
    pack = evidence(ledger, "DSR-1")
    assert pack is not None
    job = pack["jobs"][0] | {"submitted_at": MINUTE + timedelta(seconds=45), "completed_at": as_told(MINUTE)}
    text = evidence_html(pack | {"jobs": [job]})
    assert text.count('<span class="time">12:00</span>') == 2
