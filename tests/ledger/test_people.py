"""What a person decides: each decision does one thing, says so in the history, and reaches every end that it should."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.attention import BY_NAME, LASTING
from adobe_privacy.ledger.forgetting import months_before
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.others import OthersJob
from adobe_privacy.ledger.overview import Filters
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.states import JobState
from adobe_privacy.reporting.alarms import due_alarms, record
from adobe_privacy.results.verdicts import Answer, whole_verdict
from tests.support.ledgers import DAY, NOON, FakeClock, counted, received

LIMIT = 1000


def submit(ledger: Ledger, *adobe_job_ids: str) -> list[Job]:
    jobs = intend(ledger)
    ids = adobe_job_ids or [f"adobe-{job.id}-{job.attempt}" for job in jobs]
    ledger.intents.record_submitted(list(zip(jobs, ids, strict=True)), adobe_request_id=None, reason="answer")
    return ledger.claims.batch_jobs(str(jobs[0].batch_id))


def intend(ledger: Ledger) -> list[Job]:
    batch = ledger.claims.claim_batch(
        run_id="run", inbox_date=DAY, daily_limit=LIMIT, default_products="analytics"
    )
    assert batch is not None
    return ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=LIMIT
    )


def in_error(ledger: Ledger, job: Job) -> None:
    ledger.results.record_error(job, completed_at=None, outcome_code="1000-400", reason="", try_again=False)


def states(ledger: Ledger, request_id: str = "DSR-1") -> list[str]:
    return [job.state.value for job in ledger.people.request_jobs(request_id)]


def found(job_id: str, key: str | None = "DSR-1", action: str = "access") -> OthersJob:
    return OthersJob(job_id, "gdpr", action, NOON, DAY + timedelta(days=30), key)


@pytest.fixture
def failed(ledger: Ledger) -> Ledger:
    ledger.intake.receive([received(1, "delete")])
    [job] = submit(ledger)
    in_error(ledger, job)
    return ledger


@pytest.fixture
def undone(ledger: Ledger) -> Ledger:
    """DSR-1 is archived, and Target looked for nobody. DSR-2 is done."""
    ledger.intake.receive([received(number, "delete") for number in (1, 2)])
    wrong = Answer("target", "Target", Verdict.WRONG_NAMESPACE, code="6053-200")
    done = Answer("target", "Target", Verdict.DONE, code="6000-200")
    for job in submit(ledger):
        answer = wrong if job.request_id == "DSR-1" else done
        ledger.results.record_complete(
            [FinishedJob(job, None, whole_verdict([answer.verdict]), answer.code, [answer])]
        )
        ledger.results.record_archived({job.id: "m"})
    return ledger


def not_done(ledger: Ledger) -> list[str]:
    return [job.request_id for job, *_ in ledger.attention.jobs(BY_NAME["not_done"], limit=10)]


def test_what_was_not_done_needs_a_person_until_one_has_acted(undone: Ledger, clock: FakeClock) -> None:
    clock.advance(days=400)
    assert not_done(undone) == ["DSR-1"]
    assert undone.people.close("DSR-1", "a new request was handed in") == 1
    assert not_done(undone) == []
    assert undone.people.close("DSR-1", "again") == 0
    assert undone.people.close("DSR-2", "nothing is undone") == 0
    assert states(undone) == ["archived"]
    assert undone.people.history("DSR-1")[-1].reason == "closed: a new request was handed in"


def test_what_was_not_done_is_not_forgotten_while_it_waits_for_a_person(
    undone: Ledger, clock: FakeClock
) -> None:
    clock.advance(days=800)
    assert sum(undone.forgetting.forget(months_before(clock(), 24))) == 1
    assert not_done(undone) == ["DSR-1"]
    undone.people.close("DSR-1", "a new request was handed in")
    clock.advance(days=800)
    assert sum(undone.forgetting.forget(months_before(clock(), 24))) == 1
    assert not_done(undone) == []


def test_what_was_not_done_is_sent_again_by_a_person(undone: Ledger) -> None:
    [before] = undone.people.request_jobs("DSR-1")
    assert undone.people.undone("DSR-1") == {before.id}
    assert undone.people.resend("DSR-1", "the namespace is there now") == 1
    assert undone.people.resend("DSR-2", "nothing is undone") == 0
    assert (states(undone), not_done(undone)) == (["received"], [])
    assert {state: count for state, count in undone.overview.counts().items() if count} == counted(undone)
    [job] = submit(undone)
    assert (job.attempt, job.archived_at, job.manifest) == (2, None, None)
    undone.results.record_complete([FinishedJob(job, None, Verdict.DONE, "6000-200")])
    undone.results.record_archived({job.id: "again"})
    assert not_done(undone) == []
    assert undone.people.resend("DSR-1", "once more") == 0
    assert {state: count for state, count in undone.overview.counts().items() if count} == counted(undone)
    # Its first job at Adobe stays ours, and settled.
    assert undone.others.settled([str(before.adobe_job_id)]) == {before.adobe_job_id}


def test_the_end_of_a_hold_sends_no_delete_again(failed: Ledger) -> None:
    assert failed.people.hold("DSR-1", "litigation") == 1
    assert failed.people.release("DSR-1", "settled") == 1
    assert states(failed) == ["error"]


def test_a_failed_job_is_sent_again_as_a_new_attempt_and_only_once(failed: Ledger) -> None:
    assert failed.people.resend("DSR-1", "the label was set") == 1
    assert failed.people.resend("DSR-1", "the label was set") == 0
    [job] = failed.people.request_jobs("DSR-1")
    assert (job.state, job.attempt, job.adobe_job_id) == (JobState.RECEIVED, 2, None)
    assert failed.people.history("DSR-1")[-1].reason == "sent again: the label was set"


def test_what_may_be_at_adobe_is_not_sent_again_but_can_be_closed(ledger: Ledger) -> None:
    ledger.intake.receive([received(1, "delete")])
    jobs = intend(ledger)
    ledger.intents.withdraw(jobs, JobState.GONE, "cannot be looked up any more")
    assert ledger.people.resend("DSR-1", "try again") == 0
    assert ledger.people.close("DSR-1", "Adobe has nothing") == 1
    assert states(ledger) == ["closed"]


def test_what_may_be_at_adobe_is_recognised_even_after_it_was_given_up(ledger: Ledger) -> None:
    ledger.intake.receive([received(1, "delete")])
    jobs = intend(ledger)
    ledger.intents.withdraw(jobs, JobState.GONE, "cannot be looked up any more")
    assert ledger.intents.record_submitted([(jobs[0], "late")], adobe_request_id=None, reason="list") == 1
    assert states(ledger) == ["submitted"]


def test_closing_ends_all_but_what_is_being_sent(ledger: Ledger) -> None:
    ledger.intake.receive([received(1, "access", "delete"), received(2), received(3)])
    jobs = intend(ledger)
    sending = [job for job in jobs if job.request_id == "DSR-2"]
    ledger.intents.withdraw([job for job in jobs if job not in sending], JobState.PLANNED, "no", refund=True)
    assert ledger.people.close("DSR-1", "the person withdrew") == 2
    assert ledger.people.close("DSR-2", "the person withdrew") == 0
    assert states(ledger) == ["closed", "closed"]
    [planned] = [job for job in ledger.claims.batch_jobs(jobs[0].batch_id or "") if job.request_id == "DSR-3"]
    assert planned.state is JobState.PLANNED
    assert [step.reason for step in ledger.people.history("DSR-1")][-1] == "closed: the person withdrew"


def test_a_closed_request_is_overdue_no_more_and_counts_as_denied(ledger: Ledger, clock: FakeClock) -> None:
    ledger.intake.receive([received(1)])
    submit(ledger)
    clock.advance(days=60)
    assert ledger.attention.counts(LASTING, None)["overdue"] == 1
    ledger.people.close("DSR-1", "answered by letter")
    assert not any(ledger.attention.counts(LASTING, None).values())
    assert ledger.overview.due(clock().date()) == []
    assert ledger.overview.page(Filters()).jobs == []
    assert ledger.overview.counts()[JobState.CLOSED] == 1
    assert due_alarms(ledger, daily_limit=LIMIT).groups == []
    [row] = ledger.figures.requests(date(2026, 1, 1), date(2026, 12, 31))
    assert (row.denied, row.open) == (1, 0)


def test_a_late_answer_about_a_closed_request_is_kept_and_held_with_it(ledger: Ledger) -> None:
    ledger.intake.receive([received(1)])
    jobs = intend(ledger)
    ledger.intents.withdraw(jobs, JobState.PLANNED, "not there")
    ledger.people.close("DSR-1", "the person withdrew")
    ledger.intents.record_submitted([(jobs[0], "late")], adobe_request_id=None, reason="Adobe's answer")
    assert states(ledger) == ["closed", "submitted"]
    ledger.people.hold("DSR-1", "litigation")
    assert ledger.erasures.is_held("late", None)


class TestASecondJobAtAdobe:
    def test_two_ids_in_one_answer_are_both_kept(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = intend(ledger)
        made = [(job, "one"), (job, "two"), (job, "one")]
        assert ledger.intents.record_submitted(made, adobe_request_id="x", reason="Adobe's answer") == 1
        first, second = ledger.people.request_jobs("DSR-1")
        assert (first.adobe_job_id, first.origin) == ("one", Origin.INBOX)
        assert (second.adobe_job_id, second.origin) == ("two", Origin.SECOND)
        assert (second.batch_id, second.attempt, second.key) == (first.batch_id, 1, "DSR-1")
        assert {job_id for job_id, _ in ledger.waiting.jobs(job.batch_id or "")} == {"one", "two"}

    def test_one_found_with_our_key_and_action_belongs_to_the_request(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        submit(ledger, "one")
        ledger.people.hold("DSR-1", "litigation")
        assert (
            ledger.others.register([found("two"), found("three", action="delete"), found("four", None)])
            == set()
        )
        assert ledger.others.register([found("two")]) == set()
        assert [job.adobe_job_id for job in ledger.people.request_jobs("DSR-1")] == ["one", "two"]
        assert [ledger.erasures.is_held(job_id, None) for job_id in ("one", "two", "three")] == [
            True,
            True,
            False,
        ]
        assert states(ledger, "adobe:three") == states(ledger, "adobe:four") == ["submitted"]

    def test_it_is_no_request_of_its_own_and_never_sent(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        submit(ledger, "one")
        ledger.others.register([found("two")])
        second = ledger.people.request_jobs("DSR-1")[1]
        in_error(ledger, second)
        assert ledger.people.resend("DSR-1", "again") == 0
        [row] = ledger.figures.requests(date(2026, 1, 1), date(2026, 12, 31))
        assert (row.received, row.open) == (1, 1)

    def test_what_may_be_a_call_without_an_answer_is_left_to_the_submission(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        intend(ledger)
        assert ledger.others.register([found("one")]) == {"one"}

    def test_an_id_that_an_inbox_used_before_ends_no_sweep(self, ledger: Ledger) -> None:
        ledger.intake.receive([received("adobe:three", request_id="adobe:three")])
        assert ledger.others.register([found("three", None), found("four", None)]) == set()
        assert ledger.intents.known_adobe_jobs(["three", "four"]) == {"three", "four"}


def test_a_mistyped_extension_can_be_corrected_but_not_to_before_the_first_date(
    ledger: Ledger, clock: FakeClock
) -> None:
    first = DAY + timedelta(days=10)
    ledger.intake.receive([received(1, due=first)])
    assert ledger.people.extend("DSR-1", DAY + timedelta(days=300), "mistyped") == 1
    assert ledger.people.extend("DSR-1", DAY + timedelta(days=30), "the date of the letter") == 1
    [job] = ledger.people.request_jobs("DSR-1")
    assert (job.due_on, job.first_due_on) == (DAY + timedelta(days=30), first)
    assert ledger.people.history("DSR-1")[-1].reason == (
        f"due {job.due_on} instead of {DAY + timedelta(days=300)}: the date of the letter"
    )
    assert ledger.people.extend("DSR-1", first, "no extension") == 0
    record(ledger, due_alarms(ledger, daily_limit=LIMIT))
    clock.advance(days=30)
    assert ("clock", 100) in {
        (group.kind, group.percent) for group in due_alarms(ledger, daily_limit=LIMIT).groups
    }


def test_an_extension_moves_the_date_and_keeps_both(ledger: Ledger, clock: FakeClock) -> None:
    ledger.intake.receive([received(1, due=DAY + timedelta(days=10))])
    record(ledger, due_alarms(ledger, daily_limit=LIMIT))
    until = DAY + timedelta(days=100)
    assert ledger.people.extend("DSR-1", until, "complex, letter of today") == 1
    assert ledger.people.extend("DSR-1", until, "again") == 0
    [job] = ledger.people.request_jobs("DSR-1")
    assert job.due_on == until
    assert (
        ledger.people.history("DSR-1")[-1].reason
        == "due 2027-02-28 instead of 2026-11-30: complex, letter of today"
    )
    ledger.people.hold("DSR-1", "what waits for a plan is told besides")
    clock.advance(days=20)
    told = due_alarms(ledger, daily_limit=LIMIT)
    assert told.groups == [], "a fifth of the time is over"
    record(ledger, told)
    clock.advance(days=40)
    [group] = due_alarms(ledger, daily_limit=LIMIT).groups
    assert (group.percent, group.names) == (50, ("DSR-1",))
