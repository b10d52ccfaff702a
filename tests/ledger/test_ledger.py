"""Every test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.intake import ReceivedRequest, Reception
from adobe_privacy.ledger.intents import DailyLimitReached
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Batch, DailyFigures, Job, Origin
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Unit
from adobe_privacy.reporting.run_report import settle
from tests.support.ledgers import DAY, FakeClock, OpenLedger, counted, received

RUN = "privacy_requests/scheduled__2026-11-20"
LIMIT = 20_000


def claim(ledger: Ledger, **options: object) -> Batch | None:
    return ledger.claims.claim_batch(**({"run_id": RUN, "inbox_date": DAY, "daily_limit": LIMIT} | options))  # type: ignore[arg-type]


def claimed(ledger: Ledger, **options: object) -> list[Job]:
    batch = claim(ledger, **options)
    assert batch is not None
    return ledger.claims.batch_jobs(batch.id)


def intended(ledger: Ledger, *, daily_limit: int = LIMIT) -> list[Job]:
    """The waiting jobs in a batch, with their intent committed."""
    jobs = claimed(ledger)
    assert jobs[0].batch_id is not None
    return ledger.intents.intend(jobs[0].batch_id, [job.id for job in jobs], daily_limit=daily_limit)


def submitted(ledger: Ledger) -> list[Job]:
    jobs = intended(ledger)
    made = [(job, f"adobe-{job.key}-{job.action}-{job.attempt}") for job in jobs]
    ledger.intents.record_submitted(made, adobe_request_id="rx-1", reason="Adobe's answer")
    return ledger.claims.batch_jobs(str(jobs[0].batch_id))


NINE_DAYS = timedelta(days=9)


def earlier(number: int) -> ReceivedRequest:
    """The same request, received nine days before."""
    first = received(number)
    return received(number, due=first.jobs[0].due_on - NINE_DAYS, received_at=first.received_at - NINE_DAYS)


def states(ledger: Ledger, request_id: str = "DSR-1") -> list[JobState]:
    return [job.state for job in ledger.people.request_jobs(request_id)]


def steps(ledger: Ledger, request_id: str = "DSR-1") -> list[tuple[str | None, str]]:
    return [
        (step.from_state and step.from_state.value, step.to_state.value)
        for step in ledger.people.history(request_id)
    ]


class TestIntake:
    def test_a_new_request_waits_with_a_job_for_each_action_and_part(self, ledger: Ledger) -> None:
        assert ledger.intake.receive([received(1, "access", "delete", parts=2)]) == [Reception.NEW]
        jobs = ledger.people.request_jobs("DSR-1")
        assert [(job.action, job.part, job.key) for job in jobs] == [
            ("access", 1, "DSR-1"),
            ("access", 2, "DSR-1~2"),
            ("delete", 1, "DSR-1"),
            ("delete", 2, "DSR-1~2"),
        ]
        assert {(job.state, job.attempt, job.on_hold) for job in jobs} == {(JobState.RECEIVED, 1, False)}
        assert steps(ledger) == [(None, "received")] * 4

    def test_every_column_comes_back_as_it_was_given(self, ledger: Ledger) -> None:
        request = received(1, received_at=datetime(2026, 11, 20, 10, 30, 1, 250, tzinfo=UTC))
        ledger.intake.receive([request])
        [job] = ledger.people.request_jobs("DSR-1")
        for name in ("regulation", "fingerprint", "source", "inbox_date", "products", "received_at"):
            assert getattr(job, name) == getattr(request, name)
        assert job.due_on == request.jobs[0].due_on

    def test_the_same_content_again_is_a_duplicate_and_other_content_a_conflict(self, ledger: Ledger) -> None:
        same, other = received(1), received(1, fingerprint="e" * 64)
        assert ledger.intake.receive([same, same, other]) == [
            Reception.NEW,
            Reception.DUPLICATE,
            Reception.CONFLICT,
        ]
        assert ledger.intake.receive([other, same]) == [Reception.CONFLICT, Reception.DUPLICATE]
        assert len(ledger.people.request_jobs("DSR-1")) == 1
        assert steps(ledger) == [(None, "received")]

    def test_an_earlier_date_of_receipt_counts_for_what_ended_too(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        ledger.results.record_complete([FinishedJob(job, ledger.now(), "done", None)])
        ledger.results.record_archived({job.id: "m"})
        [job] = ledger.people.request_jobs("DSR-1")
        assert ledger.intake.receive([earlier(1), received(1)]) == [Reception.EARLIER, Reception.LATER]
        [moved] = ledger.people.request_jobs("DSR-1")
        assert (job.received_at - moved.received_at, job.due_on - moved.due_on) == (NINE_DAYS, NINE_DAYS)
        assert (moved.state, moved.alarm_at) == (job.state, job.alarm_at)
        assert job.archived_at is not None
        with ledger.unit.read() as session:
            figures = session.get_one(DailyFigures, job.archived_at.date())
        seconds = int((job.archived_at - moved.received_at).total_seconds())
        assert (figures.seconds, figures.longest) == (seconds, seconds)

    def test_an_earlier_date_of_receipt_moves_an_extended_due_date_too(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = ledger.people.request_jobs("DSR-1")
        ledger.people.extend("DSR-1", job.due_on + timedelta(days=60), "complex")
        ledger.intake.receive([earlier(1)])
        [moved] = ledger.people.request_jobs("DSR-1")
        assert (moved.first_due_on, moved.due_on) == (
            job.due_on - NINE_DAYS,
            job.due_on + timedelta(days=60) - NINE_DAYS,
        )

    def test_a_second_job_is_extended_as_its_request_is(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        extended = job.due_on + timedelta(days=60)
        ledger.people.extend("DSR-1", extended, "complex")
        ledger.intents.record_submitted([(job, "second")], adobe_request_id=None, reason="Adobe's answer")
        ledger.intake.receive([earlier(1)])
        due = {(each.first_due_on, each.due_on) for each in ledger.people.request_jobs("DSR-1")}
        assert due == {(job.due_on - NINE_DAYS, extended - NINE_DAYS)}

    @pytest.mark.parametrize("state", ["received", "planned", "submitting", "refused", "error"])
    def test_identities_will_be_read_where_the_request_was_last_seen(
        self, ledger: Ledger, state: str
    ) -> None:
        ledger.intake.receive([received(1)])
        if state == "planned":
            claimed(ledger)
        elif state == "submitting":
            intended(ledger)
        elif state == "refused":
            ledger.claims.refuse([job.id for job in claimed(ledger)], "gone")
        elif state == "error":
            [job] = submitted(ledger)
            ledger.results.record_error(
                job, completed_at=None, outcome_code=None, reason="Adobe", try_again=False
            )
        assert states(ledger) == [JobState(state)]
        ledger.intake.receive([received(1, source="2026-11-21/again.jsonl", inbox_date=date(2026, 11, 21))])
        [job] = ledger.people.request_jobs("DSR-1")
        assert job.source == "2026-11-21/again.jsonl"
        assert (job.inbox_date, job.state.value) == (DAY, state)

    def test_a_conflicting_line_does_not_move_the_source(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        ledger.intake.receive([received(1, fingerprint="e" * 64, source="2026-11-21/other.jsonl")])
        assert ledger.people.request_jobs("DSR-1")[0].source == f"{DAY}/requests.jsonl"

    def test_history_is_kept_apart_for_interleaved_chunks(self, ledger: Ledger) -> None:
        for start in (0, 1000):
            ledger.intake.receive([received(n, "access", "delete") for n in range(start, start + 1000)])
        ledger.intake.receive([received(n, "access", "delete") for n in range(900, 1100)])
        for number in (0, 950, 1999):
            assert steps(ledger, f"DSR-{number}") == [(None, "received")] * 2
        assert counted(ledger) == {JobState.RECEIVED: 4000}

    def test_nothing_received_is_nothing_written(self, ledger: Ledger) -> None:
        assert ledger.intake.receive([]) == []
        assert counted(ledger) == {}


class TestFingerprints:
    def test_each_ledger_has_a_key_of_its_own_that_stays(self, open_ledger: OpenLedger) -> None:
        first = open_ledger().intake.fingerprint(b"content")
        assert open_ledger().intake.fingerprint(b"content") == first
        assert len(first) == 64
        assert open_ledger().intake.fingerprint(b"contents") != first

    def test_a_configured_key_is_used(self, open_ledger: OpenLedger) -> None:
        one = open_ledger(fingerprint_key="one")
        assert one.intake.fingerprint(b"content") == open_ledger(fingerprint_key="one").intake.fingerprint(
            b"content"
        )

    @pytest.mark.parametrize(("old", "new"), [("one", "two"), (None, "two"), ("one", None)])
    def test_another_key_is_refused_since_every_known_request_would_look_changed(
        self, open_ledger: OpenLedger, old: str | None, new: str | None
    ) -> None:
        ledger = open_ledger(fingerprint_key=old)
        ledger.intake.receive([received(1, fingerprint=ledger.intake.fingerprint(b"content"))])
        with pytest.raises(LedgerError, match=r"extra\.fingerprint_key") as caught:
            open_ledger(fingerprint_key=new).intake.fingerprint(b"content")
        assert "two" not in str(caught.value)

    def test_an_empty_ledger_takes_another_key(self, open_ledger: OpenLedger) -> None:
        open_ledger().intake.fingerprint(b"content")
        open_ledger(fingerprint_key="two").intake.fingerprint(b"content")

    def test_who_only_reads_needs_no_key(self, open_ledger: OpenLedger) -> None:
        open_ledger(fingerprint_key="one").intake.receive([received(1)])
        assert len(open_ledger().people.request_jobs("DSR-1")) == 1


class TestClaims:
    def test_the_earliest_due_go_first(self, ledger: Ledger) -> None:
        dues = {1: 30, 2: 10, 3: 20}
        ledger.intake.receive([received(n, due=DAY + timedelta(days=days)) for n, days in dues.items()])
        assert [job.request_id for job in claimed(ledger, max_users=2)] == ["DSR-2", "DSR-3"]

    def test_a_batch_has_one_regulation_and_one_list_of_products(self, ledger: Ledger) -> None:
        ledger.intake.receive(
            [
                received(1),
                received(2, regulation="ccpa"),
                received(3, products="target"),
                received(4, products=""),
                received(5),
            ]
        )
        groups = set()
        while batch := claim(ledger, default_products="analytics,target"):
            ids = ",".join(job.request_id for job in ledger.claims.batch_jobs(batch.id))
            groups.add((batch.regulation, batch.products, ids))
        assert groups == {
            ("gdpr", "analytics", "DSR-1,DSR-5"),
            ("ccpa", "analytics", "DSR-2"),
            ("gdpr", "target", "DSR-3"),
            ("gdpr", "analytics,target", "DSR-4"),
        }

    def test_products_of_the_run_replace_those_asked_for(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        batch = claim(ledger, products="campaign", default_products="target")
        assert batch is not None
        assert batch.products == "campaign"

    def test_a_user_with_two_actions_is_one_user_and_never_torn_apart(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(n, "access", "delete") for n in range(5)])
        jobs = claimed(ledger, max_users=2)
        assert [(job.request_id, job.action) for job in jobs] == [
            ("DSR-0", "access"),
            ("DSR-0", "delete"),
            ("DSR-1", "access"),
            ("DSR-1", "delete"),
        ]

    def test_no_more_is_claimed_than_the_day_has_room_for(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(n) for n in range(10)])
        assert len(claimed(ledger, daily_limit=4)) == 4
        assert claim(ledger, daily_limit=4) is None
        assert len(claimed(ledger, daily_limit=5)) == 1
        assert (ledger.quotas.today().planned, ledger.quotas.today().used) == (5, 0)
        assert ledger.claims.count_waiting(DAY) == 5

    def test_max_jobs_caps_a_batch(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(n) for n in range(3)])
        assert len(claimed(ledger, max_jobs=2)) == 2
        assert claim(ledger, max_jobs=0) is None

    def test_a_day_that_was_refused_says_nothing_about_the_batches_of_the_next(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        ledger.intake.receive([received(n) for n in range(60)])
        ledger.quotas.record_refusal(clock().date())
        clock.advance(days=1)
        assert len(claimed(ledger)) == 60

    def test_a_day_is_closed_by_the_day_of_the_intent(self, ledger: Ledger, clock: FakeClock) -> None:
        ledger.intake.receive([received(1)])
        yesterday = clock().date()
        clock.advance(days=1)
        ledger.quotas.record_refusal(yesterday)
        assert not ledger.quotas.today().refused
        assert claim(ledger) is not None

    def test_after_adobes_refusal_nothing_is_claimed_before_the_next_utc_day(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        ledger.intake.receive([received(1)])
        ledger.quotas.record_refusal(clock().date())
        assert claim(ledger) is None
        assert ledger.quotas.today().refused
        clock.advance(hours=11, minutes=59)
        assert claim(ledger) is None
        clock.advance(minutes=1)
        assert claim(ledger) is not None

    def test_opt_outs_holds_and_later_days_are_left_alone(self, ledger: Ledger) -> None:
        ledger.intake.receive(
            [
                received(1, "opt_out_of_sale"),
                received(2),
                received(3, inbox_date=DAY + timedelta(days=1)),
                received(4, "access", "opt_out_of_sale"),
            ]
        )
        ledger.people.hold("DSR-2", "litigation")
        assert ledger.claims.count_waiting(DAY) == 1
        assert [(job.request_id, job.action) for job in claimed(ledger)] == [("DSR-4", "access")]
        assert claim(ledger) is None
        assert ledger.claims.count_waiting(DAY + timedelta(days=1)) == 1

    def test_an_earlier_days_jobs_are_taken_once_their_own_run_has_had_its_time(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        """A backfill's days begin together: no day's run is to take what another is about to claim."""
        ledger.intake.receive([received(1), received(2, inbox_date=DAY + timedelta(days=1))])
        next_day = {"run_id": "next", "inbox_date": DAY + timedelta(days=1)}
        assert [job.request_id for job in claimed(ledger, **next_day)] == ["DSR-2"]
        assert claim(ledger, **next_day) is None
        clock.advance(hours=2)
        assert ledger.claims.count_waiting(DAY + timedelta(days=1)) == 0
        clock.advance(seconds=1)
        assert ledger.claims.count_waiting(DAY + timedelta(days=1)) == 1
        assert [job.request_id for job in claimed(ledger, **next_day)] == ["DSR-1"]

    def test_claiming_is_in_the_history_with_its_batch_and_who_did_it(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger("privacy_requests/manual/plan")
        ledger.intake.receive([received(1)])
        [job] = claimed(ledger)
        step = ledger.people.history("DSR-1")[-1]
        assert (step.from_state, step.to_state) == (JobState.RECEIVED, JobState.PLANNED)
        assert (step.batch_id, step.actor, step.reason) == (
            job.batch_id,
            "privacy_requests/manual/plan",
            "claimed",
        )

    def test_runs_at_once_never_claim_the_same_job(self, open_ledger: OpenLedger) -> None:
        open_ledger().intake.receive([received(n, "access", "delete") for n in range(200)])
        ledgers = [open_ledger(f"run {n}") for n in range(4)]
        start = threading.Barrier(len(ledgers))
        seen: list[int] = []

        def run(number: int, ledger: Ledger) -> None:
            start.wait()
            while batch := claim(ledger, run_id=f"run {number}", max_users=7, daily_limit=300):
                seen.extend(job.id for job in ledger.claims.batch_jobs(batch.id))

        threads = [threading.Thread(target=run, args=pair) for pair in enumerate(ledgers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == len(set(seen)) == 300

    def test_a_run_answers_for_its_own_batches_those_of_its_day_and_abandoned_ones(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        def batch_of(number: int, run_id: str, day: date) -> str:
            ledger.intake.receive([received(number, inbox_date=day)])
            batch = claim(ledger, run_id=run_id, inbox_date=day)
            assert batch is not None
            return batch.id

        yesterday, tomorrow = DAY - timedelta(days=1), DAY + timedelta(days=1)
        left_behind = batch_of(1, "run of yesterday", yesterday)
        clock.advance(hours=2, seconds=1)
        mine = batch_of(2, RUN, DAY)
        of_my_day = batch_of(3, "another run", DAY)
        batch_of(4, "run of yesterday", yesterday)
        batch_of(5, "run of tomorrow", tomorrow)
        found = {batch.id for batch in ledger.claims.open_batches(run_id=RUN, inbox_date=DAY)}
        assert found == {left_behind, mine, of_my_day}

    def test_a_batch_is_open_until_its_last_job_has_ended(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1), received(2)])
        first, second = submitted(ledger)
        for job in (first, second):
            assert len(ledger.claims.open_batches(run_id=RUN, inbox_date=DAY)) == 1
            ledger.results.record_complete([FinishedJob(job, None, "done", None)])
            ledger.results.record_archived({job.id: "m"})
        assert ledger.claims.open_batches(run_id=RUN, inbox_date=DAY) == []

    def test_the_content_of_a_batch_is_counted(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1, "access", "delete"), received(2, due=DAY + timedelta(days=3))])
        batch = claim(ledger)
        assert batch is not None
        [content] = ledger.claims.batch_contents([batch.id, "no such batch"]).values()
        assert (content.users, content.jobs, content.unsent) == (2, 3, 3)
        assert content.actions == {"access": 2, "delete": 1}
        assert content.first_due == DAY + timedelta(days=3)

    def test_an_unknown_batch_is_named(self, ledger: Ledger) -> None:
        with pytest.raises(LedgerError, match="no batch 4711"):
            ledger.claims.batch("4711")


class TestIntents:
    def test_an_intent_is_committed_and_charged(self, ledger: Ledger, open_ledger: OpenLedger) -> None:
        ledger.intake.receive([received(1, "access", "delete")])
        jobs = intended(ledger)
        assert [job.state for job in jobs] == [JobState.SUBMITTING] * 2
        assert states(open_ledger()) == [JobState.SUBMITTING] * 2
        assert (ledger.quotas.today().used, ledger.quotas.today().planned) == (2, 0)

    def test_only_one_of_two_gets_the_intent(self, ledger: Ledger, open_ledger: OpenLedger) -> None:
        ledger.intake.receive([received(1)])
        [job] = claimed(ledger)
        first = ledger.intents.intend(str(job.batch_id), [job.id], daily_limit=LIMIT)
        second = open_ledger().intents.intend(str(job.batch_id), [job.id], daily_limit=LIMIT)
        assert (len(first), len(second)) == (1, 0)
        assert ledger.quotas.today().used == 1

    def test_jobs_on_hold_or_of_another_batch_are_not_intended(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1), received(2)])
        jobs = claimed(ledger)
        ledger.people.hold("DSR-1", "litigation")
        assert [
            job.request_id
            for job in ledger.intents.intend(str(jobs[0].batch_id), [j.id for j in jobs], daily_limit=9)
        ] == ["DSR-2"]
        ledger.intake.receive([received(3)])
        [other] = claimed(ledger)
        assert ledger.intents.intend(str(jobs[0].batch_id), [other.id], daily_limit=9) == []

    def test_beyond_the_days_limit_nothing_is_intended(self, ledger: Ledger, clock: FakeClock) -> None:
        ledger.intake.receive([received(1), received(2)])
        jobs = claimed(ledger)
        batch_id, ids = str(jobs[0].batch_id), [job.id for job in jobs]
        with pytest.raises(DailyLimitReached):
            ledger.intents.intend(batch_id, ids, daily_limit=1)
        assert ledger.quotas.today().used == 0
        ledger.quotas.record_refusal(clock().date())
        with pytest.raises(DailyLimitReached):
            ledger.intents.intend(batch_id, ids, daily_limit=LIMIT)
        assert states(ledger) == [JobState.PLANNED]
        clock.advance(days=1)
        assert len(ledger.intents.intend(batch_id, ids, daily_limit=2)) == 2

    def test_a_withdrawn_intent_is_refunded_only_where_nothing_can_have_been_made(
        self, ledger: Ledger
    ) -> None:
        ledger.intake.receive([received(1)])
        jobs = intended(ledger)
        assert ledger.intents.withdraw(jobs, JobState.PLANNED, "not at Adobe") == 1
        assert ledger.quotas.today().used == 1
        again = ledger.intents.intend(str(jobs[0].batch_id), [jobs[0].id], daily_limit=LIMIT)
        assert ledger.quotas.today().used == 2
        assert ledger.intents.withdraw(again, JobState.PLANNED, "Adobe refused", refund=True) == 1
        assert ledger.quotas.today().used == 1

    def test_a_refund_goes_to_the_day_that_was_charged(self, ledger: Ledger, clock: FakeClock) -> None:
        ledger.intake.receive([received(1)])
        jobs = intended(ledger)
        clock.advance(days=1)
        ledger.intents.withdraw(jobs, JobState.PLANNED, "Adobe refused", refund=True)
        assert ledger.quotas.today().used == 0
        clock.advance(days=-1)
        assert ledger.quotas.today().used == 0

    def test_a_later_intent_is_not_withdrawn_by_who_knows_the_earlier(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        ledger.intake.receive([received(1)])
        old = intended(ledger)
        ledger.intents.withdraw(old, JobState.PLANNED, "not at Adobe")
        clock.advance(seconds=1)
        ledger.intents.intend(str(old[0].batch_id), [old[0].id], daily_limit=LIMIT)
        assert ledger.intents.withdraw(old, JobState.PLANNED, "not at Adobe", refund=True) == 0
        assert states(ledger) == [JobState.SUBMITTING]
        assert ledger.quotas.today().used == 2

    def test_unclaimed_jobs_wait_again_and_can_be_claimed_again(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1), received(2)])
        jobs = claimed(ledger)
        assert ledger.claims.unclaim(str(jobs[0].batch_id), "no room", job_ids={jobs[0].id}) == 1
        assert [(job.state, job.batch_id) for job in ledger.people.request_jobs("DSR-1")] == [
            (JobState.RECEIVED, None)
        ]
        assert states(ledger, "DSR-2") == [JobState.PLANNED]
        assert [job.request_id for job in claimed(ledger)] == ["DSR-1"]

    def test_what_was_intended_is_never_unclaimed(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        jobs = intended(ledger)
        assert ledger.claims.unclaim(str(jobs[0].batch_id), "no room") == 0
        assert ledger.claims.refuse([jobs[0].id], "gone") == 0
        assert states(ledger) == [JobState.SUBMITTING]


class TestWhatAdobeHas:
    def test_submitted_jobs_keep_adobes_ids(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        assert (job.state, job.adobe_job_id, job.adobe_request_id) == (
            JobState.SUBMITTED,
            "adobe-DSR-1-access-1",
            "rx-1",
        )
        assert ledger.people.history("DSR-1")[-1].adobe_job_id == "adobe-DSR-1-access-1"

    def test_the_same_answer_twice_changes_nothing(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        before = steps(ledger)
        assert (
            ledger.intents.record_submitted(
                [(job, str(job.adobe_job_id))], adobe_request_id=None, reason="found"
            )
            == 0
        )
        assert steps(ledger) == before

    @pytest.mark.parametrize("fate", ["planned", "carried over", "claimed by another run"])
    def test_a_late_answer_is_believed_though_the_intent_was_given_up(
        self, ledger: Ledger, fate: str
    ) -> None:
        ledger.intake.receive([received(1)])
        late = intended(ledger)
        ledger.intents.withdraw(late, JobState.PLANNED, "not at Adobe")
        if fate != "planned":
            ledger.claims.unclaim(str(late[0].batch_id), "no room")
        if fate == "claimed by another run":
            claimed(ledger)
        assert (
            ledger.intents.record_submitted(
                [(late[0], "late")], adobe_request_id=None, reason="Adobe's answer"
            )
            == 1
        )
        [job] = ledger.people.request_jobs("DSR-1")
        assert (job.state, job.adobe_job_id, job.batch_id) == (JobState.SUBMITTED, "late", late[0].batch_id)
        assert claim(ledger) is None

    def test_a_second_job_for_the_same_attempt_is_noted_and_never_adopted(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        assert (
            ledger.intents.record_submitted([(job, "second")], adobe_request_id=None, reason="Adobe's answer")
            == 0
        )
        assert ledger.people.request_jobs("DSR-1")[0].adobe_job_id == "adobe-DSR-1-access-1"
        assert ledger.people.history("DSR-1")[-1].reason == "second job at Adobe: Adobe's answer"
        assert ledger.intents.known_adobe_jobs(["second", "third"]) == {"second"}

    def test_jobs_of_earlier_attempts_stay_known(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        ledger.results.record_error(
            job, completed_at=None, outcome_code="1020-400", reason="", try_again=True
        )
        [again] = submitted(ledger)
        assert again.attempt == 2
        both = {"adobe-DSR-1-access-1", "adobe-DSR-1-access-2"}
        assert ledger.intents.known_adobe_jobs([*both, *(f"x{n}" for n in range(1200))]) == both

    def test_an_answer_to_an_earlier_attempt_does_not_end_the_later_one(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [first] = submitted(ledger)
        ledger.results.record_error(
            first, completed_at=None, outcome_code="1020-400", reason="", try_again=True
        )
        intended(ledger)
        assert ledger.intents.record_submitted([(first, "stray")], adobe_request_id=None, reason="late") == 0
        assert states(ledger) == [JobState.SUBMITTING, JobState.SUBMITTED]
        stray = ledger.people.request_jobs("DSR-1")[1]
        assert (stray.origin, stray.attempt, stray.adobe_job_id) == (Origin.SECOND, 1, "stray")


class TestEnds:
    def test_the_first_completion_time_counts(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        first = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
        assert ledger.results.record_complete([FinishedJob(job, first, "in part", "6054-200")]) == {
            job.id: first
        }
        later = first + timedelta(days=1)
        assert ledger.results.record_complete([FinishedJob(job, later, "done", None)]) == {job.id: first}
        [row] = ledger.people.request_jobs("DSR-1")
        assert (row.state, row.outcome, row.outcome_code) == (JobState.COMPLETE, "done", None)

    def test_archived_once(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        assert not ledger.results.record_archived({job.id: "too early"})
        ledger.results.record_complete([FinishedJob(job, None, "done", None)])
        assert ledger.results.record_archived({job.id: "jobs/m.json"})
        assert not ledger.results.record_archived({job.id: "jobs/other.json"})
        assert ledger.people.request_jobs("DSR-1")[0].manifest == "jobs/m.json"

    def test_an_error_that_may_pass_waits_for_the_next_plan_as_a_new_attempt(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        assert ledger.results.record_error(
            job, completed_at=None, outcome_code="1020-400", reason="Adobe", try_again=True
        )
        [row] = ledger.people.request_jobs("DSR-1")
        assert (row.state, row.attempt, row.batch_id, row.adobe_job_id) == (JobState.RECEIVED, 2, None, None)
        assert (row.intent_at, row.submitted_at, row.completed_at, row.outcome) == (None,) * 4
        assert steps(ledger)[-2:] == [("submitted", "error"), ("error", "received")]
        assert not ledger.results.record_error(
            job, completed_at=None, outcome_code=None, reason="again", try_again=True
        )

    def test_another_error_waits_for_a_person(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        ledger.results.record_error(
            job, completed_at=None, outcome_code="1000-400", reason="Adobe", try_again=False
        )
        assert claim(ledger) is None
        assert ledger.people.release("DSR-1", "it ends a hold, nothing else") == 0
        assert claim(ledger) is None
        assert ledger.people.resend("DSR-1", "the label was set") == 1
        [again] = claimed(ledger)
        assert again.attempt == 2


class TestHolds:
    def test_a_request_on_hold_is_not_claimed_until_its_release(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1, "access", "delete")])
        assert ledger.people.hold("DSR-1", "litigation") == 2
        assert ledger.people.hold("DSR-1", "litigation") == 0
        assert claim(ledger) is None
        assert ledger.people.release("DSR-1", "settled") == 2
        assert len(claimed(ledger)) == 2
        reasons = [step.reason for step in ledger.people.history("DSR-1")]
        assert reasons.count("on hold: litigation") == reasons.count("hold ended: settled") == 2

    def test_a_hold_outlasts_an_error_that_would_be_sent_again(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = submitted(ledger)
        ledger.people.hold("DSR-1", "litigation")
        ledger.results.record_error(
            job, completed_at=None, outcome_code="1020-400", reason="Adobe", try_again=True
        )
        assert states(ledger) == [JobState.RECEIVED]
        assert claim(ledger) is None

    def test_a_release_of_nothing_changes_nothing(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        assert ledger.people.release("DSR-1", "why not") == 0
        assert ledger.people.release("DSR-2", "unknown") == 0
        assert steps(ledger) == [(None, "received")]

    def test_holds_name_requests_and_every_job_that_adobe_made_for_them(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1), received(2)])
        jobs = submitted(ledger)
        ledger.results.record_error(
            jobs[0], completed_at=None, outcome_code="1020-400", reason="", try_again=True
        )
        submitted(ledger)
        ledger.people.hold("DSR-1", "litigation")
        for adobe_job_id in ("adobe-DSR-1-access-1", "adobe-DSR-1-access-2"):
            assert ledger.erasures.is_held(adobe_job_id, None)
        assert not ledger.erasures.is_held("adobe-other", "DSR-2")


class TestReports:
    def test_a_run_reports_its_own_batches_and_its_day(self, ledger: Ledger, clock: FakeClock) -> None:
        ledger.intake.receive([received(1), received(2, inbox_date=DAY - timedelta(days=1))])
        clock.advance(hours=2, seconds=1)
        claimed(ledger)
        ledger.intake.receive([received(3), received(4, inbox_date=DAY + timedelta(days=1))])
        found = list(ledger.overview.run_jobs(run_id=RUN, inbox_date=DAY))
        assert [job.request_id for job in found] == ["DSR-1", "DSR-2", "DSR-3"]

    @pytest.mark.parametrize("left", ["given back", "sent again"])
    def test_a_run_reports_what_left_its_batch_and_waits(
        self, ledger: Ledger, clock: FakeClock, left: str
    ) -> None:
        """Adobe takes no more jobs today, for example. The note of a run of another day said nothing of them."""
        ledger.intake.receive([received(1, inbox_date=DAY - timedelta(days=1))])
        clock.advance(hours=2, seconds=1)
        if left == "given back":
            batch_id = str(claimed(ledger)[0].batch_id)
            ledger.claims.unclaim(batch_id, "the day's limit is reached")
        else:
            [job] = submitted(ledger)
            batch_id = str(job.batch_id)
            ledger.results.record_error(
                job, completed_at=None, outcome_code="1020-400", reason="", try_again=True
            )
        found = list(ledger.overview.run_jobs(run_id=RUN, inbox_date=DAY))
        assert [(job.request_id, job.state) for job in found] == [("DSR-1", JobState.RECEIVED)]
        settlement = settle(ledger, run_id=RUN, inbox_date=DAY, batch_ids=[batch_id])
        assert (settlement.jobs, settlement.waiting, settlement.problems) == (1, 1, 0)
        assert settlement.figures.startswith("1 jobs (1 access): 1 for the next run, 1 of them of other days")
        assert [job.request_id for job in claimed(ledger, run_id="the next")] == ["DSR-1"]
        assert settle(ledger, run_id=RUN, inbox_date=DAY, batch_ids=[batch_id]).jobs == 0

    def test_due_names_what_is_not_archived_the_most_urgent_first(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(n, due=DAY + timedelta(days=n)) for n in (3, 1, 2, 9)])
        assert [job.request_id for job in ledger.overview.due(DAY + timedelta(days=3))] == [
            "DSR-1",
            "DSR-2",
            "DSR-3",
        ]
        assert [job.request_id for job in ledger.overview.due(DAY + timedelta(days=3), limit=1)] == ["DSR-1"]
        [job] = submitted_first = submitted(ledger)[:1]
        ledger.results.record_complete([FinishedJob(job, None, "done", None)])
        ledger.results.record_archived({job.id: "m"})
        assert submitted_first[0].request_id == "DSR-1"
        assert [job.request_id for job in ledger.overview.due(DAY + timedelta(days=3))] == ["DSR-2", "DSR-3"]

    def test_rows_are_copies(self, ledger: Ledger) -> None:
        ledger.intake.receive([received(1)])
        [job] = ledger.people.request_jobs("DSR-1")
        job.state = JobState.ARCHIVED
        assert states(ledger) == [JobState.RECEIVED]

    def test_the_history_is_whole_and_in_order(self, ledger: Ledger, clock: FakeClock) -> None:
        ledger.intake.receive([received(1)])
        clock.advance(minutes=1)
        [job] = submitted(ledger)
        ledger.results.record_complete([FinishedJob(job, None, "done", None)])
        ledger.results.record_archived({job.id: "m"})
        path = ["received", "planned", "submitting", "submitted", "complete", "archived"]
        assert steps(ledger) == list(zip([None, *path], path, strict=False))
        times = [step.at for step in ledger.people.history("DSR-1")]
        assert times == sorted(times)
        assert times[1] - times[0] == timedelta(minutes=1)


def test_a_failed_change_is_undone_whole(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.intake.receive([received(1)])
    [job] = claimed(ledger)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Unit, "note", fail)
        with pytest.raises(KeyboardInterrupt):
            ledger.intents.intend(str(job.batch_id), [job.id], daily_limit=LIMIT)
    assert states(ledger) == [JobState.PLANNED]
    assert ledger.quotas.today().used == 0


def test_very_long_names_of_runs_and_actors_fit(open_ledger: OpenLedger) -> None:
    ledger = open_ledger("d" * 250 + "/" + "r" * 250 + "/" + "t" * 250)
    ledger.intake.receive([received(1)])
    run_id = "d" * 250 + "/" + "r" * 250
    batch = claim(ledger, run_id=run_id)
    assert batch is not None
    assert ledger.claims.batch(batch.id).run_id == run_id


def test_more_opt_outs_may_be_left_out_than_a_statement_has_parameters(ledger: Ledger) -> None:
    ledger.intake.receive([received(1, "opt_out_of_sale")])
    moment = datetime.now(UTC)
    left_out = range(1, 70_000)
    assert ledger.opt_outs.intend(DAY, limit=9, abandoned_before=moment, left_out=left_out) == []
    assert len(ledger.opt_outs.intend(DAY, limit=9, abandoned_before=moment, left_out=left_out[1:])) == 1
