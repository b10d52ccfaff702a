"""A hold and an erasure never both win. On SQLite and on PostgreSQL."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.erasures import FoundErasure
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Erasure, Job
from adobe_privacy.results.verdicts import Answer
from tests.support.ledgers import DAY, FakeClock, OpenLedger, received

FOLDER = "jobs/gdpr/2026/01/01/adobe-1"


def begin(ledger: Ledger) -> bool:
    return ledger.erasures.begin("adobe-1", "DSR-1", FOLDER)


@pytest.fixture(autouse=True)
def known(ledger: Ledger) -> None:
    ledger.intake.receive([received(1)])


def test_what_is_on_hold_is_not_begun(ledger: Ledger) -> None:
    ledger.people.hold("DSR-1", "lawsuit")
    assert ledger.erasures.is_held("adobe-1", "DSR-1")
    assert not begin(ledger)
    assert ledger.erasures.unfinished() == []
    ledger.people.release("DSR-1", "settled")
    assert begin(ledger)


def submitted(ledger: Ledger, adobe_job_id: str) -> Job:
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=100)
    assert batch is not None
    [job] = ledger.claims.batch_jobs(batch.id)
    assert ledger.intents.intend(batch.id, [job.id], daily_limit=100)
    ledger.intents.record_submitted([(job, adobe_job_id)], adobe_request_id=None, reason="answer")
    [job] = ledger.claims.batch_jobs(batch.id)
    return job


def archived(ledger: Ledger, outcome: Verdict = Verdict.DONE, adobe_job_id: str = "adobe-1") -> Job:
    job = submitted(ledger, adobe_job_id)
    answer = Answer("target", "Target", outcome, code="6000-200")
    ledger.results.record_complete([FinishedJob(job, None, outcome, answer.code, [answer])])
    place = f"jobs/gdpr/2026/01/01/{adobe_job_id}/manifest.json"
    assert not ledger.erasures.is_archived(adobe_job_id, place)
    ledger.results.record_archived({job.id: place})
    return job


def test_a_job_is_archived_where_its_manifest_was_written(ledger: Ledger) -> None:
    archived(ledger)
    assert ledger.erasures.is_archived("adobe-1", f"{FOLDER}/manifest.json")
    assert not ledger.erasures.is_archived("adobe-1", "jobs/gdpr/2026/01/02/adobe-1/manifest.json")
    assert not ledger.erasures.is_archived("adobe-2", f"{FOLDER}/manifest.json")


def test_a_job_stays_archived_where_it_was_sent_again(ledger: Ledger) -> None:
    """What is archived of the attempt before stays in the archive."""
    archived(ledger, Verdict.NOT_DONE)
    assert ledger.people.resend("DSR-1", "the label was set") == 1
    for archived_again in (False, True):
        if archived_again:
            archived(ledger, Verdict.DONE, "adobe-2")
        assert ledger.erasures.is_archived("adobe-1", f"{FOLDER}/manifest.json")
    assert not ledger.erasures.is_archived("adobe-3", f"{FOLDER}/manifest.json")


def test_a_job_that_ended_in_error_and_is_tried_again_stays_archived(ledger: Ledger) -> None:
    ledger.results.record_error(
        submitted(ledger, "adobe-1"),
        completed_at=None,
        outcome_code="6000-500",
        reason="failed",
        try_again=True,
        manifest=f"{FOLDER}/manifest.json",
    )
    [job] = ledger.people.request_jobs("DSR-1")
    assert job.manifest is None
    assert ledger.erasures.is_archived("adobe-1", f"{FOLDER}/manifest.json")


def test_an_attempt_that_brought_nothing_is_not_archived(ledger: Ledger) -> None:
    ledger.results.record_gone(submitted(ledger, "adobe-1"), "Adobe has it no more")
    assert ledger.people.resend("DSR-1", "once more") == 1
    assert not ledger.erasures.is_archived("adobe-1", f"{FOLDER}/manifest.json")


def test_a_hold_comes_too_late_for_what_has_begun_and_is_told_so(ledger: Ledger, clock: FakeClock) -> None:
    assert begin(ledger)
    ledger.people.hold("DSR-1", "lawsuit")
    [erasure] = ledger.erasures.of_request("DSR-1")
    assert (erasure.adobe_job_id, erasure.folder, erasure.done_at) == ("adobe-1", FOLDER, None)
    assert begin(ledger), "half of it may be gone: it goes on"
    assert ledger.erasures.unfinished() == [FOLDER]
    ledger.erasures.done("adobe-1")
    assert ledger.erasures.unfinished() == []
    [erasure] = ledger.erasures.of_request("DSR-1")
    assert erasure.done_at is not None


def test_of_a_hold_and_an_erasure_at_once_exactly_one_wins(open_ledger: OpenLedger, ledger: Ledger) -> None:
    for number in range(2, 22):
        ledger.intake.receive([received(number)])
        begun: list[bool] = []
        barrier = threading.Barrier(2)

        def erase(
            number: int = number, begun: list[bool] = begun, barrier: threading.Barrier = barrier
        ) -> None:
            with open_ledger() as other:
                barrier.wait()
                begun.append(other.erasures.begin(f"adobe-{number}", f"DSR-{number}", f"{FOLDER}{number}"))

        thread = threading.Thread(target=erase)
        thread.start()
        barrier.wait()
        ledger.people.hold(f"DSR-{number}", "lawsuit")
        told_too_late = bool(ledger.erasures.of_request(f"DSR-{number}"))
        thread.join()
        assert begun == [told_too_late]


def begin_untouched(ledger: Ledger) -> bool:
    return ledger.erasures.begin("adobe-1", "DSR-1", FOLDER, untouched=True)


def test_a_hold_is_honoured_where_the_store_refused_the_erasure(ledger: Ledger, clock: FakeClock) -> None:
    assert begin_untouched(ledger)
    assert begin_untouched(ledger)
    ledger.people.hold("DSR-1", "lawsuit")
    clock.advance(hours=2)
    assert not begin_untouched(ledger)
    assert ledger.erasures.unfinished() == []
    assert ledger.erasures.too_late("DSR-1") == []


@pytest.mark.parametrize("refused_before", [False, True])
def test_of_two_runs_at_once_neither_takes_back_what_the_other_erases(
    ledger: Ledger, clock: FakeClock, *, refused_before: bool
) -> None:
    """The first has begun, and has not changed the manifest yet. Then the hold comes, and the second run."""
    if refused_before:
        assert begin_untouched(ledger)
        clock.advance(days=1)
    assert begin_untouched(ledger)
    ledger.people.hold("DSR-1", "lawsuit")
    assert not begin_untouched(ledger)
    ledger.erasures.not_due("adobe-1")
    assert ledger.erasures.unfinished() == [FOLDER]
    ledger.erasures.done("adobe-1")
    assert ledger.erasures.too_late("DSR-1") == ["the result of Adobe's job adobe-1 is erased already"]


def test_an_erasure_that_is_not_due_any_more_counts_as_not_begun(ledger: Ledger, clock: FakeClock) -> None:
    ledger.erasures.not_due("adobe-1")
    assert begin_untouched(ledger)
    clock.advance(hours=2)
    ledger.erasures.not_due("adobe-1")
    assert ledger.erasures.of_request("DSR-1") == []


def test_a_result_that_came_back_and_is_erased_again_has_its_new_tombstone_in_the_history(
    ledger: Ledger,
) -> None:
    """With a backup of the archive. A tombstone that is known is not noted again."""
    archived(ledger)
    for sha256 in ("ab" * 32, "cd" * 32, "cd" * 32, "ab" * 32):
        assert begin_untouched(ledger)
        ledger.erasures.done("adobe-1", sha256)
        assert ledger.chain.filed(["adobe-1"])["adobe-1"].sha256 == sha256
        [job] = ledger.people.request_jobs("DSR-1")
        assert job.manifest_sha256 == sha256
    told = [each for each in ledger.people.history("DSR-1") if "was erased" in each.reason]
    assert len(told) == 3


def test_a_result_that_came_back_is_being_erased_until_that_is_done(ledger: Ledger) -> None:
    """A run that is killed between deletion and tombstone is brought to its end by the next."""
    archived(ledger)
    assert begin_untouched(ledger)
    ledger.erasures.done("adobe-1", "ab" * 32)
    assert begin_untouched(ledger)
    assert ledger.erasures.unfinished() == [FOLDER]
    ledger.erasures.done("adobe-1", "cd" * 32)
    assert ledger.erasures.unfinished() == []


def test_an_erasure_brings_no_forgotten_request_id_back(ledger: Ledger, clock: FakeClock) -> None:
    job = archived(ledger)
    clock.advance(days=800)
    assert sum(ledger.forgetting.forget(clock())) == 1
    assert begin(ledger)
    found = FoundErasure("adobe-1", "DSR-1", FOLDER, clock(), clock(), "0" * 64)
    ledger.erasures.record_found([found])
    with ledger.unit.read() as session:
        [erasure] = session.scalars(select(Erasure))
        assert erasure.request_id == session.get_one(Job, job.id).request_id != "DSR-1"
    assert ledger.erasures.too_late("DSR-1")


def test_a_manifest_that_is_gone_is_noted_once_where_the_ledger_knows_the_job(ledger: Ledger) -> None:
    assert begin(ledger)
    assert not ledger.erasures.note_stopped(FOLDER)  # archived by another ledger
    archived(ledger)
    for _ in range(2):
        assert ledger.erasures.note_stopped(FOLDER)
    noted = [change.reason for change in ledger.people.history("DSR-1") if FOLDER in change.reason]
    assert len(noted) == 1
    ledger.erasures.done("adobe-1")
    assert ledger.attention.counts()["not_erased"] == 0
