"""What Adobe's limits do to a day: who is sent all the same, after how many calls, and what is never believed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from adobe_privacy.api.errors import QuotaReached, RequestRefused
from adobe_privacy.ledger.states import JobState
from adobe_privacy.reporting.alarms import AlarmGroup, due_alarms, record
from tests.submission.day import START, Day
from tests.submission.test_submission import hand_in, line, plan


def forty() -> list[dict[str, Any]]:
    return [line(n, "access") for n in range(40)]


def everybody(*but: int) -> dict[str, int]:
    return {f"DSR-{n}": 1 for n in range(40) if n not in but}


# -- too many requests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["2400", "date:2400", "172800"])
async def test_nobody_calls_before_the_time_that_adobe_asked_for(day: Day, asked: str) -> None:
    batch = day.planned(line(1, "access"))
    day.simulator.fault("create", "rate_limited", retry_after=asked)
    first = await day.submit(batch)
    assert first.not_before is not None
    seconds = float(asked.removeprefix("date:"))
    assert abs((first.not_before - day.clock()).total_seconds() - seconds) < 3
    # The next try, another batch, another process, and the next run: none of them calls.
    hand_in(day.inbox, line(2, "access", products=["target"]), name="more.jsonl")
    batches = plan(day.inbox, day.ledger, run_id="the next run")
    assert len(batches) == 2
    for again in batches:
        assert (await day.submit(again)).not_before == first.not_before
    day.pass_time(timedelta(seconds=seconds - 5))
    for again in batches:
        assert (await day.submit(again)).not_before == first.not_before
    assert day.creates() == 1
    assert not day.ledger.quotas.today().refused
    day.pass_time(timedelta(seconds=10))
    for again in batches:
        assert (await day.submit(again)).not_before is None
    assert day.made() == {"DSR-1": 1, "DSR-2": 1}
    assert day.creates() == 3


async def test_a_pause_of_a_worker_whose_clock_was_wrong_holds_nobody_up_for_ever(day: Day) -> None:
    batch = day.planned(line(1, "access"))
    day.simulator.fault("create", "rate_limited", retry_after="600")
    day.pass_time(timedelta(days=365))
    assert (await day.submit(batch)).not_before is not None
    day.pass_time(timedelta(days=-365))
    assert day.ledger.limits.not_before() is None
    assert (await day.submit(batch)).not_before is None
    assert day.made() == {"DSR-1": 1}


@pytest.mark.parametrize("retry_after", ["600", "date:600", None])
@pytest.mark.parametrize("on", ["create", "list", "token"])
async def test_an_hour_of_429_delays_and_nothing_else(day: Day, retry_after: str | None, on: str) -> None:
    batch = day.planned(*forty())
    if on == "list":
        # A call without an answer, so that there is something to list for.
        day.simulator.fault("create", "drop_after")
    day.simulator.fault(on, "rate_limited", retry_after=retry_after, times=None)
    results = []
    while day.clock() < START + timedelta(hours=1):
        results.append(await day.submit(batch))
        until = results[-1].not_before
        assert until is not None
        day.pass_time(until - day.clock())
    calls = day.simulator.calls()
    # Seconds are lost on the way: with `Retry-After` six or seven calls, without it 5, 10, 20 and 40 minutes apart.
    # A list and a token may be asked for twice before a pause without a time.
    assert len(results) <= 7
    assert calls[on] <= 2 * len(results)
    day.simulator.clear_faults()
    await day.submit_through(batch)
    assert day.made() == everybody()
    assert not day.ledger.quotas.today().refused
    assert day.clock().date() == START.date()


async def test_a_quiet_day_with_a_429_does_not_cut_the_next_one_into_pieces(day: Day) -> None:
    batch = day.planned(*(line(n, "access") for n in range(5)))
    day.simulator.fault("create", "rate_limited", retry_after=None)
    await day.submit_through(batch)
    day.simulator.fault("create", "quota_refusal", times=2)
    hand_in(day.inbox, *(line(n, "access") for n in range(100, 105)), name="more.jsonl")
    [batch] = [found for found in plan(day.inbox, day.ledger, run_id="second") if found.id != batch.id]
    await day.submit_through(batch)
    day.pass_time(timedelta(days=1))
    hand_in(day.inbox, *(line(f"b{n}", "access") for n in range(3000)), name="many.jsonl")  # type: ignore[arg-type]
    assert len(plan(day.inbox, day.ledger, run_id="the next day")) <= 10


# -- one bad user ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "namespace", ["daily offers", "quota", "the daily limit has been exceeded", "too many requests", "bad"]
)
@pytest.mark.parametrize("place", [0, 17, 39])
async def test_one_bad_user_among_forty_costs_no_other_whatever_the_refusal_says(
    day: Day, namespace: str, place: int
) -> None:
    rows = forty()
    rows[place]["identities"] = [{"namespace": namespace, "value": "x", "type": "custom"}]
    day.simulator.switch(refused_namespaces=namespace)
    results = await day.submit_through(day.planned(*rows))
    assert day.made() == everybody(place)
    assert [job.state for job in day.ledger.people.request_jobs(f"DSR-{place}")] == [JobState.REFUSED]
    assert not day.ledger.quotas.today().refused
    assert (len(results), day.clock()) == (1, START)
    assert day.creates() <= 13


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("refusal", 400, None),
        ("refusal", 400, "a value is wrong: {identities} of {keys}"),
        ("refusal", 413, None),
        ("refusal", 422, None),
        ("quota_refusal", 400, None),
        ("quota_refusal", 400, "the daily limit of {keys} is reached"),
    ],
)
async def test_one_bad_user_among_forty_costs_no_other_whatever_kind_of_refusal_it_is(
    day: Day, kind: str, status: int, text: str | None
) -> None:
    words = {} if text is None else {"text": text}
    day.simulator.fault("create", kind, key="DSR-17", status=status, times=None, **words)
    results = await day.submit_through(day.planned(*forty()))
    assert day.made() == everybody(17)
    assert not day.ledger.quotas.today().refused
    assert day.clock() < START + timedelta(minutes=30), "all others on the same day"
    assert (len(results) <= 3, day.creates() <= 16) == (True, True), (len(results), day.creates())


@pytest.mark.parametrize("place", [0, 17, 39])
async def test_one_bad_user_that_is_refused_in_the_words_of_the_daily_limit_closes_no_day(
    day: Day, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_jobs = day.client.create_jobs

    async def picky(request: Any) -> Any:
        if f"DSR-{place}" in {user.key for user in request.users}:
            raise QuotaReached("the day's jobs seem to be used up.", method="POST", route="/jobs", status=400)
        return await create_jobs(request)

    monkeypatch.setattr(day.client, "create_jobs", picky)
    results = await day.submit_through(day.planned(*forty()))
    assert day.made() == everybody(place)
    assert not day.ledger.quotas.today().refused
    assert len(results) <= 3
    assert day.clock() < START + timedelta(minutes=30)


async def test_a_single_user_that_is_refused_is_never_refused_for_good(day: Day) -> None:
    batch = day.planned(line(1, "access"))
    day.simulator.fault("create", "quota_refusal", times=2)
    results = await day.submit_through(batch)
    assert len(results) == 2
    assert [job.state for job in day.ledger.people.request_jobs("DSR-1")] == [JobState.RECEIVED]
    assert not day.ledger.quotas.today().refused
    # Nor does it stop another batch, which tells whose fault it was.
    hand_in(day.inbox, line(2, "access", products=["target"]), name="more.jsonl")
    for batch in plan(day.inbox, day.ledger, run_id="the next run"):
        await day.submit_through(batch)
    assert day.made() == {"DSR-1": 1, "DSR-2": 1}


# -- the day's limit -------------------------------------------------------------------------------------------


async def test_the_days_limit_is_believed_after_a_pause_and_refusals_that_no_single_user_explains(
    day: Day,
) -> None:
    day.simulator.switch(daily_job_limit=0)
    batch = day.planned(*forty())
    first = await day.submit(batch)
    assert (day.creates(), day.ledger.quotas.today().refused) == (1, False)
    assert first.not_before is not None
    assert timedelta(minutes=1) < first.not_before - day.clock() <= timedelta(minutes=10)
    [_, second] = await day.submit_through(batch)
    assert (second.carried_over, second.refused) == (40, 0)
    assert day.ledger.quotas.today().refused
    assert (day.ledger.quotas.today().used, day.creates()) == (0, 3)
    assert plan(day.inbox, day.ledger, run_id="again") == []
    day.simulator.switch(daily_job_limit=20_000)
    day.pass_time(timedelta(hours=12))
    [batch] = plan(day.inbox, day.ledger, run_id="tomorrow")
    await day.submit_through(batch)
    assert day.made() == everybody()


@pytest.mark.parametrize("left", [1, 3, 7, 25, 39])
async def test_what_others_leave_of_the_day_is_used(day: Day, left: int) -> None:
    day.simulator.switch(daily_job_limit=left)
    [_, second] = await day.submit_through(day.planned(*forty()))
    assert sum(day.made().values()) == left
    assert second.refused == 0
    assert {job.state for n in range(40) for job in day.ledger.people.request_jobs(f"DSR-{n}")} == {
        JobState.RECEIVED,
        JobState.SUBMITTED,
    }
    assert day.creates() <= 20


async def test_a_user_whose_jobs_are_too_many_for_what_is_left_of_the_day_waits(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.choice", lambda users: users[0])
    day.simulator.switch(daily_job_limit=2)
    batch = day.planned(line(1, "access"), line(2, "access", "delete"), line(3, "access"))
    [_, second] = await day.submit_through(batch)
    # The third was taken after the second was refused: it is one job, the second are two.
    assert day.made() == {"DSR-1": 1, "DSR-3": 1}
    assert (second.carried_over, second.refused) == (2, 0)
    day.pass_time(timedelta(hours=12))
    for again in plan(day.inbox, day.ledger, run_id="tomorrow"):
        await day.submit_through(again)
    assert day.made() == {"DSR-1": 1, "DSR-2": 2, "DSR-3": 1}


async def test_two_batches_that_are_refused_close_the_day_with_one_call_each_after_the_pause(
    day: Day,
) -> None:
    day.simulator.switch(daily_job_limit=0)
    hand_in(day.inbox, *forty())
    hand_in(day.inbox, *(line(n, "access", products=["target"]) for n in range(50, 60)), name="more.jsonl")
    batches = plan(day.inbox, day.ledger)
    paused = [await day.submit(batch) for batch in batches]
    assert day.creates() == 1
    until = paused[-1].not_before
    assert until is not None
    day.pass_time(until - day.clock())
    for batch in reversed(batches):
        await day.submit(batch)
    assert day.ledger.quotas.today().refused
    assert day.creates() <= 3


async def test_a_refusal_that_comes_after_midnight_closes_the_day_of_the_intent(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    day.pass_time(timedelta(hours=11, minutes=54, seconds=50))
    day.simulator.switch(daily_job_limit=0)
    create_jobs = day.client.create_jobs

    async def slow(request: Any) -> Any:
        try:
            return await create_jobs(request)
        finally:
            day.pass_time(timedelta(seconds=2))

    monkeypatch.setattr(day.client, "create_jobs", slow)
    await day.submit_through(day.planned(*forty()))
    # Refused at 23:54:50, 23:59:54 and 23:59:56: all on the 20th.
    day.pass_time(timedelta(seconds=60))
    assert day.clock().date() == date(2026, 11, 21)
    assert not day.ledger.quotas.today().refused
    day.simulator.switch(daily_job_limit=20_000)
    for batch in plan(day.inbox, day.ledger, run_id="the next day"):
        await day.submit_through(batch)
    assert day.made() == everybody()


async def test_adobes_day_that_ends_two_minutes_after_ours_costs_a_pause(day: Day) -> None:
    """Yesterday's limit is used up, and a run begins at 00:00:30 by our clock."""
    day.pass_time(timedelta(hours=11, minutes=30))
    day.simulator.switch(daily_job_limit=10, clock_skew_seconds=-120)
    await day.submit_through(day.planned(*(line(n, "access") for n in range(10))))
    day.pass_time(timedelta(minutes=30, seconds=30))
    assert day.clock() == datetime(2026, 11, 21, 0, 0, 30, tzinfo=UTC)
    hand_in(day.inbox, *(line(n, "access") for n in range(10, 20)), name="more.jsonl")
    [_, batch] = plan(day.inbox, day.ledger, run_id="the next day")
    results = await day.submit_through(batch)
    assert len(results) == 2
    assert sum(day.made().values()) == 20
    assert not day.ledger.quotas.today().refused


# -- an intermittent 401 ---------------------------------------------------------------------------------------


async def test_a_token_that_is_refused_twice_and_then_taken_fails_nothing(day: Day) -> None:
    day.simulator.fault("create", "error_before", status=401, times=2)
    result = await day.submit(day.planned(line(1, "access")))
    assert result.submitted == 1


# -- a batch that is refused as a whole ------------------------------------------------------------------------


async def refused(day: Day, field: str | None) -> list[AlarmGroup]:
    """A run whose batch is refused, by Adobe for a field or by us; returns what is told of it then."""
    [batch] = plan(day.inbox, day.ledger, run_id=f"run at {day.clock()}")
    if field is not None:
        day.simulator.clear_faults()
        day.simulator.fault("create", "refusal", text=f"Invalid value for `{field}`", times=None)
    with pytest.raises(RequestRefused):
        await day.submit(batch, **({"company_contexts": ()} if field is None else {}))
    alarms = due_alarms(day.ledger, daily_limit=20_000)
    record(day.ledger, alarms)
    return [group for group in alarms.groups if group.kind == "refused_together"]


async def test_the_same_refusal_of_a_batch_is_told_once_a_day_however_often_it_is_tried(day: Day) -> None:
    hand_in(day.inbox, line(1, "access"), line(2, "access"))
    [told] = await refused(day, "regulation")
    assert len(told.names) == 2
    for _ in range(3):
        day.pass_time(timedelta(minutes=10))
        assert await refused(day, "regulation") == []
    day.pass_time(timedelta(days=1))
    [again] = await refused(day, "regulation")
    assert again.lines == told.lines
    day.pass_time(timedelta(minutes=10))
    [other] = await refused(day, "include")
    assert "Field: include" in other.lines[0]


async def test_who_refused_a_batch_is_said(day: Day) -> None:
    hand_in(day.inbox, line(1, "access"))
    [told] = await refused(day, "regulation")
    assert "the whole batch was refused: by Adobe: POST /jobs answered HTTP 400" in told.lines[0]
    day.pass_time(timedelta(minutes=10))
    [told] = await refused(day, None)
    assert "the whole batch was refused: before it was sent: company_contexts" in told.lines[0]
    assert "Adobe refuse" not in told.to_do
