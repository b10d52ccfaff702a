"""Alarms, from the ledger: at which moment each is told, and that it is told once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adobe_privacy.ledger.attention import BY_NAME
from adobe_privacy.ledger.intake import ReceivedJob
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import REFUSED_TOGETHER, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.reporting.alarms import Alarms, clock_moments, due_alarms, next_alarm, record
from tests.support.ledgers import DAY, FakeClock, received

RECEIVED = datetime(2026, 11, 20, tzinfo=UTC)
DUE = date(2026, 12, 20)  # thirty days later: half of them are over on 5 December


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(RECEIVED)


def arrive(
    ledger: Ledger, *numbers: int, actions: tuple[str, ...] = ("access", "delete"), due: date = DUE
) -> None:
    ledger.intake.receive(
        [
            received(
                number,
                received_at=RECEIVED,
                jobs=tuple(
                    ReceivedJob(action, 1, f"DSR-{number}", due, None, next_alarm(RECEIVED, due))
                    for action in actions
                ),
            )
            for number in numbers
        ]
    )


def submit(ledger: Ledger) -> list[Job]:
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000)
    assert batch is not None
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=20_000
    )
    made = [(job, f"adobe-{job.id}") for job in jobs]
    ledger.intents.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
    return ledger.claims.batch_jobs(batch.id)


def told(ledger: Ledger, daily_limit: int = 20_000, *, late: bool = False) -> Alarms:
    found = due_alarms(ledger, daily_limit=daily_limit)
    record(ledger, found)
    # What needs a person is told besides, see test_attention.py.
    found.groups = [
        group for group in found.groups if group.kind not in BY_NAME and (late or group.kind != "late")
    ]
    return found


def what(alarms: Alarms) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(group.kind, group.percent, group.names) for group in alarms.groups]


def test_a_clock_is_told_at_50_80_and_100_percent_each_once(ledger: Ledger, clock: FakeClock) -> None:
    arrive(ledger, 1)
    expected = {15: 50, 24: 80, 30: 100}
    for hour in range(0, 31 * 24 + 1, 6):
        clock.moment = RECEIVED + timedelta(hours=hour)
        percent = expected.pop(hour // 24, None) if hour % 24 == 0 else None
        assert what(told(ledger)) == ([("clock", percent, ("DSR-1",))] if percent else [])
    assert not expected


def test_what_is_not_recorded_is_told_again(ledger: Ledger, clock: FakeClock) -> None:
    arrive(ledger, 1)
    clock.advance(days=16)
    first = due_alarms(ledger, daily_limit=20_000)
    again = due_alarms(ledger, daily_limit=20_000)
    assert what(first) == what(again)
    assert ("clock", 50, ("DSR-1",)) in what(first)
    record(ledger, first)
    record(ledger, again)  # of a run beside it
    assert what(told(ledger)) == []


@pytest.mark.parametrize("told_first", [15, 31])
def test_a_date_that_changes_while_an_alarm_is_told_has_its_own_alarms(
    ledger: Ledger, clock: FakeClock, told_first: int
) -> None:
    arrive(ledger, 1)
    clock.advance(days=told_first)
    found = due_alarms(ledger, daily_limit=20_000)
    ledger.people.extend("DSR-1", date(2027, 2, 18), "complex")  # in all, ninety days
    record(ledger, found)
    assert what(told(ledger)) == []
    clock.advance(days=46 - told_first)
    assert what(told(ledger)) == [("clock", 50, ("DSR-1",))]


def test_of_several_percents_reached_at_once_the_highest_is_told(ledger: Ledger, clock: FakeClock) -> None:
    arrive(ledger, 1)
    clock.advance(days=40)
    assert what(told(ledger)) == [("clock", 100, ("DSR-1",))]
    assert what(told(ledger)) == []


def test_a_request_is_told_once_however_many_jobs_it_has_and_its_opt_out_by_its_own_clock(
    ledger: Ledger, clock: FakeClock
) -> None:
    jobs = (
        *(
            ReceivedJob(a, p, f"DSR-1~{p}", DUE, None, next_alarm(RECEIVED, DUE))
            for a in ("access", "delete")
            for p in (1, 2)
        ),
        ReceivedJob(
            "opt_out_of_sale", 1, "DSR-1", date(2026, 12, 2), None, next_alarm(RECEIVED, date(2026, 12, 2))
        ),
    )
    ledger.intake.receive([received(1, received_at=RECEIVED, jobs=jobs)])
    clock.advance(days=6)
    alarms = told(ledger)
    assert what(alarms) == [("clock", 50, ("DSR-1",))]
    assert "due 2026-12-02: opt_out_of_sale received" in alarms.message
    clock.advance(days=9)
    alarms = told(ledger)
    assert what(alarms) == [("clock", 100, ("DSR-1",)), ("clock", 50, ("DSR-1",))]
    assert "due 2026-12-20: access received, delete received" in alarms.message


def test_a_finished_request_is_not_told_and_one_in_error_or_on_hold_is(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, 1, 2, 3, actions=("access",))
    one, two, _ = submit(ledger)
    ledger.results.record_complete([FinishedJob(one, clock(), "done", None)])
    ledger.results.record_archived({one.id: "m"})
    ledger.results.record_error(two, completed_at=None, outcome_code="1000-400", reason="", try_again=False)
    ledger.people.hold("DSR-3", "a dispute")
    clock.advance(days=15)
    alarms = told(ledger)
    assert what(alarms) == [("clock", 50, ("DSR-2", "DSR-3"))]
    assert "DSR-2 (gdpr), due 2026-12-20: access error" in alarms.message
    assert "access submitted (on hold)" in alarms.message


def test_a_request_sent_again_is_not_told_anew(ledger: Ledger, clock: FakeClock) -> None:
    arrive(ledger, 1, actions=("access",))
    (job,) = submit(ledger)
    clock.advance(days=15)
    assert len(told(ledger).groups) == 1
    ledger.results.record_error(job, completed_at=None, outcome_code="1000-400", reason="", try_again=False)
    ledger.people.resend("DSR-1", "mended")
    assert what(told(ledger)) == []
    clock.advance(days=9)
    assert what(told(ledger)) == [("clock", 80, ("DSR-1",))]


def test_a_result_that_is_not_archived_is_told_at_50_80_and_100_percent_of_thirty_days(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, 1, 2, actions=("access",), due=date(2028, 1, 1))
    one, two = submit(ledger)
    for job in (one, two):
        ledger.results.record_complete([FinishedJob(job, clock(), "done", None)])
    ledger.results.record_archived({two.id: "m"})
    clock.advance(days=14.9)
    assert what(told(ledger)) == []
    for days, percent in ((0.1, 50), (9, 80), (6, 100)):
        clock.advance(days=days)
        alarms = told(ledger)
        assert what(alarms) == [("result", percent, ("DSR-1",))]
        assert "complete since 2026-11-20" in alarms.message
        assert what(told(ledger)) == []


def test_the_days_quota_is_told_at_90_and_100_percent_of_each_day(ledger: Ledger, clock: FakeClock) -> None:
    arrive(ledger, *range(9), actions=("access",))
    assert what(told(ledger, 10)) == []
    submit(ledger)
    alarms = told(ledger, 10)
    assert what(alarms) == [("quota", 90, ("2026-11-20",))]
    assert "9 of 10 jobs of 2026-11-20 (UTC) used" in alarms.message
    assert what(told(ledger, 10)) == []
    ledger.quotas.record_refusal(ledger.now().date())
    alarms = told(ledger, 10)
    assert what(alarms) == [("quota", 100, ("2026-11-20",))]
    assert "Adobe takes no more jobs today" in alarms.subject
    clock.advance(days=1)
    assert what(told(ledger, 10)) == []
    arrive(ledger, *range(20, 30), actions=("access",))
    submit(ledger)
    assert what(told(ledger, 10)) == [("quota", 100, ("2026-11-21",))]


def test_a_job_from_before_there_were_alarms_is_told_in_its_time(ledger: Ledger, clock: FakeClock) -> None:
    job = ReceivedJob("access", 1, "DSR-1", DUE, None, alarm_at=RECEIVED)
    ledger.intake.receive([received(1, received_at=RECEIVED, jobs=(job,))])
    clock.advance(hours=1)
    assert what(told(ledger)) == []
    assert ledger.people.request_jobs("DSR-1")[0].alarm_at == RECEIVED + timedelta(days=15)
    clock.advance(days=15)
    assert what(told(ledger)) == [("clock", 50, ("DSR-1",))]


def test_many_alarms_are_one_message_that_counts_what_it_does_not_show(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, *range(1000), actions=("access",))
    arrive(ledger, 2000, actions=("access",), due=date(2026, 12, 30))
    clock.advance(days=24)
    alarms = told(ledger)
    assert alarms.subject == (
        "Privacy requests: 1000 unfinished requests with 80 % of the time used; "
        "1 unfinished request with 50 % of the time used"
    )
    assert len(alarms.message.splitlines()) == 1 + 20 + 1 + 1 + 2
    assert "- and 980 more" in alarms.message
    assert what(told(ledger)) == []


def test_a_clock_without_time_is_told_at_once(ledger: Ledger, clock: FakeClock) -> None:
    arrive(ledger, 1, due=RECEIVED.date())
    assert what(told(ledger)) == [("clock", 100, ("DSR-1",))]


@given(
    st.integers(min_value=0, max_value=4 * 365 * 86400).map(lambda s: RECEIVED + timedelta(seconds=s)),
    st.integers(min_value=0, max_value=140),
)
def test_moments_are_in_order_and_none_is_passed_over(received_at: datetime, days: int) -> None:
    due = received_at.date() + timedelta(days=days)
    moments = [moment for _, moment in clock_moments(received_at, due)]
    assert all(earlier <= later for earlier, later in pairwise([received_at, *moments]))
    assert moments[-1] <= max(received_at, datetime(due.year, due.month, due.day, tzinfo=UTC))
    seen, after = [], next_alarm(received_at, due)
    while after is not None:
        seen.append(after)
        after = next_alarm(received_at, due, after)
    assert seen == sorted(set(moments))


def test_a_batch_that_is_not_at_adobe_after_three_hours_is_told_once(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, 1, 2, actions=("access",))
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000)
    assert batch is not None
    clock.advance(hours=2, minutes=59)
    assert told(ledger, late=True).groups == []
    clock.advance(minutes=1)
    alarms = told(ledger, late=True)
    assert what(alarms) == [("late", 100, (str(DAY),))]
    assert "2 jobs late: not known to be at Adobe" in alarms.subject
    assert f"inbox {DAY}, gdpr: 2 jobs; see the logs of plan and submit" in alarms.message
    assert told(ledger, late=True).groups == []


def test_what_is_at_adobe_waits_for_a_person_or_is_on_hold_is_not_late(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, 1, actions=("access",))
    submit(ledger)
    arrive(ledger, 2, actions=("delete",))
    ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000, approve_deletes=True)
    arrive(ledger, 3, actions=("access",))
    ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000)
    ledger.people.hold("DSR-3", "court")
    clock.advance(days=1)
    assert [group.kind for group in told(ledger, late=True).groups] == []


def test_an_opt_out_that_adobe_has_not_accepted_after_twelve_hours_is_told(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, 1, 2, actions=("opt_out_of_sale",))
    clock.advance(hours=11)
    assert told(ledger, late=True).groups == []
    clock.advance(hours=1)
    alarms = told(ledger, late=True)
    assert what(alarms) == [("late", 100, (str(DAY),))]
    assert f"inbox {DAY}: 2 opt-outs; see the run of privacy_optouts" in alarms.message
    assert told(ledger, late=True).groups == []


def test_an_unknown_outcome_is_told_at_once_though_another_was_told_after_its_intent(
    ledger: Ledger, clock: FakeClock
) -> None:
    def begin(number: int) -> None:
        arrive(ledger, number, actions=("access",))
        batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000)
        assert batch is not None
        ids = [job.id for job in ledger.claims.batch_jobs(batch.id)]
        ledger.intents.intend(batch.id, ids, daily_limit=20_000)

    def of_unknown_outcome() -> list[str]:
        found = due_alarms(ledger, daily_limit=20_000)
        record(ledger, found)
        return [name for group in found.groups if group.kind == "unknown" for name in group.names]

    begin(1)
    clock.advance(minutes=20)
    begin(2)
    clock.advance(minutes=5)
    assert of_unknown_outcome() == ["DSR-1"]
    clock.advance(hours=1)
    assert of_unknown_outcome() == ["DSR-1", "DSR-2"]
    clock.advance(hours=1)
    assert of_unknown_outcome() == []


def test_opt_outs_that_came_later_are_told_though_others_of_their_folder_were(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, 1, actions=("opt_out_of_sale",))
    clock.advance(hours=13)
    arrive(ledger, 2, actions=("opt_out_of_sale",))
    assert what(told(ledger, late=True)) == [("late", 100, (str(DAY),))]
    clock.advance(hours=11)
    assert told(ledger, late=True).groups == []
    clock.advance(hours=1)
    alarms = told(ledger, late=True)
    assert what(alarms) == [("late", 100, (str(DAY),))]
    assert f"inbox {DAY}: 1 opt-outs" in alarms.message
    assert told(ledger, late=True).groups == []


def test_a_request_that_no_plan_has_claimed_for_36_hours_is_told_once_in_each_attempt(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, 1, 2, 3, actions=("access",))
    ledger.people.hold("DSR-3", "court")
    clock.advance(hours=35)
    assert told(ledger, late=True).groups == []
    arrive(ledger, 4, actions=("access",))
    clock.advance(hours=1)
    alarms = told(ledger, late=True)
    assert what(alarms) == [("late", 100, (str(DAY),))]
    assert (
        f"inbox {DAY}, gdpr: 2 jobs that no plan has claimed; see that privacy_requests runs"
        in alarms.message
    )
    assert told(ledger, late=True).groups == []
    job = submit(ledger)[0]
    ledger.results.record_error(job, completed_at=None, outcome_code="1000-400", reason="", try_again=False)
    ledger.people.resend(job.request_id, "mended")
    assert told(ledger, late=True).groups == []
    clock.advance(hours=35)
    assert told(ledger, late=True).groups == [], "it waits since it was sent again"
    clock.advance(hours=1)
    assert what(told(ledger, late=True)) == [("late", 100, (str(DAY),))]


def test_a_request_waits_for_a_plan_since_it_last_began_to_wait(ledger: Ledger, clock: FakeClock) -> None:
    """A plan has claimed it, and its batch went back; or it was on hold, and no plan could claim it."""
    arrive(ledger, 1, actions=("delete",))
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000, approve_deletes=True)
    assert batch is not None
    arrive(ledger, 2, actions=("access",))
    ledger.people.hold("DSR-2", "court")
    clock.advance(days=7)
    assert ledger.claims.unclaim(batch.id, "nobody approved it in time")
    ledger.people.release("DSR-2", "over")
    clock.advance(hours=35)
    # What a person notes of it meanwhile is no new beginning.
    ledger.people.extend("DSR-1", DUE + timedelta(days=9), "told")
    assert told(ledger, late=True).groups == []
    clock.advance(hours=1)
    assert "2 jobs late" in told(ledger, late=True).subject
    assert told(ledger, late=True).groups == []


def test_an_opt_out_is_late_twelve_hours_after_its_hold_ended(ledger: Ledger, clock: FakeClock) -> None:
    arrive(ledger, 1, actions=("opt_out_of_sale",))
    ledger.people.hold("DSR-1", "court")
    clock.advance(days=7)
    ledger.people.release("DSR-1", "over")
    clock.advance(hours=11)
    # Each run sends it: that it was not accepted is no new beginning.
    jobs = ledger.opt_outs.intend(DAY, limit=9, abandoned_before=clock.moment)
    ledger.intents.withdraw(jobs, JobState.RECEIVED, "not accepted")
    assert told(ledger, late=True).groups == []
    clock.advance(hours=1)
    assert "1 job late" in told(ledger, late=True).subject
    assert told(ledger, late=True).groups == []


def test_what_is_refused_with_its_batch_every_day_was_claimed_and_is_told_as_refused_only(
    ledger: Ledger, clock: FakeClock
) -> None:
    arrive(ledger, 1, actions=("access",))
    for _ in range(4):
        batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=20_000)
        assert batch is not None
        ledger.claims.unclaim(batch.id, f"{REFUSED_TOGETHER}a product")
        clock.advance(days=1)
        assert told(ledger, late=True).groups == []
    clock.advance(days=2)
    assert ledger.attention.counts()["refused_together"] == 1
    assert told(ledger, late=True).groups == []
