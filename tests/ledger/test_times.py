"""Times as Adobe tells them."""

from __future__ import annotations

import csv
import json
import re
from argparse import Namespace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from adobe_privacy.api.moments import as_told
from adobe_privacy.api.names import Verdict
from adobe_privacy.command_show import show
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.overview import Filters
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job, ProductAnswer
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.times import not_before
from adobe_privacy.reporting.export import as_json_list, export_csv
from adobe_privacy.reporting.reports import evidence, evidence_html
from adobe_privacy.results.verdicts import Answer
from adobe_privacy.web.words import answer_words, job_words, request_words
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
    assert answer_words(kept, job)["processed_at"] == "2026-11-21T12:00:45Z"
    # What an older version wrote is not shown either.
    job.completed_at = MINUTE
    assert job_words(job, DAY)["completed_at"] == "2026-11-21T12:00:45Z"


SENT = MINUTE + timedelta(seconds=45)
LATER = MINUTE + timedelta(minutes=3)


@pytest.mark.parametrize(
    ("sent", "answered", "archived", "told"),
    [
        # Adobe's minutes, cut off; as an older version wrote them.
        (SENT, MINUTE, LATER, ["2026-11-21T12:00:45Z"] * 2),
        # Adobe's clock is ahead.
        (SENT, LATER, MINUTE + timedelta(seconds=59), ["2026-11-21T12:00:45Z", "2026-11-21T12:00:59Z"]),
        # A job that others made: all that is known are minutes.
        (MINUTE, MINUTE, LATER, ["2026-11-21T12:00Z"] * 2),
        (MINUTE, MINUTE, None, ["2026-11-21T12:00Z"] * 2),
    ],
)
def test_no_surface_shows_an_end_before_its_beginning(
    ledger: Ledger,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    sent: datetime,
    answered: datetime,
    archived: datetime | None,
    told: list[str],
) -> None:
    clock.moment = MINUTE
    ledger.intake.receive([received(1)])
    [job] = ledger.people.request_jobs("DSR-1")
    state = JobState.COMPLETE if archived is None else JobState.ARCHIVED
    with ledger.unit.write() as session:
        times = {"submitted_at": sent, "completed_at": answered, "archived_at": archived, "state": state}
        session.execute(update(Job).values(times))
        answer = {"job_id": job.id, "attempt": 1, "position": 0, "product": "analytics", "name": "Analytics"}
        session.execute(insert(ProductAnswer), [answer | {"verdict": "done", "processed_at": answered}])

    words = request_words(
        jobs := ledger.people.request_jobs("DSR-1"), [], {}, ledger.results.answers([job.id]), [], [], DAY
    )["jobs"][0]
    pack = evidence(ledger, "DSR-1")
    assert pack is not None
    everything = Filters(states=tuple(JobState))
    [exported] = json.loads("".join(as_json_list(ledger, everything)))
    [in_table] = csv.DictReader("".join(export_csv(ledger, everything)).splitlines())
    show(Namespace(request_id="DSR-1", json=True), ledger)
    [shown] = json.loads(capsys.readouterr().out)["answers"]

    sent_told, answered_told = told
    assert len(jobs) == 1
    for row in (words, pack["jobs"][0], exported):
        assert row["submitted_at"] == sent_told
        assert row["completed_at"] == answered_told
    for row in (words["answers"][0], pack["jobs"][0]["answers"][0]):
        assert row["processed_at"] == answered_told
    assert shown["processed"] == answered_told
    assert [in_table["submitted_at"], in_table["completed_at"]] == [sent_told, answered_told]
    of_archive = f"{archived:%Y-%m-%dT%H:%M:%SZ}" if archived else None
    assert [in_table["archived_at"] or None, words["archived_at"]] == [of_archive] * 2
    clocks = re.findall(r'class="time">(\d\d:\d\d)<', evidence_html(pack))
    assert clocks[1:3] == [str(each)[11:16] for each in (sent_told, answered_told)]


def test_the_evidence_shows_minutes(ledger: Ledger, clock: FakeClock) -> None:
    clock.moment = MINUTE
    ledger.intake.receive([received(1)])
    pack = evidence(ledger, "DSR-1")
    assert pack is not None
    job = pack["jobs"][0] | {"submitted_at": MINUTE + timedelta(seconds=45), "completed_at": as_told(MINUTE)}
    text = evidence_html(pack | {"jobs": [job]})
    assert text.count('<span class="time">12:00</span>') == 2
